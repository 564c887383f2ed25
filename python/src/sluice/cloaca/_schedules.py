"""Schedules and triggers of a runner."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, TypeVar

from .._checks import did_you_mean
from .._details import ScheduleInfo, ScheduleTick
from .._models import RunInfo
from .._runner import Runner
from .._schedule import Schedule
from ._context import Context
from ._errors import WorkflowError, WorkflowExecutionError
from ._executor import Executor
from ._registry import registry
from ._triggers import Trigger

T = TypeVar("T")

_MOST = 1_000
"""Executions of a schedule that are read for statistics."""


@dataclass(frozen=True)
class CronSchedule:
    """A schedule for ``add_cron_schedule``."""

    workflow_name: str
    cron_expression: str
    timezone: str = "UTC"
    enabled: bool = True
    context: Context | None = None


@dataclass(frozen=True)
class _Cron:
    """A schedule that this runner has."""

    id: str
    workflow: str
    expression: str
    timezone: str
    params: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime

    @property
    def name(self) -> str:
        """The name in the store."""
        return f"{self.workflow[:100]} {self.id}"

    def to_sluice(self) -> Schedule:
        _, workflows, _ = registry.snapshot()
        workflow = workflows.get(self.workflow)
        if workflow is None:
            raise WorkflowError(f'There is no workflow "{self.workflow}"')
        return Schedule(
            name=self.name,
            workflow=workflow.sluice,
            cron=self.expression,
            time_zone=self.timezone,
            input=dict(self.params),
            overlap="allow",
            catch_up="none",
        )


class ScheduleMethods:
    """The methods of a runner about schedules and triggers.

    Schedules and their executions are stored, and a program registers its schedules whenever it starts: the same workflow,
    expression and time zone are the same schedule. Those that are not registered again start nothing.
    """

    _executor: Executor
    _cron: dict[str, _Cron]

    # Schedules

    def register_cron_workflow(self, workflow_name: str, cron_expression: str, timezone: str = "UTC") -> str:
        """Executes a workflow at certain times, and returns the id of the schedule.

        The expression has five fields, or six with seconds first. What is missed while no runner is alive, or less than ten
        seconds ago, is left out. Raises WorkflowError, which is a ValueError, for an unknown workflow or time zone, or an
        invalid expression.
        """
        return self._add(workflow_name, "", cron_expression, timezone, {})

    def register_workflow_instance(
        self, workflow_name: str, instance_name: str, cron_expression: str, timezone: str, params: Context
    ) -> str:
        """The same, with values for the context of each execution. Instances with other names are other schedules."""
        return self._add(workflow_name, instance_name, cron_expression, timezone, params.to_dict())

    def add_cron_schedule(self, schedule: CronSchedule) -> str:
        """The same for a ``CronSchedule``."""
        params = {} if schedule.context is None else schedule.context.to_dict()
        added = self._add(schedule.workflow_name, "", schedule.cron_expression, schedule.timezone, params)
        self.set_cron_schedule_enabled(added, schedule.enabled)
        return added

    def list_cron_schedules(
        self, enabled_only: bool | None = None, limit: int | None = None, offset: int | None = None
    ) -> list[dict[str, Any]]:
        """Returns the schedules of this runner as dicts, at most 100 unless ``limit`` is stated."""
        stored = self._stored()
        shown = [_cron_dict(cron, stored.get(cron.name)) for cron in self._cron.values()]
        return _page([one for one in shown if one["enabled"] or not enabled_only], limit, offset)

    def get_cron_schedule(self, schedule_id: str) -> dict[str, Any]:
        """Returns a schedule as a dict. Raises ValueError for an unknown one, as all of these methods do."""
        cron = self._known(schedule_id)
        return _cron_dict(cron, self._stored().get(cron.name))

    def update_cron_schedule(self, schedule_id: str, cron_expression: str, timezone: str) -> None:
        """Changes when the workflow is executed."""
        now = _now()
        changed = replace(self._known(schedule_id), expression=cron_expression, timezone=timezone, updated_at=now)
        self._put(changed)

    def set_cron_schedule_enabled(self, schedule_id: str, enabled: bool) -> None:
        """Pauses a schedule, or lets it go on."""
        self._set_enabled(self._known(schedule_id).name, enabled)

    def delete_cron_schedule(self, schedule_id: str) -> None:
        """Removes a schedule. Its executions remain."""
        name = self._known(schedule_id).name
        self._executor.change_schedules(lambda schedules: schedules.pop(name, None))
        del self._cron[schedule_id]

    def get_cron_execution_history(
        self, schedule_id: str, limit: int | None = None, offset: int | None = None
    ) -> list[dict[str, Any]]:
        """Returns the executions of a schedule as dicts, the latest first."""
        ticks = self._history(self._known(schedule_id), (limit or 100) + (offset or 0))
        return _page([_cron_execution(schedule_id, tick) for tick in ticks if tick.run_id], limit, offset)

    def get_cron_execution_stats(self, since: str) -> dict[str, Any]:
        """Counts the executions of this runner's schedules since a time (ISO 8601 text).

        ``lost_executions`` are times that no runner was alive for; ``success_rate`` is from 0 to 1. The latest 1,000 of each
        schedule are counted.
        """
        try:
            begin = datetime.fromisoformat(since.replace("Z", "+00:00"))
        except ValueError:
            raise WorkflowExecutionError(f"since must be ISO 8601 text, not {since!r}") from None
        first = begin if begin.tzinfo else begin.astimezone()
        ticks = [
            tick for cron in self._cron.values() for tick in self._history(cron, _MOST) if tick.at and tick.at >= first
        ]
        started = [tick for tick in ticks if tick.run_id]
        successful = sum(tick.run_state == "completed" for tick in started)
        return {
            "total_executions": len(started),
            "successful_executions": successful,
            "lost_executions": sum(tick.outcome == "missed" for tick in ticks),
            "success_rate": successful / len(started) if started else 0.0,
        }

    # Triggers

    def list_trigger_schedules(
        self, enabled_only: bool | None = None, limit: int | None = None, offset: int | None = None
    ) -> list[dict[str, Any]]:
        """Returns the triggers that have a workflow as dicts, at most 100 unless ``limit`` is stated."""
        stored = self._stored()
        _, workflows, triggers = registry.snapshot()
        shown = [
            _trigger_dict(trigger, stored.get(trigger.stored_name))
            for trigger in triggers.values()
            if trigger.workflow in workflows
        ]
        return _page([one for one in shown if one["enabled"] or not enabled_only], limit, offset)

    def get_trigger_schedule(self, trigger_name: str) -> dict[str, Any] | None:
        """Returns a trigger as a dict; ``None`` for one that does not exist or has no workflow."""
        found = self.list_trigger_schedules(limit=_MOST)
        return next((one for one in found if one["trigger_name"] == trigger_name), None)

    def set_trigger_enabled(self, trigger_name: str, enabled: bool) -> None:
        """Pauses a trigger, or lets it go on. Raises ValueError for one that does not exist or has no workflow."""
        self._set_enabled(self._known_trigger(trigger_name).stored_name, enabled)

    def get_trigger_execution_history(
        self, trigger_name: str, limit: int | None = None, offset: int | None = None
    ) -> list[dict[str, Any]]:
        """Returns the executions that a trigger has started as dicts, the latest first."""
        trigger = self._known_trigger(trigger_name)
        most = min((limit or 100) + (offset or 0), _MOST)
        page = self._call(lambda runner: runner.list(schedule=trigger.stored_name, limit=most))
        return _page([_trigger_execution(trigger, run) for run in page.runs], limit, offset)

    # What they share

    def _known_trigger(self, name: str) -> Trigger:
        _, workflows, triggers = registry.snapshot()
        trigger = triggers.get(name)
        if trigger is None or trigger.workflow not in workflows:
            raise WorkflowError(f'There is no trigger "{name}" with a workflow{did_you_mean(str(name), triggers)}')
        return trigger

    def _add(self, workflow: str, instance: str, expression: str, zone: str, params: Mapping[str, Any]) -> str:
        if not self._executor.has_schedules:
            raise WorkflowExecutionError("The runner was configured with enable_cron_scheduling=False")
        facts = "\0".join((workflow, instance, expression, zone))
        schedule_id = str(uuid.uuid5(uuid.NAMESPACE_OID, facts))
        now = _now()
        self._put(_Cron(schedule_id, workflow, expression, zone, params, now, now))
        return schedule_id

    def _put(self, cron: _Cron) -> None:
        made = cron.to_sluice()
        self._executor.change_schedules(lambda schedules: schedules.update({cron.name: made}))
        self._cron[cron.id] = cron

    def _known(self, schedule_id: str) -> _Cron:
        cron = self._cron.get(schedule_id)
        if cron is None:
            raise WorkflowError(f"This runner has no schedule {schedule_id!r}")
        return cron

    def _stored(self) -> dict[str, ScheduleInfo]:
        """What the store says about schedules, by their names."""
        return {info.name: info for info in self._call(lambda runner: runner.schedules.list())}

    def _history(self, cron: _Cron, limit: int) -> Sequence[ScheduleTick]:
        return self._call(lambda runner: runner.schedules.history(cron.name, min(limit, _MOST)))

    def _set_enabled(self, name: str, enabled: bool) -> None:
        if enabled:
            self._call(lambda runner: runner.schedules.resume(name))
        else:
            self._call(lambda runner: runner.schedules.pause(name))

    def _call(self, action: Callable[[Runner], T]) -> T:
        return self._executor.call(action)


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _page(rows: list[dict[str, Any]], limit: int | None, offset: int | None) -> list[dict[str, Any]]:
    begin = offset or 0
    return rows[begin : begin + (100 if limit is None else limit)]


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _cron_dict(cron: _Cron, stored: ScheduleInfo | None) -> dict[str, Any]:
    return {
        "id": cron.id,
        "workflow_name": cron.workflow,
        "cron_expression": cron.expression,
        "timezone": cron.timezone,
        "enabled": stored is not None and stored.state == "active",
        "catchup_policy": "skip",
        "next_run_at": _text(stored.next_tick if stored else None),
        "last_run_at": _text(stored.last_tick if stored else None),
        "created_at": cron.created_at.isoformat(),
        "updated_at": cron.updated_at.isoformat(),
    }


def _cron_execution(schedule_id: str, tick: ScheduleTick) -> dict[str, Any]:
    created = _text(tick.at)
    return {
        "id": tick.run_id,
        "schedule_id": schedule_id,
        "scheduled_time": _text(tick.tick),
        "claimed_at": created,
        "workflow_execution_id": tick.run_id,
        "pipeline_execution_id": tick.run_id,
        "created_at": created,
        "updated_at": created,
    }


def _trigger_dict(trigger: Trigger, stored: ScheduleInfo | None) -> dict[str, Any]:
    return {
        "id": trigger.stored_name,
        "trigger_name": trigger.name,
        "workflow_name": trigger.workflow,
        "poll_interval_ms": trigger.interval_ms,
        "allow_concurrent": trigger.allow_concurrent,
        "enabled": stored is not None and stored.state == "active",
        "last_poll_at": _text(stored.checked_at if stored else None),
    }


def _trigger_execution(trigger: Trigger, run: RunInfo) -> dict[str, Any]:
    created = _text(run.created_at)
    return {
        "id": run.id,
        "schedule_id": trigger.stored_name,
        "context_hash": (run.key or "").removeprefix(f"{trigger.stored_name}:").partition(":")[0] or None,
        "workflow_execution_id": run.id,
        "pipeline_execution_id": run.id,
        "started_at": created,
        "completed_at": _text(run.ended_at),
        "created_at": created,
    }
