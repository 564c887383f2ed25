"""Definitions as they are sent to the engine, with references to the functions that stay here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ._attempts import Call
from ._checks import Checks, did_you_mean
from ._definition import TaskSpec, Workflow, WorkflowSpec
from ._duration import shown, to_ms
from ._errors import DefinitionError
from ._functions import Function, read_function, version_of
from ._options import Limit
from ._schedule import Poll, Schedule

_NAMES = {"on_success": "onSuccess", "on_failure": "onFailure"}


class Definitions:
    """What a runner or client sends when it opens, and the functions behind the references in it."""

    def __init__(self, action: str, workflows: Sequence[Workflow], schedules: Sequence[Schedule | Poll] | None) -> None:
        self._action = action
        self.calls: dict[str, Call] = {}
        self._names = _names(action, workflows)
        self.workflows = [self._workflow(workflow.spec) for workflow in workflows]
        self.schedules = None if schedules is None else [self._schedule(schedule) for schedule in schedules]

    def _reference(self, place: str, call: Call) -> dict[str, Any]:
        while place in self.calls:  # names may contain slashes
            place += "'"
        self.calls[place] = call
        reference: dict[str, Any] = {"fn": place}
        function = call.function
        if call.outputs and not function.takes_all and "outputs" not in function.names:
            reference["takes"] = [name for name in function.names if name in call.outputs]
        return reference

    def _workflow(self, spec: WorkflowSpec) -> dict[str, Any]:
        def refer(name: str, function: Function) -> dict[str, Any]:
            return self._reference(f"{spec.name}/{name}", Call(name, function))

        definition = {
            "name": spec.name,
            "description": spec.description,
            "tags": spec.tags or None,
            "timeout": spec.timeout_ms,
            "whenFull": spec.when_full,
            "limits": _limits(spec.limits, lambda name: {"path": spec.paths[name]} if name in spec.paths else None),
            "version": spec.version,
            "returns": spec.result,
            "tasks": [self._task(spec, task) for task in spec.tasks],
        }
        if spec.version is None and spec.paths:
            # The engine asks for it. Each task states its own version, which is the one that counts.
            definition["version"] = version_of(())
        if spec.validator is not None:
            definition["input"] = refer("validate", spec.validator)
        return _stated(definition)

    def _task(self, spec: WorkflowSpec, task: TaskSpec) -> dict[str, Any]:
        outputs = (*task.after, *task.reads)

        def refer(name: str, function: Function) -> dict[str, Any]:
            call = Call(name, function, outputs=outputs, retry=task.retry, in_process=task.in_process)
            return self._reference(f"{spec.name}/{task.id}/{name}", call)

        def limit_function(name: str) -> dict[str, Any] | None:
            return refer(name, task.functions[name]) if name in task.functions else None

        definition: dict[str, Any] = {
            "id": task.id,
            "kind": task.kind,
            "after": list(task.after) or None,
            "reads": list(task.reads) or None,
            "limits": _limits(task.limits, limit_function),
            **task.options,
        }
        if "workflow" in task.options:
            definition["workflow"] = self._child(task.options["workflow"], spec, task)
        for name, function in task.functions.items():
            if name == "validate":
                definition["schema"] = refer(name, function)
            elif not name.startswith("limits["):
                definition[_NAMES.get(name, name)] = refer(name, function)
        if task.version is not None or (task.functions and spec.version is None):
            definition["version"] = task.code_version()
        return _stated(definition)

    def _child(self, value: Any, spec: WorkflowSpec, task: TaskSpec) -> str:
        where = f'task "{task.id}" of workflow "{spec.name}"'
        if not isinstance(value, (Workflow, str)):
            value = value()
        name = value.name if isinstance(value, Workflow) else value
        if not isinstance(name, str):
            raise DefinitionError(f"Cannot {self._action}: {where} has {shown(name)} as its workflow")
        if name not in self._names:
            hint = did_you_mean(name, self._names) or "; pass it in workflows="
            raise DefinitionError(
                f'Cannot {self._action}: {where} starts workflow "{name}", which it does not have{hint}'
            )
        return name

    def _schedule(self, schedule: Schedule | Poll) -> dict[str, Any]:
        if not isinstance(schedule, (Schedule, Poll)):
            raise TypeError(f"Cannot {self._action}: schedules must be Schedule or Poll objects, not {shown(schedule)}")
        definition = {**schedule._read(), "workflow": schedule.workflow.name}
        if isinstance(schedule, Poll):
            definition["check"] = self._rule(schedule.name, "check", schedule.check, ("cursor", "signal"))
        elif callable(schedule.input):
            definition["computeInput"] = self._rule(schedule.name, "input", schedule.input, ("tick", "previous"))
        elif schedule.input is not None:
            definition["input"] = schedule.input
        return definition

    def _rule(self, name: str, what: str, function: Callable[..., Any], reserved: tuple[str, ...]) -> dict[str, Any]:
        checks = Checks()
        place = f'schedule "{name}": {what}'
        found = read_function(function, place, outputs=(), reserved=reserved, ids=(), checks=checks)
        checks.refuse(f'schedule "{name}"')
        return self._reference(f"schedule/{name}", Call(what, found))


def _names(action: str, workflows: Sequence[Workflow]) -> set[str]:
    names: set[str] = set()
    for workflow in workflows:
        if not isinstance(workflow, Workflow):
            raise TypeError(f"Cannot {action}: workflows must be Workflow objects, not {shown(workflow)}")
        if workflow.name in names:
            raise DefinitionError(f'Cannot {action}: there is more than one workflow "{workflow.name}"')
        names.add(workflow.spec.name)
    return names


def _limits(limits: Sequence[Limit], computed: Callable[[str], dict[str, Any] | None]) -> list[dict[str, Any]] | None:
    sent = []
    for at, limit in enumerate(limits):
        definition: dict[str, Any] = {
            "max": limit.max,
            "name": limit.name,
            "per": None if limit.per is None else to_ms(limit.per, "per"),
            "key": list(limit.key) if isinstance(limit.key, (list, tuple)) else limit.key,
            "weight": None if limit.weight == 1 else limit.weight,
        }
        for name in ("key", "weight"):
            value = computed(f"limits[{at}].{name}")
            if value is not None:
                definition[name] = value
        sent.append(_stated(definition))
    return sent or None


def _stated(definition: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in definition.items() if value is not None}
