"""Tutorial 08 of the documentation: a task that waits for a condition without one of the slots.

It prints::

    slot held: True
    other has run while wait waited: True
    Status: Completed
    Polls needed: 3
    Ready: True
"""

import threading

from sluice import cloaca

other_has_run = threading.Event()

with cloaca.WorkflowBuilder("deferred") as builder:
    builder.description("Two tasks and one slot")

    @cloaca.task(id="wait")
    def wait(context, handle):
        print(f"slot held: {handle.is_slot_held()}")
        polls = {"count": 0}

        def is_ready():
            polls["count"] += other_has_run.is_set() or polls["count"] == 0
            return polls["count"] >= 3

        handle.defer_until(is_ready, poll_interval_ms=10)
        context.set("ready", True)
        context.set("polls", polls["count"])
        return context

    @cloaca.task(id="other")
    async def other(context):
        other_has_run.set()
        return context

    @cloaca.task(id="report", dependencies=["wait", "other"])
    def report(context):
        print(f"other has run while wait waited: {other_has_run.is_set()}")
        return context


if __name__ == "__main__":
    config = cloaca.DefaultRunnerConfig(max_concurrent_tasks=1)
    runner = cloaca.DefaultRunner.with_config(cloaca.var_or("DATABASE_URL", ":memory:"), config)
    result = runner.execute("deferred", cloaca.Context())
    print(f"Status: {result.status}")
    print(f"Polls needed: {result.final_context.get('polls')}")
    print(f"Ready: {result.final_context.get('ready')}")
    runner.shutdown()
