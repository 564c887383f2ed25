"""Tutorial 04: retries, conditions for retries, callbacks, and what runs after a failure.

It prints::

    fetch, attempt 1
    fetch, attempt 2
    fetch, attempt 3
    parse fails
    parse has failed: ValueError: not a number: 'x'
    Status: Failed
    Reason: ValueError: not a number: 'x'
    fetched after 3 attempts, used the default 0, reported: True
    delays: 0.5, 1.0, 2.0, 2.0
    another attempt: True, False
    unknown option: retry_backoff must be one of fixed, linear, exponential, not 'exponentail'; did you mean "exponential"?
"""

from sluice import cloaca

attempts = {"fetch": 0, "parse": 0}

policy = (
    cloaca.RetryPolicy.builder()
    .max_attempts(4)
    .initial_delay(0.01)
    .backoff_strategy(cloaca.BackoffStrategy.linear(1.0))
    .retry_condition(cloaca.RetryCondition.transient_only())
    .with_jitter(False)
    .build()
)


def on_failure(task_id, error, context):
    print(f"{task_id} has failed: {error}")


with cloaca.WorkflowBuilder("resilient") as builder:
    builder.description("Failures, and how a workflow goes on")

    @cloaca.task(retry=policy)
    def fetch(context):
        attempts["fetch"] += 1
        print(f"fetch, attempt {attempts['fetch']}")
        if attempts["fetch"] < 3:
            raise ConnectionError("the service is away")
        context.set("fetched", attempts["fetch"])
        return context

    @cloaca.task(
        dependencies=["fetch"],
        retry_attempts=5,
        retry_delay_ms=10,
        retry_backoff="fixed",
        retry_condition="transient",  # a ValueError is not
        on_failure=on_failure,
    )
    def parse(context):
        print("parse fails")
        raise ValueError("not a number: 'x'")

    @cloaca.task(dependencies=["parse"], trigger_rules=cloaca.task_failed("parse"))
    def use_default(context):
        context.set("number", 0)
        return context

    @cloaca.task(dependencies=["parse"], trigger_rules=cloaca.task_success("parse"))
    def use_parsed(context):
        raise AssertionError("it is skipped")

    @cloaca.task(dependencies=["use_default", "use_parsed"])
    def report(context):
        context.set("reported", True)
        return context


if __name__ == "__main__":
    runner = cloaca.DefaultRunner(cloaca.var_or("DATABASE_URL", ":memory:"))
    result = runner.execute("resilient", cloaca.Context())
    print(f"Status: {result.status}")
    print(f"Reason: {result.error_message}")
    final = result.final_context
    print(
        f"fetched after {final.get('fetched')} attempts, used the default {final.get('number')}, "
        f"reported: {final.get('reported')}"
    )
    runner.shutdown()

    slow = cloaca.RetryPolicy.builder().initial_delay(0.5).max_delay(2.0).with_jitter(False).build()
    print("delays:", ", ".join(str(slow.calculate_delay(attempt)) for attempt in (1, 2, 3, 4)))
    print(f"another attempt: {policy.should_retry(3, 'timeout')}, {policy.should_retry(4, 'timeout')}")
    try:
        cloaca.task(retry_backoff="exponentail")
    except ValueError as error:
        print("unknown option:", str(error).removeprefix("@task: "))
