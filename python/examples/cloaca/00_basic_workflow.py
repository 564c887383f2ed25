"""Tutorial 00, and the quick start: tasks outside of a workflow, and a function that builds the workflow of them.

It prints::

    load 3 readings
    convert 3 readings
    store 3 readings
    Completed: {'count': 3, 'highest': 77.0}
    basic_workflow: load -> convert -> store
"""

from sluice import cloaca


@cloaca.task(id="load")
def load(context):
    readings = context.get("celsius", [])
    context.set("readings", readings)
    print(f"load {len(readings)} readings")
    return context


@cloaca.task(id="convert", dependencies=["load"])
def convert(context):
    converted = [reading * 9 / 5 + 32 for reading in context.get("readings")]
    context.set("fahrenheit", converted)
    print(f"convert {len(converted)} readings")
    return context


@cloaca.task(id="store", dependencies=["convert"])
def store(context):
    converted = context.get("fahrenheit")
    context.set("summary", {"count": len(converted), "highest": max(converted)})
    print(f"store {len(converted)} readings")
    return context


def create_workflow():
    builder = cloaca.WorkflowBuilder("basic_workflow")
    builder.description("Converts temperatures")
    builder.add_task("store")  # in any order
    builder.add_task("load")
    builder.add_task(convert)
    return builder.build()


cloaca.register_workflow_constructor("basic_workflow", create_workflow)

if __name__ == "__main__":
    with cloaca.DefaultRunner(cloaca.var_or("DATABASE_URL", ":memory:")) as runner:
        result = runner.execute("basic_workflow", cloaca.Context({"celsius": [20.5, 25, -3.25]}))
        summary = result.final_context.get("summary")
        print(f"{result.status}: {{'count': {summary['count']}, 'highest': {float(summary['highest'])}}}")
    workflow = create_workflow()
    print(f"{workflow.name}: {' -> '.join(workflow.topological_sort())}")
