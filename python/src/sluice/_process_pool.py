"""Worker processes for bodies of ``process=True``, which can be killed."""

from __future__ import annotations

import io
import multiprocessing
import pickle
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ._cancellation import Cancellation
from ._channel import Link
from ._errors import SluiceError, TaskError
from ._process_body import place_of, serve


class ProcessEndedError(SluiceError):
    """The worker process of a body ended before the body did, such as by ``os._exit`` or for want of memory."""

    code = "process_ended"


class BodyRaised(Exception):
    """A body in a process raised: carries its record, and the exception itself where it could be copied."""

    def __init__(self, record: Mapping[str, Any], error: BaseException) -> None:
        super().__init__()
        self.record = record
        self.error = error


class ProcessPool:
    """Keeps worker processes that are idle for the next bodies. A process runs one body at a time."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._lock = threading.Lock()
        self._closed = False

    def run(
        self,
        fn: Callable[..., Any],
        arguments: Mapping[str, Any],
        *,
        context: Mapping[str, Any] | None,
        label: str,
        link: Link,
        cancellation: Cancellation,
    ) -> Any:
        """Runs a body in a process and blocks until it ends; kills the process when the attempt is cancelled.

        Raises BodyRaised, ProcessEndedError, or the reason of the cancellation.
        """
        worker = self._take()
        kill = _Kill(worker)
        cancellation._on_request(kill)
        try:
            job = {"place": place_of(fn), "arguments": dict(arguments), "context": context, "label": label}
            answer = worker.run(job, link)
        except (EOFError, OSError):
            kill.disarm()
            how = self._end(worker)
            cancellation.raise_if_requested()
            raise ProcessEndedError(f"The process of the body ended before the body did ({how})") from None
        if not kill.disarm():
            self._end(worker)
            cancellation.raise_if_requested()
        self._give_back(worker)
        if answer[0] == "returned":
            return answer[1]
        _, record, copy = answer
        raise BodyRaised(record, _unpickled(copy, record))

    def close(self) -> None:
        """Ends all processes."""
        with self._lock:
            self._closed = True
            workers, self._all, self._idle = list(self._all), set(), []
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.end()

    def _take(self) -> _Worker:
        with self._lock:
            if self._closed:
                raise SluiceError("The runner was stopped")
            while self._idle:
                worker = self._idle.pop()
                if worker.is_alive():
                    return worker
                self._all.discard(worker)
        worker = _Worker(self._context)
        with self._lock:
            self._all.add(worker)
        return worker

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(worker)
                return
        worker.end()

    def _end(self, worker: _Worker) -> str:
        with self._lock:
            self._all.discard(worker)
        return worker.end()


class _Kill:
    """Kills a worker process when its attempt is cancelled, unless the attempt has ended."""

    def __init__(self, worker: _Worker) -> None:
        self._worker: _Worker | None = worker
        self._has_killed = False
        self._lock = threading.Lock()

    def __call__(self, reason: Exception) -> None:
        with self._lock:
            if self._worker is not None:
                self._has_killed = True
                self._worker.kill()

    def disarm(self) -> bool:
        """The process can be used again; returns False if it was killed."""
        with self._lock:
            self._worker = None
            return not self._has_killed


class _Worker:
    """A worker process."""

    def __init__(self, context: multiprocessing.context.SpawnContext) -> None:
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), name="sluice-body", daemon=True)
        self._process.start()
        theirs.close()
        self._lock = threading.Lock()

    def run(self, job: Mapping[str, Any], link: Link) -> tuple[Any, ...]:
        self._send(("job", job))
        while True:
            message = self._connection.recv()
            if message[0] == "request":
                _, number, method, params = message
                link.request(method, params, partial(self._answer, number))
            elif message[0] == "respond":
                link.respond(message[1], message[2])
            elif message[0] == "progress":
                link.progress(message[1])
            else:
                return message  # type: ignore[no-any-return]

    def _answer(self, number: int, what: str, value: Any) -> None:
        try:
            self._send(("answer", number, what, value))
        except OSError:
            pass  # the process has ended, which run() reports

    def _send(self, message: tuple[Any, ...]) -> None:
        with self._lock:
            self._connection.send(message)

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> str:
        """Ends the process, if it has not ended by itself, and returns how it ended."""
        self._process.join(0.5)
        self._process.kill()
        self._process.join(5)
        self._connection.close()
        code = self._process.exitcode
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        # The main module of this process has another name in a worker process.
        return super().find_class("__main__" if module == "__mp_main__" else module, name)


def _unpickled(copy: bytes | None, record: Mapping[str, Any]) -> BaseException:
    if copy is not None:
        try:
            error = _Unpickler(io.BytesIO(copy)).load()
            if isinstance(error, BaseException):
                return error
        except Exception:
            pass
    return TaskError(str(record.get("message", "")), name=str(record.get("name", "Error")))


def is_worker_process() -> bool:
    """Whether this is a process that imports the main module only to run bodies."""
    return multiprocessing.current_process().name.startswith("sluice-body") and "__mp_main__" in sys.modules
