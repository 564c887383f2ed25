"""The core of Cloaca's interface on the engine of Sluice, for programs that were written for Cloaca.

::

    from sluice import cloaca

    with cloaca.WorkflowBuilder("greet") as builder:

        @cloaca.task()
        def hello(context):
            context.set("text", f"Hello {context.get('name')}")
            return context

    if __name__ == "__main__":
        with cloaca.DefaultRunner("sqlite://app.db") as runner:
            print(runner.execute("greet", cloaca.Context({"name": "Ada"})).final_context.get("text"))

New programs should use ``sluice`` itself. The documentation lists the differences from Cloaca.
"""

import os
from typing import Any

from ._admin import DatabaseAdmin, TenantConfig, TenantCredentials
from ._config import DefaultRunnerConfig
from ._context import Context
from ._default_runner import DefaultRunner
from ._errors import (
    CloacaException,
    ConfigurationError,
    ContextError,
    DatabaseError,
    NotCoveredError,
    TaskError,
    TaskValidationError,
    WorkflowError,
    WorkflowExecutionError,
    WorkflowValidationError,
)
from ._handle import TaskHandle
from ._not_covered import NAMES as _NAMES
from ._not_covered import not_covered as _not_covered
from ._result import WorkflowResult
from ._retry import BackoffStrategy, RetryCondition, RetryPolicy, RetryPolicyBuilder
from ._rules import all_of, always, any_of, context_value, none_of, task_failed, task_skipped, task_success
from ._schedules import CronSchedule
from ._tasks import task
from ._triggers import TriggerResult, trigger
from ._workflow import Workflow, WorkflowBuilder, register_workflow_constructor

PipelineResult = WorkflowResult
"""The name until Cloaca 0.6."""

_VARIABLE = "CLOACINA_VAR_"


def var(name: str) -> str:
    """Returns the environment variable ``CLOACINA_VAR_`` and the name. Raises KeyError without one."""
    return os.environ[_VARIABLE + name]


def var_or(name: str, default: str) -> str:
    """The same, or ``default``."""
    return os.environ.get(_VARIABLE + name, default)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        raise _not_covered(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "BackoffStrategy",
    "CloacaException",
    "ConfigurationError",
    "Context",
    "ContextError",
    "CronSchedule",
    "DatabaseAdmin",
    "DatabaseError",
    "DefaultRunner",
    "DefaultRunnerConfig",
    "NotCoveredError",
    "PipelineResult",
    "RetryCondition",
    "RetryPolicy",
    "RetryPolicyBuilder",
    "TaskError",
    "TaskHandle",
    "TaskValidationError",
    "TenantConfig",
    "TenantCredentials",
    "TriggerResult",
    "Workflow",
    "WorkflowBuilder",
    "WorkflowError",
    "WorkflowExecutionError",
    "WorkflowResult",
    "WorkflowValidationError",
    "all_of",
    "always",
    "any_of",
    "context_value",
    "none_of",
    "register_workflow_constructor",
    "task",
    "task_failed",
    "task_skipped",
    "task_success",
    "trigger",
    "var",
    "var_or",
]
