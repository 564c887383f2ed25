"""Retry policies."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._checks import did_you_mean
from .._errors import TaskTimeoutError
from .._options import Retry
from ._errors import TaskValidationError

_TRANSIENT = ("connection", "network", "timeout", "temporary", "unavailable", "busy", "overloaded", "rate limit")


@dataclass(frozen=True)
class BackoffStrategy:
    """How the delay grows: ``fixed()``, ``linear(multiplier)`` or ``exponential(base, multiplier)``."""

    kind: str
    base: float = 2.0
    multiplier: float = 1.0

    @staticmethod
    def fixed() -> BackoffStrategy:
        """The delay is always the first."""
        return BackoffStrategy("fixed")

    @staticmethod
    def linear(multiplier: float = 1.0) -> BackoffStrategy:
        """The delay after attempt n is n times the first, times ``multiplier``."""
        return BackoffStrategy("linear", multiplier=multiplier)

    @staticmethod
    def exponential(base: float = 2.0, multiplier: float | None = None) -> BackoffStrategy:
        """The delay after attempt n is the first, times ``multiplier``, times ``base`` to the power of n - 1."""
        return BackoffStrategy("exponential", base, 1.0 if multiplier is None else multiplier)

    def factor(self, attempt: int) -> float:
        """By what the first delay is multiplied after an attempt, from 1."""
        if self.kind == "fixed":
            return 1.0
        if self.kind == "linear":
            return self.multiplier * attempt
        return float(self.multiplier * self.base ** (attempt - 1))


@dataclass(frozen=True)
class RetryCondition:
    """Which exceptions are worth another attempt."""

    kind: str
    patterns: tuple[str, ...] = ()

    @staticmethod
    def never() -> RetryCondition:
        """None."""
        return RetryCondition("never")

    @staticmethod
    def transient_only() -> RetryCondition:
        """Timeouts, and those whose text says that the network or a service failed."""
        return RetryCondition("transient")

    @staticmethod
    def all_errors() -> RetryCondition:
        """All."""
        return RetryCondition("all")

    @staticmethod
    def error_pattern(patterns: Sequence[str]) -> RetryCondition:
        """Those whose text contains one of the patterns, in upper or lower case."""
        return RetryCondition("pattern", tuple(patterns))

    def allows(self, error: BaseException | str) -> bool:
        """Whether an exception, or its text, is worth another attempt."""
        if self.kind in ("never", "all"):
            return self.kind == "all"
        if isinstance(error, (TimeoutError, ConnectionError, TaskTimeoutError)) and self.kind == "transient":
            return True
        text = (error if isinstance(error, str) else f"{type(error).__name__}: {error}").lower()
        return any(pattern.lower() in text for pattern in (self.patterns if self.kind == "pattern" else _TRANSIENT))


@dataclass(frozen=True)
class RetryPolicy:
    """How often and when a failed task is attempted again: ``RetryPolicy.builder().max_attempts(5).build()``."""

    max_attempts: int = 3
    """The total number of attempts."""
    initial_delay: float = 1.0
    """The delay after the first attempt, in seconds."""
    max_delay: float = 60.0
    """The maximum delay, in seconds."""
    with_jitter: bool = True
    """Whether delays are drawn at random, so that tasks that failed together are not repeated together."""
    backoff_strategy: BackoffStrategy = BackoffStrategy("exponential")
    retry_condition: RetryCondition = RetryCondition("all")

    @staticmethod
    def builder() -> RetryPolicyBuilder:
        """Returns a builder with the defaults."""
        return RetryPolicyBuilder(RetryPolicy())

    @staticmethod
    def default() -> RetryPolicy:
        """Three attempts of all exceptions, after 1 and 2 seconds, with jitter."""
        return RetryPolicy()

    def should_retry(self, attempt: int, error_type: BaseException | str = "") -> bool:
        """Whether another attempt follows an attempt, from 1, that failed with an error."""
        return attempt < self.max_attempts and self.retry_condition.allows(error_type)

    def calculate_delay(self, attempt: int) -> float:
        """Returns the delay after an attempt, from 1, in seconds."""
        delay = min(self.initial_delay * self.backoff_strategy.factor(attempt), self.max_delay)
        return delay * random.uniform(0.5, 1) if self.with_jitter else delay

    def for_tasks(self) -> Retry:
        """Returns the policy as tasks of Sluice take it. Raises TaskValidationError for a base other than 2."""
        strategy = self.backoff_strategy
        if strategy.kind == "exponential" and strategy.base != 2:
            raise TaskValidationError(
                f"sluice.cloaca does not cover BackoffStrategy.exponential({strategy.base:g}) for tasks; its base is always 2"
            )
        delay = self.initial_delay * strategy.multiplier
        return Retry(
            attempts=max(1, self.max_attempts),
            backoff=strategy.kind,
            delay=delay,
            max_delay=max(self.max_delay, delay),
            jitter=self.with_jitter,
            retry_if=None if self.retry_condition.kind == "all" else self.retry_condition.allows,
        )


class RetryPolicyBuilder:
    """Makes a ``RetryPolicy``. Each method returns another builder."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy

    def _with(self, **changes: Any) -> RetryPolicyBuilder:
        return RetryPolicyBuilder(replace(self._policy, **changes))

    def max_attempts(self, attempts: int) -> RetryPolicyBuilder:
        """The total number of attempts."""
        return self._with(max_attempts=attempts)

    def initial_delay(self, delay_seconds: float) -> RetryPolicyBuilder:
        """The delay after the first attempt, in seconds."""
        return self._with(initial_delay=float(delay_seconds))

    def max_delay(self, delay_seconds: float) -> RetryPolicyBuilder:
        """The maximum delay, in seconds."""
        return self._with(max_delay=float(delay_seconds))

    def backoff_strategy(self, strategy: BackoffStrategy) -> RetryPolicyBuilder:
        """How the delay grows."""
        return self._with(backoff_strategy=strategy)

    def retry_condition(self, condition: RetryCondition) -> RetryPolicyBuilder:
        """Which exceptions are worth another attempt."""
        return self._with(retry_condition=condition)

    def with_jitter(self, jitter: bool) -> RetryPolicyBuilder:
        """Whether delays are drawn at random."""
        return self._with(with_jitter=jitter)

    def build(self) -> RetryPolicy:
        """Returns the policy."""
        return self._policy


_BACKOFFS = {
    "fixed": BackoffStrategy.fixed(),
    "linear": BackoffStrategy.linear(),
    "exponential": BackoffStrategy.exponential(),
}
_CONDITIONS = {
    "never": RetryCondition.never(),
    "transient": RetryCondition.transient_only(),
    "all": RetryCondition.all_errors(),
}


def policy_of(options: Mapping[str, Any]) -> RetryPolicy:
    """Returns the policy that the options of ``@task`` state: ``retry``, or those that begin with ``retry_``.

    Raises TaskValidationError.
    """
    stated = {name: value for name, value in options.items() if value is not None}
    whole = stated.pop("retry", None)
    if whole is not None:
        if stated:
            raise TaskValidationError(f"@task: state either retry or {', '.join(stated)}")
        if not isinstance(whole, RetryPolicy):
            raise TaskValidationError(f"@task: retry must be a RetryPolicy, not {whole!r}")
        return whole
    changes: dict[str, Any] = {}
    for name, value in stated.items():
        if name == "retry_attempts":
            changes["max_attempts"] = value
        elif name == "retry_jitter":
            changes["with_jitter"] = value
        elif name == "retry_delay_ms":
            changes["initial_delay"] = value / 1_000
        elif name == "retry_max_delay_ms":
            changes["max_delay"] = value / 1_000
        elif name == "retry_backoff":
            changes["backoff_strategy"] = _word(value, name, _BACKOFFS)
        else:
            changes["retry_condition"] = _word(value, name, _CONDITIONS)
    return replace(RetryPolicy(), **changes)


def _word(value: object, name: str, words: Mapping[str, Any]) -> Any:
    if isinstance(value, str) and value in words:
        return words[value]
    near = did_you_mean(value, words) if isinstance(value, str) else ""
    raise TaskValidationError(f"@task: {name} must be one of {', '.join(words)}, not {value!r}{near}")
