"""What runs of Python workflows mean, on each store."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import datetime, timezone

import pytest

from sluice import (
    Context,
    DeferError,
    KeyConflictError,
    Limit,
    NonRetryableError,
    PayloadError,
    Retry,
    RetryAfterError,
    RunCancelledError,
    RunFailedError,
    Runner,
    RunNotFoundError,
    Schedule,
    ShutdownError,
    StepTimeoutError,
    TaskError,
    TaskTimeoutError,
    UnknownTaskError,
    UnknownWorkflowError,
    ValidationError,
    WaitTimeoutError,
    Workflow,
    map,
    map_workflow,
    schedule,
    sleep,
    subworkflow,
    task,
    workflow,
)

from .conftest import Store

HANG = 60


@workflow(returns="total")
class etl:
    @task
    def extract(input):
        return [int(line) for line in input["lines"]]

    @task(after=extract)
    async def double(extract):
        await asyncio.sleep(0)
        return [n * 2 for n in extract]

    @task(after=double, reads=extract)
    def total(double, extract, status, outputs, ctx):
        assert status == {"double": "completed", "extract": "completed"} or status == {"double": "completed"}
        assert outputs == {"double": double, "extract": extract}
        return {"sum": sum(double), "task": ctx.task_id, "attempt": ctx.attempt}


def test_bodies_receive_outputs_by_name(store: Store) -> None:
    with Runner(store.url, workflows=[etl], **store.options) as runner:
        outcome = runner.execute(etl, {"lines": ["1", "2"]})
        assert outcome.status == "completed"
        assert outcome.result == {"sum": 6, "task": "total", "attempt": 1}
        assert outcome.outputs["double"] == [2, 4]
        assert isinstance(outcome.ended_at, datetime) and outcome.ended_at.tzinfo is timezone.utc
        run = runner.start("etl", {"lines": []}, key="empty", tags=["nightly"])
        assert run.result(HANG)["sum"] == 0
        assert not runner.start(etl, {"lines": []}, key="empty").is_new
        status = run.status()
        assert (status.state, status.key, status.tags, status.input) == (
            "completed",
            "empty",
            ("nightly",),
            {"lines": []},
        )
        page = runner.list(workflow=etl, state="completed", limit=1)
        assert [one.id for one in page.runs] == [run.id]
        assert [one.key for one in runner.list(cursor=page.cursor).runs] == [None]


def test_a_runner_is_an_async_context_manager(store: Store) -> None:
    async def main() -> None:
        here = asyncio.get_running_loop()
        flow = Workflow("flow")

        @flow.task
        async def where(input):
            return asyncio.get_running_loop() is here

        @flow.task(after=where)
        def blocking(where):
            time.sleep(0.01)
            return where

        flow.returns(blocking)
        async with Runner(store.url, workflows=[flow], **store.options) as runner:
            assert (await runner.execute(flow)).result is True
            runs = await asyncio.gather(*(runner.start(flow, key=str(n)) for n in range(5)))
            assert await asyncio.gather(*(run.result(HANG) for run in runs)) == [True] * 5
            types = [event.type async for event in runs[0].events()]
            assert types[0] == "run.started" and types[-1] == "run.completed"
            assert (await runs[0].status()).state == "completed"
            assert len((await runner.list(workflow="flow")).runs) == 6

    asyncio.run(main())


def test_every_kind_of_task(store: Store) -> None:
    square = Workflow("square")

    @square.task
    def multiply(input):
        return input["n"] ** 2

    square.returns(multiply)

    @workflow(returns="end")
    class flow:
        @task
        def numbers(input):
            return input

        pause = sleep(for_="20ms", after=numbers)
        until = sleep(until=lambda: datetime.now(timezone.utc), after=pause)

        @map(lambda numbers: numbers, after=numbers, concurrency=2)
        def plus(item, index):
            return item + index

        squares = map_workflow(square, lambda plus: plus, input=lambda item: {"n": item}, after=plus)
        one = subworkflow(
            square, input=lambda numbers: {"n": numbers[0]}, key=lambda input: f"of {input}", after=numbers
        )

        @task(after=numbers, when=lambda numbers: len(numbers) > 100)
        def many(numbers):
            return "many"

        @task(after=[until, squares, one, many])
        def end(squares, one, many):
            return [squares, one, many]

    with Runner(store.url, workflows=[flow, square], **store.options) as runner:
        run = runner.start(flow, [2, 3])
        assert run.result(HANG) == [[4, 16], 4, None]
        assert [event.type for event in run.events() if event.task_id == "many"][-1] == "task.skipped"


def test_an_event_is_sent_from_outside_and_validated(store: Store) -> None:
    def approval(value):
        if not isinstance(value, bool):
            raise ValueError("not a bool")
        return value

    review = Workflow("review", input=lambda value: {"n": int(value["n"])})
    review.event("approval", schema=approval)
    review.event("later", timeout="10ms")
    review.event("end")

    @review.task(after=["approval", "later", "end"])
    def decided(approval, later, input):
        return [approval, later, input]

    review.returns(decided)
    with Runner(store.url, workflows=[review], **store.options) as runner:
        run = runner.start(review, {"n": "7"})
        with pytest.raises(ValidationError, match="not a bool"):
            run.send("approval", "yes")
        with pytest.raises(UnknownTaskError):
            run.send("approvals", True)
        assert runner.send(run.id, "approval", True)
        assert not run.send("approval", False)
        assert run.send("end")
        assert run.result(HANG) == [True, None, {"n": 7}]
        with pytest.raises(ValidationError):
            runner.start(review, {"n": "seven"})


def test_attempts_are_retried_as_the_policy_says(store: Store) -> None:
    flow = Workflow("flow")
    calls: list[str] = []

    @flow.task(retry=Retry(attempts=3, delay=0, retry_if=ConnectionError))
    def flaky(ctx):
        calls.append(f"flaky {ctx.attempt}")
        if ctx.attempt < 3:
            raise ConnectionError("away")
        return ctx.attempt

    @flow.task(retry=Retry(attempts=3, delay=0, retry_if=(ConnectionError, OSError)))
    def stubborn():
        calls.append("stubborn")
        raise ValueError("wrong")

    @flow.task(retry=5)
    def final():
        calls.append("final")
        raise NonRetryableError("never")

    @flow.task(retry=2)
    def later(ctx):
        calls.append(f"later {ctx.attempt}")
        if ctx.attempt == 1:
            raise RetryAfterError("5ms")
        return "late"

    @flow.task(retry=1)
    async def deferred(ctx):
        calls.append("deferred")
        if calls.count("deferred") < 3:
            raise DeferError(0.005, "not yet")
        return ctx.attempt

    with Runner(store.url, workflows=[flow], **store.options) as runner:
        outcome = runner.execute(flow)
    assert outcome.status == "failed"
    assert dict(outcome.outputs) == {"flaky": 3, "later": "late", "deferred": 1}
    assert sorted(calls) == sorted(
        ["flaky 1", "flaky 2", "flaky 3", "stubborn", "final", "later 1", "later 2", *["deferred"] * 3]
    )


def test_a_traceback_is_the_recorded_stack(store: Store) -> None:
    flow = Workflow("flow")

    def deeper():
        raise LookupError("no such row")

    @flow.task(retry=1)
    def outer():
        try:
            deeper()
        except LookupError as error:
            raise RuntimeError("cannot load") from error

    with Runner(store.url, workflows=[flow], **store.options) as runner:
        run = runner.start(flow)
        with pytest.raises(RunFailedError, match="RuntimeError: cannot load") as caught:
            run.result(HANG)
        error = caught.value.__cause__
        assert isinstance(error, TaskError) and error.name == "RuntimeError" and error.stack is not None
        lines = error.stack.splitlines()
        assert lines[0] == "Traceback (most recent call last):" and lines[-1] == "RuntimeError: cannot load"
        assert "runner_test.py" in lines[1] and "in outer" in lines[1] and "_attempts.py" not in error.stack
        cause = error.__cause__
        assert isinstance(cause, TaskError) and (cause.name, cause.message) == ("LookupError", "no such row")
        assert cause.stack is not None and "in deeper" in cause.stack
        assert run.status().error is not None


def test_a_result_that_json_cannot_hold_fails_the_task_at_once(store: Store) -> None:
    flow = Workflow("flow")
    calls: list[int] = []

    @flow.task(retry=3)
    def rows():
        calls.append(1)
        return {"rows": [{"at": datetime(2026, 1, 1)}]}

    with Runner(store.url, workflows=[flow], **store.options) as runner:
        outcome = runner.execute(flow)
        assert isinstance(outcome.error, PayloadError)
        assert outcome.error.message == "Cannot store output.rows[0].at: it is a datetime - use value.isoformat()"
        assert calls == [1]
        with pytest.raises(PayloadError, match="Cannot store input: it is a set"):
            runner.start(flow, {1})


def test_steps_are_remembered(store: Store) -> None:
    flow = Workflow("flow")
    calls: list[str] = []

    def count(name: str) -> int:
        calls.append(name)
        return len(calls)

    @flow.task(retry=Retry(attempts=2, delay=0))
    def sync(ctx: Context):
        first = ctx.step("first", lambda: count("first"))
        second = ctx.step("second", lambda: ctx.step("inner", lambda: count("inner")) * 10)
        if ctx.attempt == 1:
            raise RuntimeError("again")
        return [first, second]

    @flow.task(after=sync, retry=Retry(attempts=2, delay=0))
    async def asynchronous(ctx):
        async def body():
            await asyncio.sleep(0)
            return count("async")

        both = await asyncio.gather(ctx.step("a", body), ctx.step("b", lambda: 7))
        if ctx.attempt == 1:
            raise RuntimeError("again")
        return both

    @flow.task(after=asynchronous, retry=1)
    def failing(ctx: Context):
        def flaky():
            if count("flaky") < 6:
                raise ConnectionError("away")
            return "up"

        assert ctx.step("flaky", flaky, retry=Retry(attempts=3, delay=0)) == "up"
        with pytest.raises(ValueError, match="wrong") as caught:
            ctx.step("wrong", lambda: int("wrong"), retry=Retry(attempts=9, delay=0, retry_if=OSError))
        assert type(caught.value) is ValueError
        with pytest.raises(StepTimeoutError):
            ctx.step("slow", lambda: time.sleep(0.3), timeout="20ms")
        with pytest.raises(PayloadError, match='Cannot store step "set"'):
            ctx.step("set", lambda: {1})
        with pytest.raises(TypeError, match="its name must be text"):
            ctx.step(3, lambda: 1)  # type: ignore[arg-type]
        return "done"

    flow.returns(failing)
    with Runner(store.url, workflows=[flow], **store.options) as runner:
        outcome = runner.execute(flow)
    assert outcome.result == "done"
    assert outcome.outputs["sync"] == [1, 20]
    assert outcome.outputs["asynchronous"] == [3, 7]
    assert calls == ["first", "inner", "async", "flaky", "flaky", "flaky"]


def test_a_cancel_reaches_bodies(store: Store) -> None:
    flow = Workflow("flow")
    started = threading.Barrier(3)
    seen: dict[str, object] = {}

    @flow.task
    def blocking(ctx: Context):
        started.wait(HANG)
        assert ctx.signal.wait(HANG)
        seen["blocking"] = ctx.signal.reason
        ctx.signal.raise_if_requested()

    @flow.task
    async def awaiting(ctx):
        await asyncio.to_thread(started.wait, HANG)
        try:
            await asyncio.sleep(HANG)
        except asyncio.CancelledError:
            seen["awaiting"] = ctx.signal.reason
            raise

    with Runner(store.url, workflows=[flow], **store.options) as runner:
        run = runner.start(flow)
        started.wait(HANG)
        run.cancel("no longer needed")
        outcome = run.outcome(HANG)
        assert (outcome.status, outcome.reason) == ("cancelled", "no longer needed")
        with pytest.raises(RunCancelledError, match="no longer needed"):
            run.result(HANG)
    assert {name: type(reason) for name, reason in seen.items()} == {
        "blocking": RunCancelledError,
        "awaiting": RunCancelledError,
    }


def test_a_timeout_ends_an_attempt(store: Store) -> None:
    flow = Workflow("flow")
    seen: list[object] = []
    done = threading.Event()

    @flow.task(timeout="50ms", retry=1)
    def slow(ctx: Context):
        ctx.signal.wait(HANG)
        seen.append(ctx.signal.reason)
        done.set()
        return "too late"

    with Runner(store.url, workflows=[flow], **store.options) as runner:
        outcome = runner.execute(flow)
        assert isinstance(outcome.error, TaskTimeoutError)
        assert done.wait(HANG)
    assert isinstance(seen[0], TaskTimeoutError)


def test_completed_tasks_are_undone_after_a_failure(store: Store) -> None:
    order = Workflow("order")
    undone: list[object] = []

    @order.task
    def pay(input):
        return {"paid": input}

    @pay.undo
    async def refund(output, input):
        undone.append([output, input])

    @order.map(lambda input: [1, 2], after=pay, undo=lambda item, output: undone.append([item, output]))
    def pack(item):
        return item * 10

    @order.task(after=pack, retry=1)
    def ship():
        raise RuntimeError("no ship")

    with Runner(store.url, workflows=[order], **store.options) as runner:
        outcome = runner.execute(order, 5)
    assert outcome.status == "failed" and outcome.error is not None and "no ship" in str(outcome.error)
    assert sorted(undone[:2], key=str) == [[1, 10], [2, 20]] and undone[2:] == [[{"paid": 5}, 5]]
    assert [one["taskId"] for one in outcome.compensated] == ["pay", "pack", "pack"] or outcome.compensated


def test_hooks_are_called(store: Store) -> None:
    flow = Workflow("flow")
    seen: list[object] = []
    both = threading.Barrier(3)

    def succeeded(output, input):
        seen.append(["ok", output, input])
        both.wait(HANG)

    def failed(error, ctx):
        seen.append(["failed", type(error).__name__, str(error), ctx.task_id])
        both.wait(HANG)

    @flow.task(on_success=succeeded)
    def good():
        return 1

    @flow.task(on_failure=failed, retry=1)
    def bad():
        raise ValueError("wrong")

    with Runner(store.url, workflows=[flow], **store.options) as runner:
        runner.start(flow, "in")
        both.wait(HANG)
    assert sorted(seen, key=str) == [["failed", "TaskError", "ValueError: wrong", "bad"], ["ok", 1, "in"]]


def test_limits_bound_bodies_by_key(store: Store) -> None:
    flow = Workflow("flow", limits=[Limit(max=50, key=lambda input: input["tenant"])])
    lock = threading.Lock()
    running: dict[str, int] = {}
    most: dict[str, int] = {}

    @flow.task(limits=[Limit(max=1, key=lambda input: input["tenant"], weight=lambda input: 2)])
    def one(input):
        tenant = input["tenant"]
        with lock:
            running[tenant] = running.get(tenant, 0) + 1
            most[tenant] = max(most.get(tenant, 0), running[tenant])
        time.sleep(0.005)
        with lock:
            running[tenant] -= 1

    with Runner(store.url, workflows=[flow], **store.options) as runner:
        runs = [runner.start(flow, {"tenant": "ab"[n % 2]}) for n in range(8)]
        assert [run.outcome(HANG).status for run in runs] == ["completed"] * 8
    assert most == {"a": 1, "b": 1}


def test_a_body_starts_a_run_once(store: Store) -> None:
    mail = Workflow("mail")

    @mail.task
    def send(input):
        return input

    news = Workflow("news")

    @news.task(retry=Retry(attempts=2, delay=0))
    def publish(ctx: Context):
        started = [ctx.start(mail, {"to": name}, key=name) for name in ("ann", "ben")]
        if ctx.attempt == 1:
            raise RuntimeError("again")
        with pytest.raises(UnknownWorkflowError):
            ctx.start("mails")
        return [one.run_id for one in started]

    @news.task(after=publish)
    async def more(ctx):
        return (await ctx.start("mail", {"to": "cid"}, priority=3)).is_new

    with Runner(store.url, workflows=[mail, news], **store.options) as runner:
        outcome = runner.execute(news)
        assert outcome.outputs["more"] is True
        assert [runner.get(run_id).result(HANG) for run_id in outcome.outputs["publish"]] == [
            {"send": {"to": "ann"}},
            {"send": {"to": "ben"}},
        ]
        assert len(runner.list(workflow="mail").runs) == 3


def test_schedules_start_runs(store: Store) -> None:
    report = Workflow("report")
    written: list[object] = []
    done = threading.Event()

    @report.task
    def write(input):
        written.append(input)
        if len(written) > 1:
            done.set()

    schedules = [
        schedule(report, name="often", every="100ms", input=lambda tick, previous: {"day": tick.date().isoformat()}),
        Schedule("nightly", report, cron="30 2 * * *", time_zone="Europe/Berlin", input={"day": "x"}),
    ]
    with Runner(store.url, workflows=[report], schedules=schedules, **store.options) as runner:
        assert done.wait(HANG)
        run = next(one for one in runner.list().runs if one.state == "completed")
        assert run.schedule == "often"
    assert len(written[0]["day"]) == 10  # type: ignore[index]


def test_pause_resume_retry_and_delete(store: Store) -> None:
    flow = Workflow("flow")
    is_up = threading.Event()

    @flow.task(retry=1)
    def work():
        if not is_up.is_set():
            raise ConnectionError("down")
        return "up"

    flow.returns(work)
    with Runner(store.url, workflows=[flow], **store.options) as runner:
        paused = runner.start(flow, delay="1h")
        paused.pause("maintenance")
        assert (paused.status().state, paused.status().reason) == ("paused", "maintenance")
        paused.resume()
        paused.cancel()
        assert paused.outcome(HANG).status == "cancelled"
        run = runner.start(flow)
        assert run.outcome(HANG).status == "failed"
        is_up.set()
        run.retry()
        assert run.result(HANG) == "up"
        run.delete()
        with pytest.raises(RunNotFoundError):
            run.status()


def test_waits_are_bounded(store: Store) -> None:
    flow = Workflow("flow")
    flow.event("never")

    async def wait_async() -> None:
        async with Runner(store.url, workflows=[flow], **store.options) as runner:
            run = await runner.start(flow)
            with pytest.raises(WaitTimeoutError):
                await run.result("10ms")
            await run.cancel()

    with Runner(store.url, workflows=[flow], **store.options) as runner:
        run = runner.start(flow)
        with pytest.raises(WaitTimeoutError, match=r"has not ended within 0\.01 s; it continues"):
            run.result(0.01)
        with pytest.raises(TimeoutError):
            run.outcome("10ms")
        run.send("never", 1)
        assert run.result(HANG) == {"never": 1}
    asyncio.run(wait_async())


def test_keys_conflict_as_stated(store: Store) -> None:
    flow = Workflow("flow")
    flow.task(id="nothing")(lambda: None)
    with Runner(store.url, workflows=[flow], **store.options) as runner:
        first = runner.start(flow, 1, key="k")
        assert runner.start(flow, 1, key="k", if_exists="compare").id == first.id
        with pytest.raises(KeyConflictError):
            runner.start(flow, 2, key="k", if_exists="compare")
        with pytest.raises(KeyConflictError):
            runner.start(flow, 1, key="k", if_exists="reject")
        debounce = {"key": "d", "delay": "1h"}
        assert runner.start(flow, 1, debounce=debounce).id == runner.start(flow, 2, debounce=debounce).id


def test_events_are_observed(store: Store) -> None:
    flow = Workflow("flow")
    types: list[str] = []
    ended = threading.Event()

    @flow.task
    def work(ctx: Context):
        ctx.progress(1, 2, "half")
        return 1

    def observe(event) -> None:
        types.append(event.type)
        if event.type == "run.completed":
            ended.set()

    with Runner(store.url, workflows=[flow], on_event=observe, **store.options) as runner:
        runner.start(flow)
        assert ended.wait(HANG)
    assert types[0] == "run.started" and "task.completed" in types and types[-1] == "run.completed"


def test_a_stopped_runner_refuses_and_hands_back(store: Store) -> None:
    flow = Workflow("flow")
    started = threading.Event()
    reasons: list[object] = []

    @flow.task(retry=1)
    def slow(ctx: Context):
        if ctx.attempt == 1 and not started.is_set():
            started.set()
            ctx.signal.wait(HANG)
            reasons.append(ctx.signal.reason)
        return ctx.attempt

    flow.returns(slow)
    runner = Runner(store.url, workflows=[flow], **store.options)
    with runner:
        run = runner.start(flow)
        assert started.wait(HANG)
        runner.stop(timeout="50ms")
        with pytest.raises(Exception, match="The runner is not open"):
            run.status()
    with runner:
        assert runner.get(run.id).result(HANG) == 1  # no attempt was counted
    assert isinstance(reasons[0], ShutdownError)
