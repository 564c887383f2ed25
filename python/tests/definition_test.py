"""Definitions, checked before an engine is there."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from sluice import DefinitionError, Limit, Retry, Schedule, Workflow, event, map, sleep, subworkflow, task, workflow
from sluice._duration import time_to_ms, to_ms


def problems(made: Workflow) -> tuple[str, ...]:
    with pytest.raises(DefinitionError) as caught:
        made.spec
    return caught.value.problems


def test_a_class_of_tasks_is_a_workflow() -> None:
    @workflow(returns="total", tags=["nightly"])
    class etl:
        """Adds numbers."""

        @task(retry=3)
        def extract(input):
            return [int(line) for line in input["lines"]]

        pause = sleep(for_="1s", after=extract)
        approval = event(after="pause", timeout="3d")

        @map(lambda extract: extract, after=[extract, "approval"])
        async def double(item, index):
            return item * 2

        @task(after=double)
        def total(double):
            return sum(double)

    spec = etl.spec
    assert (spec.name, spec.description, spec.tags, spec.result) == ("etl", "Adds numbers.", ["nightly"], "total")
    assert [(one.id, one.kind, one.after) for one in spec.tasks] == [
        ("extract", "task", ()),
        ("pause", "sleep", ("extract",)),
        ("approval", "event", ("pause",)),
        ("double", "map", ("extract", "approval")),
        ("total", "task", ("double",)),
    ]
    assert spec.tasks[3].functions["run"].names == ("item", "index")
    assert spec.tasks[3].functions["run"].is_async


def test_a_decorated_body_can_be_called() -> None:
    @task(retry=3)
    def double(item: int) -> int:
        """Doubles."""
        return item * 2

    assert double(2) == 4
    assert (double.id, double.__doc__) == ("double", "Doubles.")


def test_methods_add_tasks_in_any_order() -> None:
    order = Workflow("order")

    @order.task(after="pay")
    def close(pay):
        return pay

    @order.task
    def pay(input):
        return input

    @pay.undo
    def refund(output):
        return output

    order.returns(close)
    assert [one.id for one in order.spec.tasks] == ["close", "pay"]
    assert set(order.spec.tasks[1].functions) == {"run", "undo"}


def test_all_problems_are_reported_at_once() -> None:
    bad = Workflow("bad", timeout="5 minutes")

    @bad.task(after=["misssing"], on="succes", retry=0, timeout=-1, limits=[3])
    def first():
        pass

    @bad.task(after=first, retry="twice")
    def second(other, first, /):
        pass

    @bad.task(id="input")
    def third():
        pass

    assert problems(bad) == (
        'the id of a task must not be "input": it names an argument',
        'task "first": after: there is no task "misssing" in this workflow',
        'task "first": limits[0] must be a Limit, not 3',
        'task "first": retry: attempts must be an integer from 1 to 9007199254740991, not 0',
        'task "first": on must be one of "success", "all_succeeded", "settled", "any_succeeded", "any_failed", '
        '"all_failed", not \'succes\'; did you mean "success"?',
        'task "first": timeout is not a duration: -1 (use seconds, a timedelta, or text such as "250ms", "30s", "5m", "2h", "7d")',
        "task \"second\": retry must be a number of attempts or a Retry, not 'twice'",
        'task "second": run: parameter "other" is positional-only; arguments are passed by name',
        'task "second": run: parameter "first" is positional-only; arguments are passed by name',
        'timeout is not a duration: \'5 minutes\' (use seconds, a timedelta, or text such as "250ms", "30s", "5m", "2h", "7d")',
    )


def test_a_parameter_that_is_no_argument_is_a_problem_with_a_remedy() -> None:
    flow = Workflow("flow")

    @flow.task
    def rows():
        return []

    @flow.task
    def report(rows):
        pass

    @flow.task
    def mail(inputs, optional=1):
        pass

    assert problems(flow) == (
        'task "report": run: parameter "rows" is the output of a task that is not in after=; add it',
        'task "mail": run: parameter "inputs" is not an argument (there are ctx, input, outputs, status); did you mean "input"?',
    )


def test_a_cycle_is_shown() -> None:
    flow = Workflow("flow")
    for name, after in (("a", "c"), ("b", "a"), ("c", "b")):
        flow.task(id=name, after=after)(lambda: None)
    assert problems(flow) == ('its tasks form a cycle: "a" → "c" → "b" → "a"',)


def test_misuse_of_decorators_is_a_type_error() -> None:
    with pytest.raises(TypeError, match='has no option "retries"; did you mean "retry"?'):
        task(retries=3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="decorates a function, not 3"):
        task(3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="is not a task"):
        Workflow("flow", tasks=[len])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="decorates a class"):
        workflow(lambda: None)  # type: ignore[call-overload]
    with pytest.raises(DefinitionError, match="exactly one of for_ and until"):
        sleep(id="pause")


def test_a_body_in_a_process_must_be_importable() -> None:
    flow = Workflow("flow")

    @flow.task(process=True)
    def local():
        pass

    assert problems(flow) == (
        'task "local": run runs in a process, which imports it: define it at the top level of a module',
    )


def test_the_version_follows_the_code() -> None:
    def version(call, **options):
        flow = Workflow("flow")
        flow.task(id="one", **options)(call)
        return flow.spec.tasks[0].code_version()

    first = version(lambda: print("a"))
    assert len(first) == 16
    assert version(lambda: print("b")) != first
    assert version(lambda: print("b"), version="3") == "3"
    assert version(lambda: 1, retry=Retry(retry_if=lambda error: True)) != version(lambda: 1, retry=Retry())

    namespace_a: dict[str, object] = {}
    namespace_b: dict[str, object] = {}
    exec("def body(): return left()", namespace_a)  # no source text
    exec("def body(): return right()", namespace_b)
    assert version(namespace_a["body"]) != version(namespace_b["body"])


def test_durations_are_seconds_text_or_timedelta() -> None:
    assert [to_ms(value, "it") for value in (1, 0.25, "1.5s", "7d", timedelta(minutes=1))] == [
        1_000,
        250,
        1_500,
        604_800_000,
        60_000,
    ]
    for value in ("1 s", -1, float("nan"), float("inf"), "5"):
        with pytest.raises(ValueError, match="it is not a duration"):
            to_ms(value, "it")
    for value in (None, True, [], b"1s"):
        with pytest.raises(TypeError, match="it is not a duration"):
            to_ms(value, "it")


def test_times_have_a_zone() -> None:
    assert time_to_ms(datetime(2026, 1, 1, tzinfo=timezone.utc), "it") == 1_767_225_600_000
    assert time_to_ms("2026-01-01T00:00:00Z", "it") == 1_767_225_600_000
    assert time_to_ms(1.5, "it") == 1_500
    with pytest.raises(ValueError, match="it has no time zone"):
        time_to_ms(datetime(2026, 1, 1), "it")
    with pytest.raises(TypeError, match="it must be a datetime"):
        time_to_ms(True, "it")


def test_a_schedule_reports_its_problems() -> None:
    flow = Workflow("flow")
    assert Schedule("nightly", flow, cron="0 2 * * *", time_zone="Europe/Berlin", overlap="cancel_previous")
    with pytest.raises(DefinitionError) as caught:
        Schedule("nightly", "flow", overlap="sometimes", jitter="x", input={1: 2})  # type: ignore[arg-type]
    assert caught.value.problems == (
        "workflow must be a Workflow, not 'flow'",
        "state exactly one of cron and every",
        "Cannot store input: its key 1 is not text - use str keys",
        'overlap must be one of "skip", "queue", "allow", "cancel_previous", not \'sometimes\'',
        'jitter is not a duration: \'x\' (use seconds, a timedelta, or text such as "250ms", "30s", "5m", "2h", "7d")',
    )


def test_limits_are_checked() -> None:
    flow = Workflow("flow", limits=[Limit(max=0), Limit(max=1, per="x", key=[], weight=-1), Limit(max=1, key=len)])

    @flow.task(limits=[Limit(max=1, key=lambda input: input["tenant"])])
    def one():
        pass

    assert problems(flow) == (
        "limits[0]: max must be an integer from 1 to 1000000, not 0",
        'limits[1]: per is not a duration: \'x\' (use seconds, a timedelta, or text such as "250ms", "30s", "5m", "2h", "7d")',
        "limits[1]: key must have 1 to 4 elements, not 0",
        "limits[1]: weight must be a positive number or a function, not -1",
        'limits[2].key of a workflow must be text or return a member of the input, as lambda input: input["tenant"] does; '
        "a limit of a task takes any function",
    )


def test_a_limit_of_a_workflow_is_a_path() -> None:
    limits = [Limit(max=1, key=lambda input: input["rows"][0]["tenant"], weight=lambda input: input["weight"])]
    flow = Workflow("flow", limits=limits)
    flow.task(id="one")(lambda: 1)
    assert flow.spec.paths == {
        "limits[0].key": ["input", "rows", 0, "tenant"],
        "limits[0].weight": ["input", "weight"],
    }
    for key in (lambda input: input["a"] + "b", lambda input: "a", lambda input: input.a, lambda input: input[{}]):
        refused = Workflow("flow", limits=[Limit(max=1, key=key)])
        refused.task(id="one")(lambda: 1)
        assert len(problems(refused)) == 1


def test_a_subworkflow_may_be_defined_later() -> None:
    parent = Workflow("parent")
    parent.subworkflow("child", lambda: child, input=lambda input: input["n"])
    child = Workflow("child")
    assert parent.spec.tasks[0].functions["input"].names == ("input",)
    assert isinstance(subworkflow(child, id="other").id, str)
