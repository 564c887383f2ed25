"""Cloaca's README: a workflow of one task.

It prints::

    status: Completed
    processed: True
"""

from sluice import cloaca

with cloaca.WorkflowBuilder("my_workflow") as builder:
    builder.description("One task")

    @cloaca.task(id="process_data")
    def process_data(context):
        context.set("processed", True)
        return context


if __name__ == "__main__":
    runner = cloaca.DefaultRunner(cloaca.var_or("DATABASE_URL", ":memory:"))
    result = runner.execute("my_workflow", cloaca.Context())
    print("status:", result.status)
    print("processed:", result.final_context.get("processed"))
    runner.shutdown()
