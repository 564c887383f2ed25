"""Options that tasks and workflows share: retry policies and limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Union

from ._checks import Checks
from ._duration import Duration, shown

BACKOFFS = {"exponential": "exponential", "linear": "linear", "fixed": "fixed"}
MOST_LIMITS = 8


@dataclass(frozen=True)
class Retry:
    """How often and when a failed attempt is repeated. The delay between two attempts survives a crash."""

    attempts: int = 3
    """The total number of attempts."""
    backoff: str = "exponential"
    """How the delay grows: ``"exponential"``, ``"linear"`` or ``"fixed"``."""
    delay: Duration = 1
    """The delay before the second attempt."""
    max_delay: Duration | None = None
    """The maximum delay. By default 30 seconds, or ``delay`` if that is longer."""
    jitter: bool = True
    """Draws each delay from its second half, so that tasks that failed together are not retried together."""
    retry_if: Callable[[BaseException], bool] | type[BaseException] | tuple[type[BaseException], ...] | None = None
    """Whether an exception is retried: a function, or the classes of those that are. By default all are."""

    def is_retried(self, error: BaseException) -> bool:
        """Whether an exception of a body is retried."""
        condition = self.retry_if
        if condition is None:
            return True
        if isinstance(condition, (type, tuple)):
            return isinstance(error, condition)
        return bool(condition(error))


RetryOption = Union[int, Retry]
"""A total number of attempts, or a policy."""

KeyOption = Union[str, Sequence[str], Callable[..., str | Sequence[str]], None]


@dataclass(frozen=True)
class Limit:
    """A bound on how many bodies, items or runs are active at once, or start in a period, across all runners of a store.

    Limits with the same name share their lanes across tasks, workflows and languages.
    """

    max: int
    """How many are active at once or, with ``per``, start in any period of that length."""
    per: Duration | None = None
    """Bounds the rate of starts: the length of the period."""
    name: str | None = None
    """By default the name of the workflow, or ``workflow/task``."""
    key: KeyOption = None
    """Each key has a lane of its own: text, a path of 1 to 4 texts, or a function that returns one."""
    weight: float | Callable[..., float] = 1
    """The share of the key where several keys wait for the limit, or a function that returns it."""


def read_retry(value: object, what: str, checks: Checks) -> tuple[dict[str, Any] | None, Retry | None]:
    """Returns the policy as the engine takes it, and as it was stated."""
    if value is None:
        return None, None
    if isinstance(value, int) and not isinstance(value, bool):
        value = Retry(attempts=value)
    if not isinstance(value, Retry):
        checks.report(f"{what} must be a number of attempts or a Retry, not {shown(value)}")
        return None, None
    delay = checks.duration(value.delay, f"{what}: delay")
    longest = checks.duration(value.max_delay, f"{what}: max_delay")
    if delay is not None and longest is not None and longest < delay:
        checks.report(f"{what}: max_delay ({longest} ms) must not be shorter than delay ({delay} ms)")
    condition = value.retry_if
    is_classes = isinstance(condition, tuple) and all(isinstance(item, type) for item in condition)
    if condition is not None and not callable(condition) and not is_classes:
        checks.report(f"{what}: retry_if must be a function or exception classes, not {shown(condition)}")
    policy: dict[str, Any] = {
        "attempts": checks.count(value.attempts, f"{what}: attempts"),
        "backoff": checks.word(value.backoff, f"{what}: backoff", BACKOFFS),
        "delay": delay,
        "jitter": checks.flag(value.jitter, f"{what}: jitter"),
    }
    if longest is not None:
        policy["maxDelay"] = longest
    return policy, value


def read_limits(value: object, what: str, checks: Checks) -> list[Limit]:
    """Checks the option ``limits``."""
    if isinstance(value, Limit):
        value = [value]
    if not isinstance(value, (list, tuple)):
        checks.report(f"{what} must be a list of Limit, not {shown(value)}")
        return []
    if len(value) > MOST_LIMITS:
        checks.report(f"{what} has {len(value)} limits; there are at most {MOST_LIMITS}")
    limits: list[Limit] = []
    for at, limit in enumerate(value):
        where = f"{what}[{at}]"
        if not isinstance(limit, Limit):
            checks.report(f"{where} must be a Limit, not {shown(limit)}")
            continue
        checks.count(limit.max, f"{where}: max", 1_000_000)
        checks.duration(limit.per, f"{where}: per")
        checks.text(limit.name, f"{where}: name")
        _check_key(limit.key, f"{where}: key", checks)
        weight = limit.weight
        is_number = isinstance(weight, (int, float)) and not isinstance(weight, bool) and 0 < weight < float("inf")
        if not callable(weight) and not is_number:
            checks.report(f"{where}: weight must be a positive number or a function, not {shown(weight)}")
        limits.append(limit)
    return limits


def _check_key(key: object, what: str, checks: Checks) -> None:
    if key is None or callable(key):
        return
    if isinstance(key, (list, tuple)):
        if not 1 <= len(key) <= 4:
            checks.report(f"{what} must have 1 to 4 elements, not {len(key)}")
        for at, item in enumerate(key):
            checks.text(item, f"{what}[{at}]")
    else:
        checks.text(key, what)
