"""What calls return about tasks, items, schedules and the store. Times are in UTC.

Each has the members of the class of the same name in TypeScript, in Python's spelling, and ``raw``: all members as the
engine sent them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from ._duration import from_ms
from ._errors import error_from_record
from ._models import RunState

T = TypeVar("T")

TaskState = Literal[
    "pending", "running", "waiting", "blocked", "completed", "failed", "skipped", "cancelled", "compensated"
]

_TIMES = {"since", "at", "tick"}


def read(cls: type[T], row: Mapping[str, Any], **own: Any) -> T:
    """Returns the object of a row: times, errors and lists are converted, and ``own`` are members that the row lacks."""
    values: dict[str, Any] = {}
    for one in fields(cls):  # type: ignore[arg-type]
        name = one.name
        if name in own:
            values[name] = own[name]
        elif name == "raw":
            values[name] = row
        else:
            values[name] = _converted(name, row.get(re.sub("_([a-z])", lambda match: match[1].upper(), name)))
    return cls(**values)


def _converted(name: str, value: Any) -> Any:
    if name in _TIMES or name.endswith(("_at", "_tick")):
        return from_ms(value)
    if name == "error":
        return error_from_record(value) if isinstance(value, Mapping) else None
    return tuple(value) if isinstance(value, list) else value


def _each(cls: type[T], rows: Sequence[Mapping[str, Any]]) -> tuple[T, ...]:
    return tuple(read(cls, row) for row in rows)


def _maybe(cls: type[T], row: Any) -> T | None:
    return read(cls, row) if isinstance(row, Mapping) else None


def _raw() -> Any:
    return field(repr=False, compare=False)


@dataclass(frozen=True)
class Progress:
    """What a body has reported; of a map how many of its items have ended."""

    done: float
    total: float | None
    message: str | None


@dataclass(frozen=True)
class ItemCounts:
    """How many items of a map are in which state. Items without a state have not started."""

    total: int
    completed: int
    failed: int
    running: int
    waiting: int
    blocked: int
    compensated: int


@dataclass(frozen=True)
class StepInfo:
    """A completed step of a task."""

    name: str
    output: Any
    ended_at: datetime | None


@dataclass(frozen=True)
class UndoInfo:
    """The undo of a task or item."""

    state: TaskState
    attempts: int
    reason: str | None
    """What it waits for."""
    error: Exception | None
    """That of the latest failed attempt."""
    started_at: datetime | None
    ended_at: datetime | None
    due_at: datetime | None
    raw: Mapping[str, Any] = _raw()


@dataclass(frozen=True)
class TaskInfo:
    """A task of a run, as ``Run.tasks()`` returns it."""

    id: str
    kind: str
    after: tuple[str, ...]
    """The ids of the tasks that it depends on."""
    state: TaskState
    """A task whose body has just started may still be ``"pending"``."""
    attempts: int
    """How many attempts have started."""
    reason: str | None
    """Why it was skipped, or what it waits for."""
    output: Any
    """``None`` unless it completed, and for a map, whose output is in the outcome of the run."""
    error: Exception | None
    """That of the latest failed attempt."""
    failures: tuple[Mapping[str, Any], ...]
    """Failed attempts; of more than ten the first and the nine latest."""
    started_at: datetime | None
    ended_at: datetime | None
    due_at: datetime | None
    """When a waiting task continues."""
    progress: Progress | None
    items: ItemCounts | None
    """Of a map, once its list is computed."""
    child_run_id: str | None
    """The run that a subworkflow started; after a retry the latest."""
    undo: UndoInfo | None
    """Once the compensation of the run has reached the task."""
    steps: tuple[StepInfo, ...]
    raw: Mapping[str, Any] = _raw()


def task_info(row: Mapping[str, Any]) -> TaskInfo:
    return read(
        TaskInfo,
        row,
        progress=_maybe(Progress, row.get("progress")),
        items=_maybe(ItemCounts, row.get("items")),
        undo=_maybe(UndoInfo, row.get("undo")),
        steps=_each(StepInfo, row.get("steps") or ()),
    )


@dataclass(frozen=True)
class ItemInfo:
    """An item of a map, as ``Run.items()`` returns it."""

    index: int
    """Counted from 0."""
    state: TaskState
    attempts: int
    reason: str | None
    """What it waits for."""
    output: Any
    error: Exception | None
    """That of the latest failed attempt."""
    failures: tuple[Mapping[str, Any], ...]
    started_at: datetime | None
    ended_at: datetime | None
    due_at: datetime | None
    progress: Progress | None
    undo: UndoInfo | None
    raw: Mapping[str, Any] = _raw()


@dataclass(frozen=True)
class ItemPage:
    """A page of the items of a map, in ascending order."""

    items: tuple[ItemInfo, ...]
    cursor: str | None
    """The cursor of the next page; ``None`` on the last page."""


def item_page(answer: Mapping[str, Any]) -> ItemPage:
    def item(row: Mapping[str, Any]) -> ItemInfo:
        progress, undo = _maybe(Progress, row.get("progress")), _maybe(UndoInfo, row.get("undo"))
        return read(ItemInfo, row, progress=progress, undo=undo)

    return ItemPage(tuple(item(row) for row in answer["items"]), answer.get("cursor"))


@dataclass(frozen=True)
class ChildInfo:
    """A child run, as ``Run.children()`` returns it."""

    id: str
    workflow: str
    state: RunState
    task_id: str
    """The task of the parent that started it."""
    item: int | None
    created_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class HistoryEntry:
    """An entry of the history of a run: ``"run.created"``, ``"task.retrying"``, …"""

    number: int
    """Counted from 1; it never changes once the run has ended."""
    at: datetime | None
    type: str
    task_id: str | None
    item: int | None
    attempt: int | None
    step: str | None
    reason: str | None
    error: Exception | None
    raw: Mapping[str, Any] = _raw()


@dataclass(frozen=True)
class Reason:
    """One reason why a run does not progress, or how it ended."""

    kind: str
    """``"ended"``, ``"task"``, ``"timer"``, ``"event"``, ``"child"``, ``"blocked"``, ``"limit"``, ``"paused"``,
    ``"cancelling"``, ``"compensating"``, ``"undo"``, ``"version"`` or ``"runner"``."""
    message: str
    """The reason as a clause in English."""
    task_id: str | None
    run_id: str | None
    """The child run that it is about."""
    due_at: datetime | None
    """When the run or task continues by itself."""
    raw: Mapping[str, Any] = _raw()


@dataclass(frozen=True)
class Explanation:
    """Why a run does not progress, what it executes, or how it ended."""

    run_id: str
    state: RunState
    reasons: tuple[Reason, ...]
    """All reasons, the decisive one first."""
    summary: str
    """The messages of all reasons."""


def explanation(row: Mapping[str, Any]) -> Explanation:
    return read(Explanation, row, reasons=_each(Reason, row["reasons"]))


@dataclass(frozen=True)
class StrandedRun:
    """A run that no live runner can continue."""

    id: str
    workflow: str
    version: str
    reason: str


@dataclass(frozen=True)
class BlockedTask:
    """A task that runs at most once, whose attempt ended without a result: it waits for ``Run.resolve()``."""

    run_id: str
    workflow: str
    task_id: str
    item: int | None
    attempt: int
    started_at: datetime | None


@dataclass(frozen=True)
class LimitPermit:
    """A holder of a place of a limit, or a waiter for one."""

    run_id: str
    workflow: str
    task_id: str | None
    """``None`` if the limit is one of the workflow."""
    item: int | None
    since: datetime | None


@dataclass(frozen=True)
class LimitLane:
    """The places of one key of a limit."""

    limit: str
    key: tuple[str, ...]
    max: int
    per: timedelta | None
    """The period of a rate limit."""
    held: int
    waiting: int
    holders: tuple[LimitPermit, ...]
    waiters: tuple[LimitPermit, ...]


def lanes(rows: Sequence[Mapping[str, Any]]) -> tuple[LimitLane, ...]:
    def lane(row: Mapping[str, Any]) -> LimitLane:
        holders, waiters = _each(LimitPermit, row["holders"]), _each(LimitPermit, row["waiters"])
        return read(LimitLane, row, per=_period(row.get("per")), holders=holders, waiters=waiters)

    return tuple(lane(row) for row in rows)


def _period(ms: float | None) -> timedelta | None:
    return None if ms is None else timedelta(milliseconds=ms)


@dataclass(frozen=True)
class Stats:
    """Counts of runs and operations, by the names that they have in TypeScript."""

    runs: Mapping[str, int]
    """How many runs are in each state."""
    schedules: Mapping[str, int]
    limits: Mapping[str, int]
    store: Mapping[str, Any]
    """Operations on the store since this runner or client was opened."""
    runner: Mapping[str, Any] | None
    """The load of this runner; ``None`` for a client."""


@dataclass(frozen=True)
class ScheduleFailure:
    """Why the latest start of a schedule, or the latest check of a poll, has failed."""

    message: str
    at: datetime | None
    tick: datetime | None


@dataclass(frozen=True)
class ScheduleCounts:
    """How many ticks have had which outcome."""

    started: int
    """Runs that were started."""
    overlapped: int
    missed: int
    failed: int


@dataclass(frozen=True)
class ScheduleInfo:
    """A schedule or poll, as ``schedules.get()`` and ``schedules.list()`` return it."""

    name: str
    kind: Literal["schedule", "poll"]
    workflow: str
    state: Literal["active", "paused"]
    paused_by: Literal["user", "removal"] | None
    """A call of ``pause()``, or a program that no longer has the schedule."""
    cron: str | None
    time_zone: str | None
    every: timedelta | None
    overlap: str
    catch_up: str
    cursor: Any
    """That of a poll."""
    checked_at: datetime | None
    """When the latest check of a poll began."""
    next_tick: datetime | None
    """The next tick or check; ``None`` if there is none, or it is paused."""
    queued: tuple[datetime, ...]
    """Ticks that wait for the end of an earlier run."""
    last_tick: datetime | None
    last_run_id: str | None
    is_last_run_live: bool
    """Whether the latest run has not ended."""
    error: ScheduleFailure | None
    counts: ScheduleCounts
    raw: Mapping[str, Any] = _raw()


def schedule_info(row: Mapping[str, Any]) -> ScheduleInfo:
    poll, last = row.get("poll") or {}, row.get("lastRun") or {}
    return read(
        ScheduleInfo,
        row,
        every=_period(row.get("everyMs")),
        overlap="cancel_previous" if row.get("overlap") == "cancelPrevious" else row.get("overlap"),
        cursor=poll.get("cursor"),
        checked_at=from_ms(poll.get("checkedAt")),
        queued=times(row.get("queued") or ()),
        last_run_id=last.get("id"),
        is_last_run_live=bool(last.get("isLive")),
        error=_maybe(ScheduleFailure, row.get("error")),
        counts=read(ScheduleCounts, row["counts"]),
    )


@dataclass(frozen=True)
class ScheduleTick:
    """A past tick of a schedule, as ``schedules.history()`` returns it."""

    tick: datetime | None
    """``None`` for a run that was triggered."""
    outcome: Literal["started", "missed", "overlapped", "failed"]
    at: datetime | None
    """When the run was created, or the tick was dropped."""
    run_id: str | None
    run_state: RunState | None


def schedule_tick(row: Mapping[str, Any]) -> ScheduleTick:
    run = row.get("run") or {}
    return read(ScheduleTick, row, run_id=run.get("id"), run_state=run.get("state"))


@dataclass(frozen=True)
class BackfillResult:
    """What a backfill has done."""

    started: int
    """Runs that were started."""
    existing: int
    """Ticks that had a run already."""


def times(values: Sequence[Any]) -> tuple[datetime, ...]:
    return tuple(time for time in map(from_ms, values) if time is not None)
