"""Workflows and their builder."""

from __future__ import annotations

import contextvars
import hashlib
import json
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from .._definition import Workflow as SluiceWorkflow
from .._errors import DefinitionError
from ._errors import WorkflowValidationError
from ._registry import registry
from ._tasks import TaskDefinition, current_tasks, data_after, resolve, to_sluice, version_of_task


class Workflow:
    """A workflow that can be registered: what ``WorkflowBuilder.build()`` returns. It does not change.

    Raises WorkflowValidationError, which is a ValueError, without tasks, for unknown dependencies, and for cycles.
    """

    def __init__(
        self, name: str, description: str, tags: Mapping[str, str], tasks: Mapping[str, TaskDefinition]
    ) -> None:
        self.name = name
        self.description = description
        self._tags = dict(tags)
        self._tasks = dict(tasks)
        try:
            self._after = resolve(self._tasks)
            self.sluice = self._to_sluice()
            self.sluice.spec  # noqa: B018 - it checks
        except (DefinitionError, ValueError) as error:
            raise WorkflowValidationError(f'Cannot build workflow "{name}": {error}') from None

    def __repr__(self) -> str:
        return f"Workflow(name={self.name!r}, tasks={len(self._tasks)})"

    @property
    def tasks(self) -> list[str]:
        """The ids of the tasks, in the order of their definition."""
        return list(self._tasks)

    @property
    def dependencies(self) -> dict[str, list[str]]:
        """The ids of the tasks that each task depends on."""
        return {name: list(after) for name, after in self._after.items()}

    @property
    def version(self) -> str:
        """16 hex digits over the tasks and their code."""
        facts = [[name, version_of_task(task), list(self._after[name])] for name, task in self._tasks.items()]
        return hashlib.sha256(json.dumps([self.name, facts]).encode()).hexdigest()[:16]

    def topological_sort(self) -> list[str]:
        """The ids of the tasks, each after its dependencies."""
        return self._order(self._tasks)

    def get_execution_levels(self) -> list[list[str]]:
        """The ids of the tasks in groups, of which each depends only on those before."""
        level: dict[str, int] = {}
        for name in self.topological_sort():
            level[name] = 1 + max((level[before] for before in self._after[name]), default=-1)
        return [[name for name in self._tasks if level[name] == at] for at in range(1 + max(level.values()))]

    def get_roots(self) -> list[str]:
        """The tasks without dependencies."""
        return [name for name, after in self._after.items() if not after]

    def get_leaves(self) -> list[str]:
        """The tasks on which none depends."""
        needed = {name for after in self._after.values() for name in after}
        return [name for name in self._tasks if name not in needed]

    def can_run_parallel(self, task_a: str, task_b: str) -> bool:
        """Whether neither of two tasks depends on the other, at whatever distance."""
        return task_a not in self._order([task_b]) and task_b not in self._order([task_a])

    def validate(self) -> None:
        """Does nothing: a workflow that exists is valid."""

    def context_after(self, input: Any, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the context after a run, from its input and outputs."""
        return data_after(input, outputs, self.topological_sort())

    def named(self, name: str) -> Workflow:
        """The same workflow by another name."""
        return self if name == self.name else Workflow(name, self.description, self._tags, self._tasks)

    def _to_sluice(self) -> SluiceWorkflow:
        made = []
        for name, definition in self._tasks.items():
            ancestors = [other for other in self._order([name]) if other != name]
            made.append(to_sluice(definition, self._after[name], ancestors))
        tags = [f"{key}:{value}" for key, value in self._tags.items()]
        return SluiceWorkflow(self.name, tasks=made, description=self.description or None, tags=tags)

    def _order(self, starts: Any) -> list[str]:
        """All that tasks depend on, and themselves, each after its dependencies, which are in the stated order."""
        order: list[str] = []
        seen: set[str] = set()
        stack = [(name, False) for name in reversed(list(starts))]
        while stack:
            name, is_done = stack.pop()
            if is_done:
                order.append(name)
            elif name not in seen:
                seen.add(name)
                stack.append((name, True))
                stack.extend((before, False) for before in reversed(self._after[name]))
        return order


class WorkflowBuilder:
    """Makes a workflow.

    As a context manager it takes the tasks that are defined in it, and registers the workflow at the end::

        with WorkflowBuilder("etl") as builder:
            builder.description("Extract and load")

            @task()
            def extract(context):
                context.set("rows", [1, 2])
                return context

    Otherwise tasks are added by ``add_task``, and ``build()`` returns what ``register_workflow_constructor`` registers.
    """

    def __init__(
        self, name: str, *, tenant: str | None = None, package: str | None = None, workflow: str | None = None
    ) -> None:
        """``tenant`` and ``package`` are ignored; ``workflow`` replaces the name."""
        self._name = workflow or name
        self._description = ""
        self._tags: dict[str, str] = {}
        self._tasks: dict[str, TaskDefinition] = {}
        self._token: contextvars.Token[dict[str, TaskDefinition] | None] | None = None

    def __repr__(self) -> str:
        return f"WorkflowBuilder(name={self._name!r})"

    def description(self, description: str) -> None:
        """Sets the description."""
        self._description = description

    def tag(self, key: str, value: str) -> None:
        """Adds a tag. Runs have it as ``key:value``."""
        self._tags[key] = value

    def add_task(self, task: str | Callable[..., Any]) -> None:
        """Adds a task that ``@task`` has defined outside of a workflow, by its id or its function. Raises ValueError."""
        for definition in (*self._tasks.values(), *registry.tasks.values()):
            if task == definition.id or task is definition.function:
                self._tasks[definition.id] = definition
                return
        name = task if isinstance(task, str) else getattr(task, "__name__", repr(task))
        raise WorkflowValidationError(f'Cannot add "{name}" to workflow "{self._name}": no @task has defined it')

    def build(self) -> Workflow:
        """Returns the workflow. Raises WorkflowValidationError."""
        return Workflow(self._name, self._description, self._tags, self._tasks)

    def __enter__(self) -> WorkflowBuilder:
        self._token = current_tasks.set(self._tasks)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            current_tasks.reset(self._token)
            self._token = None
        if kind is None:
            registry.add_workflow(self._name, self.build())


def register_workflow_constructor(name: str, constructor: Callable[[], Workflow]) -> None:
    """Calls a function that builds a workflow, and registers the workflow by a name. Raises what the function raises."""
    workflow = constructor()
    if not isinstance(workflow, Workflow):
        raise WorkflowValidationError(f'The constructor of workflow "{name}" must return a Workflow, not {workflow!r}')
    registry.add_workflow(name, workflow.named(name))
