"""What calls return: runs, outcomes and events. Times are in UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from ._duration import from_ms
from ._errors import RunCancelledError, RunFailedError, error_from_record

RunState = Literal["pending", "running", "waiting", "paused", "compensating", "completed", "failed", "cancelled"]


@dataclass(frozen=True)
class RunInfo:
    """A run, as ``status()`` and ``list()`` return it."""

    id: str
    workflow: str
    version: str
    state: RunState
    key: str | None
    priority: int
    tags: tuple[str, ...]
    created_at: datetime | None
    started_at: datetime | None
    """When a runner first claimed it."""
    ended_at: datetime | None
    due_at: datetime | None
    """When a pending or waiting run continues."""
    deadline_at: datetime | None
    """When the timeout of the run ends it."""
    error: Exception | None
    """Why it failed."""
    reason: str | None
    """Why it is cancelled, paused or parked."""
    crashes: int
    """How many runners died while they owned it, since it last made progress."""
    schedule: str | None
    """The name of the schedule that started it."""
    input: Any = None
    """From ``status()``, and from ``list(input=True)``."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """All members as the engine sent them, with the names that they have in TypeScript."""


def run_info(row: Mapping[str, Any]) -> RunInfo:
    error = row.get("error")
    return RunInfo(
        id=row["id"],
        workflow=row["workflow"],
        version=row["version"],
        state=row["state"],
        key=row.get("key"),
        priority=row.get("priority", 0),
        tags=tuple(row.get("tags") or ()),
        created_at=from_ms(row.get("createdAt")),
        started_at=from_ms(row.get("startedAt")),
        ended_at=from_ms(row.get("endedAt")),
        due_at=from_ms(row.get("dueAt")),
        deadline_at=from_ms(row.get("deadlineAt")),
        error=error_from_record(error) if isinstance(error, Mapping) else None,
        reason=row.get("reason"),
        crashes=row.get("crashes", 0),
        schedule=row.get("schedule"),
        input=row.get("input"),
        raw=row,
    )


@dataclass(frozen=True)
class RunPage:
    """A page of runs, newest first."""

    runs: tuple[RunInfo, ...]
    cursor: str | None
    """The cursor of the next page; ``None`` on the last page."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    status: Literal["completed", "failed", "cancelled"]
    run_id: str
    started_at: datetime | None
    ended_at: datetime | None
    outputs: Mapping[str, Any]
    """Outputs of completed tasks, by task id."""
    value: Any = None
    """The result of a completed run: the output of the task that ``returns`` names, or all outputs by id."""
    error: Exception | None = None
    """The decisive error of a failed run."""
    failures: tuple[Mapping[str, Any], ...] = ()
    """Failed attempts of all failed tasks."""
    reason: str | None = None
    """The argument of ``cancel``, of a cancelled run."""
    compensated: tuple[Mapping[str, Any], ...] = ()
    """Tasks that were undone, and undos that failed."""

    @property
    def result(self) -> Any:
        """The result of a completed run. Raises RunFailedError or RunCancelledError."""
        if self.status == "failed":
            reason = f": {self.error}" if self.error is not None else ""
            error = RunFailedError(f'Run "{self.run_id}" failed{reason}', run_id=self.run_id, failures=self.failures)
            raise error from self.error
        if self.status == "cancelled":
            reason = f": {self.reason}" if self.reason else ""
            raise RunCancelledError(
                f'Run "{self.run_id}" was cancelled{reason}', run_id=self.run_id, reason=self.reason
            )
        return self.value


def outcome_of(row: Mapping[str, Any]) -> Outcome:
    error = row.get("error")
    return Outcome(
        status=row["status"],
        run_id=row["runId"],
        started_at=from_ms(row.get("startedAt")),
        ended_at=from_ms(row.get("endedAt")),
        outputs=row.get("outputs") or {},
        value=row.get("result"),
        error=error_from_record(error) if isinstance(error, Mapping) else None,
        failures=_items(row.get("failures")),
        reason=row.get("reason"),
        compensated=_items(row.get("compensated")),
    )


def _items(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, Sequence) else ()


@dataclass(frozen=True)
class RunEvent:
    """An event of a run: ``"run.started"``, ``"task.completed"``, …"""

    type: str
    run_id: str
    workflow: str
    at: datetime | None
    task_id: str | None = None
    attempt: int | None = None
    item: int | None = None
    error: Exception | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """All members as the engine sent them, with the names that they have in TypeScript."""


def run_event(row: Mapping[str, Any]) -> RunEvent:
    error = row.get("error")
    return RunEvent(
        type=row["type"],
        run_id=row.get("runId", ""),
        workflow=row.get("workflow", ""),
        at=from_ms(row.get("at")),
        task_id=row.get("taskId"),
        attempt=row.get("attempt"),
        item=row.get("item"),
        error=error_from_record(error) if isinstance(error, Mapping) else None,
        data=row,
    )
