"""What a body learns about its run, and what it can do in it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ._cancellation import Cancellation
from ._channel import Channel, EngineAnswer, Report, outer_step
from ._checks import Checks
from ._definition import Workflow, WorkflowOption
from ._duration import Duration, shown
from ._error_record import error_record
from ._errors import NonRetryableError, PayloadError, call_error_from_record
from ._json import check
from ._options import RetryOption, read_retry
from ._start_options import TaskStartOptions, start_options

if TYPE_CHECKING:  # type checkers have it, whatever is installed
    from typing_extensions import Unpack

T = TypeVar("T")

_logger = logging.getLogger("sluice.task")


@dataclass(frozen=True)
class StartedRun:
    """A run that a body has started."""

    run_id: str
    is_new: bool
    """Whether this task inserted the run: False for a run with the same key."""


class TaskLog:
    """Writes to the logger ``sluice.task`` of ``logging``, with the run, the task and the attempt as fields of the record."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = dict(fields)

    def __call__(self, message: str, *args: Any) -> None:
        """The same as ``info``."""
        self._write(logging.INFO, message, args)

    def debug(self, message: str, *args: Any) -> None:
        """Writes a line of the level ``DEBUG``."""
        self._write(logging.DEBUG, message, args)

    def info(self, message: str, *args: Any) -> None:
        """Writes a line of the level ``INFO``."""
        self._write(logging.INFO, message, args)

    def warning(self, message: str, *args: Any) -> None:
        """Writes a line of the level ``WARNING``."""
        self._write(logging.WARNING, message, args)

    def error(self, message: str, *args: Any) -> None:
        """Writes a line of the level ``ERROR``."""
        self._write(logging.ERROR, message, args)

    def exception(self, message: str, *args: Any) -> None:
        """Writes the exception that is being handled, with its traceback, too."""
        self._write(logging.ERROR, message, args, exc_info=True)

    def _write(self, level: int, message: str, args: tuple[Any, ...], exc_info: bool = False) -> None:
        _logger.log(level, message, *args, extra={"sluice": self._fields}, exc_info=exc_info, stacklevel=3)


class _BaseContext:
    """What the contexts of functions and of coroutines share."""

    def __init__(self, facts: Mapping[str, Any], channel: Channel, cancellation: Cancellation) -> None:
        self._channel = channel
        self.run_id: str = facts["runId"]
        self.workflow: str = facts["workflow"]
        self.task_id: str = facts["taskId"]
        self.attempt: int = facts.get("attempt", 1)
        """1 for the first attempt."""
        self.item: int | None = facts.get("item")
        """The index of the item of a map, from 0."""
        self.tenant: str | None = facts.get("tenant")
        """The schema of the database on Postgres."""
        self.idempotency_key: str = facts.get("idempotencyKey", "")
        """The same for every attempt at this task of this run, and different for all others."""
        self.signal = cancellation
        """Whether the attempt should stop, and why."""
        self.log = TaskLog(
            {"run_id": self.run_id, "workflow": self.workflow, "task_id": self.task_id, "attempt": self.attempt}
        )

    @property
    def cancelled(self) -> bool:
        """Whether the attempt should stop: a cancel, a timeout, a stop of the runner, a lost lease or engine."""
        return self.signal.requested

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Says how far the task is; stored now and then, never a reason to wait."""
        payload: dict[str, Any] = {"done": done}
        if total is not None:
            payload["total"] = total
        if message is not None:
            payload["message"] = message
        check(payload, "progress")
        self._channel.progress(payload)


class Context(_BaseContext):
    """What a body that is a function takes as ``ctx``."""

    def step(
        self,
        name: str,
        body: Callable[[], T],
        *,
        retry: RetryOption | None = None,
        timeout: Duration | None = None,
    ) -> T:
        """Calls ``body`` once per run and remembers what it returns: a later attempt gets the stored value.

        The result is durable when this returns. A body that raises is repeated as ``retry`` states, and not remembered.
        Names are unique within the task.
        """
        options, is_retried = _step_options(name, body, retry, timeout)
        failure: Exception | None = None

        def run() -> Report:
            nonlocal failure
            try:
                failure = None
                return {"output": check(body(), f'step "{name}"')}
            except Exception as error:
                failure = error
                return _step_failure(error, is_retried)

        try:
            return self._channel.step(options, run)  # type: ignore[no-any-return]
        except EngineAnswer as answer:
            raise _step_error(answer, failure) from None

    def start(
        self, workflow: WorkflowOption | str, input: Any = None, **options: Unpack[TaskStartOptions]
    ) -> StartedRun:
        """Starts a run of a workflow of this runner, exactly once however often the body is repeated.

        The run is independent: nothing waits for it. The options are those of ``Runner.start`` but ``debounce``; ``key`` is
        by default that of the task, so that a body that starts several runs of one workflow gives each a key.
        """
        params = _start(workflow, input, options)
        try:
            return _started(self._channel.start_run(params))
        except EngineAnswer as answer:
            raise call_error_from_record(answer.record) from None


class AsyncContext(_BaseContext):
    """What a body that is an ``async def`` takes as ``ctx``."""

    async def step(
        self,
        name: str,
        body: Callable[[], Awaitable[T] | T],
        *,
        retry: RetryOption | None = None,
        timeout: Duration | None = None,
    ) -> T:
        """The same as ``Context.step``, of a function or an ``async def``."""
        options, is_retried = _step_options(name, body, retry, timeout)
        failure: Exception | None = None

        async def run() -> Report:
            nonlocal failure
            try:
                failure = None
                output = body()
                if inspect.isawaitable(output):
                    output = await output
                return {"output": check(output, f'step "{name}"')}
            except Exception as error:
                failure = error
                return _step_failure(error, is_retried)

        try:
            return await self._channel.step_async(options, run)  # type: ignore[no-any-return]
        except EngineAnswer as answer:
            raise _step_error(answer, failure) from None

    async def start(
        self, workflow: WorkflowOption | str, input: Any = None, **options: Unpack[TaskStartOptions]
    ) -> StartedRun:
        """The same as ``Context.start``."""
        params = _start(workflow, input, options)
        try:
            return _started(await self._channel.start_run_async(params))
        except EngineAnswer as answer:
            raise call_error_from_record(answer.record) from None


def _step_options(
    name: str, body: object, retry: RetryOption | None, timeout: Duration | None
) -> tuple[dict[str, Any], Callable[[BaseException], bool]]:
    checks = Checks()
    if not isinstance(name, str) or name == "":
        raise TypeError(f"Cannot run a step: its name must be text, not {shown(name)}")
    if not callable(body):
        raise TypeError(f'Cannot run step "{name}": its body must be a function, not {shown(body)}')
    options: dict[str, Any] = {"name": name}
    outer = outer_step()
    if outer is not None:
        options["in"] = outer
    policy, stated = read_retry(retry, "retry", checks)
    if policy is not None:
        options["retry"] = policy
    ms = checks.duration(timeout, "timeout")
    if ms is not None:
        options["timeout"] = ms
    if checks.problems:
        raise TypeError(f'Cannot run step "{name}": {"; ".join(checks.problems)}')
    return options, stated.is_retried if stated is not None else lambda error: True


def _step_failure(error: Exception, is_retried: Callable[[BaseException], bool]) -> Report:
    record = error_record(error)
    if isinstance(error, (NonRetryableError, PayloadError)) or not is_retried(error):
        record["retry"] = False
    return {"error": record}


def _step_error(answer: EngineAnswer, failure: Exception | None) -> Exception:
    """The exception of the last attempt at the step itself, if that is what the engine answers."""
    record = answer.record
    if failure is not None and record.get("message") == error_record(failure)["message"]:
        return failure
    return call_error_from_record(record)


def _start(workflow: WorkflowOption | str, input: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    name = workflow.name if isinstance(workflow, Workflow) else workflow
    if not isinstance(name, str):
        raise TypeError(f"Cannot start a run: its workflow must be a Workflow or a name, not {shown(workflow)}")
    payload: dict[str, Any] = {"workflow": name, "options": start_options(f'start "{name}"', options, of_task=True)}
    if input is not None:
        payload["input"] = check(input, "input")
    return payload


def _started(answer: Mapping[str, Any]) -> StartedRun:
    return StartedRun(run_id=answer["runId"], is_new=bool(answer["isNew"]))
