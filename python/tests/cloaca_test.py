"""The module ``sluice.cloaca``."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sluice import Retry, cloaca
from sluice.cloaca._registry import registry
from sluice.cloaca._retry import policy_of
from sluice.cloaca._rules import is_met
from sluice.cloaca._store_url import read_url, tenant_url

from .conftest import KINDS

HANG = 60
told: list[tuple[object, ...]] = []
calls = {"failing": 0, "held": 0}
held, released = threading.Event(), threading.Event()


with cloaca.WorkflowBuilder("merge") as builder:
    builder.description("Two branches that change the same keys")
    builder.tag("kind", "test")

    @cloaca.task()
    def base(context):
        context.update_from_dict({"both": "base", "one": "base", "gone": 1, "list": [1]})

    @cloaca.task(dependencies=["base"])
    def left(context):
        context.set("both", "left")
        context.set("one", "left")
        context.get("list").append(2)  # a copy
        context.remove("gone")
        return context

    @cloaca.task(dependencies=[base])
    async def right(context):
        await asyncio.sleep(0)
        context.set("both", "right")
        return context

    @cloaca.task(dependencies=["right", "left"])
    def left_wins(context):
        context.set("left_wins", context.to_dict())
        return context

    @cloaca.task(dependencies=["left", "right"])
    def right_wins(context):
        context.set("right_wins", context.to_dict())
        return context

    @cloaca.task(dependencies=[left_wins, right_wins])
    def another(context):
        return cloaca.Context({name: context[name] for name in ("left_wins", "right_wins")})


with cloaca.WorkflowBuilder("failing") as builder:

    def report(task_id, error, context):
        told.append((task_id, error, context.to_dict()))
        raise RuntimeError("a callback that fails")

    @cloaca.task(retry_attempts=2, retry_delay_ms=1, on_failure=report)
    def broken(context):
        calls["failing"] += 1
        context.set("attempt", calls["failing"])
        raise ValueError("broken")

    @cloaca.task(dependencies=["broken"])
    def always_runs(context):
        context.set("always", context.get("attempt", "unchanged"))

    @cloaca.task(dependencies=["broken"], trigger_rules=cloaca.task_success("broken"))
    def is_skipped(context):
        raise AssertionError("its rule is not met")

    @cloaca.task(
        dependencies=["is_skipped", "always_runs"],
        trigger_rules=cloaca.all_of(
            cloaca.none_of(cloaca.task_failed("always_runs")),
            cloaca.any_of(cloaca.task_skipped("is_skipped"), cloaca.context_value("always", "exists", None)),
        ),
    )
    def nested(context):
        context.set("nested", True)

    @cloaca.task(dependencies=["nested"], retry_attempts=1)
    def returns_text(context):
        return "text"


with cloaca.WorkflowBuilder("held") as builder:

    @cloaca.task()
    def hold(context):
        calls["held"] += 1
        held.set()
        assert released.wait(HANG)
        context.set("held", calls["held"])


with cloaca.WorkflowBuilder("slow") as builder:

    @cloaca.task(
        retry_attempts=1, on_failure=lambda task_id, error, context: told.append((task_id, error, len(context)))
    )
    def too_slow(context):
        time.sleep(1.5)


@pytest.fixture(scope="module", params=KINDS)
def runner(request: pytest.FixtureRequest) -> Iterator[cloaca.DefaultRunner]:
    if request.param == "sqlite":
        made = cloaca.DefaultRunner("sqlite://:memory:")
    else:
        made = cloaca.DefaultRunner.with_schema(os.environ["DATABASE_URL"], f"cloaca_{uuid.uuid4().hex[:16]}")
    with made:
        yield made


def test_of_two_branches_the_last_dependency_that_set_a_key_wins(runner: cloaca.DefaultRunner) -> None:
    result = runner.execute("merge", cloaca.Context({"input": True}))
    assert result.status == "Completed"
    # "one" is what the left branch has set: the right one has not touched it.
    seen = {"input": True, "one": "left", "list": [1]}
    assert result.final_context.to_dict() == {
        "left_wins": {**seen, "both": "left"},
        "right_wins": {**seen, "both": "right"},
    }
    assert isinstance(result.duration, timedelta)
    assert result.error_message is None


def test_after_a_failure_tasks_run_as_their_rules_say(runner: cloaca.DefaultRunner) -> None:
    told.clear()
    calls["failing"] = 0
    result = runner.execute("failing", cloaca.Context())
    assert result.status == "Failed"
    # What a failed attempt has changed is discarded; its callback sees it, once.
    assert result.final_context.to_dict() == {"always": "unchanged", "nested": True}
    assert told == [("broken", "ValueError: broken", {"attempt": 2})]
    assert result.error_message in (
        "ValueError: broken",
        'TypeError: Task "returns_text" must return its context or None, not str',
    )


def test_a_runner_executes_workflows_that_are_registered_later_while_others_go_on(tmp_path: Path) -> None:
    with cloaca.DefaultRunner(f"sqlite://{tmp_path}/app.db") as runner:
        results: list[cloaca.WorkflowResult] = []
        thread = threading.Thread(target=lambda: results.append(runner.execute("held")))
        thread.start()
        assert held.wait(HANG)
        with cloaca.WorkflowBuilder("later"):

            @cloaca.task()
            def later(context):
                context.set("later", True)

        assert runner.execute("later").final_context.get("later") is True
        released.set()
        thread.join(HANG)
    assert [(result.status, result.final_context.to_dict()) for result in results] == [("Completed", {"held": 1})]


SURVIVES = """
import os, signal, sys
from sluice import cloaca

with cloaca.WorkflowBuilder("survives"):
    @cloaca.task()
    def first(context):
        context.set("first", os.getpid())

    @cloaca.task(dependencies=["first"])
    def second(context):
        if sys.argv[2] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        print(context.get("first"))

with cloaca.DefaultRunner(sys.argv[1]) as runner:
    if sys.argv[2] == "die":
        runner.execute("survives", cloaca.Context())
    run = runner._executor.call(lambda sluice: sluice.list(workflow="survives")).runs[0]
    print(runner._executor.call(lambda sluice: sluice.get(run.id).outcome("60s")).status)
"""


def test_an_execution_survives_its_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SURVIVES, f"sqlite://{tmp_path}/app.db"]
    died = subprocess.Popen([*command, "die"], stdout=subprocess.DEVNULL)
    assert died.wait(HANG) == -signal.SIGKILL
    ended = subprocess.run([*command, "go on"], capture_output=True, text=True, timeout=2 * HANG)
    # The first task is not repeated.
    assert ended.stdout.split() == [str(died.pid), "completed"], ended.stderr


def test_a_task_that_takes_too_long_fails() -> None:
    told.clear()
    config = cloaca.DefaultRunnerConfig(task_timeout_seconds=1)
    with cloaca.DefaultRunner.with_config(":memory:", config) as runner:
        result = runner.execute("slow", cloaca.Context({"a": 1}))
    assert result.status == "Failed"
    assert [(task_id, size) for task_id, _, size in told] == [("too_slow", 1)]
    assert result.error_message == told[0][1]


def test_a_schedule_that_is_registered_again_is_the_same(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/app.db"
    ids = []
    for _ in range(2):
        with cloaca.DefaultRunner(url) as runner:
            schedule = cloaca.CronSchedule("merge", "0 9 * * *", context=cloaca.Context({"a": 1}))
            ids.append(runner.register_cron_workflow(schedule.workflow_name, schedule.cron_expression))
            states = [row["enabled"] for row in runner.list_cron_schedules()]
            runner.set_cron_schedule_enabled(ids[0], False)
    assert ids[0] == ids[1]
    assert states == [False]


def test_a_trigger_starts_nothing_while_an_execution_with_the_same_context_is_active() -> None:
    asked, begun, may_end = threading.Semaphore(0), threading.Semaphore(0), threading.Event()
    started: list[object] = []

    with cloaca.WorkflowBuilder("triggered"):

        @cloaca.task()
        def triggered(context):
            started.append(context.get("file"))
            begun.release()
            assert may_end.wait(HANG)

    @cloaca.trigger(on="triggered", poll_interval="100ms")
    def watcher():
        asked.release()
        if not started and not may_end.is_set() and not told:
            told.append(("the first",))
            raise RuntimeError("the first call fails")
        return cloaca.TriggerResult.fire(cloaca.Context({"file": "a"}))

    told.clear()
    try:
        with cloaca.DefaultRunner(":memory:") as runner:
            assert begun.acquire(timeout=HANG)
            for _ in range(5):  # two of them were before
                assert asked.acquire(timeout=HANG)
            assert started == ["a"]
            may_end.set()
            assert begun.acquire(timeout=HANG)
            runner.set_trigger_enabled("watcher", False)
            history = runner.get_trigger_execution_history("watcher")
            assert len({execution["context_hash"] for execution in history}) == 1
            with pytest.raises(ValueError, match='no trigger "watchr" with a workflow; did you mean "watcher"'):
                runner.set_trigger_enabled("watchr", True)
    finally:
        registry._triggers.pop("watcher")  # the other runners of this process would call it


def test_a_context_holds_copies_of_what_json_holds() -> None:
    rows = [1, 2]
    context = cloaca.Context({"rows": rows})
    rows.append(3)
    context.get("rows").append(4)
    context.to_dict()["rows"].append(5)
    assert context["rows"] == [1, 2]
    assert context.get("nothing", 7) == 7
    assert cloaca.Context.from_json(context.to_json()).data == {"rows": [1, 2]}
    with pytest.raises(ValueError, match=r"context\['at'\].days: it is a set - use sorted"):
        context.set("at", {"days": {1}})
    with pytest.raises(ValueError, match="exists"):
        context.insert("rows", 1)
    with pytest.raises(KeyError):
        context.update("nothing", 1)
    with pytest.raises(KeyError):
        context["nothing"]
    assert (context.remove("rows"), context.remove("rows"), len(context)) == ([1, 2], None, 0)


@pytest.mark.parametrize(
    ("operator", "value", "met"),
    [
        ("Equals", 5, True),
        ("==", True, False),
        ("NotEquals", 4, True),
        ("greater_than", 4, True),
        (">", 5, False),
        ("lt", 5.5, True),
        ("LessThan", "9", False),
        ("Contains", 5, False),
        ("not_contains", 5, True),
        ("Exists", None, True),
        ("not_exists", None, False),
    ],
)
def test_a_rule_compares_a_value_of_the_context(operator: str, value: object, met: bool) -> None:
    assert is_met(cloaca.context_value("n", operator, value), {}, {"n": 5}) is met


def test_a_rule_looks_into_texts_and_lists_and_misses_nothing() -> None:
    data = {"text": "a word", "list": [1, "two"]}
    for key, value, met in (("text", "word", True), ("list", "two", True), ("list", True, False), ("none", 1, False)):
        assert is_met(cloaca.context_value(key, "Contains", value), {}, data) is met
    assert is_met(cloaca.always(), {}, {})


def test_definitions_that_cannot_work_are_refused_with_the_reason() -> None:
    def build(*tasks: tuple[str, list[str]], **options: object) -> None:
        builder = cloaca.WorkflowBuilder("bad")
        for name, after in tasks:
            cloaca.task(id=name, dependencies=after, **options)(lambda context: context)  # type: ignore[arg-type]
        for name, _ in tasks:
            builder.add_task(name)
        builder.build()

    with pytest.raises(ValueError, match="it has no tasks"):
        build()
    with pytest.raises(ValueError, match='"a" depends on "b", which is no task'):
        build(("a", ["b"]))
    with pytest.raises(ValueError, match="cycle"):
        build(("a", ["b"]), ("b", ["a"]))
    with pytest.raises(ValueError, match='"c" is not in its dependencies'):
        build(("a", []), trigger_rules=cloaca.task_success("c"))
    with pytest.raises(ValueError, match="no @task has defined it"):
        cloaca.WorkflowBuilder("bad").add_task("nothing")
    with pytest.raises(ValueError, match="trigger_rules must be made by"):
        build(("a", []), trigger_rules={"type": "Sometimes"})
    with pytest.raises(ValueError, match='operator must be one of .* did you mean "Equals"'):
        cloaca.context_value("a", "Equls", 1)
    with pytest.raises(ValueError, match="either retry or retry_attempts"):
        cloaca.task(retry=cloaca.RetryPolicy.default(), retry_attempts=2)
    with pytest.raises(ValueError, match="either cron or poll_interval"):
        cloaca.trigger(on="merge", cron="* * * * *", poll_interval="1s")
    with pytest.raises(ValueError, match="needs an id"):
        cloaca.task(id="")(lambda context: context)


def test_options_of_retries_are_those_of_sluice() -> None:
    options = {"retry_attempts": 0, "retry_backoff": "linear", "retry_delay_ms": 500, "retry_jitter": False}
    found = policy_of(options).for_tasks()
    assert (found.attempts, found.backoff, found.delay, found.max_delay, found.jitter) == (1, "linear", 0.5, 60, False)
    assert policy_of({}).for_tasks() == Retry(attempts=3, delay=1, max_delay=60)
    builder = cloaca.RetryPolicy.builder().backoff_strategy(cloaca.BackoffStrategy.exponential(3))
    assert builder.with_jitter(False).build().calculate_delay(3) == 9
    with pytest.raises(ValueError, match="base is always 2"):
        builder.build().for_tasks()
    pattern = cloaca.RetryCondition.error_pattern(["Quota"])
    assert [pattern.allows(ValueError(text)) for text in ("quota exceeded", "other")] == [True, False]
    transient = cloaca.RetryCondition.transient_only()
    errors = (TimeoutError(), ValueError("server busy"), ValueError("wrong"))
    assert [transient.allows(error) for error in errors] == [True, True, False]


def test_a_configuration_has_the_defaults_of_cloaca_and_refuses_mistakes() -> None:
    config = cloaca.DefaultRunnerConfig(max_concurrent_tasks=8, db_pool_size=None)
    assert (config.max_concurrent_tasks, config.task_timeout_seconds, config.db_pool_size) == (8, 300, 10)
    config.pipeline_timeout_seconds = 60
    assert config.to_dict()["workflow_timeout_seconds"] == 60
    with pytest.raises(ValueError, match="positive integer"):
        cloaca.DefaultRunnerConfig(max_concurrent_tasks=0)
    with pytest.raises(TypeError, match='did you mean "db_pool_size"'):
        cloaca.DefaultRunnerConfig(db_pool_siz=1)


@pytest.mark.parametrize(
    ("stated", "url", "schema"),
    [
        ("sqlite://app.db", "sqlite://./app.db", None),
        ("sqlite:///var/a b.db?mode=rwc", "sqlite:///var/a%20b.db", None),
        ("./app.db", "sqlite://././app.db", None),
        ("postgres://u:p@h/d", "postgres://u:p@h/d", None),
        (
            "postgres://u:p@h/d?sslmode=require&options=-csearch_path%3Dacme",
            "postgres://u:p@h/d?sslmode=require",
            "acme",
        ),
    ],
)
def test_urls_of_cloaca_become_those_of_sluice(stated: str, url: str, schema: str | None) -> None:
    found = read_url(stated)
    assert (found.url, found.schema, found.folder) == (url, schema, None)


def test_a_database_in_memory_is_a_file_that_is_removed() -> None:
    for stated in (":memory:", "sqlite://:memory:", "sqlite:///:memory:", "file:x?mode=memory&cache=shared"):
        found = read_url(stated)
        assert found.folder is not None and os.path.isdir(found.folder)
        found.remove()
        assert not os.path.exists(found.folder)
    url = tenant_url("postgres://admin:secret@host:5432/app?sslmode=require", "acme", "p@ss", "acme")
    assert url == "postgres://acme:p%40ss@host:5432/app?sslmode=require&options=-csearch_path%3Dacme"


def test_runners_say_what_is_wrong() -> None:
    with pytest.raises(RuntimeError, match="not mysql"):
        cloaca.DefaultRunner("mysql://localhost/app")
    with pytest.raises(ValueError, match="Schemas need Postgres"):
        cloaca.DefaultRunner.with_schema("sqlite://app.db", "acme")
    with pytest.raises(ValueError, match="letters, digits and underscores"):
        cloaca.DefaultRunner.with_schema("postgres://localhost/app", "acme; drop")
    with pytest.raises(RuntimeError, match="must name the database"):
        cloaca.DatabaseAdmin("postgres://localhost")
    config = cloaca.DefaultRunnerConfig(enable_cron_scheduling=False)
    with cloaca.DefaultRunner.with_config(":memory:", config) as runner:
        with pytest.raises(ValueError, match='no workflow "mergee"; did you mean "merge"'):
            runner.execute("mergee", cloaca.Context())
        with pytest.raises(ValueError, match="enable_cron_scheduling"):
            runner.register_cron_workflow("merge", "* * * * *", "UTC")
        with pytest.raises(ValueError, match="no schedule"):
            runner.get_cron_schedule("x")
    with pytest.raises(ValueError, match="shut down"):
        runner.execute("merge", cloaca.Context())


CLOACA_0_12 = """
    BackoffStrategy ComputationGraphBuilder Context DatabaseAdmin DefaultRunner DefaultRunnerConfig RetryCondition
    RetryPolicy RetryPolicyBuilder TaskDecorator TaskHandle TaskNamespace TenantConfig TenantCredentials TriggerDecorator
    TriggerResult Workflow WorkflowBuilder WorkflowContext WorkflowParamsDecorator WorkflowResult WorkflowSecretsDecorator
    all_of always any_of batch_accumulator boundary_schema constructor context_value node none_of passthrough_accumulator
    polling_accumulator reactor register_workflow_constructor state_accumulator stream_accumulator task task_failed
    task_skipped task_success trigger var var_or workflow_params workflow_secrets
"""


def test_each_name_of_cloaca_is_there_or_says_that_it_is_not_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = []
    for name in CLOACA_0_12.split():
        try:
            assert name in cloaca.__all__ and getattr(cloaca, name)
        except (AssertionError, cloaca.NotCoveredError):
            missing.append(name)
            with pytest.raises(cloaca.NotCoveredError, match=f"does not cover {name}: "):
                getattr(cloaca, name)
    assert len(missing) == 18
    with pytest.raises(AttributeError):
        cloaca.nothing
    with pytest.raises(NotImplementedError, match="use a workflow"):
        from sluice.cloaca import ComputationGraphBuilder  # noqa: F401
    with pytest.raises(NotImplementedError, match="invokes"):
        cloaca.task(invokes=object())
    with pytest.raises(NotImplementedError, match="secret"):
        cloaca.Context().secret("db")
    monkeypatch.setenv("CLOACINA_VAR_REGION", "eu")
    assert (cloaca.var("REGION"), cloaca.var_or("NOTHING", "us")) == ("eu", "us")
    with pytest.raises(KeyError):
        cloaca.var("NOTHING")


def test_each_name_is_documented() -> None:
    undocumented = []
    for name in cloaca.__all__:
        found = getattr(cloaca, name)
        members = inspect.getmembers(found, callable) if inspect.isclass(found) else []
        ours = [
            one
            for called, one in members
            if not called.startswith("_") and "cloaca" in str(getattr(one, "__module__", ""))
        ]
        undocumented += [str(one) for one in (found, *ours) if not one.__doc__]
    assert undocumented == []


def test_a_workflow_tells_its_structure() -> None:
    workflow = cloaca.WorkflowBuilder("structure")
    for name, after in (("d", ["c", "b"]), ("a", []), ("b", ["a"]), ("c", ["a"])):
        cloaca.task(id=name, dependencies=after)(lambda context: context)
        workflow.add_task(name)
    built = workflow.build()
    assert built.tasks == ["d", "a", "b", "c"]
    assert built.topological_sort() == ["a", "c", "b", "d"]
    assert built.get_execution_levels() == [["a"], ["b", "c"], ["d"]]
    assert (built.get_roots(), built.get_leaves()) == (["a"], ["d"])
    assert (built.can_run_parallel("b", "c"), built.can_run_parallel("a", "d")) == (True, False)
    assert built.version == workflow.build().version != cloaca.WorkflowBuilder.build(builder).version
