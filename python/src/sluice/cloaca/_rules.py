"""Trigger rules: dicts, as Cloaca's, that say whether a task runs after its dependencies have ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .._checks import did_you_mean
from ._context import Context
from ._errors import TaskValidationError

Rule = Mapping[str, Any]

_STATUS = {"TaskSuccess": "completed", "TaskFailed": "failed", "TaskSkipped": "skipped"}


def always() -> Rule:
    """The task runs, however its dependencies have ended. This is the default."""
    return {"type": "Always"}


def task_success(task_name: str) -> Rule:
    """Whether a dependency has completed."""
    return {"type": "TaskSuccess", "task_name": task_name}


def task_failed(task_name: str) -> Rule:
    """Whether a dependency has failed, after all its attempts."""
    return {"type": "TaskFailed", "task_name": task_name}


def task_skipped(task_name: str) -> Rule:
    """Whether a dependency was skipped."""
    return {"type": "TaskSkipped", "task_name": task_name}


def context_value(key: str, operator: str, value: Any) -> Rule:
    """Whether a value of the context compares as stated.

    Operators: ``Equals``, ``NotEquals``, ``GreaterThan``, ``LessThan``, ``Contains``, ``NotContains``, ``Exists``,
    ``NotExists``, or ``==``, ``!=``, ``>``, ``<``. Raises ValueError for another.
    """
    return {"type": "ContextValue", "key": key, "operator": _operator(operator), "value": Context({"v": value})["v"]}


def all_of(*conditions: Rule) -> Rule:
    """Whether all conditions are met. Conditions can be rules."""
    return {"type": "All", "conditions": [dict(condition) for condition in conditions]}


def any_of(*conditions: Rule) -> Rule:
    """Whether a condition is met."""
    return {"type": "Any", "conditions": [dict(condition) for condition in conditions]}


def none_of(*conditions: Rule) -> Rule:
    """Whether no condition is met."""
    return {"type": "None", "conditions": [dict(condition) for condition in conditions]}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _equal(one: Any, other: Any) -> bool:
    return bool(isinstance(one, bool) == isinstance(other, bool) and one == other)


def _contains(actual: Any, value: Any) -> bool:
    if isinstance(actual, str):
        return isinstance(value, str) and value in actual
    return isinstance(actual, list) and any(_equal(item, value) for item in actual)


_MISSING = object()

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "Equals": _equal,
    "NotEquals": lambda actual, value: not _equal(actual, value),
    "GreaterThan": lambda actual, value: _is_number(actual) and _is_number(value) and actual > value,
    "LessThan": lambda actual, value: _is_number(actual) and _is_number(value) and actual < value,
    "Contains": _contains,
    "NotContains": lambda actual, value: not _contains(actual, value),
    "Exists": lambda actual, value: actual is not _MISSING,
    "NotExists": lambda actual, value: actual is _MISSING,
}
_ALIASES = {"==": "equals", "eq": "equals", "!=": "notequals", "ne": "notequals"}
_ALIASES.update({">": "greaterthan", "gt": "greaterthan", "<": "lessthan", "lt": "lessthan"})
_BY_LOWER = {name.lower(): name for name in _OPERATORS}


def _operator(stated: str) -> str:
    word = str(stated).lower().replace("_", "")
    name = _BY_LOWER.get(_ALIASES.get(word, word))
    if name is None:
        raise TaskValidationError(
            f"context_value: the operator must be one of {', '.join(_OPERATORS)}, not {stated!r}"
            f"{did_you_mean(str(stated), _OPERATORS)}"
        )
    return name


def check_rule(rule: Any, dependencies: tuple[str, ...], task: str) -> None:
    """Raises TaskValidationError for a rule that is none, or about a task that is no dependency."""
    for part in _parts(rule, task):
        name = part.get("task_name")
        if name is not None and name not in dependencies:
            raise TaskValidationError(
                f'task "{task}": trigger_rules: "{name}" is not in its dependencies, so it may not have ended; add it'
            )


def _parts(rule: Any, task: str) -> Iterator[Rule]:
    kind = rule.get("type") if isinstance(rule, Mapping) else None
    if kind in ("All", "Any", "None"):
        for condition in rule.get("conditions", ()):
            yield from _parts(condition, task)
    elif kind in _STATUS or kind == "ContextValue":
        yield rule
    elif kind != "Always":
        raise TaskValidationError(
            f'task "{task}": trigger_rules must be made by all_of, any_of, none_of, always, task_success, task_failed, '
            f"task_skipped or context_value, not {rule!r}"
        )


def is_met(rule: Rule, status: Mapping[str, str], data: Mapping[str, Any]) -> bool:
    """Whether a rule holds, given how the dependencies have ended, and the context."""
    kind = rule["type"]
    if kind == "Always":
        return True
    if kind in _STATUS:
        return status.get(rule["task_name"]) == _STATUS[kind]
    if kind == "ContextValue":
        return _OPERATORS[rule["operator"]](data.get(rule["key"], _MISSING), rule["value"])
    met = (is_met(condition, status, data) for condition in rule["conditions"])
    if kind == "All":
        return all(met)
    return any(met) if kind == "Any" else not any(met)
