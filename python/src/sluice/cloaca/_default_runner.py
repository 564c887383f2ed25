"""The runner."""

from __future__ import annotations

import uuid
from types import TracebackType
from typing import Any

from .._checks import did_you_mean
from .._errors import SluiceError
from ._config import DefaultRunnerConfig
from ._context import Context
from ._errors import WorkflowError, WorkflowExecutionError
from ._executor import Executor
from ._not_covered import not_covered
from ._registry import registry
from ._result import WorkflowResult, result_of
from ._schedules import ScheduleMethods
from ._store_url import is_postgres, read_url


class DefaultRunner(ScheduleMethods):
    """Executes the workflows that the program has registered, also those that it registers later.

    ``database_url`` is ``sqlite://path``, a path, ``:memory:`` or ``postgres://…``. It can be used by several threads, and
    as a context manager. Raises DatabaseError, which is a RuntimeError and a ValueError.
    """

    def __init__(self, database_url: str) -> None:
        self._begin(database_url, None, DefaultRunnerConfig())

    @classmethod
    def with_config(cls, database_url: str, config: DefaultRunnerConfig) -> DefaultRunner:
        """A runner with other options than the defaults."""
        runner = cls.__new__(cls)
        runner._begin(database_url, None, config)
        return runner

    @classmethod
    def with_schema(cls, database_url: str, schema: str) -> DefaultRunner:
        """A runner whose data are in a schema of Postgres, which is created if it is missing: a tenant.

        Raises ValueError for another database, or an invalid name.
        """
        if not is_postgres(database_url):
            raise WorkflowExecutionError("Schemas need Postgres; with SQLite use a file for each tenant")
        if not isinstance(schema, str) or not schema.replace("_", "a").isalnum():
            raise WorkflowExecutionError(f"A schema has a name of letters, digits and underscores, not {schema!r}")
        runner = cls.__new__(cls)
        runner._begin(database_url, schema, DefaultRunnerConfig())
        return runner

    def _begin(self, database_url: str, schema: str | None, config: DefaultRunnerConfig) -> None:
        self._config = config
        self._cron = {}
        self._executor = Executor(read_url(database_url), schema, config)

    def execute(self, workflow_name: str, context: Context | None = None) -> WorkflowResult:
        """Executes a workflow, and returns how it ended; a workflow that fails is no exception.

        The execution survives the process: another runner on the same database continues it. Raises WorkflowError, which is
        a ValueError, for an unknown workflow.
        """
        _, workflows, _ = registry.snapshot()
        workflow = workflows.get(workflow_name)
        if workflow is None:
            hint = did_you_mean(str(workflow_name), workflows)
            raise WorkflowError(f'There is no workflow "{workflow_name}"{hint}')
        begun = context if context is not None else Context()
        key = f"execute:{uuid.uuid4()}"  # so that a repeated start is none
        timeout = self._config.workflow_timeout_seconds
        try:
            run = self._executor.call(
                lambda runner: runner.start(workflow_name, begun.to_dict(), key=key, timeout=timeout)
            )
            outcome = self._executor.call(lambda runner: runner.get(run.id).outcome())
        except SluiceError as error:
            raise WorkflowExecutionError(f'Cannot execute workflow "{workflow_name}": {error}') from error
        return result_of(outcome, workflow, begun)

    def shutdown(self) -> None:
        """Stops: running tasks have ten seconds to end. What has not ended is continued by the next runner."""
        self._executor.close()

    def __enter__(self) -> DefaultRunner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    def __repr__(self) -> str:
        return "DefaultRunner()"

    def subscribe_workflow_to_reactor(self, *args: Any, **options: Any) -> str:
        """Not covered."""
        raise not_covered("DefaultRunner.subscribe_workflow_to_reactor")

    def unsubscribe_workflow_from_reactor(self, *args: Any, **options: Any) -> bool:
        """Not covered."""
        raise not_covered("DefaultRunner.unsubscribe_workflow_from_reactor")

    def list_reactor_subscriptions(self, *args: Any, **options: Any) -> list[dict[str, Any]]:
        """Not covered."""
        raise not_covered("DefaultRunner.list_reactor_subscriptions")
