"""Exceptions. Each is also the built-in exception that Cloaca raises in its place, so both kinds of handlers work."""

from __future__ import annotations


class CloacaException(Exception):
    """The base class of the exceptions of this module."""


class WorkflowError(CloacaException, ValueError):
    """A workflow, task, trigger or schedule is unknown or cannot be defined."""


class WorkflowValidationError(WorkflowError):
    """A workflow has no tasks, refers to tasks that it does not have, or its tasks form a cycle."""


class WorkflowExecutionError(WorkflowError):
    """A workflow cannot be executed. A workflow that fails is no exception but a result."""


class TaskError(CloacaException):
    """For tasks to raise."""


class TaskValidationError(TaskError, ValueError):
    """The definition of a task is invalid."""


class ContextError(CloacaException, ValueError):
    """A context cannot hold a value, as JSON cannot."""


class ConfigurationError(CloacaException, ValueError):
    """An option of a runner is invalid."""


class DatabaseError(CloacaException, RuntimeError, ValueError):
    """The database cannot be opened or used, or a tenant cannot be created or removed."""


class NotCoveredError(CloacaException, NotImplementedError):
    """Cloaca has it, and this module does not cover it. The documentation says what to use instead."""
