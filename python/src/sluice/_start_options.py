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


class StartManyOptions(TypedDict, total=False):
    """Options of ``start_many``, which apply to each run."""

    if_exists: Literal["return", "compare", "reject"] | None
    key_scope: Literal["ever", "active"] | None
    delay: Duration | None
    start_at: Time | None
    priority: int | None
    tags: Sequence[str] | None
    timeout: Duration | None


class StartOptions(TaskStartOptions, total=False):
    """Options of ``start`` and ``execute``."""

    debounce: Mapping[str, Any] | None
    """``{"key": …, "delay": …, "max_delay": …}``: starts the run once no other start with the key has followed."""


class Filters(TypedDict, total=False):
    """Filters of runs, which ``list`` and the operations on many runs share. A run matches if it matches all of them."""

    workflow: WorkflowOption | str | None
    version: str | None
    """The version of the workflow that the run started with."""
    state: str | Sequence[str] | None
    """A state, or several of which the run has one."""
    tags: Sequence[str] | None
    """Tags, all of which the run has."""
    key_prefix: str | None
    error: str | None
    """Text that the error of the run contains, in ``name: message`` or its code, or in those of its cause."""
    failed_task: str | None
    since: Time | None
    """The run was created at this time or later."""
    until: Time | None
    """The run was created before this time."""
    ended_since: Time | None
    ended_until: Time | None
    parent: str | None
    """The id of the run that started it as a child."""
    schedule: str | None
    """The name of the schedule or poll that started it."""
    parked: bool | None
    """Whether no live runner can continue it."""


class ListOptions(Filters, total=False):
    """Filters of ``list``, and which page of the runs it returns."""

    limit: int | None
    """Runs per page, at most 1,000. By default 50."""
    cursor: str | None
    """The cursor of the page before."""
    input: bool | None
    """Whether the runs are listed with their inputs."""


class ManyOptions(Filters, total=False):
    """Which runs an operation on many runs changes: those that match the filters, of which there is at least one."""

    all: bool
    """All runs; excludes filters."""
    dry_run: bool
    """Changes nothing, and returns how many runs match."""


IF_EXISTS = {"return": "return", "compare": "compare", "reject": "reject"}
KEY_SCOPES = {"ever": "ever", "active": "active"}
STATES = {
    name: name
    for name in ("pending", "running", "waiting", "paused", "compensating", "completed", "failed", "cancelled")
}

_START = ("key", "if_exists", "key_scope", "delay", "start_at", "priority", "tags", "timeout")


def start_options(
    action: str, options: Mapping[str, Any], *, of_task: bool = False, of_many: bool = False, has_key: bool = False
) -> dict[str, Any]:
    """Returns the options of a start as the engine takes them. Raises TypeError, which names every problem.

    ``of_task``: those of a start in a body, which has a key by itself. ``of_many``: those of ``start_many``, whose keys are
    no option.
    """
    checks = Checks()
    names = _START if of_task else _START[1:] if of_many else (*_START, "debounce")
    _check_names(options, names, checks)
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
    if read["key"] is None and not of_task and not has_key:
        for name in ("if_exists", "key_scope"):
            if options.get(name) is not None:
                checks.report(f"{name} needs {'keys' if of_many else 'a key'}; state {'them' if of_many else 'one'}")
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


_FILTERS = {
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
}
_LIST = (*_FILTERS, "limit", "cursor", "input")
_MANY = (*_FILTERS, "all", "dry_run")


def list_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options of ``list`` as the engine takes them. Raises TypeError, which names every problem."""
    checks = Checks()
    _check_names(options, _LIST, checks)
    read: dict[str, Any] = {
        **_filters(options, checks),
        "limit": checks.count(options.get("limit"), "limit", 1_000),
        "cursor": checks.text(options.get("cursor"), "cursor"),
        "input": None if options.get("input") is None else checks.flag(options["input"], "input"),
    }
    return _finish("list runs", read, checks)


def many_options(action: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the parameters of an operation on many runs. Raises TypeError, which names every problem."""
    checks = Checks()
    _check_names(options, _MANY, checks)
    filters = _filters(options, checks)
    is_all, is_dry = (checks.flag(options.get(name, False), name) for name in ("all", "dry_run"))
    if not checks.problems and is_all == bool(filters):
        checks.report("all=True excludes filters" if is_all else f"state a filter, or all=True to {action} all runs")
    params: dict[str, Any] = {"filter": {"all": True} if is_all else filters, "dryRun": True if is_dry else None}
    return _finish(f"{action} runs", params, checks)


def _filters(options: Mapping[str, Any], checks: Checks) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, key in _FILTERS.items():
        value = options.get(name)
        if value is None:
            continue
        if name in ("since", "until", "ended_since", "ended_until"):
            read[key] = checks.time(value, name)
        elif name == "state":
            states = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
            read[key] = [word for word in (checks.word(state, "state", STATES) for state in states) if word]
        elif name == "tags":
            read[key] = checks.texts(value, "tags")
        elif name == "parked":
            read[key] = checks.flag(value, name)
        else:
            read[key] = checks.text(getattr(value, "name", value) if name == "workflow" else value, name)
    return read


def _check_names(options: Mapping[str, Any], known: Any, checks: Checks) -> None:
    for name in options:
        if name not in known:
            checks.report(f'there is no option "{name}"{did_you_mean(str(name), known)}')


def _finish(action: str, read: dict[str, Any], checks: Checks) -> dict[str, Any]:
    if checks.problems:
        raise TypeError(f"Cannot {action}: {'; '.join(checks.problems)}")
    return {name: value for name, value in read.items() if value is not None}
