"""The requests of runners and runs, as both kinds of runners send them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ._definition import Task, Workflow, WorkflowOption
from ._duration import shown
from ._json import check
from ._models import Outcome, RunInfo, RunPage, outcome_of, run_info
from ._start_options import list_options, start_options

T = TypeVar("T")


@dataclass(frozen=True)
class Request(Generic[T]):
    """A request to the engine."""

    method: str
    params: Mapping[str, Any]
    convert: Callable[[Any], T]
    can_repeat: bool = False
    """Whether it may be sent again to another engine after this one has ended without an answer."""


def start(workflow: WorkflowOption | str, input: Any, options: Mapping[str, Any]) -> Request[tuple[str, bool]]:
    name = workflow.name if isinstance(workflow, Workflow) else workflow
    if not isinstance(name, str):
        raise TypeError(f"Cannot start a run: its workflow must be a Workflow or a name, not {shown(workflow)}")
    params: dict[str, Any] = {"workflow": name}
    read = start_options(f'start "{name}"', options)
    if read:
        params["options"] = read
    if input is not None:
        params["input"] = check(input, "input")
    can_repeat = "key" in read and read.get("ifExists") != "reject"
    return Request("start", params, lambda answer: (answer["runId"], bool(answer["isNew"])), can_repeat)


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


def send(run_id: str, task: Task[..., Any] | str, payload: Any) -> Request[bool]:
    name = task.id if isinstance(task, Task) else task
    if not isinstance(name, str):
        raise TypeError(f"Cannot send a message: the task must be a task or its id, not {shown(task)}")
    params: dict[str, Any] = {"runId": run_id, "taskId": name}
    if payload is not None:
        params["payload"] = check(payload, "payload")
    return Request("send", params, lambda answer: bool(answer["accepted"]))


def open_events(run_id: str) -> Request[int]:
    return Request("events.open", {"runId": run_id}, lambda answer: int(answer["stream"]))


def next_events(stream: int) -> Request[tuple[list[Mapping[str, Any]], bool]]:
    return Request("events.next", {"stream": stream}, lambda answer: (list(answer["events"]), bool(answer.get("done"))))


def close_events(stream: int) -> Request[None]:
    return _control("events.close", {"stream": stream})


def _control(method: str, params: Mapping[str, Any]) -> Request[None]:
    return Request(method, params, lambda answer: None)


def _with_reason(action: str, run_id: str, reason: str | None) -> dict[str, Any]:
    if reason is None:
        return {"runId": run_id}
    if not isinstance(reason, str):
        raise TypeError(f"Cannot {action} a run: the reason must be text, not {shown(reason)}")
    return {"runId": run_id, "reason": reason}
