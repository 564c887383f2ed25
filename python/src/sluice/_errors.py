"""The exceptions of Sluice. Each has a ``code``, the same as that of the class of the same name in TypeScript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "DeferError",
    "DefinitionError",
    "EngineError",
    "EngineMissingError",
    "EngineProtocolError",
    "KeyConflictError",
    "LeaseLostError",
    "LimitReachedError",
    "NonRetryableError",
    "PayloadError",
    "QueueFullError",
    "RecoveryLimitError",
    "RetryAfterError",
    "RunCancelledError",
    "RunFailedError",
    "RunNotFoundError",
    "RunStateError",
    "RunTimeoutError",
    "ShutdownError",
    "SluiceError",
    "StepTimeoutError",
    "StoreError",
    "TaskError",
    "TaskTimeoutError",
    "UnknownScheduleError",
    "UnknownTaskError",
    "UnknownWorkflowError",
    "ValidationError",
    "WaitTimeoutError",
    "error_from_record",
]


class SluiceError(Exception):
    """The base class of all errors of Sluice."""

    code: str = "error"
    """The reason, for programs; one word for each class, and several for ``StoreError``."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code

    @property
    def message(self) -> str:
        """What happened, and the remedy where there is one."""
        return str(self.args[0]) if self.args else ""


class DefinitionError(SluiceError):
    """A workflow, task or schedule is invalid. ``problems`` lists every problem that was found."""

    code = "invalid_definition"

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems: tuple[str, ...] = tuple(problems)


class ValidationError(SluiceError):
    """The schema of a workflow or event rejects an input or payload."""

    code = "validation_failed"


class PayloadError(SluiceError):
    """JSON cannot hold a value, or it is too large. ``path`` names the part, such as ``output.rows[0].at``."""

    code = "unstorable_payload"

    def __init__(self, message: str, path: str | None = None, *, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.path = path


class UnknownWorkflowError(SluiceError):
    """No workflow of this name is registered with the runner."""

    code = "unknown_workflow"


class UnknownTaskError(SluiceError):
    """The workflow has no such task, or none of the kind that is needed."""

    code = "unknown_task"


class UnknownScheduleError(SluiceError):
    """The store has no schedule of this name."""

    code = "unknown_schedule"


class RunNotFoundError(SluiceError):
    """The store has no run with this id."""

    code = "run_not_found"


class RunStateError(SluiceError):
    """The state of the run does not allow the operation."""

    code = "run_state"


class RunFailedError(SluiceError):
    """The run failed. ``__cause__`` is the decisive error, ``failures`` are the failed attempts of its tasks."""

    code = "run_failed"

    def __init__(self, message: str, *, run_id: str | None = None, failures: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.failures: tuple[Mapping[str, Any], ...] = tuple(failures)


class RunCancelledError(SluiceError):
    """The run was cancelled. ``reason`` is the argument of ``cancel``."""

    code = "run_cancelled"

    def __init__(self, message: str, *, run_id: str | None = None, reason: str | None = None) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.reason = reason


class RunTimeoutError(SluiceError):
    """A run took longer than its ``timeout``."""

    code = "run_timeout"


class WaitTimeoutError(SluiceError, TimeoutError):
    """A wait for a run took longer than the ``timeout`` of the call. The run continues."""

    code = "wait_timeout"


class TaskTimeoutError(SluiceError):
    """An attempt at a task took longer than its ``timeout``."""

    code = "task_timeout"


class StepTimeoutError(SluiceError):
    """An attempt at a step took longer than its ``timeout``."""

    code = "step_timeout"


class LeaseLostError(SluiceError):
    """The lease of the runner expired while it owned the run; nothing that the body returns is recorded."""

    code = "lease_lost"


class ShutdownError(SluiceError):
    """The runner stops or has stopped."""

    code = "shutdown"


class QueueFullError(SluiceError):
    """Too many starts wait for the database."""

    code = "queue_full"


class KeyConflictError(SluiceError):
    """A run with the key exists, and ``if_exists`` does not allow it."""

    code = "key_conflict"


class LimitReachedError(SluiceError):
    """A limit of the workflow is full, and its ``when_full`` is ``"reject"``."""

    code = "limit_reached"


class RecoveryLimitError(SluiceError):
    """The run failed because too many runners died while they owned it, without progress."""

    code = "recovery_limit"


class StoreError(SluiceError):
    """The database cannot be opened or used. ``code`` is one of those that ``StoreErrorCode`` in TypeScript lists."""

    code = "database_error"


class EngineError(SluiceError):
    """The engine, which is a child process, ended or did something that is not in its protocol."""

    code = "engine"


class EngineMissingError(EngineError):
    """Deno is not installed, or the engine is not part of the installed package."""

    code = "engine_missing"


class EngineProtocolError(EngineError):
    """The engine and the package do not speak a common version of the worker protocol."""

    code = "protocol_version"


class TaskError(SluiceError):
    """An error of a body, as it was recorded. ``stack`` is its traceback as text, ``name`` its class."""

    code = "task_error"

    def __init__(self, message: str, *, name: str = "Error", stack: str | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.stack = stack

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


class NonRetryableError(SluiceError):
    """A body raises it to fail its task at once, whatever ``retry`` allows."""

    code = "non_retryable"


class RetryAfterError(SluiceError):
    """A body raises it to fail this attempt and have the next one after ``delay`` (seconds, timedelta or text)."""

    code = "retry_after"

    def __init__(self, delay: Any, message: str = "The task asks for another attempt later") -> None:
        from ._duration import to_ms

        super().__init__(message)
        self.delay_ms: int = to_ms(delay, "the delay of RetryAfterError", allow_negative=True)


class DeferError(SluiceError):
    """A body raises it to be called again after ``delay``, without counting an attempt."""

    code = "deferred"

    def __init__(self, delay: Any, message: str = "") -> None:
        from ._duration import to_ms

        super().__init__(message)
        self.delay_ms: int = to_ms(delay, "the delay of DeferError", allow_negative=True)


_SIMPLE: Mapping[str, type[SluiceError]] = {
    cls.code: cls
    for cls in (
        ValidationError,
        UnknownWorkflowError,
        UnknownTaskError,
        UnknownScheduleError,
        RunNotFoundError,
        RunStateError,
        RunFailedError,
        RunCancelledError,
        RunTimeoutError,
        WaitTimeoutError,
        TaskTimeoutError,
        StepTimeoutError,
        LeaseLostError,
        ShutdownError,
        QueueFullError,
        KeyConflictError,
        LimitReachedError,
        RecoveryLimitError,
        NonRetryableError,
    )
}

_DELAYS: Mapping[str, type[RetryAfterError] | type[DeferError]] = {
    cls.code: cls for cls in (RetryAfterError, DeferError)
}


def error_from_record(record: Mapping[str, Any]) -> Exception:
    """Returns the exception for a recorded error: of the class of its code if it is one of Sluice, or else a ``TaskError``."""
    error = _of_code(record) if record.get("isSluice") is True else None
    if error is None:
        stack = record.get("stack")
        name = str(record.get("name") or "Error")
        error = TaskError(str(record.get("message") or ""), name=name, stack=stack if isinstance(stack, str) else None)
    cause = record.get("cause")
    if isinstance(cause, Mapping):
        error.__cause__ = error_from_record(cause)
    return error


def call_error_from_record(record: Mapping[str, Any]) -> Exception:
    """Returns the exception for the error of a call, which the engine answers: misuse is a ``TypeError``."""
    message = str(record.get("message") or "")
    code = record.get("code")
    if code == "invalid_argument":
        return TypeError(message)
    return _of_code(record) or EngineError(message, code=code if isinstance(code, str) else None)


def _of_code(record: Mapping[str, Any]) -> SluiceError | None:
    message = str(record.get("message") or "")
    code = record.get("code")
    if not isinstance(code, str):
        return None
    fields = record.get("fields")
    known = fields if isinstance(fields, Mapping) else {}
    if code == "invalid_definition":
        return DefinitionError(message, known.get("problems") or ())
    if code in ("unstorable_payload", "payload_too_large"):
        return PayloadError(message, known.get("path"), code=code)
    if code == "unsupported_version":
        return EngineProtocolError(message)
    if record.get("name") == "StoreError":
        return StoreError(message, code=code)
    if code == "run_cancelled":
        return RunCancelledError(message, run_id=known.get("runId"), reason=known.get("reason"))
    if code in _SIMPLE:
        return _SIMPLE[code](message)
    if code in _DELAYS:
        delay = known.get("delayMs")
        return _DELAYS[code](delay / 1_000 if isinstance(delay, (int, float)) else 0, message)
    return None
