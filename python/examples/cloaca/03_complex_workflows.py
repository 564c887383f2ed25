"""Tutorial 03: a diamond, fan-out and fan-in, a chain, and a branch that a trigger rule skips.

It prints::

    levels: [['collect'], ['count', 'total'], ['combine'], ['north', 'south', 'audit'], ['gather'], ['publish']]
    Status: Completed
    combined: {'orders': 6, 'revenue': 210, 'mean': 35}
    regions: {'north': 120, 'south': 90}
    audited: no
    order of the merge: south
    published: 6 orders, 210 in revenue
"""

from sluice import cloaca

with cloaca.WorkflowBuilder("sales") as builder:
    builder.description("Patterns of dependencies")

    @cloaca.task()
    def collect(context):
        context.set("orders", [["north", 50], ["south", 20], ["north", 70], ["south", 30], ["south", 40], ["north", 0]])
        return context

    # A diamond: two tasks at once, and one that needs both.
    @cloaca.task(dependencies=["collect"])
    def count(context):
        context.set("count", len(context.get("orders")))
        return context

    @cloaca.task(dependencies=["collect"])
    def total(context):
        context.set("total", sum(amount for _, amount in context.get("orders")))
        return context

    @cloaca.task(dependencies=["count", "total"])
    def combine(context):
        orders, revenue = context.get("count"), context.get("total")
        context.set("combined", {"orders": orders, "revenue": revenue, "mean": revenue // orders})
        return context

    # Fan-out: a task for each region, and one that runs only if something is wrong.
    def of_region(name):
        @cloaca.task(id=name, dependencies=["combine"])
        def sum_up(context):
            context.set(f"sum_{name}", sum(amount for region, amount in context.get("orders") if region == name))
            context.set("last_region", name)
            return context

    for region in ("north", "south"):
        of_region(region)

    @cloaca.task(dependencies=["combine"], trigger_rules=cloaca.context_value("total", "LessThan", 100))
    def audit(context):
        context.set("audited", "yes")
        return context

    # Fan-in, and a chain.
    @cloaca.task(
        dependencies=["north", "south", "audit"],
        trigger_rules=cloaca.all_of(
            cloaca.task_success("north"), cloaca.any_of(cloaca.task_skipped("audit"), cloaca.task_success("audit"))
        ),
    )
    def gather(context):
        context.set("regions", {name: context.get(f"sum_{name}") for name in ("north", "south")})
        return context

    @cloaca.task(dependencies=[gather])
    def publish(context):
        combined = context.get("combined")
        context.set("published", f"{combined['orders']} orders, {combined['revenue']} in revenue")
        return context


if __name__ == "__main__":
    print("levels:", builder.build().get_execution_levels())
    with cloaca.DefaultRunner(cloaca.var_or("DATABASE_URL", ":memory:")) as runner:
        result = runner.execute("sales", cloaca.Context())
    print(f"Status: {result.status}")
    final = result.final_context
    print("combined:", final.get("combined"))
    print("regions:", final.get("regions"))
    print("audited:", final.get("audited", "no"))
    print("order of the merge:", final.get("last_region"))
    print("published:", final.get("published"))
