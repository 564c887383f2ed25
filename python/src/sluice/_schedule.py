"""Schedules and polls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Union

from ._checks import Checks
from ._definition import Workflow, WorkflowOption
from ._duration import Duration, Time, shown
from ._json import check

OVERLAPS = {"skip": "skip", "queue": "queue", "allow": "allow", "cancel_previous": "cancelPrevious"}
CATCH_UPS = {"none": "none", "last": "last", "all": "all"}


@dataclass(frozen=True)
class Schedule:
    """A rule that starts runs, as ``Runner(schedules=…)`` takes it. Exactly one of ``cron`` and ``every`` is stated.

    Raises DefinitionError, which lists every problem.
    """

    name: str
    """Unique in the store."""
    workflow: Workflow
    """The workflow of its runs."""
    cron: str | None = None
    """Five fields, or six with seconds first, or ``@hourly``, ``@daily``, ``@weekly``, ``@monthly``, ``@yearly``."""
    every: Duration | None = None
    """An interval of at least 100 ms."""
    time_zone: str | None = None
    """The time zone of ``cron``, such as ``"Europe/Berlin"``. By default UTC."""
    input: Any = None
    """The input of each run, or a function of ``tick`` and ``previous`` that returns it: two times in seconds."""
    overlap: str = "skip"
    """What happens to a tick while the latest run has not ended: skip, queue, allow or cancel_previous."""
    catch_up: str = "last"
    """What happens to ticks that no runner could start in time: none, last or all."""
    max_catch_up: int = 100
    """How many missed or queued ticks are kept at most."""
    jitter: Duration = 0
    """Each tick is delayed by a part of this."""
    start_at: Time | None = None
    """No ticks before this time."""
    end_at: Time | None = None
    """No ticks at or after this time."""

    def __post_init__(self) -> None:
        self._read()

    def _read(self) -> dict[str, Any]:
        checks = _common_checks(self.name, self.workflow)
        if (self.cron is None) == (self.every is None):
            checks.report("state exactly one of cron and every")
        if self.time_zone is not None and self.cron is None:
            checks.report("time_zone is for cron; an interval has no time zone")
        if not callable(self.input):
            _check_json(checks, self.input, "input")
        options: dict[str, Any] = {
            "name": self.name,
            "cron": checks.text(self.cron, "cron"),
            "every": checks.duration(self.every, "every"),
            "timeZone": checks.text(self.time_zone, "time_zone"),
            "overlap": checks.word(self.overlap, "overlap", OVERLAPS),
            "catchUp": checks.word(self.catch_up, "catch_up", CATCH_UPS),
            "maxCatchUp": checks.count(self.max_catch_up, "max_catch_up", 10_000),
            "jitter": checks.duration(self.jitter, "jitter"),
            "startAt": checks.time(self.start_at, "start_at"),
            "endAt": checks.time(self.end_at, "end_at"),
        }
        checks.refuse(f"schedule {shown(self.name)}")
        return {name: value for name, value in options.items() if value is not None}


def _common_checks(name: object, workflow: object) -> Checks:
    checks = Checks()
    checks.text(name, "its name")
    if not isinstance(workflow, Workflow):
        checks.report(f"workflow must be a Workflow, not {shown(workflow)}")
    return checks


def _check_json(checks: Checks, value: object, what: str) -> None:
    try:
        check(value, what)
    except Exception as error:
        checks.report(str(error))


class PollStart(TypedDict, total=False):
    """A run that a check starts, or only the cursor for the next check."""

    input: Any
    """The input of the run. An element without this member starts none."""
    key: str | None
    """A second run of the workflow with the same key is not started, until the first is deleted."""
    cursor: Any
    """The cursor for the next check; of several elements the last counts."""


PollResult = Union[PollStart, Sequence[PollStart], None]
PollCheck = Callable[..., Union[PollResult, Awaitable[PollResult]]]
"""A function or an ``async def``, which takes ``cursor`` and ``signal`` by name, or neither."""


@dataclass(frozen=True)
class Poll:
    """A rule that starts runs for what a function finds, as ``Runner(schedules=…)`` takes it. ``poll`` decorates one.

    Raises DefinitionError, which lists every problem.
    """

    name: str
    """Unique in the store, among schedules and polls."""
    workflow: Workflow
    """The workflow of its runs."""
    every: Duration
    """From the beginning of a check to the next: at least 100 ms."""
    check: PollCheck
    """Returns the runs to start: one, a list of up to 1,000, or nothing. They are inserted, and the cursor is advanced, in
    one commit; if it raises, or an input is invalid, neither happens. One runner checks at a time; if it dies, its check is
    repeated."""
    cursor: Any = None
    """The first cursor."""
    timeout: Duration = 30
    """The longest that a check may take. Then ``signal`` is set, and a check that is a coroutine is cancelled."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the check."""
        return self.check(*args, **kwargs)

    def __post_init__(self) -> None:
        self._read()

    def _read(self) -> dict[str, Any]:
        checks = _common_checks(self.name, self.workflow)
        if not callable(self.check):
            checks.report(f"check must be a function, not {shown(self.check)}")
        _check_json(checks, self.cursor, "cursor")
        options: dict[str, Any] = {
            "kind": "poll",
            "name": self.name,
            "every": checks.duration(self.every, "every"),
            "timeout": checks.duration(self.timeout, "timeout"),
            "cursor": self.cursor,
        }
        checks.refuse(f"poll {shown(self.name)}")
        return {name: value for name, value in options.items() if value is not None}


def poll(
    workflow: WorkflowOption, *, every: Duration, name: str | None = None, cursor: Any = None, timeout: Duration = 30
) -> Callable[[PollCheck], Poll]:
    """Decorates the check of a ``Poll``, by default with the name of the function::

    @poll(answer, every="10s", cursor=0)
    def inbox(cursor):
        return [{"input": mail.text, "key": mail.id, "cursor": mail.number} for mail in mails_after(cursor)]
    """
    if not isinstance(workflow, Workflow):
        raise TypeError(f"Cannot define a poll: its workflow must be a Workflow, not {shown(workflow)}")

    def decorate(found: PollCheck) -> Poll:
        own_name = name if name is not None else getattr(found, "__name__", "")
        return Poll(name=own_name, workflow=workflow, every=every, check=found, cursor=cursor, timeout=timeout)

    return decorate


def schedule(workflow: WorkflowOption, *, name: str | None = None, **options: Any) -> Schedule:
    """Makes a ``Schedule``, by default with the name of its workflow: ``schedule(etl, cron="0 2 * * *")``."""
    if not isinstance(workflow, Workflow):
        raise TypeError(f"Cannot define a schedule: its workflow must be a Workflow, not {shown(workflow)}")
    return Schedule(name=name if name is not None else workflow.name, workflow=workflow, **options)
