"""Threads for synchronous bodies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

Job = Callable[[], None]


class ThreadPool:
    """Starts a thread when all others are busy, and keeps it. A job must not raise.

    Its threads are daemons: a body that never returns does not keep the process alive.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._threads = 0
        self._closed = False

    def submit(self, job: Job) -> None:
        self._jobs.put(job)
        with self._lock:
            # The number of jobs that a thread has been promised: below zero there are more jobs than idle threads.
            self._idle -= 1
            if self._idle >= 0 or self._closed:
                return
            self._idle += 1
            self._threads += 1
            number = self._threads
        threading.Thread(target=self._work, name=f"{self._name}-{number}", daemon=True).start()

    def close(self) -> None:
        """Ends the threads when they have done what was submitted."""
        with self._lock:
            self._closed = True
            threads = self._threads
        for _ in range(threads):
            self._jobs.put(None)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            job()
            del job
            with self._lock:
                self._idle += 1
