"""Triggers: functions that are asked now and then whether a workflow shall start."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from .._duration import to_ms
from ._context import Context
from ._errors import WorkflowError
from ._registry import registry

F = TypeVar("F", bound=Callable[[], object])

_SHORTEST_MS = 100


class TriggerResult:
    """What the function of a trigger returns: ``TriggerResult.fire(context)`` or ``TriggerResult.skip()``."""

    def __init__(self, context: Context | None, is_fire: bool) -> None:
        self.context = context
        self._is_fire = is_fire

    @staticmethod
    def fire(context: Context | None = None) -> TriggerResult:
        """The workflow shall start with this context."""
        return TriggerResult(context, True)

    @staticmethod
    def skip() -> TriggerResult:
        """It shall not."""
        return TriggerResult(None, False)

    def is_fire_result(self) -> bool:
        """Whether the workflow shall start."""
        return self._is_fire

    def is_skip_result(self) -> bool:
        """Whether it shall not."""
        return not self._is_fire

    def __repr__(self) -> str:
        return f"TriggerResult.fire({self.context!r})" if self._is_fire else "TriggerResult.skip()"


@dataclass(frozen=True)
class Trigger:
    """A trigger as ``@trigger`` states it."""

    name: str
    function: Callable[[], object]
    workflow: str | None
    interval_ms: int
    cron: str | None
    timezone: str
    allow_concurrent: bool

    @property
    def stored_name(self) -> str:
        """The name in the store."""
        return f"trigger:{self.name}"

    def ask(self) -> TriggerResult:
        """Calls the function. Raises what it raises, and TypeError for what is neither a TriggerResult nor a bool."""
        answer = self.function()
        if isinstance(answer, bool):
            return TriggerResult(None, answer)
        if not isinstance(answer, TriggerResult):
            raise TypeError(f'Trigger "{self.name}" must return a TriggerResult or a bool, not {answer!r}')
        return answer

    def key_prefix(self, data: dict[str, Any]) -> str:
        """What the keys of runs with the same context begin with."""
        digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]
        return f"{self.stored_name}:{digest}:"


def trigger(
    workflow: str | None = None,
    *,
    name: str | None = None,
    on: str | None = None,
    poll_interval: str | None = None,
    cron: str | None = None,
    timezone: str | None = None,
    allow_concurrent: bool = False,
) -> Callable[[F], F]:
    """Decorates a function without parameters that says whether a workflow shall start.

    - ``on``, or ``workflow``: the name of the workflow. Without it the function is only decorated.
    - ``name``: by default that of the function.
    - ``poll_interval``: how often runners call the function, such as ``"100ms"``, ``"5s"`` (the default), ``"1m"``; at least
      100 ms. The first call comes after this time.
    - ``cron`` and ``timezone``, instead: when the workflow starts. The function is not called.
    - ``allow_concurrent``: whether it starts while an execution with the same context has not ended.

    What the function raises is logged, and it is called again after the interval. It is returned as it is. Raises ValueError.
    """
    target = on if on is not None else workflow
    if cron is not None and poll_interval is not None:
        raise WorkflowError("@trigger: state either cron or poll_interval")
    if cron is not None and target is None:
        raise WorkflowError("@trigger: cron needs on=, the name of the workflow")
    stated = poll_interval if poll_interval is not None else "5s"
    interval_ms = to_ms(f"{stated}s" if stated.isdigit() else stated, "@trigger: poll_interval")

    def decorate(function: F) -> F:
        found = name if name is not None else getattr(function, "__name__", "")
        made = Trigger(
            name=found,
            function=function,
            workflow=target,
            interval_ms=max(interval_ms, _SHORTEST_MS),
            cron=cron,
            timezone=timezone or "UTC",
            allow_concurrent=allow_concurrent,
        )
        registry.add_trigger(made)
        return function

    return decorate
