"""How a body reaches the engine: requests about its attempt, from a function or a coroutine, in this process or another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from queue import SimpleQueue
from typing import Any, Protocol

Receive = Callable[[str, Any], None]
"""Takes what follows a request: ``"invoke"`` with the number of an invocation of a step, ``"ok"`` with the result, or
``"error"`` with a record. It must not block."""
Report = dict[str, Any]
"""What a step returned, as ``output``, or its ``error``."""


class Link(Protocol):
    """What carries the requests of one attempt."""

    def request(self, method: str, params: Mapping[str, Any], receive: Receive) -> None:
        """Sends a request."""

    def respond(self, invocation: int, report: Report) -> None:
        """Answers the invocation of a step."""

    def progress(self, params: Mapping[str, Any]) -> None:
        """Reports progress."""


class EngineAnswer(Exception):
    """The engine answered with an error record."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        super().__init__(dict(record))
        self.record = record


# The invocation of a step in which the current code runs, for a step within a step.
_within: ContextVar[int | None] = ContextVar("sluice_step", default=None)


@contextmanager
def _within_step(invocation: int) -> Iterator[None]:
    token = _within.set(invocation)
    try:
        yield
    finally:
        _within.reset(token)


def outer_step() -> int | None:
    """The invocation of the step in which the current code runs."""
    return _within.get()


class Channel:
    """The requests of one attempt."""

    def __init__(self, link: Link) -> None:
        self.link = link

    def step(self, params: Mapping[str, Any], run: Callable[[], Report]) -> Any:
        """Requests a step, calls ``run`` as often as the engine asks, and returns the output. Raises EngineAnswer."""
        arrived: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.link.request("step", params, lambda kind, value: arrived.put((kind, value)))
        while True:
            kind, value = arrived.get()
            if kind != "invoke":
                return _result(kind, value).get("output")
            with _within_step(value):
                report = run()
            self.link.respond(value, report)

    async def step_async(self, params: Mapping[str, Any], run: Callable[[], Awaitable[Report]]) -> Any:
        """The same in a coroutine."""
        arrived, receive = _queue()
        self.link.request("step", params, receive)
        while True:
            kind, value = await arrived.get()
            if kind != "invoke":
                return _result(kind, value).get("output")
            with _within_step(value):
                report = await run()
            self.link.respond(value, report)

    def start_run(self, params: Mapping[str, Any]) -> Any:
        """Starts a run and returns the answer. Raises EngineAnswer."""
        arrived: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.link.request("startRun", params, lambda kind, value: arrived.put((kind, value)))
        return _result(*arrived.get())

    async def start_run_async(self, params: Mapping[str, Any]) -> Any:
        """The same in a coroutine."""
        arrived, receive = _queue()
        self.link.request("startRun", params, receive)
        return _result(*await arrived.get())

    def progress(self, params: Mapping[str, Any]) -> None:
        """Reports progress."""
        self.link.progress(params)


def _queue() -> tuple[asyncio.Queue[tuple[str, Any]], Receive]:
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    def receive(kind: str, value: Any) -> None:
        loop.call_soon_threadsafe(arrived.put_nowait, (kind, value))

    return arrived, receive


def _result(kind: str, value: Any) -> Any:
    if kind == "error":
        raise EngineAnswer(value)
    return value
