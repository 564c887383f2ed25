"""Tutorial 01: three tasks, one after the other, that share a context.

It prints::

    open order A-17
    pack 3 parcels
    close order A-17
    Status: Completed
    Summary: {'order': 'A-17', 'parcels': ['parcel 1', 'parcel 2', 'parcel 3'], 'by': 'learner'}
"""

import sys

from sluice import cloaca

with cloaca.WorkflowBuilder("first_workflow") as builder:
    builder.description("An order in three steps")
    builder.tag("tutorial", "01")

    @cloaca.task()
    def open_order(context):
        context.set("order", "A-17")
        context.set("parcels_to_pack", 3)
        print(f"open order {context.get('order')}")
        return context

    @cloaca.task(dependencies=["open_order"])
    def pack(context):
        parcels = [f"parcel {number + 1}" for number in range(context.get("parcels_to_pack"))]
        context.set("parcels", parcels)
        print(f"pack {len(parcels)} parcels")
        return context

    @cloaca.task(dependencies=["pack"])
    def close_order(context):
        summary = {"order": context.get("order"), "parcels": context.get("parcels"), "by": context.get("user")}
        context.set("summary", summary)
        print(f"close order {context.get('order')}")
        return context


if __name__ == "__main__":
    runner = cloaca.DefaultRunner(cloaca.var_or("DATABASE_URL", ":memory:"))
    result = runner.execute("first_workflow", cloaca.Context({"user": "learner"}))
    print(f"Status: {result.status}")
    if result.status == "Completed":
        print(f"Summary: {result.final_context.get('summary')}")
    runner.shutdown()
    sys.exit(0 if result.status == "Completed" else 1)
