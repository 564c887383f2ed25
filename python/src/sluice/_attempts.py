"""Calls the functions of workflows, each where it belongs: a thread, the event loop or a worker process."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from ._cancellation import Cancellation
from ._channel import Channel, Link
from ._context import AsyncContext, Context
from ._duration import from_ms, shown, time_to_ms, to_ms
from ._error_record import error_record
from ._errors import DeferError, NonRetryableError, PayloadError, RetryAfterError, error_from_record
from ._functions import Function
from ._json import check
from ._options import Retry
from ._pool import ThreadPool
from ._process_pool import BodyRaised, ProcessPool
from ._schedule import PollStart

_logger = logging.getLogger("sluice")


class Call:
    """A function of a workflow, as the engine calls it."""

    __slots__ = ("convert", "function", "in_process", "is_check", "label", "outputs", "retry")

    def __init__(
        self,
        name: str,
        function: Function,
        *,
        outputs: tuple[str, ...] = (),
        retry: Retry | None = None,
        in_process: bool = False,
    ) -> None:
        self.function = function
        self.outputs = outputs
        """The tasks whose outputs there are; an output that is missing is None."""
        self.retry = retry
        self.in_process = in_process and name in ("run", "undo")
        part = name.rpartition(".")[2]
        self.label = {"run": "output", "over": "the items", "validate": "the validated value"}.get(part, part)
        self.convert = _CONVERSIONS.get(part)
        self.is_check = part == "check"
        """Whether it is the check of a poll, which has no context."""

    def arguments(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the arguments of a call, without ``ctx``, from those that the engine sent."""
        outputs = sent.get("outputs") or {}
        selected: dict[str, Any] = {}
        names = self.function.names
        if self.function.takes_all:
            names = (*names, *self.outputs, *(name for name in sent if name not in names))
        for name in names:
            if name in self.outputs:
                selected[name] = outputs.get(name)
            elif name == "outputs":
                selected[name] = {task: outputs.get(task) for task in self.outputs}
            elif name in ("tick", "previous"):
                selected[name] = from_ms(sent.get(name))
            elif name == "error":
                selected[name] = error_from_record(sent.get(name) or {})
            elif name not in ("ctx", "signal"):
                selected[name] = sent.get(name)
        return selected

    @property
    def takes_context(self) -> bool:
        return self.function.takes_all or "ctx" in self.function.names


def _to_bool(value: Any) -> Any:
    return bool(value)


def _to_items(value: Any) -> Any:
    if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__iter__"):
        raise TypeError(f"over must return a list, not {type(value).__name__}")
    return check(list(value), "the items")


def _to_starts(value: Any) -> Any:
    starts = []
    for one in value if isinstance(value, (list, tuple)) else [value]:
        if one is None:
            continue
        if not isinstance(one, dict):
            raise TypeError(
                f"check must return a dict of input, key and cursor, a list of them, or None, not {shown(one)}"
            )
        for name in one:
            if name not in PollStart.__annotations__:
                raise TypeError(
                    f'check returned a dict with the key {shown(name)}; there are "input", "key" and "cursor"'
                )
        starts.append({name: member for name, member in one.items() if name != "key" or member is not None})
    return check(starts, "the result of check")


def _to_nothing(value: Any) -> Any:
    return None


_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "when": _to_bool,
    "over": _to_items,
    "check": _to_starts,
    "for": lambda value: to_ms(value, "for_"),
    "until": lambda value: time_to_ms(value, "until"),
    "undo": _to_nothing,
    "on_success": _to_nothing,
    "on_failure": _to_nothing,
}


class Attempt:
    """A call of a function that has begun."""

    __slots__ = ("call", "cancellation", "number", "report", "task")

    def __init__(self, number: int, call: Call, report: Callable[[int, Mapping[str, Any]], None]) -> None:
        self.number = number
        self.call = call
        self.report = report
        self.cancellation = Cancellation()
        self.task: asyncio.Task[None] | None = None


class Attempts:
    """The calls that have begun and not ended, by their numbers."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._threads = ThreadPool("sluice-body")
        self._processes: ProcessPool | None = None
        self._loop = loop
        self._own_loop: threading.Thread | None = None
        self._lock = threading.Lock()
        self._running: dict[int, Attempt] = {}

    def begin(
        self,
        attempt: Attempt,
        arguments: dict[str, Any],
        facts: Mapping[str, Any] | None,
        link: Link,
    ) -> None:
        """Begins a call. ``facts`` are those of the context, for a function that takes one."""
        self._running[attempt.number] = attempt
        call = attempt.call
        if call.is_check and "signal" in call.function.names:
            arguments["signal"] = attempt.cancellation
        if call.in_process:
            self._threads.submit(lambda: self._in_process(attempt, arguments, facts, link))
        elif call.function.is_async:
            loop = self._event_loop()
            loop.call_soon_threadsafe(self._begin_task, loop, attempt, arguments, facts, link)
        else:
            self._threads.submit(lambda: self._in_thread(attempt, arguments, facts, link))

    def cancel(self, number: int, reason: Exception) -> None:
        """Requests that an attempt stops. It is not reported afterwards."""
        attempt = self._running.get(number)
        if attempt is not None:
            attempt.cancellation._request(reason)

    def cancel_all(self, reason: Exception) -> None:
        """The same for all that are running; they are forgotten."""
        running, self._running = self._running, {}
        for attempt in running.values():
            attempt.cancellation._request(reason)

    def close(self) -> None:
        """Ends processes, threads and the loop when their bodies have ended."""
        self._threads.close()
        if self._processes is not None:
            self._processes.close()
        if self._own_loop is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._own_loop.join(5)

    def _in_thread(
        self, attempt: Attempt, arguments: dict[str, Any], facts: Mapping[str, Any] | None, link: Link
    ) -> None:
        function = attempt.call.function
        try:
            if facts is not None:
                arguments["ctx"] = Context(facts, Channel(link), attempt.cancellation)
            value = function.call(**arguments)
            if inspect.isawaitable(value):  # such as of a partial of an async def
                value = asyncio.run(_awaited(value))
            self._returned(attempt, value)
        except BaseException as error:
            self._raised(attempt, error)

    def _in_process(
        self, attempt: Attempt, arguments: dict[str, Any], facts: Mapping[str, Any] | None, link: Link
    ) -> None:
        function = attempt.call.function
        try:
            with self._lock:
                processes = self._processes = self._processes or ProcessPool()
            value = processes.run(
                function.call,
                arguments,
                context=facts,
                label=attempt.call.label,
                link=link,
                cancellation=attempt.cancellation,
            )
            self._returned(attempt, value)
        except BodyRaised as raised:
            self._raised(attempt, raised.error, raised.record)
        except BaseException as error:
            self._raised(attempt, error)

    def _begin_task(
        self,
        loop: asyncio.AbstractEventLoop,
        attempt: Attempt,
        arguments: dict[str, Any],
        facts: Mapping[str, Any] | None,
        link: Link,
    ) -> None:
        task = loop.create_task(self._in_loop(attempt, arguments, facts, link))
        attempt.task = task

        def cancel(reason: Exception) -> None:
            loop.call_soon_threadsafe(task.cancel)

        attempt.cancellation._on_request(cancel)

    async def _in_loop(
        self, attempt: Attempt, arguments: dict[str, Any], facts: Mapping[str, Any] | None, link: Link
    ) -> None:
        function = attempt.call.function
        try:
            if facts is not None:
                arguments["ctx"] = AsyncContext(facts, Channel(link), attempt.cancellation)
            self._returned(attempt, await function.call(**arguments))
        except BaseException as error:
            self._raised(attempt, error)

    def _returned(self, attempt: Attempt, value: Any) -> None:
        call = attempt.call
        value = call.convert(value) if call.convert is not None else check(value, call.label)
        if self._running.pop(attempt.number, None) is not None:
            attempt.report(attempt.number, {"result": {} if value is None else {"output": value}})

    def _raised(self, attempt: Attempt, error: BaseException, record: Mapping[str, Any] | None = None) -> None:
        if self._running.pop(attempt.number, None) is not None:
            attempt.report(attempt.number, {"error": failure(error, attempt.call.retry, record)})

    def _event_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = self._loop = asyncio.new_event_loop()
                self._own_loop = threading.Thread(target=_run_loop, args=(loop,), name="sluice-loop", daemon=True)
                self._own_loop.start()
            return self._loop


async def _awaited(value: Any) -> Any:
    return await value


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def failure(error: BaseException, retry: Retry | None, record: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Returns the error record of an attempt that raised."""
    report = dict(record) if record is not None else error_record(error)
    if isinstance(error, (NonRetryableError, PayloadError)) or not _is_retried(error, retry):
        report["retry"] = False
    return report


def _is_retried(error: BaseException, retry: Retry | None) -> bool:
    if isinstance(error, (RetryAfterError, DeferError)):
        return True
    try:
        return retry is None or retry.is_retried(error)
    except Exception:
        _logger.exception("retry_if raised; the attempt is not repeated")
        return False
