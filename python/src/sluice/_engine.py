"""The engine: a child process that speaks the worker protocol on its standard input and output."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue

from ._errors import EngineMissingError
from ._lines import LineReader

_CHUNK = 1 << 18
_MOST_IN_A_WRITE = 1 << 20
_KEPT_LINES = 20


def engine_command() -> list[str]:
    """Returns the command that starts the engine.

    ``SLUICE_DENO`` names another deno, and ``SLUICE_ENGINE`` another bundle, for development.

    Raises EngineMissingError.
    """
    bundle = os.environ.get("SLUICE_ENGINE") or os.path.join(os.path.dirname(__file__), "_engine", "engine.js")
    if not os.path.isfile(bundle):
        raise EngineMissingError(
            f"Cannot start the engine: {bundle} is missing; install the package from its wheel (pip install sluice_workflows)"
        )
    return [_find_deno(), "run", "--quiet", "--no-config", "--no-lock", "--no-remote", "-A", bundle]


def _find_deno() -> str:
    stated = os.environ.get("SLUICE_DENO")
    if stated:
        if os.path.isfile(stated):
            return stated
        raise EngineMissingError(f"Cannot start the engine: SLUICE_DENO names {stated}, which is not a file")
    try:
        from deno import find_deno_bin

        return os.fsdecode(find_deno_bin())
    except ImportError:
        raise EngineMissingError(
            'Cannot start the engine: the package "deno" is not installed; run "pip install deno"'
        ) from None
    except FileNotFoundError as error:
        raise EngineMissingError(
            f'Cannot start the engine: the package "deno" has no program at {error}; run "pip install --force-reinstall deno"'
        ) from None


class EngineProcess:
    """One process of the engine. Its threads read and write; what they read is passed to ``receive``."""

    def __init__(self, command: Iterable[str], receive: Callable[[bytes], None], ended: Callable[[str], None]) -> None:
        self._receive = receive
        self._ended = ended
        self._out: SimpleQueue[bytes | None] = SimpleQueue()
        self._errors: deque[str] = deque(maxlen=_KEPT_LINES)
        self.end: str | None = None
        """How the process ended; set before ``ended`` is called."""
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # An interrupt at the terminal is for Python, which then stops the engine.
            start_new_session=platform.system() != "Windows",
            env={**os.environ, "NO_COLOR": "1", "DENO_NO_UPDATE_CHECK": "1"},
        )
        _open_processes.add(self)
        threads = (("writes", self._write), ("reads", self._read), ("errors", self._read_errors))
        self._threads = {
            name: threading.Thread(target=work, name=f"sluice-engine-{name}", daemon=True) for name, work in threads
        }
        for thread in self._threads.values():
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, line: bytes) -> None:
        """Queues a line. Lines to a process that has ended are dropped."""
        self._out.put(line)

    def close(self) -> None:
        """Closes the input of the engine when all that was sent is written: the engine then ends."""
        self._out.put(None)

    def wait(self, timeout: float | None) -> bool:
        """Waits until the process has ended and all that it wrote is read; returns whether it has."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        if threading.current_thread() is not self._threads["reads"]:
            self._threads["reads"].join(timeout)
        return True

    def kill(self) -> None:
        self._process.kill()

    def close_inherited(self) -> None:
        """Closes what a forked child has inherited: otherwise the engine would outlive this process."""
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                try:
                    os.close(pipe.fileno())
                except (OSError, ValueError):
                    pass

    def _write(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        fd = pipe.fileno()
        try:
            while True:
                first = self._out.get()
                if first is None:
                    break
                is_last, data = self._gather(first)
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
                if is_last:
                    break
        except OSError:
            pass  # the process has ended, which the reader reports
        try:
            pipe.close()
        except OSError:
            pass

    def _gather(self, first: bytes) -> tuple[bool, bytes]:
        lines = [first]
        size = len(first)
        try:
            while size < _MOST_IN_A_WRITE:
                line = self._out.get_nowait()
                if line is None:
                    return True, b"".join(lines)
                lines.append(line)
                size += len(line)
        except Empty:
            pass
        return False, b"".join(lines)

    def _read(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        fd = pipe.fileno()
        lines = LineReader()
        problem = ""
        try:
            while chunk := os.read(fd, _CHUNK):
                for line in lines.feed(chunk):
                    self._receive(line)
        except OSError:
            pass
        except Exception as error:  # what it wrote is not a message
            problem = str(error)
            self._process.kill()
        self._process.wait()
        self._out.put(None)
        self._threads["errors"].join(1)
        pipe.close()
        _open_processes.discard(self)
        self.end = self._how_it_ended(problem)
        self._ended(self.end)

    def _read_errors(self) -> None:
        pipe = self._process.stderr
        assert pipe is not None
        try:
            for line in pipe:
                text = line.decode("utf-8", "replace").rstrip()
                self._errors.append(text)
                print(text, file=sys.stderr)
        except (OSError, ValueError):
            pass
        pipe.close()

    def _how_it_ended(self, problem: str) -> str:
        code = self._process.returncode
        if problem:
            how = problem
        elif code is not None and code < 0:
            try:
                how = f"it was ended by {signal.Signals(-code).name}"
            except ValueError:
                how = f"it was ended by signal {-code}"
        else:
            how = f"it ended with exit code {code}"
        last = [line for line in self._errors if line]
        return f"{how}: {last[-1]}" if last else how


_open_processes: weakref.WeakSet[EngineProcess] = weakref.WeakSet()


def _after_fork() -> None:
    for process in list(_open_processes):
        process.close_inherited()
    _open_processes.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
