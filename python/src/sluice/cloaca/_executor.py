"""The runner of Sluice behind a ``DefaultRunner``."""

from __future__ import annotations

import atexit
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .._errors import DefinitionError, SluiceError, StoreError
from .._runner import Runner
from .._schedule import Poll, Schedule
from ._config import DefaultRunnerConfig
from ._errors import DatabaseError, WorkflowError, WorkflowExecutionError
from ._registry import registry
from ._store_url import StoreUrl
from ._triggers import Trigger
from ._workflow import Workflow

T = TypeVar("T")

_LONGEST_STOP = 10.0
_ACTIVE = ("pending", "running", "waiting", "paused", "compensating")


class Executor:
    """Executes the workflows of the program by a runner of Sluice.

    Such a runner has fixed workflows and schedules, and those of Cloaca come and go. So when they change another runner is
    opened on the same store, and the one before ends its bodies, claims no more, and hands over its runs.
    """

    def __init__(self, store: StoreUrl, schema: str | None, config: DefaultRunnerConfig) -> None:
        self._store = store
        self._config = config
        self._options: dict[str, Any] = {"schema": schema or store.schema}
        if store.folder is not None:
            self._options["durability"] = "process"
        atexit.register(store.remove)
        self._lock = threading.RLock()
        self._schedules: dict[str, Schedule] | None = None
        """By name; ``None`` until there was one."""
        self._retiring: list[threading.Thread] = []
        self._runner: Runner | None
        self._revision, self._runner = self._opened(None)

    def call(self, action: Callable[[Runner], T]) -> T:
        """Calls a function with the runner; again with its successor, if it is replaced meanwhile."""
        while True:
            runner = self._current()
            try:
                return action(runner)
            except SluiceError as error:
                if error.code != "shutdown" or runner is self._runner:
                    raise

    def change_schedules(self, change: Callable[[dict[str, Schedule]], object]) -> None:
        """Changes the schedules by their names. Raises WorkflowError for one that the engine refuses; then none is changed."""
        with self._lock:
            schedules = dict(self._schedules or {})
            change(schedules)
            self._replace(schedules)

    @property
    def has_schedules(self) -> bool:
        """Whether schedules and triggers are allowed."""
        return self._config.enable_cron_scheduling

    def close(self) -> None:
        """Stops all, when the bodies have ended or ten seconds have passed."""
        with self._lock:
            runner, self._runner = self._runner, None
            retiring, self._retiring = self._retiring, []
        if runner is not None:
            runner.stop(_LONGEST_STOP)
        for thread in retiring:
            thread.join(_LONGEST_STOP)
        self._store.remove()
        atexit.unregister(self._store.remove)

    def _current(self) -> Runner:
        with self._lock:
            if self._runner is not None and self._revision != registry.revision:
                self._replace(self._schedules)
            if self._runner is None:
                raise WorkflowExecutionError("The runner was shut down")
            return self._runner

    def _replace(self, schedules: dict[str, Schedule] | None) -> None:
        revision, runner = self._opened(schedules)
        before, self._runner = self._runner, runner
        self._revision, self._schedules = revision, schedules
        if before is not None:
            # Bodies have as long as their time limit.
            stop = threading.Thread(target=before.stop, args=(self._config.task_timeout_seconds,), daemon=True)
            stop.start()
            self._retiring = [*(thread for thread in self._retiring if thread.is_alive()), stop]

    def _opened(self, schedules: dict[str, Schedule] | None) -> tuple[int, Runner]:
        revision, workflows, triggers = registry.snapshot()
        listed: list[Schedule | Poll] = list((schedules or {}).values())
        if self.has_schedules:
            listed += [made for trigger in triggers.values() if (made := self._trigger(trigger, workflows)) is not None]
        try:
            runner = Runner(
                self._store.url,
                workflows=[workflow.sluice for workflow in workflows.values()],
                schedules=None if schedules is None and not listed else listed,
                concurrency=self._config.max_concurrent_tasks,
                timeout=self._config.task_timeout_seconds,
                **self._options,
            )
            return revision, runner.__enter__()
        except (StoreError, TypeError) as error:
            raise DatabaseError(str(error)) from error
        except DefinitionError as error:
            raise WorkflowError(error.message) from error

    def _trigger(self, trigger: Trigger, workflows: Mapping[str, Workflow]) -> Schedule | Poll | None:
        """Returns what starts the workflow of a trigger; ``None`` for a trigger without a workflow that there is."""
        workflow = workflows.get(trigger.workflow or "")
        if workflow is None:
            return None
        name = trigger.stored_name
        if trigger.cron is not None:
            return Schedule(
                name, workflow.sluice, cron=trigger.cron, time_zone=trigger.timezone, overlap="allow", catch_up="none"
            )
        return Poll(name, workflow.sluice, every=trigger.interval_ms / 1_000, check=self._check_of(trigger))

    def _check_of(self, trigger: Trigger) -> Callable[..., Any]:
        def check(cursor: Any) -> Any:
            if cursor is None:
                return {"cursor": True}  # the first call comes after an interval
            answer = trigger.ask()
            if answer.is_skip_result():
                return None
            data = {} if answer.context is None else answer.context.to_dict()
            prefix = trigger.key_prefix(data)
            if not trigger.allow_concurrent:
                active = self.call(lambda runner: runner.list(key_prefix=prefix, state=_ACTIVE, limit=1))
                if active.runs:
                    return None
            return {"input": data, "key": f"{prefix}{uuid.uuid4()}"}

        return check
