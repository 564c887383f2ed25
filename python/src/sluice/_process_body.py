"""Runs bodies of ``process=True`` inside a worker process. Imported there, and never by user code."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import pickle
import signal
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from ._cancellation import Cancellation
from ._channel import Channel, Receive, Report
from ._context import AsyncContext, Context
from ._error_record import error_record
from ._json import check


def place_of(fn: Callable[..., Any]) -> tuple[str, str]:
    """Where another process finds a function: its module and its name in it."""
    return fn.__module__, fn.__qualname__


def resolve(place: tuple[str, str]) -> Callable[..., Any]:
    """Returns the function at a place: of a task its body. Raises LookupError."""
    from ._definition import Task, Workflow

    module, qualname = place
    found: Any = importlib.import_module(module)
    for name in qualname.split("."):
        if isinstance(found, Workflow):
            found = found[name]
        else:
            found = getattr(found, name, None)
            if found is None:
                raise LookupError(f'module "{module}" has no "{qualname}"; a body in a process is imported by its name')
    if isinstance(found, Task):
        found = found.__wrapped__
    if not callable(found):
        raise LookupError(f'"{qualname}" of module "{module}" is not a function')
    return found  # type: ignore[no-any-return]


def serve(connection: Connection) -> None:
    """Runs one body after another, until the connection ends: then the process ends, whatever the body does."""
    # An interrupt at the terminal is for the parent, which then ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    link = _PipeLink(connection)
    threading.Thread(target=link.read, name="sluice-parent", daemon=True).start()
    while True:
        job = link.next_job()
        link.send(_run(job, link))


def _run(job: Mapping[str, Any], link: _PipeLink) -> tuple[Any, ...]:
    try:
        body = resolve(job["place"])
        arguments = dict(job["arguments"])
        is_async = inspect.iscoroutinefunction(inspect.unwrap(body))
        if job["context"] is not None:
            kind = AsyncContext if is_async else Context
            arguments["ctx"] = kind(job["context"], Channel(link), Cancellation())
        output = body(**arguments)
        if inspect.isawaitable(output):
            output = asyncio.run(_awaited(output))
        return ("returned", check(output, job["label"]))
    except BaseException as error:
        return ("raised", error_record(error), _pickled(error))


async def _awaited(value: Any) -> Any:
    return await value


def _pickled(error: BaseException) -> bytes | None:
    """The exception itself, for ``retry_if``; None for one that cannot be copied."""
    try:
        return pickle.dumps(error)
    except Exception:
        return None


class _PipeLink:
    """Reaches the parent, which reaches the engine."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[Mapping[str, Any]] = SimpleQueue()
        self._requests: dict[int, Receive] = {}
        self._last = 0

    def read(self) -> None:
        try:
            while True:
                kind, *rest = self._connection.recv()
                if kind == "job":
                    self._jobs.put(rest[0])
                    continue
                number, what, value = rest
                receive = self._requests[number] if what == "invoke" else self._requests.pop(number)
                receive(what, value)
        except (EOFError, OSError):
            # The parent has ended, or no longer needs this process. The main thread may be in an endless loop.
            os._exit(0)

    def next_job(self) -> Mapping[str, Any]:
        return self._jobs.get()

    def send(self, message: tuple[Any, ...]) -> None:
        with self._lock:
            self._connection.send(message)

    def request(self, method: str, params: Mapping[str, Any], receive: Receive) -> None:
        with self._lock:
            self._last += 1
            number = self._last
            self._requests[number] = receive
        self.send(("request", number, method, dict(params)))

    def respond(self, invocation: int, report: Report) -> None:
        self.send(("respond", invocation, report))

    def progress(self, params: Mapping[str, Any]) -> None:
        self.send(("progress", dict(params)))
