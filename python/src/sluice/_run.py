"""Runs, seen from functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from . import _requests
from ._definition import TaskName
from ._details import ChildInfo, Explanation, HistoryEntry, ItemPage, TaskInfo
from ._duration import Duration, to_ms
from ._errors import ShutdownError
from ._models import Outcome, RunEvent, RunInfo, run_event

if TYPE_CHECKING:
    from ._client import Client

_MISSING = _requests.MISSING


class Run:
    """A run, seen from functions. Every method raises RunNotFoundError if it does not exist."""

    def __init__(self, client: Client, run_id: str, is_new: bool) -> None:
        self._client = client
        self.id = run_id
        self.is_new = is_new
        """Whether the call that returned this inserted the run: False for a run with the same key."""

    def __repr__(self) -> str:
        return f"<run {self.id}>"

    def status(self) -> RunInfo:
        """Reads the state of the run, with its input."""
        return self._client._do(_requests.status(self.id))

    def outcome(self, timeout: Duration | None = None) -> Outcome:
        """Waits until the run ends and returns how. Raises WaitTimeoutError; the run continues."""
        return self._client._do(_requests.outcome(self.id), seconds(timeout))

    def result(self, timeout: Duration | None = None) -> Any:
        """Waits until the run ends and returns its result. Raises RunFailedError, RunCancelledError, WaitTimeoutError."""
        return self.outcome(timeout).result

    def cancel(self, reason: str | None = None, *, compensate: bool = True) -> None:
        """Cancels the run; returns when the request is durable. Completed tasks with an undo are undone.

        Raises RunStateError if it has ended.
        """
        self._client._do(_requests.cancel(self.id, reason, compensate))

    def pause(self, reason: str | None = None) -> None:
        """Pauses the run: running bodies finish, and nothing starts until ``resume()``. Raises RunStateError."""
        self._client._do(_requests.pause(self.id, reason))

    def resume(self) -> None:
        """Resumes a paused run. Raises RunStateError if it has ended."""
        self._client._do(_requests.resume(self.id))

    def retry(self) -> None:
        """Runs the failed tasks of a failed run again, and what depends on them. Raises RunStateError."""
        self._client._do(_requests.retry(self.id))

    def delete(self) -> None:
        """Deletes a run that has ended, with its child runs. Raises RunStateError."""
        self._client._do(_requests.delete(self.id))

    def send(self, task: TaskName, payload: Any = None) -> bool:
        """Sends a message to an event task; returns whether it was accepted: only the first is.

        Raises RunStateError, UnknownTaskError, UnknownWorkflowError, ValidationError and PayloadError.
        """
        return self._client._do(_requests.send(self.id, task, payload))

    @overload
    def resolve(self, task: TaskName, *, output: Any, item: int | None = None) -> None: ...
    @overload
    def resolve(self, task: TaskName, *, error: str | BaseException, item: int | None = None) -> None: ...
    @overload
    def resolve(self, task: TaskName, *, retry: Literal[True], item: int | None = None) -> None: ...
    def resolve(
        self,
        task: TaskName,
        *,
        output: Any = _MISSING,
        error: str | BaseException | None = None,
        retry: bool = False,
        item: int | None = None,
    ) -> None:
        """Decides about a blocked task: with its output, its error, or another attempt.

        A task is blocked whose attempt ended without a result and whose ``guarantee`` is ``"at_most_once"``. ``item`` is the
        index of an item of a map. Raises RunStateError, UnknownTaskError and PayloadError.
        """
        self._client._do(_requests.resolve(self.id, task, output=output, error=error, retry=retry, item=item))

    def fork(
        self,
        from_: TaskName | None = None,
        *,
        input: Any = _MISSING,
        outputs: Mapping[Any, Any] | None = None,
    ) -> Run:
        """Starts a new run that reuses the results of completed tasks of this one, which does not change.

        ``from_`` is the first task to run again, with all that depends on it; without it the tasks run that have not
        completed, or with another ``input`` all of them. ``outputs``, a dict by task or id, are used instead of running these
        tasks. The new run executes the workflow as this client has it.

        Raises UnknownTaskError, UnknownWorkflowError, ValidationError and PayloadError.
        """
        return Run(self._client, *self._client._do(_requests.fork(self.id, from_, input, outputs)))

    def tasks(self) -> tuple[TaskInfo, ...]:
        """Reads the tasks of the run, in the order of their definition."""
        return self._client._do(_requests.tasks(self.id))

    def items(
        self, task: TaskName, *, state: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> ItemPage:
        """Reads a page of the items of a map: at most ``limit`` (50), those in a ``state`` only. Raises UnknownTaskError."""
        return self._client._do(_requests.items(self.id, task, state, limit, cursor))

    def children(self) -> tuple[ChildInfo, ...]:
        """Reads the child runs of the run, in the order of their start; at most 1,000."""
        return self._client._do(_requests.children(self.id))

    def history(self) -> tuple[HistoryEntry, ...]:
        """Reads the history of the run, oldest entry first: what became of it and of its tasks, and when."""
        return self._client._do(_requests.history(self.id))

    def explain(self) -> Explanation:
        """Explains what the run waits for, or how it ended."""
        return self._client._do(_requests.explain(self.id))

    def events(self) -> Iterator[RunEvent]:
        """Yields past and future events of the run, until the run ends or the client or runner is stopped."""
        session = self._client._open()
        stream = self._client._do(_requests.open_events(self.id))
        try:
            while True:
                rows, is_done = self._client._do(_requests.next_events(stream))
                for row in rows:
                    yield run_event(row)
                if is_done:
                    return
        except ShutdownError:
            return
        finally:
            session.forget(_requests.close_events(stream))


def seconds(timeout: Duration | None) -> float | None:
    return None if timeout is None else to_ms(timeout, "timeout") / 1_000


def run_id_of(run_id: object) -> str:
    if isinstance(run_id, str):
        return run_id
    raise TypeError(f"The id of a run must be text, not {run_id!r}")
