"""Tutorial 02: what a context can hold and do.

It prints::

    read 4 scores
    grade A: ana, dora
    grade B: ben
    grade C: carl
    insert twice: ValueError
    update what is missing: KeyError
    Status: Completed
    best: dora with 95, mean 85.5
    keys: best, grades, mean, title
"""

from sluice import cloaca

with cloaca.WorkflowBuilder("scores") as builder:
    builder.description("Reads, grades and reports scores")

    @cloaca.task()
    def read(context):
        context.set("scores", {"ana": 90, "ben": 82, "carl": 75, "dora": 95})
        context["passed"] = True
        print(f"read {len(context['scores'])} scores")
        return context

    @cloaca.task(dependencies=["read"])
    def grade(context):
        grades = {}
        for name, score in sorted(context.get("scores").items()):
            letter = "A" if score >= 90 else "B" if score >= 80 else "C"
            grades.setdefault(letter, []).append(name)
        context.set("grades", grades)
        for letter, names in grades.items():
            print(f"grade {letter}: {', '.join(names)}")
        return context

    @cloaca.task(dependencies=["grade"])
    def report(context):
        try:
            context.insert("grades", {})
        except ValueError as error:
            print(f"insert twice: {'ValueError' if isinstance(error, ValueError) else error}")
        try:
            context.update("nothing", 1)
        except KeyError:
            print("update what is missing: KeyError")
        scores = context.get("scores")
        context.update_from_dict({"best": max(scores, key=scores.get), "mean": sum(scores.values()) / len(scores)})
        context.update("best", {"name": context["best"], "score": scores[context["best"]]})
        context.remove("scores")
        del context["passed"]
        return context


if __name__ == "__main__":
    runner = cloaca.DefaultRunner(cloaca.var_or("DATABASE_URL", ":memory:"))
    context = cloaca.Context.from_json(cloaca.Context({"title": "spring"}).to_json())
    result = runner.execute("scores", context)
    print(f"Status: {result.status}")
    final = result.final_context
    best = final.get("best")
    print(f"best: {best['name']} with {best['score']}, mean {final.get('mean', 0):.1f}")
    print(f"keys: {', '.join(sorted(final.to_dict()))}")
    assert "scores" not in final and len(final) == 4
    runner.shutdown()
