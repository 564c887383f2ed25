"""The cancellation of an attempt."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ._errors import SluiceError


class Cancellation:
    """Whether an attempt should stop, and why: a cancel, a timeout, a stop of the runner, or a lost lease or engine.

    A coroutine is cancelled as well, with ``asyncio.CancelledError``; a body in a process is killed.
    """

    def __init__(self) -> None:
        self._event: threading.Event | None = None
        self._reason: Exception | None = None
        self._callbacks: list[Callable[[Exception], None]] = []
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return self._reason is not None

    @property
    def requested(self) -> bool:
        """Whether the attempt should stop."""
        return self._reason is not None

    @property
    def reason(self) -> Exception | None:
        """Why: such as a ``RunCancelledError`` or a ``TaskTimeoutError``."""
        return self._reason

    def wait(self, timeout: float | None = None) -> bool:
        """Blocks until the attempt should stop, or for ``timeout`` seconds; returns whether it should."""
        with self._lock:
            if self._reason is not None:
                return True
            if self._event is None:
                self._event = threading.Event()
            event = self._event
        return event.wait(timeout)

    def raise_if_requested(self) -> None:
        """Raises the reason if the attempt should stop."""
        if self._reason is not None:
            raise self._reason

    def _request(self, reason: Exception) -> None:
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            event, callbacks = self._event, self._callbacks
            self._callbacks = []
        if event is not None:
            event.set()
        for callback in callbacks:
            callback(reason)

    def _on_request(self, callback: Callable[[Exception], None]) -> None:
        with self._lock:
            if self._reason is None:
                self._callbacks.append(callback)
                return
            reason = self._reason
        callback(reason)


class StopRequested(SluiceError):
    """The engine asked an attempt to stop, for a reason that has no class of its own."""

    code = "cancelled"
