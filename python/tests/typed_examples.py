"""What type checkers accept and refuse: interface_test.py expects each ``# error: CODE OF MYPY``, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any

from typing_extensions import assert_type

from sluice import (
    AsyncClient,
    AsyncContext,
    AsyncRun,
    AsyncRunner,
    BackfillResult,
    Client,
    Context,
    Explanation,
    HistoryEntry,
    ItemPage,
    Limit,
    Outcome,
    Poll,
    PollStart,
    Retry,
    Run,
    RunEvent,
    RunInfo,
    Runner,
    RunPage,
    ScheduleInfo,
    ScheduleTick,
    Task,
    TaskInfo,
    Workflow,
    event,
    map,
    poll,
    schedule,
    task,
    workflow,
)

etl = Workflow("etl", limits=[Limit(max=3, key=lambda input: input["tenant"])])


@etl.task(retry=Retry(attempts=3, retry_if=OSError), timeout="30s")
def extract(input: dict[str, Any], ctx: Context) -> list[int]:
    assert_type(ctx.step("size", lambda: 3), int)
    assert_type(ctx.attempt, int)
    ctx.step("size", lambda: 3, retries=2)  # error: call-arg
    return [1]


@etl.task(after=extract)
async def total(extract: list[int], ctx: AsyncContext) -> int:
    assert_type(await ctx.step("sum", lambda: 3), int)
    return sum(extract)


@etl.map(lambda total: range(total), after=total, concurrency=2)
def doubled(item: int) -> str:
    return str(item)


assert_type(extract({}, None), list[int])  # error: arg-type
doubled(item="x")  # error: arg-type
etl.task(afer=extract)  # error: call-overload
etl.returns(3)  # error: arg-type
Retry(attempts="3")  # error: arg-type


@workflow(returns="first")
class other:
    approval = event(timeout="3d")

    @task
    def first(input: Any) -> int:
        return 1

    @map(lambda first: [first], after=approval)
    def each(item: int) -> int:
        return item


@poll(etl, every="10s", cursor=0)
def inbox(cursor: int) -> list[PollStart]:
    return [{"input": "x", "key": "k", "cursor": cursor + 1}, {"cursor": 3}]


@poll(etl, every="10s")  # error: arg-type
def wrong_inbox() -> int:
    return 3


assert_type(inbox, Poll)
nightly = schedule(etl, cron="0 2 * * *")
Runner(3)  # error: arg-type
Client("sqlite://./app.db", concurrency=3)  # error: call-arg


def functions() -> None:
    with Runner("sqlite://./app.db", workflows=[etl, other], schedules=[nightly, inbox]) as runner:
        assert_type(runner, Runner)
        assert_type(runner.execute(etl, {}, key="k", if_exists="compare"), Outcome)
    with Client("sqlite://./app.db", workflows=[etl], on_crash=print) as client:
        assert_type(client, Client)
        run = client.start(etl, {"n": 1}, delay="1h", tags=["a"])
        assert_type(run, Run)
        assert_type(run.status(), RunInfo)
        assert_type(run.tasks(), tuple[TaskInfo, ...])
        assert_type(run.tasks()[0].ended_at, datetime | None)
        assert_type(run.items(doubled, state="failed"), ItemPage)
        assert_type(run.explain(), Explanation)
        assert_type(run.history(), tuple[HistoryEntry, ...])
        assert_type(run.events(), Iterator[RunEvent])
        assert_type(run.fork(total, input=3, outputs={extract: [1]}), Run)
        run.resolve(total, output=3, item=1)
        run.resolve("total", retry=True)
        run.resolve(total)  # error: call-overload
        run.resolve(total, output=3, retry=True)  # error: call-overload
        run.cancel(3)  # error: arg-type
        client.start(etl, {}, keys="k")  # error: call-arg
        client.start(etl, {}, if_exists="no")  # error: arg-type
        assert_type(client.list(state="failed", limit=3), RunPage)
        client.list(stat="failed")  # error: call-arg
        assert_type(client.cancel_many(workflow=etl, reason="x", dry_run=True), int)
        client.cancel_many(limit=3)  # error: call-arg
        client.delete_many(all="yes")  # error: arg-type
        assert_type(client.schedules.get("nightly"), ScheduleInfo)
        assert_type(client.schedules.history("nightly"), tuple[ScheduleTick, ...])
        assert_type(client.schedules.next("nightly", 3), tuple[datetime, ...])
        assert_type(client.schedules.trigger("nightly"), Run)
        assert_type(client.schedules.backfill("nightly", 0, datetime.now()), BackfillResult)
        client.schedules.backfill("nightly", None, 1)  # error: arg-type


async def coroutines() -> None:
    async with Runner("sqlite://./app.db", workflows=[etl]) as runner:
        assert_type(runner, AsyncRunner)
        assert_type(await runner.execute(etl, {}), Outcome)
    async with Client("sqlite://./app.db") as client:
        assert_type(client, AsyncClient)
        run = await client.start(etl)
        assert_type(run, AsyncRun)
        assert_type(await run.tasks(), tuple[TaskInfo, ...])
        assert_type(run.events(), AsyncIterator[RunEvent])
        assert_type(await run.fork(), AsyncRun)
        assert_type(await client.retry_many(all=True), int)
        assert_type(await client.schedules.trigger("nightly"), AsyncRun)
        run.status().state  # error: attr-defined
        await run.resolve(total, retry=False)  # error: call-overload


tasks: list[Task[..., Any]] = [extract, total]
