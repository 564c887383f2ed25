"""What a program has defined. Cloaca's interface is global, so this is too."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._tasks import TaskDefinition
    from ._triggers import Trigger
    from ._workflow import Workflow


class Registry:
    """The workflows, triggers and tasks of the program, by their names."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._workflows: dict[str, Workflow] = {}
        self._triggers: dict[str, Trigger] = {}
        self.tasks: dict[str, TaskDefinition] = {}
        """Tasks that were defined outside of a workflow."""
        self.revision = 0
        """Grows with each change, so that runners notice it."""

    def add_workflow(self, name: str, workflow: Workflow) -> None:
        with self._lock:
            self._workflows[name] = workflow
            self.revision += 1

    def add_trigger(self, trigger: Trigger) -> None:
        with self._lock:
            self._triggers[trigger.name] = trigger
            self.revision += 1

    def snapshot(self) -> tuple[int, dict[str, Workflow], dict[str, Trigger]]:
        """Returns the revision with copies of the workflows and triggers."""
        with self._lock:
            return self.revision, dict(self._workflows), dict(self._triggers)


registry = Registry()
