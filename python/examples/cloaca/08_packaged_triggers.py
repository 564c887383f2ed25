"""Tutorial 08: a trigger without a workflow, as packages have them, is a function to call.

It prints::

    poll 1: skip
    poll 2: skip
    poll 3: fire with batch_3.parquet
    poll 4: skip
    validate batch_3.parquet
    load batch_3.parquet
    Status: Completed
    triggers of the runner: 0
"""

from sluice import cloaca

polls = 0

with cloaca.WorkflowBuilder("data_ingest") as builder:
    builder.description("Loads a file that a trigger has found")

    @cloaca.task(id="validate")
    def validate(context):
        print(f"validate {context.get('filename')}")
        context.set("valid", True)
        return context

    @cloaca.task(id="load", dependencies=["validate"])
    def load(context):
        print(f"load {context.get('filename')}")
        return context


@cloaca.trigger(name="inbox_watcher", poll_interval="5s", allow_concurrent=False)
def inbox_watcher():
    global polls
    polls += 1
    if polls % 3 == 0:
        return cloaca.TriggerResult.fire(cloaca.Context({"filename": f"batch_{polls}.parquet"}))
    return cloaca.TriggerResult.skip()


if __name__ == "__main__":
    fired = None
    for number in range(1, 5):
        answer = inbox_watcher()
        if answer.is_fire_result():
            fired = answer.context
            print(f"poll {number}: fire with {fired.get('filename')}")
        else:
            print(f"poll {number}: skip")
    with cloaca.DefaultRunner(cloaca.var_or("DATABASE_URL", ":memory:")) as runner:
        result = runner.execute("data_ingest", fired)
        print(f"Status: {result.status}")
        print(f"triggers of the runner: {len(runner.list_trigger_schedules())}")
