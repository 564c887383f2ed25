"""Schedules that are controlled, and polls, on each store."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from sluice import (
    Client,
    DefinitionError,
    Poll,
    Runner,
    Schedule,
    UnknownScheduleError,
    Workflow,
    poll,
    schedule,
)

from .conftest import Store

HANG = 60


def echo_of() -> Workflow:
    echo = Workflow("echo")
    echo.returns(echo.task(id="same")(lambda input: input))
    return echo


def test_schedules_are_controlled(store: Store) -> None:
    echo = echo_of()
    begin = datetime(2090, 1, 1, tzinfo=timezone.utc)
    hourly = schedule(echo, name="hourly", every="1h", start_at=begin, input=lambda tick: tick.hour)
    nightly = Schedule("nightly", echo, cron="30 2 * * *", time_zone="Europe/Berlin", overlap="cancel_previous")
    with Runner(store.url, workflows=[echo], schedules=[hourly, nightly], **store.options) as runner:
        schedules = runner.schedules
        first, second = schedules.list()
        assert (first.name, first.kind, first.workflow, first.state) == ("hourly", "schedule", "echo", "active")
        assert (first.every, first.next_tick, first.last_run_id) == (timedelta(hours=1), begin, None)
        assert (second.cron, second.time_zone, second.overlap) == ("30 2 * * *", "Europe/Berlin", "cancel_previous")
        assert schedules.next("hourly", 2) == (begin, begin + timedelta(hours=1))
        past = datetime(2020, 1, 1, 5, tzinfo=timezone.utc)
        done = schedules.backfill("hourly", past, past + timedelta(hours=3))
        assert (done.started, done.existing) == (3, 0)
        assert schedules.backfill("hourly", past, "2020-01-01T09:00:00Z").existing == 3
        run = schedules.trigger("hourly")
        assert run.is_new and isinstance(run.result(HANG), int)
        history = schedules.history("hourly")
        assert [one.tick for one in history] == [None, *(past + timedelta(hours=n) for n in (3, 2, 1, 0))]
        assert history[0].run_id == run.id and {one.outcome for one in history} == {"started"}
        assert runner.get(str(history[-1].run_id)).result(HANG) == 5
        assert len(schedules.history("hourly", limit=2)) == 2
        assert schedules.get("hourly").last_run_id == run.id
        schedules.pause("hourly")
        paused = schedules.get("hourly")
        assert (paused.state, paused.paused_by, paused.next_tick) == ("paused", "user", None)
        schedules.resume("hourly")
        assert schedules.get("hourly").state == "active"
        with pytest.raises(UnknownScheduleError, match='did you mean "hourly"'):
            schedules.get("hourli")
        with pytest.raises(TypeError, match="to must be after from"):
            schedules.backfill("hourly", past, past)
        with pytest.raises(TypeError, match="from_ has no time zone"):
            schedules.backfill("hourly", datetime(2020, 1, 1), past)
        with pytest.raises(TypeError, match="its name must be text"):
            schedules.trigger(3)  # type: ignore[arg-type]
        # A client triggers what it has the function of.
        with Client(store.url, workflows=[echo], **store.options) as client:
            with pytest.raises(TypeError, match="its input is a function"):
                client.schedules.trigger("hourly")
        with Client(store.url, workflows=[echo], schedules=[hourly], **store.options) as client:
            assert isinstance(client.schedules.trigger("hourly").result(HANG), int)


def test_polls_start_runs_for_what_they_find(store: Store) -> None:
    echo = echo_of()
    mails = ["a", "b", "c", "d"]

    @poll(echo, every="100ms", cursor=0)
    def inbox(cursor: int) -> Any:
        found = [{"input": mails[n], "key": f"mail {n}", "cursor": n + 1} for n in range(cursor, min(cursor + 3, 4))]
        return [*found, None] if cursor == 0 else found

    failing = Poll("failing", echo, "1h", lambda: {"inputs": 1})
    wrong = Poll("wrong", echo, "1h", lambda: 7)
    with Runner(store.url, workflows=[echo], schedules=[inbox, failing, wrong], **store.options) as runner:
        for _ in range(HANG * 20):
            if runner.stats().runs["completed"] == 4 and runner.schedules.get("wrong").error is not None:
                break
            time.sleep(0.05)
        assert sorted(run.input for run in runner.list(schedule="inbox", input=True).runs) == mails
        info = runner.schedules.get("inbox")
        assert (info.kind, info.cursor, info.counts.started, info.error) == ("poll", 4, 4, None)
        assert info.checked_at is not None and info.every == timedelta(milliseconds=100)
        runner.schedules.pause("inbox")
        errors = {one.name: one.error.message for one in runner.schedules.list() if one.error is not None}
        assert 'a dict with the key \'inputs\'; there are "input", "key" and "cursor"' in errors["failing"]
        assert "check must return a dict of input, key and cursor, a list of them, or None, not 7" in errors["wrong"]
        with pytest.raises(TypeError, match="it is a poll"):
            runner.schedules.trigger("inbox")
    assert inbox(3)[0]["input"] == "d"


def test_a_check_that_takes_too_long_is_asked_to_stop(memory: Store) -> None:
    echo = echo_of()
    stopped: list[object] = []
    both = threading.Barrier(3)

    @poll(echo, every="1h", timeout="50ms")
    def slow(signal) -> None:
        assert signal.wait(HANG)
        stopped.append(str(signal.reason))
        both.wait(HANG)

    @poll(echo, every="1h", timeout="50ms")
    async def sleeping() -> None:
        try:
            await asyncio.sleep(HANG)
        except asyncio.CancelledError:
            stopped.append("cancelled")
            await asyncio.to_thread(both.wait, HANG)
            raise

    with Runner(memory.url, workflows=[echo], schedules=[slow, sleeping]) as runner:
        both.wait(HANG)
        assert len(stopped) == 2 and "cancelled" in stopped
        assert any("check has not returned within 50 ms" in str(one) for one in stopped)
        assert runner.list().runs == ()


def test_polls_are_checked_when_they_are_defined() -> None:
    echo = echo_of()
    with pytest.raises(
        DefinitionError, match="its name must have 1 to 200 characters.*check must be.*Cannot store cursor"
    ):
        Poll("", echo, "1h", 3, cursor={1})  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="every is not a duration: 'soon'"):
        poll(echo, every="soon")(lambda: None)
    with pytest.raises(TypeError, match="its workflow must be a Workflow, not 'echo'"):
        poll("echo", every=1)  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match='parameter "mail" is not an argument .there are cursor, signal'):
        Runner("sqlite::memory:", workflows=[echo], schedules=[Poll("inbox", echo, 1, lambda mail: None)])
