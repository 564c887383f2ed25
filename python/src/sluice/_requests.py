"""The requests of clients, runners and runs, as functions and coroutines send them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from . import _details
from ._checks import Checks
from ._definition import Task, TaskName, Workflow, WorkflowOption
from ._duration import Time, shown
from ._error_record import error_record
from ._json import check
from ._models import Outcome, RunInfo, RunPage, outcome_of, run_info
from ._start_options import list_options, many_options, start_options

T = TypeVar("T")


@dataclass(frozen=True)
class Request(Generic[T]):
    """A request to the engine."""

    method: str
    params: Mapping[str, Any]
    convert: Callable[[Any], T]
    can_repeat: bool = False
    """Whether it may be sent again to another engine after this one has ended without an answer."""


Started = tuple[str, bool]
"""The id of a run, and whether the call inserted it."""


def _started(answer: Mapping[str, Any]) -> Started:
    return answer["runId"], bool(answer["isNew"])


def _workflow_name(workflow: WorkflowOption | str) -> str:
    name = workflow.name if isinstance(workflow, Workflow) else workflow
    if not isinstance(name, str):
        raise TypeError(f"Cannot start a run: its workflow must be a Workflow or a name, not {shown(workflow)}")
    return name


def start(workflow: WorkflowOption | str, input: Any, options: Mapping[str, Any]) -> Request[Started]:
    name = _workflow_name(workflow)
    params: dict[str, Any] = {"workflow": name}
    read = start_options(f'start "{name}"', options)
    if read:
        params["options"] = read
    if input is not None:
        params["input"] = check(input, "input")
    can_repeat = "key" in read and read.get("ifExists") != "reject"
    return Request("start", params, _started, can_repeat)


def start_many(
    workflow: WorkflowOption | str, inputs: Sequence[Any], keys: Sequence[str] | None, options: Mapping[str, Any]
) -> Request[list[Started]]:
    name = _workflow_name(workflow)
    for what, value in (("inputs", inputs), ("keys", keys)):
        if value is not None and not isinstance(value, (list, tuple)):
            raise TypeError(f'Cannot start runs of "{name}": {what} must be a list, not {shown(value)}')
    read = start_options(f'start runs of "{name}"', options, of_many=True, has_key=keys is not None)
    params: dict[str, Any] = {"workflow": name, "inputs": check(list(inputs), "inputs"), "options": read}
    if keys is not None:
        params["keys"] = list(keys)
    can_repeat = keys is not None and read.get("ifExists") != "reject"
    return Request("startMany", params, lambda answer: [_started(run) for run in answer["runs"]], can_repeat)


def list_runs(options: Mapping[str, Any]) -> Request[RunPage]:
    return Request("list", {"filter": list_options(options)}, _page, True)


def _page(answer: Mapping[str, Any]) -> RunPage:
    return RunPage(tuple(run_info(row) for row in answer["runs"]), answer.get("cursor"))


def status(run_id: str) -> Request[RunInfo]:
    return Request("status", {"runId": run_id}, run_info, True)


def outcome(run_id: str) -> Request[Outcome]:
    return Request("outcome", {"runId": run_id}, outcome_of, True)


def cancel(run_id: str, reason: str | None, compensate: bool) -> Request[None]:
    params = _with_reason("cancel", run_id, reason)
    if not isinstance(compensate, bool):
        raise TypeError(f"Cannot cancel a run: compensate must be True or False, not {shown(compensate)}")
    return _control("cancel", params if compensate else {**params, "compensate": False})


def pause(run_id: str, reason: str | None) -> Request[None]:
    return _control("pause", _with_reason("pause", run_id, reason))


def resume(run_id: str) -> Request[None]:
    return _control("resume", {"runId": run_id})


def retry(run_id: str) -> Request[None]:
    return _control("retry", {"runId": run_id})


def delete(run_id: str) -> Request[None]:
    return _control("delete", {"runId": run_id})


def send(run_id: str, task: TaskName, payload: Any) -> Request[bool]:
    params: dict[str, Any] = {"runId": run_id, "taskId": _task_id("send a message", task)}
    if payload is not None:
        params["payload"] = check(payload, "payload")
    return Request("send", params, lambda answer: bool(answer["accepted"]))


def _task_id(action: str, task: TaskName) -> str:
    name = task.id if isinstance(task, Task) else task
    if not isinstance(name, str):
        raise TypeError(f"Cannot {action}: the task must be a task or its id, not {shown(task)}")
    return name


class _Missing:
    def __repr__(self) -> str:
        return "<not stated>"


MISSING: Any = _Missing()
"""The default of an argument for which ``None`` is a value."""


def resolve(
    run_id: str, task: TaskName, *, output: Any, error: str | BaseException | None, retry: bool, item: int | None
) -> Request[None]:
    checks = Checks()
    params: dict[str, Any] = {"runId": run_id, "taskId": _task_id("resolve a task", task)}
    if checks.count(item, "item", least=0) is not None:
        params["item"] = item
    if output is not MISSING:
        params["output"] = check(output, "output")
    if error is not None:
        if isinstance(error, BaseException):
            params["error"] = error_record(error)
        else:
            params["error"] = checks.text(error, "error", 8_192)
    if checks.flag(retry, "retry"):
        params["retry"] = True
    if sum(name in params for name in ("output", "error", "retry")) != 1:
        checks.report("state exactly one of output, error and retry=True")
    if checks.problems:
        raise TypeError(f"Cannot resolve a task: {'; '.join(checks.problems)}")
    return _control("resolve", params)


def fork(run_id: str, from_: TaskName | None, input: Any, outputs: Mapping[Any, Any] | None) -> Request[Started]:
    params: dict[str, Any] = {"runId": run_id}
    if from_ is not None:
        params["from"] = _task_id("fork a run", from_)
    if input is not MISSING:
        params["input"] = check(input, "input")
    if outputs is not None:
        if not isinstance(outputs, Mapping):
            raise TypeError(f"Cannot fork a run: outputs must be a dict by task, not {shown(outputs)}")
        read = {_task_id("fork a run", task): value for task, value in outputs.items()}
        params["outputs"] = check(read, "outputs")
    return Request("fork", params, _started)


def tasks(run_id: str) -> Request[tuple[_details.TaskInfo, ...]]:
    return _read("tasks", {"runId": run_id}, lambda rows: tuple(map(_details.task_info, rows)))


def items(
    run_id: str, task: TaskName, state: str | None, limit: int | None, cursor: str | None
) -> Request[_details.ItemPage]:
    checks = Checks()
    params = {
        "runId": run_id,
        "taskId": _task_id("list items", task),
        "state": checks.word(state, "state", _ITEM_STATES),
        "limit": checks.count(limit, "limit", 1_000),
        "cursor": checks.text(cursor, "cursor"),
    }
    if checks.problems:
        raise TypeError(f"Cannot list items: {'; '.join(checks.problems)}")
    return _read("items", {name: value for name, value in params.items() if value is not None}, _details.item_page)


_ITEM_STATES = {state: state for state in ("running", "waiting", "blocked", "completed", "failed", "compensated")}


def children(run_id: str) -> Request[tuple[_details.ChildInfo, ...]]:
    return _read("children", {"runId": run_id}, _all_of(_details.ChildInfo))


def history(run_id: str) -> Request[tuple[_details.HistoryEntry, ...]]:
    return _read("history", {"runId": run_id}, _all_of(_details.HistoryEntry))


def explain(run_id: str) -> Request[_details.Explanation]:
    return _read("explain", {"runId": run_id}, _details.explanation)


def stranded() -> Request[tuple[_details.StrandedRun, ...]]:
    return _read("stranded", {}, _all_of(_details.StrandedRun))


def blocked() -> Request[tuple[_details.BlockedTask, ...]]:
    return _read("blocked", {}, _all_of(_details.BlockedTask))


def limits(limit: str | None, lanes: int | None, permits: int | None) -> Request[tuple[_details.LimitLane, ...]]:
    checks = Checks()
    options = {
        "limit": checks.text(limit, "limit"),
        "lanes": checks.count(lanes, "lanes", 1_000),
        "permits": checks.count(permits, "permits", 1_000, 0),
    }
    if checks.problems:
        raise TypeError(f"Cannot list the lanes of limits: {'; '.join(checks.problems)}")
    stated = {name: value for name, value in options.items() if value is not None}
    return _read("limits", {"options": stated}, _details.lanes)


def stats() -> Request[_details.Stats]:
    return _read("stats", {}, lambda row: _details.read(_details.Stats, row))


# Operations on many runs


def cancel_many(reason: str | None, compensate: bool, options: Mapping[str, Any]) -> Request[int]:
    own = cancel("", reason, compensate).params
    return _many("cancel", options, own)


def pause_many(reason: str | None, options: Mapping[str, Any]) -> Request[int]:
    return _many("pause", options, pause("", reason).params)


def resume_many(options: Mapping[str, Any]) -> Request[int]:
    return _many("resume", options)


def retry_many(options: Mapping[str, Any]) -> Request[int]:
    return _many("retry", options)


def delete_many(options: Mapping[str, Any]) -> Request[int]:
    return _many("delete", options)


def tag_many(add: Sequence[str], remove: Sequence[str], options: Mapping[str, Any]) -> Request[int]:
    checks = Checks()
    change = {"add": checks.texts(add, "add"), "remove": checks.texts(remove, "remove")}
    if checks.problems:
        raise TypeError(f"Cannot tag runs: {'; '.join(checks.problems)}")
    return _many("tag", options, {"tags": change})


def _many(action: str, options: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> Request[int]:
    params = {**(own or {}), **many_options(action, options)}
    params.pop("runId", None)
    return Request(f"{action}Many", params, int)


# Schedules


def list_schedules() -> Request[tuple[_details.ScheduleInfo, ...]]:
    return _read("schedules.list", {}, lambda rows: tuple(map(_details.schedule_info, rows)))


def get_schedule(name: str) -> Request[_details.ScheduleInfo]:
    return _read("schedules.get", _named("read", name), _details.schedule_info)


def pause_schedule(name: str) -> Request[None]:
    return _control("schedules.pause", _named("pause", name))


def resume_schedule(name: str) -> Request[None]:
    return _control("schedules.resume", _named("resume", name))


def trigger_schedule(name: str) -> Request[Started]:
    return Request("schedules.trigger", _named("trigger", name), _started)


def next_ticks(name: str, count: int) -> Request[tuple[datetime, ...]]:
    params = {**_named("read", name), "count": count}
    return _read("schedules.next", params, _details.times)


def schedule_history(name: str, limit: int) -> Request[tuple[_details.ScheduleTick, ...]]:
    params = {**_named("read the history of", name), "limit": limit}
    return _read("schedules.history", params, lambda rows: tuple(map(_details.schedule_tick, rows)))


def backfill(name: str, from_: Time, to: Time) -> Request[_details.BackfillResult]:
    checks = Checks()
    params = {**_named("backfill", name), "from": checks.time(from_, "from_"), "to": checks.time(to, "to")}
    if checks.problems:
        raise TypeError(f'Cannot backfill schedule "{name}": {"; ".join(checks.problems)}')
    # No tick gets a second run.
    return _read("schedules.backfill", params, lambda row: _details.read(_details.BackfillResult, row))


def _named(action: str, name: str) -> dict[str, Any]:
    name = getattr(name, "name", name)  # of a Schedule or Poll
    if not isinstance(name, str):
        raise TypeError(f"Cannot {action} a schedule: its name must be text, not {shown(name)}")
    return {"name": name}


def open_events(run_id: str) -> Request[int]:
    return Request("events.open", {"runId": run_id}, lambda answer: int(answer["stream"]))


def next_events(stream: int) -> Request[tuple[list[Mapping[str, Any]], bool]]:
    return Request("events.next", {"stream": stream}, lambda answer: (list(answer["events"]), bool(answer.get("done"))))


def close_events(stream: int) -> Request[None]:
    return _control("events.close", {"stream": stream})


def _read(method: str, params: Mapping[str, Any], convert: Callable[[Any], T]) -> Request[T]:
    """A request that changes nothing, or nothing more when it is repeated."""
    return Request(method, params, convert, True)


def _all_of(cls: type[T]) -> Callable[[Any], tuple[T, ...]]:
    return lambda rows: tuple(_details.read(cls, row) for row in rows)


def _control(method: str, params: Mapping[str, Any]) -> Request[None]:
    return Request(method, params, lambda answer: None)


def _with_reason(action: str, run_id: str, reason: str | None) -> dict[str, Any]:
    if reason is None:
        return {"runId": run_id}
    if not isinstance(reason, str):
        raise TypeError(f"Cannot {action} a run: the reason must be text, not {shown(reason)}")
    return {"runId": run_id, "reason": reason}
