"""Task handles: tasks that wait for a condition without a slot."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from .._errors import DeferError
from ._context import Context

LONGEST_WAIT = 3_600.0
"""After this many seconds without a slot a body is given up. Its run has been cancelled, or another process has it."""


class TaskHandle:
    """What a task receives as ``handle`` or ``task_handle``: it can wait without one of the ``max_concurrent_tasks``."""

    def __init__(self, context: Context, give_up: Callable[[TaskHandle], bool]) -> None:
        self._context = context
        self._give_up = give_up
        self._told: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._resumed: SimpleQueue[bool] = SimpleQueue()
        self._holds_slot = True

    def defer_until(self, condition: Callable[[], bool], poll_interval_ms: int = 1000) -> None:
        """Returns when ``condition()`` is true; in the meantime other tasks have the slot.

        The condition is checked at once and then every ``poll_interval_ms`` milliseconds. If the process ends while a task
        waits, the task starts from its beginning. Raises what ``condition`` raises.
        """
        while not self._check(condition):
            self._told.put(("deferred", max(1, poll_interval_ms) / 1_000))
            try:
                self._resumed.get(timeout=LONGEST_WAIT)
            except Empty:
                if self._give_up(self):
                    raise SystemExit from None  # ends the thread
                self._resumed.get()

    def is_slot_held(self) -> bool:
        """Whether the task has a slot: always, but while a condition is checked."""
        return self._holds_slot

    def _check(self, condition: Callable[[], bool]) -> bool:
        self._holds_slot = False
        try:
            return bool(condition())
        finally:
            self._holds_slot = True


class Waiting:
    """The bodies of a task that wait, by their runs. Each has a thread that goes on when the engine calls it again."""

    def __init__(self) -> None:
        self._handles: dict[str, TaskHandle] = {}

    def context(self, run_id: str, fresh: Context) -> Context:
        """Returns the context of the body of a run that waits, or the fresh one for a body that begins."""
        handle = self._handles.get(run_id)
        return fresh if handle is None else handle._context

    def call(self, run_id: str, body: Callable[[TaskHandle], Any], context: Context) -> Any:
        """Begins a body, or goes on with the one of the run that waits, and returns what it returns.

        Raises what it raises, and DeferError if it waits for its condition.
        """
        handle = self._handles.pop(run_id, None)
        if handle is None:
            handle = TaskHandle(context, lambda handle: self._handles.pop(run_id, None) is handle)
            threading.Thread(target=_run, args=(handle, body), name="sluice-deferred", daemon=True).start()
        else:
            handle._resumed.put(True)
        kind, value = handle._told.get()
        if kind == "returned":
            return value
        if kind == "raised":
            raise value
        self._handles[run_id] = handle
        raise DeferError(value)


def _run(handle: TaskHandle, body: Callable[[TaskHandle], Any]) -> None:
    try:
        handle._told.put(("returned", body(handle)))
    except Exception as error:
        handle._told.put(("raised", error))
