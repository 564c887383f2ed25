"""Clients without execution, what is read of runs, decisions about them, and operations on many, on each store."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from sluice import (
    Client,
    Context,
    Limit,
    PayloadError,
    Retry,
    Run,
    Runner,
    RunNotFoundError,
    RunStateError,
    ShutdownError,
    SluiceError,
    TaskError,
    UnknownTaskError,
    UnknownWorkflowError,
    ValidationError,
    WaitTimeoutError,
    Workflow,
)

from .conftest import Store

HANG = 60


def positive(value: Any) -> int:
    if int(value) <= 0:
        raise ValueError("not positive")
    return int(value)


def double_of() -> Workflow:
    double = Workflow("double", input=positive)

    @double.task
    def twice(input: int) -> int:
        return input * 2

    double.returns(twice)
    return double


def test_a_client_starts_what_a_runner_executes(store: Store) -> None:
    double = double_of()
    with Client(store.url, workflows=[double], **store.options) as client:
        run = client.start(double, "4", key="four")
        assert run.status().state == "pending" and run.status().input == 4
        assert not client.start(double, "4", key="four").is_new
        assert "no runner is alive" in client.explain(run.id).summary
        with pytest.raises(ValidationError, match="not positive"):
            client.start(double, -1)
        with pytest.raises(UnknownWorkflowError):
            client.start("triple", 1)
        with pytest.raises(RunNotFoundError):
            client.get("none").tasks()
        with pytest.raises(SluiceError, match="The client is open already"):
            client.__enter__()
        many = client.start_many(double, [1, 2], keys=["one", "two"], tags=["bulk"])
        assert [one.is_new for one in many] == [True, True]
        with Runner(store.url, workflows=[double], **store.options):
            assert run.result(HANG) == 8
            assert [one.result(HANG) for one in many] == [2, 4]
        assert client.stats().runs["completed"] == 3 and client.stats().runner is None
    with pytest.raises(SluiceError, match="The client is not open; use it in a with statement"):
        client.list()


def test_a_client_refuses_what_only_a_runner_can_do() -> None:
    with pytest.raises(TypeError, match="concurrency"):
        Client("sqlite://./app.db", concurrency=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Cannot create a client: url must be text"):
        Client(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="no runner can execute its runs"):
        Client("sqlite::memory:").__enter__()


def test_what_is_known_of_a_run(store: Store) -> None:
    flow = Workflow("flow")
    release = threading.Event()
    child = Workflow("child")
    began = threading.Event()

    @child.task
    def hold() -> None:
        began.set()
        release.wait(HANG)

    @flow.task(retry=Retry(attempts=2, delay=0))
    def load(ctx: Context) -> str:
        size = ctx.step("size", lambda: 7)
        if ctx.attempt == 1:
            raise ConnectionError("away")
        ctx.progress(1, 2, "half")
        return f"loaded {size}"

    @flow.map(lambda: ["x", "y", "z"], after=load, on_item_failure="collect", retry=1)
    def upper(item: str) -> str:
        if item == "y":
            raise ValueError("no y")
        return item.upper()

    flow.subworkflow("inner", child, after=upper)
    flow.returns(load)
    with Runner(store.url, workflows=[flow, child], **store.options) as runner:
        run = runner.start(flow)
        assert began.wait(HANG)
        load_info, upper_info, inner = run.tasks()
        assert (load_info.id, load_info.kind, load_info.state, load_info.attempts) == ("load", "task", "completed", 2)
        assert load_info.output == "loaded 7" and [step.name for step in load_info.steps] == ["size"]
        assert load_info.failures[0]["error"]["name"] == "ConnectionError"
        assert isinstance(load_info.ended_at, datetime) and load_info.ended_at.tzinfo is timezone.utc
        assert upper_info.after == ("load",) and upper_info.items is not None
        assert (upper_info.items.total, upper_info.items.completed, upper_info.items.failed) == (3, 2, 1)
        assert inner.child_run_id == run.children()[0].id and run.children()[0].task_id == "inner"
        page = run.items(upper, limit=2)
        assert [(item.index, item.output) for item in page.items] == [(0, "X"), (1, None)]
        assert isinstance(page.items[1].error, TaskError) and page.items[1].error.name == "ValueError"
        assert [item.index for item in run.items("upper", cursor=page.cursor).items] == [2]
        assert [item.index for item in run.items("upper", state="failed").items] == [1]
        reason = run.explain().reasons[0]
        assert (reason.kind, reason.task_id, reason.run_id) == ("child", "inner", inner.child_run_id)
        with pytest.raises(WaitTimeoutError):
            run.result("1ms")
        with pytest.raises(UnknownTaskError, match="did you mean"):
            run.items("uper")
        with pytest.raises(TypeError, match='state must be one of .*did you mean "failed"'):
            run.items("upper", state="faild")
        release.set()
        assert run.result(HANG) == "loaded 7"
        history = run.history()
        assert [entry.number for entry in history] == list(range(1, len(history) + 1))
        retrying = next(entry for entry in history if entry.type == "task.retrying")
        assert (retrying.task_id, retrying.attempt) == ("load", 1) and isinstance(retrying.error, TaskError)
        assert history[-1].type == "run.completed"
        assert run.explain().summary.startswith("the run ended as completed")


def test_a_fork_reuses_results(store: Store) -> None:
    flow = Workflow("flow")
    calls: list[str] = []

    @flow.task
    def price() -> int:
        calls.append("price")
        return 100

    @flow.task(after=price)
    def total(price: int, input: Any) -> list[Any]:
        return [price, input]

    flow.returns(total)
    with Runner(store.url, workflows=[flow], **store.options) as runner:
        run = runner.start(flow, 1)
        assert run.result(HANG) == [100, 1]
        assert run.fork(total, input=2).result(HANG) == [100, 2]
        assert calls == ["price"]
        assert run.fork(input=None).result(HANG) == [100, None]
        assert calls == ["price", "price"]
        changed = run.fork(outputs={price: 50})
        assert changed.is_new and changed.result(HANG) == [50, 1]
        assert changed.status().raw["forkedFrom"] == run.id
        with pytest.raises(UnknownTaskError, match="did you mean"):
            run.fork("totl")
        with pytest.raises(PayloadError, match="Cannot store input"):
            run.fork(input={1})
        with pytest.raises(TypeError, match="outputs must be a dict"):
            run.fork(outputs=[1])  # type: ignore[arg-type]


def test_a_blocked_task_is_resolved(store: Store) -> None:
    flow = Workflow("flow")
    begun = threading.Semaphore(0)

    @flow.task(guarantee="at_most_once", retry=1)
    def charge(ctx: Context) -> str:
        begun.release()
        ctx.signal.wait(HANG)
        ctx.signal.raise_if_requested()
        return "charged"

    flow.returns(charge)
    with Runner(store.url, workflows=[flow], **store.options) as runner:
        runs = [runner.start(flow, key=str(n)) for n in range(2)]
        for _ in runs:
            assert begun.acquire(timeout=HANG)
        runner.stop(timeout=0)
    with Client(store.url, workflows=[flow], **store.options) as client:
        blocked = client.blocked()
        assert [(one.run_id, one.task_id, one.attempt) for one in blocked] == [(run.id, "charge", 1) for run in runs]
        first, second = (client.get(run.id) for run in runs)
        with pytest.raises(TypeError, match="state exactly one of output, error and retry=True"):
            first.resolve(charge)  # type: ignore[call-overload]
        with pytest.raises(UnknownTaskError, match="did you mean"):
            first.resolve("charg", output=1)
        first.resolve(charge, output="by hand")
        second.resolve("charge", error=LookupError("no account"))
        with pytest.raises(RunStateError):
            first.resolve(charge, output="twice")
        with Runner(store.url, workflows=[flow], **store.options):
            assert first.result(HANG) == "by hand"
            error = second.outcome(HANG).error
            assert isinstance(error, TaskError) and (error.name, error.message) == ("LookupError", "no account")


def test_operations_on_many_runs(store: Store) -> None:
    flow = Workflow("flow")
    is_up = threading.Event()

    @flow.task(retry=1, limits=[Limit(max=5, name="calls")])
    def work(input: int) -> int:
        if not is_up.is_set():
            raise ConnectionError("down")
        return input

    flow.returns(work)
    with Runner(store.url, workflows=[flow], **store.options) as runner:
        later = runner.start_many(flow, [1, 2, 3], delay="1h", tags=["later"])
        failed = [runner.start(flow, n) for n in (4, 5)]
        assert [run.outcome(HANG).status for run in failed] == ["failed", "failed"]
        assert runner.pause_many(tags=["later"], reason="moving", dry_run=True) == 3
        assert {run.status().state for run in later} == {"pending"}
        assert runner.pause_many(workflow=flow, tags=["later"], reason="moving") == 3
        assert [(one.state, one.reason) for one in runner.list(state="paused").runs] == [("paused", "moving")] * 3
        assert runner.resume_many(state=["paused"]) == 3
        assert runner.tag_many(key_prefix="none", add=["x"]) == 0
        assert runner.tag_many(workflow=flow, state="failed", add=["again"]) == 2
        is_up.set()
        assert runner.retry_many(tags=["again"], error="ConnectionError") == 2
        assert [run.result(HANG) for run in failed] == [4, 5]
        assert runner.cancel_many(workflow="flow", state="pending", reason="enough", compensate=False) == 3
        assert later[0].outcome(HANG).reason == "enough"
        assert runner.delete_many(all=True, dry_run=True) == 5
        assert runner.delete_many(ended_until=datetime.now(timezone.utc)) == 5
        assert runner.list().runs == () and runner.limits("calls") == ()
        refused: list[tuple[Callable[..., int], dict[str, Any], str]] = [
            (runner.cancel_many, {}, "Cannot cancel runs: state a filter, or all=True to cancel all runs"),
            (runner.delete_many, {"all": True, "workflow": "flow"}, "all=True excludes filters"),
            (runner.retry_many, {"workflows": "flow"}, 'no option "workflows"; did you mean "workflow"'),
            (runner.pause_many, {"all": True, "reason": 3}, "the reason must be text"),
            (runner.resume_many, {"all": 1}, "all must be True or False"),
            (runner.tag_many, {"all": True}, "no tag is stated"),
        ]
        for method, options, message in refused:
            with pytest.raises(TypeError, match=message):
                method(**options)


def test_the_same_from_coroutines(store: Store) -> None:
    double = double_of()
    double.event("go")

    async def main() -> None:
        options = {"workflows": [double], **store.options}
        async with Runner(store.url, **options), Client(store.url, **options) as client:
            run, other = await client.start_many(double, [1, 2], priority=3)
            async for event in run.events():
                if event.type == "task.completed":
                    break
            assert (await run.tasks())[0].output == 2
            assert [reason.task_id for reason in (await client.explain(run.id)).reasons] == ["go"]
            assert await client.pause_many(all=True, dry_run=True) == 2
            assert await run.send("go") and await client.send(other.id, "go")
            assert await run.result(HANG) == 2
            fork = await run.fork(input="5")
            assert (await fork.history())[0].type == "run.created" and await fork.children() == ()
            assert await fork.send("go") and (await fork.outcome(HANG)).value == 10
            with pytest.raises(UnknownTaskError):
                await run.items("none")
            with pytest.raises(RunStateError):
                await run.resolve("go", output=1)
            assert await client.blocked() == () and await client.stranded() == () and await client.limits() == ()
            assert await client.retry_many(all=True) == 0
            assert (await client.stats()).runs["completed"] >= 2
            assert await client.schedules.list() == ()

    asyncio.run(main())


def test_a_client_outlives_its_engine_and_ends_its_waits_when_it_stops(tmp_path: Path) -> None:
    crashes: list[SluiceError] = []
    ended: list[BaseException] = []
    with Client(f"sqlite://{tmp_path}/app.db", workflows=[double_of()], on_crash=crashes.append) as client:
        run = client.start("double", 1, key="k")
        os.kill(client.engine_pid, signal.SIGKILL)
        # It is answered by the old engine or by the next one.
        assert run.status().state == "pending"
        while client.engine_crashes == 0 or not crashes:
            time.sleep(0.01)
        assert [one.id for one in client.list().runs] == [run.id]
        began = threading.Event()

        def wait() -> None:
            began.set()
            with pytest.raises(SluiceError) as caught:
                run.result()
            ended.append(caught.value)

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert began.wait(HANG)
    waiting.join(HANG)
    assert "SIGKILL" in str(crashes[0]) and len(crashes) == 1
    # The call may also come after the end of the client.
    assert ended and (isinstance(ended[0], ShutdownError) or "The client is not open" in str(ended[0]))


def test_handles_of_a_runner_are_runs(memory: Store) -> None:
    with Runner(memory.url, workflows=[double_of()]) as runner:
        assert isinstance(runner, Client) and isinstance(runner.get("x"), Run)
