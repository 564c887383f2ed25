"""Options of starts and of lists, checked before they are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from ._checks import Checks, did_you_mean
from ._definition import WorkflowOption
from ._duration import Duration, Time, shown


class TaskStartOptions(TypedDict, total=False):
    """Options of ``ctx.start``."""

    key: str | None
    """A second start of the workflow with the same key returns the first run."""
    if_exists: Literal["return", "compare", "reject"] | None
    """What to do if a run with the key exists: return it, compare the inputs, or raise KeyConflictError."""
    key_scope: Literal["ever", "active"] | None
    """How long the run holds its key: until it is deleted, or until it ends."""
    delay: Duration | None
    """The run starts no earlier than this long from now."""
    start_at: Time | None
    """The run starts no earlier than this time."""
    priority: int | None
    """Lower values run first."""
    tags: Sequence[str] | None
    """Tags of the run, in addition to those of its workflow."""
    timeout: Duration | None
    """The longest that the run may take."""


class StartOptions(TaskStartOptions, total=False):
    """Options of ``start`` and ``execute``."""

    debounce: Mapping[str, Any] | None
    """``{"key": …, "delay": …, "max_delay": …}``: starts the run once no other start with the key has followed."""


class ListOptions(TypedDict, total=False):
    """Filters of ``list``, and which page of the runs it returns."""

    workflow: WorkflowOption | str | None
    version: str | None
    state: str | Sequence[str] | None
    tags: Sequence[str] | None
    key_prefix: str | None
    error: str | None
    failed_task: str | None
    since: Time | None
    until: Time | None
    ended_since: Time | None
    ended_until: Time | None
    parent: str | None
    schedule: str | None
    parked: bool | None
    limit: int | None
    """Runs per page, at most 1,000. By default 50."""
    cursor: str | None
    """The cursor of the page before."""
    input: bool | None
    """Whether the runs are listed with their inputs."""


IF_EXISTS = {"return": "return", "compare": "compare", "reject": "reject"}
KEY_SCOPES = {"ever": "ever", "active": "active"}
STATES = {
    name: name
    for name in ("pending", "running", "waiting", "paused", "compensating", "completed", "failed", "cancelled")
}

_START = ("key", "if_exists", "key_scope", "delay", "start_at", "priority", "tags", "timeout")


def start_options(action: str, options: Mapping[str, Any], *, of_task: bool = False) -> dict[str, Any]:
    """Returns the options of a start as the engine takes them. Raises TypeError, which names every problem."""
    checks = Checks()
    _check_names(options, _START if of_task else (*_START, "debounce"), checks)
    read: dict[str, Any] = {
        "key": checks.text(options.get("key"), "key", 500),
        "ifExists": checks.word(options.get("if_exists"), "if_exists", IF_EXISTS),
        "keyScope": checks.word(options.get("key_scope"), "key_scope", KEY_SCOPES),
        "delay": checks.duration(options.get("delay"), "delay"),
        "startAt": checks.time(options.get("start_at"), "start_at"),
        "priority": checks.count(options.get("priority"), "priority", 32_767, -32_768),
        "tags": None if options.get("tags") is None else checks.texts(options["tags"], "tags"),
        "timeout": checks.duration(options.get("timeout"), "timeout"),
        "debounce": _debounce(options.get("debounce"), checks),
    }
    if read["delay"] is not None and read["startAt"] is not None:
        checks.report("delay and start_at exclude each other; pass one of them")
    if read["key"] is None and not of_task:
        for name in ("if_exists", "key_scope"):
            if options.get(name) is not None:
                checks.report(f"{name} needs a key; state one")
    if read["debounce"] is not None:
        for name in ("key", "key_scope", "if_exists", "delay", "start_at"):
            if options.get(name) is not None:
                checks.report(f"debounce excludes {name}; pass one of them")
    return _finish(action, read, checks)


def _debounce(value: object, checks: Checks) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        checks.report(f"debounce must be a dict of key, delay and max_delay, not {shown(value)}")
        return None
    _check_names(value, ("key", "delay", "max_delay"), checks)
    read: dict[str, Any] = {
        "key": checks.text(value.get("key"), "debounce: key", 500),
        "delay": checks.duration(value.get("delay"), "debounce: delay"),
    }
    for name in ("key", "delay"):
        if value.get(name) is None:
            checks.report(f"debounce needs a {name}")
    longest = checks.duration(value.get("max_delay"), "debounce: max_delay")
    if longest is not None:
        read["maxDelay"] = longest
    return read


_LIST = {
    "workflow": "workflow",
    "version": "version",
    "state": "state",
    "tags": "tags",
    "key_prefix": "keyPrefix",
    "error": "error",
    "failed_task": "failedTask",
    "since": "since",
    "until": "until",
    "ended_since": "endedSince",
    "ended_until": "endedUntil",
    "parent": "parent",
    "schedule": "schedule",
    "parked": "parked",
    "limit": "limit",
    "cursor": "cursor",
    "input": "input",
}


def list_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options of ``list`` as the engine takes them. Raises TypeError, which names every problem."""
    checks = Checks()
    _check_names(options, _LIST, checks)
    read: dict[str, Any] = {}
    for name, value in options.items():
        if value is None or name not in _LIST:
            continue
        if name in ("since", "until", "ended_since", "ended_until"):
            read[_LIST[name]] = checks.time(value, name)
        elif name == "state":
            states = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
            read["state"] = [word for word in (checks.word(state, "state", STATES) for state in states) if word]
        elif name == "tags":
            read["tags"] = checks.texts(value, "tags")
        elif name == "limit":
            read["limit"] = checks.count(value, "limit", 1_000)
        elif name in ("parked", "input"):
            read[name] = checks.flag(value, name)
        else:
            text = getattr(value, "name", value) if name == "workflow" else value
            read[_LIST[name]] = checks.text(text, name)
    return _finish("list runs", read, checks)


def _check_names(options: Mapping[str, Any], known: Any, checks: Checks) -> None:
    for name in options:
        if name not in known:
            checks.report(f'there is no option "{name}"{did_you_mean(str(name), known)}')


def _finish(action: str, read: dict[str, Any], checks: Checks) -> dict[str, Any]:
    if checks.problems:
        raise TypeError(f"Cannot {action}: {'; '.join(checks.problems)}")
    return {name: value for name, value in read.items() if value is not None}
