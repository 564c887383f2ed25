"""Tutorial 07: callbacks of tasks, and triggers that start workflows.

It prints::

    validate notes.txt
    [ok] validate
    process notes.txt
    [ok] process
    Status: Completed
    TriggerResult.skip() False
    inbox -> file_processor, every 100 ms, enabled
    validate mail.txt
    [ok] validate
    process mail.txt
    [ok] process
    1 execution of inbox
    inbox is disabled
"""

import threading
import time

from sluice import cloaca

arrived = ["mail.txt"]
processed = threading.Semaphore(0)
is_open = threading.Event()


def on_success(task_id, context):
    print(f"[ok] {task_id}")
    if task_id == "process":
        processed.release()


def on_failure(task_id, error, context):
    print(f"[failed] {task_id}: {error}")


with cloaca.WorkflowBuilder("file_processor") as builder:
    builder.description("Processes a file")

    @cloaca.task(on_success=on_success, on_failure=on_failure)
    def validate(context):
        print(f"validate {context.get('filename')}")
        return context

    @cloaca.task(dependencies=["validate"], on_success=on_success, on_failure=on_failure)
    def process(context):
        print(f"process {context.get('filename')}")
        return context


@cloaca.trigger(on="file_processor", name="inbox", poll_interval="100ms", allow_concurrent=False)
def inbox():
    """Says whether a file has arrived."""
    if is_open.is_set() and arrived:
        return cloaca.TriggerResult.fire(cloaca.Context({"filename": arrived.pop(0)}))
    return cloaca.TriggerResult.skip()


if __name__ == "__main__":
    runner = cloaca.DefaultRunner(cloaca.var_or("DATABASE_URL", ":memory:"))
    try:
        result = runner.execute("file_processor", cloaca.Context({"filename": "notes.txt"}))
        processed.acquire()
        print(f"Status: {result.status}")
        answer = inbox()
        print(answer, answer.is_fire_result())

        for schedule in runner.list_trigger_schedules():
            print(
                f"{schedule['trigger_name']} -> {schedule['workflow_name']}, every {schedule['poll_interval_ms']} ms, "
                f"{'enabled' if schedule['enabled'] else 'disabled'}"
            )
        is_open.set()
        processed.acquire(timeout=60)
        while not (history := runner.get_trigger_execution_history("inbox", limit=10)):
            time.sleep(0.05)
        print(f"{len(history)} execution of inbox")
        runner.set_trigger_enabled("inbox", False)
        print("inbox is disabled" if not runner.get_trigger_schedule("inbox")["enabled"] else "inbox is enabled")
    finally:
        runner.shutdown()
