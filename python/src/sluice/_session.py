"""The conversation of a runner or client with the engine, across crashes of the engine."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from ._attempts import Attempt, Attempts
from ._channel import Receive, Report
from ._engine import EngineProcess, engine_command
from ._error_record import error_record
from ._errors import (
    DefinitionError,
    EngineError,
    EngineMissingError,
    EngineProtocolError,
    ShutdownError,
    SluiceError,
    WaitTimeoutError,
    call_error_from_record,
    error_from_record,
)
from ._lines import answer_line, line_of
from ._models import run_event
from ._process_pool import is_worker_process
from ._requests import Request
from ._settings import Settings
from ._version import VERSION

PROTOCOL = 1
_LONGEST_PAUSE = 5.0

_logger = logging.getLogger("sluice")
_engine_logger = logging.getLogger("sluice.engine")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


class _Pending:
    """A request that is not answered."""

    __slots__ = ("future", "receive", "request", "was_sent")

    def __init__(self, request: Request[Any], receive: Receive | None = None) -> None:
        self.request = request
        self.receive = receive
        self.future: Future[Any] = Future()
        self.was_sent = False

    def settle(self, result: Any, error: Mapping[str, Any] | None) -> None:
        if self.receive is not None:
            self.receive("ok" if error is None else "error", result if error is None else error)
        elif self.future.set_running_or_notify_cancel():
            if error is None:
                self.future.set_result(result)
            else:
                self.future.set_exception(call_error_from_record(error))

    def fail(self, error: SluiceError) -> None:
        if self.receive is not None:
            self.receive("error", {"name": type(error).__name__, "message": error.message, "code": error.code})
        elif self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class Session:
    """An open runner or client."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop | None) -> None:
        self._settings = settings
        self._command = engine_command()
        self._attempts = Attempts(loop)
        self._calls = settings.definitions.calls
        self._lock = threading.Lock()
        self._pending: dict[int, _Pending] = {}
        self._last = 0
        self._process: EngineProcess | None = None
        self._is_open = False
        """Whether the engine has opened the runner, so that requests can be sent."""
        self._is_closing = threading.Event()
        self._owner = os.getpid()
        self.crashes = 0

    @classmethod
    def open(cls, settings: Settings, loop: asyncio.AbstractEventLoop | None) -> Session:
        """Starts the engine and opens the runner. Raises what the engine answers."""
        if is_worker_process():
            raise SluiceError(
                f"Cannot open a {settings.role} in a process that runs bodies: it imports the main module, so open it below "
                '`if __name__ == "__main__":`'
            )
        session = cls(settings, loop)
        try:
            session._connect()
        except BaseException:
            session._is_closing.set()
            session._end(0)
            raise
        if settings.on_event is not None:
            threading.Thread(target=session._observe, name="sluice-events", daemon=True).start()
        return session

    @property
    def pid(self) -> int:
        """The process id of the engine; 0 while there is none."""
        process = self._process
        return 0 if process is None else process.pid

    def close(self, timeout: float) -> None:
        """Stops the runner: bodies may take ``timeout`` seconds to end."""
        self._is_closing.set()
        if self._is_open:
            pending = self._send(Request("shutdown", {"timeout": round(timeout * 1_000)}, lambda answer: None))
            try:
                pending.future.result(timeout + 5)
            except (SluiceError, FutureTimeoutError, CancelledError):
                pass
        self._end(5)

    def wait(self, request: Request[Any], timeout: float | None = None) -> Any:
        """Sends a request and blocks until it is answered. Raises what the engine answers, and WaitTimeoutError."""
        pending = self._send(request)
        try:
            return pending.future.result(timeout)
        except FutureTimeoutError:
            if pending.future.done():
                raise  # the error that the engine answered
            self._abandon(pending)
            raise _timed_out(request, timeout) from None
        except BaseException:
            self._abandon(pending)
            raise

    async def wait_async(self, request: Request[Any], timeout: float | None = None) -> Any:
        """The same in a coroutine."""
        pending = self._send(request)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(pending.future), timeout)
        except (asyncio.TimeoutError, TimeoutError) as error:
            if isinstance(error, SluiceError):
                raise
            self._abandon(pending)
            raise _timed_out(request, timeout) from None
        except BaseException:
            self._abandon(pending)
            raise

    def forget(self, request: Request[Any]) -> None:
        """Sends a request whose answer does not matter."""
        try:
            self._send(request)
        except SluiceError:
            pass

    # Requests

    def _send(self, request: Request[Any], receive: Receive | None = None) -> _Pending:
        if os.getpid() != self._owner:
            raise EngineError(
                f"Cannot use a {self._settings.role} in a forked process: its engine belongs to the parent; open one here"
            )
        pending = _Pending(request, receive)
        with self._lock:
            if self._is_closing.is_set() and request.method != "shutdown":
                raise self._stopped()
            self._last += 1
            self._pending[self._last] = pending
            # Until the engine is there again, requests wait.
            if self._is_open and self._process is not None:
                self._transmit(self._last, pending, self._process)
        return pending

    def _transmit(self, number: int, pending: _Pending, process: EngineProcess) -> None:
        try:
            line = line_of({"id": number, "method": pending.request.method, "params": pending.request.params})
        except Exception:  # it is too large, or the user has changed what was checked
            del self._pending[number]
            raise
        pending.was_sent = True
        process.send(line)

    def _abandon(self, pending: _Pending) -> None:
        with self._lock:
            number = next((number for number, one in self._pending.items() if one is pending), None)
            if number is None:
                return
            del self._pending[number]
            if self._process is not None and pending.was_sent:
                self._process.send(line_of({"method": "abandon", "params": {"id": number}}))

    # The life of the engine

    def _connect(self) -> None:
        """Starts an engine and opens the runner on it."""
        process: EngineProcess | None = None

        def receive(line: bytes) -> None:
            assert process is not None
            self._receive(line, process)

        def ended(how: str) -> None:
            assert process is not None
            self._ended(process, how)

        with self._lock:
            if self._is_closing.is_set():
                raise self._stopped()
            process = EngineProcess(self._command, receive, ended)
            self._process = process
        hello = {"protocol": PROTOCOL, "worker": {"name": "sluice-python", "version": VERSION}}
        answer = self._ask("hello", hello, process)
        spoken = answer.get("protocol") if isinstance(answer, dict) else None
        if spoken != PROTOCOL:
            raise EngineProtocolError(
                f"Cannot use the engine: it speaks version {spoken} of the worker protocol, and this package version "
                f"{PROTOCOL}; install the package and its engine from one wheel"
            )
        self._ask("open", self._settings.open_params(), process)
        with self._lock:
            if self._process is not process:
                raise EngineError("The engine ended while it was opened")
            self._is_open = True
            waiting = [one for one in self._pending.items() if not one[1].was_sent]
            for number, pending in waiting:
                self._transmit(number, pending, process)

    def _ask(self, method: str, params: Mapping[str, Any], process: EngineProcess) -> Any:
        pending = _Pending(Request(method, params, lambda answer: answer))
        with self._lock:
            # An engine that has ended settled what was pending then, and will not settle this.
            if self._process is not process:
                raise self._stopped() if self._is_closing.is_set() else _crashed(pending, process.end or "it was closed")
            self._last += 1
            self._pending[self._last] = pending
            self._transmit(self._last, pending, process)
        timeout = self._settings.start_timeout
        try:
            return pending.future.result(timeout or None)
        except FutureTimeoutError:
            if pending.future.done():
                raise
            process.kill()
            raise EngineError(f"The engine has not answered within {timeout:g} s ({method})") from None

    def _ended(self, process: EngineProcess, how: str) -> None:
        """Called by the reading thread of an engine when the engine has ended."""
        with self._lock:
            if self._process is not process:
                return
            self._process = None
            was_open, self._is_open = self._is_open, False
            is_closing = self._is_closing.is_set()
            failed: list[_Pending] = []
            for number, pending in list(self._pending.items()):
                if not pending.was_sent and not is_closing:
                    continue
                if pending.request.can_repeat and was_open and not is_closing:
                    pending.was_sent = False
                else:
                    failed.append(self._pending.pop(number))
        for pending in failed:
            pending.fail(_crashed(pending, how) if not is_closing else self._stopped())
        if is_closing:
            self._attempts.cancel_all(self._stopped())
            return
        if was_open:
            error = EngineError(f"The engine ended unexpectedly: {how}; it is started again")
            self.crashes += 1
            _logger.error("%s", error.message)
            self._attempts.cancel_all(error)
            threading.Thread(target=self._reconnect, args=(error,), name="sluice-restart", daemon=True).start()

    def _reconnect(self, error: SluiceError) -> None:
        if self._settings.on_crash is not None:
            try:
                self._settings.on_crash(error)
            except Exception:
                _logger.exception("on_crash raised")
        pause = 0.0
        while not self._is_closing.wait(pause):
            try:
                self._connect()
                _logger.info("The engine was started again")
                return
            except (EngineMissingError, EngineProtocolError, DefinitionError) as final:
                self._give_up(final)
                return
            except Exception as problem:
                pause = min(_LONGEST_PAUSE, pause * 2 or 0.1)
                _logger.error("Cannot start the engine again: %s; next attempt in %g s", problem, pause)
                with self._lock:
                    process, self._process = self._process, None
                if process is not None:
                    process.kill()

    def _give_up(self, error: SluiceError) -> None:
        _logger.error("%s; the %s is of no use any more", error.message, self._settings.role)
        self._is_closing.set()
        with self._lock:
            pending, self._pending = self._pending, {}
        for one in pending.values():
            one.fail(error)

    def _end(self, timeout: float) -> None:
        with self._lock:
            process = self._process
            pending, self._pending = self._pending, {}
        for one in pending.values():
            one.fail(self._stopped())
        if process is not None:
            process.close()
            if not process.wait(timeout):
                process.kill()
                process.wait(5)
        self._attempts.cancel_all(self._stopped())
        self._attempts.close()

    def _stopped(self) -> ShutdownError:
        return ShutdownError(f"The {self._settings.role} was stopped")

    # What the engine sends

    def _receive(self, line: bytes, process: EngineProcess) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            raise EngineError(f"it wrote what is not a message of the worker protocol: {line[:80]!r}") from None
        method = message.get("method")
        if method is None:
            with self._lock:
                pending = self._pending.pop(message["id"], None)
            if pending is not None:
                pending.settle(message.get("result"), message.get("error"))
        elif method == "invoke":
            self._invoke(message["id"], message["params"], process)
        elif method == "invokeStep":
            with self._lock:
                pending = self._pending.get(message["params"]["step"])
            if pending is not None and pending.receive is not None:
                pending.receive("invoke", message["id"])
        elif method == "abort":
            params = message["params"]
            self._attempts.cancel(params["of"], error_from_record(params.get("reason") or {}))
        elif method == "ping":
            process.send(line_of({"id": message["id"], "result": {}}))
        elif method == "log":
            _log(message["params"])
        elif method == "fatal":
            _logger.error("The engine ends: %s", message["params"].get("error", {}).get("message"))

    def _invoke(self, number: int, params: Mapping[str, Any], process: EngineProcess) -> None:
        call = self._calls.get(params["fn"])

        def report(invocation: int, answer: Mapping[str, Any]) -> None:
            process.send(answer_line(invocation, answer))

        if call is None:
            message = f"there is no function {params['fn']!r}"
            report(number, {"error": {"name": "LookupError", "message": message, "retry": False}})
            return
        facts = params.get("context") if call.takes_context else None
        link = _Link(self, number, process)
        try:
            self._attempts.begin(Attempt(number, call, report), call.arguments(params.get("args") or {}), facts, link)
        except Exception as error:  # such as that of an event loop that is closed
            _logger.exception("Cannot call %s", params["fn"])
            report(number, {"error": error_record(error)})

    def _observe(self) -> None:
        on_event = self._settings.on_event
        assert on_event is not None
        request: Request[Any] = Request("observe.next", {}, lambda answer: answer, True)
        while True:
            try:
                answer = self.wait(request)
            except SluiceError:
                return
            for row in answer["events"]:
                try:
                    on_event(run_event(row))
                except Exception:
                    _logger.exception("on_event raised")


class _Link:
    """Carries the requests of one attempt, to the engine that began it."""

    def __init__(self, session: Session, number: int, process: EngineProcess) -> None:
        self._session = session
        self._number = number
        self._process = process

    def request(self, method: str, params: Mapping[str, Any], receive: Receive) -> None:
        if self._session._process is not self._process:
            raise EngineError("The engine that began this attempt has ended")
        self._session._send(Request(method, {**params, "of": self._number}, lambda answer: answer), receive)

    def respond(self, invocation: int, report: Report) -> None:
        answer = report if "error" in report else {"result": report}
        self._process.send(answer_line(invocation, answer))

    def progress(self, params: Mapping[str, Any]) -> None:
        self._process.send(line_of({"method": "progress", "params": {**params, "of": self._number}}))


def _timed_out(request: Request[Any], timeout: float | None) -> WaitTimeoutError:
    return WaitTimeoutError(f'Run "{request.params.get("runId")}" has not ended within {timeout:g} s; it continues')


def _crashed(pending: _Pending, how: str) -> SluiceError:
    method = pending.request.method
    hint = ""
    if method in ("start", "startMany"):
        hint = "; whether the run exists is not known, which a key prevents"
    elif method in ("fork", "schedules.trigger"):
        hint = "; whether the new run exists is not known"
    return EngineError(f'The engine ended before it answered "{method}": {how}{hint}')


def _log(params: Mapping[str, Any]) -> None:
    fields = params.get("fields") or {}
    shown = "".join(f" {name}={value!r}" for name, value in fields.items())
    missed = params.get("missed")
    lost = f" ({missed} lines before it were left out)" if missed else ""
    level = _LEVELS.get(params.get("level", "info"), logging.INFO)
    _engine_logger.log(level, "%s%s%s", params.get("message"), shown, lost, extra={"sluice": dict(fields)})
