"""Runs, seen from coroutines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from . import _requests
from ._definition import TaskName
from ._details import ChildInfo, Explanation, HistoryEntry, ItemPage, TaskInfo
from ._duration import Duration
from ._errors import ShutdownError
from ._models import Outcome, RunEvent, RunInfo, run_event
from ._run import seconds

if TYPE_CHECKING:
    from ._async_client import AsyncClient

_MISSING = _requests.MISSING


class AsyncRun:
    """A run, seen from coroutines. See ``Run`` for its methods."""

    def __init__(self, client: AsyncClient, run_id: str, is_new: bool) -> None:
        self._client = client
        self.id = run_id
        self.is_new = is_new
        """Whether the call that returned this inserted the run: False for a run with the same key."""

    def __repr__(self) -> str:
        return f"<run {self.id}>"

    async def status(self) -> RunInfo:
        """Reads the state of the run, with its input."""
        return await self._client._do(_requests.status(self.id))

    async def outcome(self, timeout: Duration | None = None) -> Outcome:
        """Waits until the run ends and returns how. Raises WaitTimeoutError; the run continues."""
        return await self._client._do(_requests.outcome(self.id), seconds(timeout))

    async def result(self, timeout: Duration | None = None) -> Any:
        """Waits until the run ends and returns its result. Raises RunFailedError, RunCancelledError, WaitTimeoutError."""
        return (await self.outcome(timeout)).result

    async def cancel(self, reason: str | None = None, *, compensate: bool = True) -> None:
        """Cancels the run; returns when the request is durable. Completed tasks with an undo are undone."""
        await self._client._do(_requests.cancel(self.id, reason, compensate))

    async def pause(self, reason: str | None = None) -> None:
        """Pauses the run: running bodies finish, and nothing starts until ``resume()``. Raises RunStateError."""
        await self._client._do(_requests.pause(self.id, reason))

    async def resume(self) -> None:
        """Resumes a paused run. Raises RunStateError if it has ended."""
        await self._client._do(_requests.resume(self.id))

    async def retry(self) -> None:
        """Runs the failed tasks of a failed run again, and what depends on them. Raises RunStateError."""
        await self._client._do(_requests.retry(self.id))

    async def delete(self) -> None:
        """Deletes a run that has ended, with its child runs. Raises RunStateError."""
        await self._client._do(_requests.delete(self.id))

    async def send(self, task: TaskName, payload: Any = None) -> bool:
        """Sends a message to an event task; returns whether it was accepted: only the first is."""
        return await self._client._do(_requests.send(self.id, task, payload))

    @overload
    async def resolve(self, task: TaskName, *, output: Any, item: int | None = None) -> None: ...
    @overload
    async def resolve(self, task: TaskName, *, error: str | BaseException, item: int | None = None) -> None: ...
    @overload
    async def resolve(self, task: TaskName, *, retry: Literal[True], item: int | None = None) -> None: ...
    async def resolve(
        self,
        task: TaskName,
        *,
        output: Any = _MISSING,
        error: str | BaseException | None = None,
        retry: bool = False,
        item: int | None = None,
    ) -> None:
        """Decides about a blocked task: with its output, its error, or another attempt."""
        await self._client._do(_requests.resolve(self.id, task, output=output, error=error, retry=retry, item=item))

    async def fork(
        self,
        from_: TaskName | None = None,
        *,
        input: Any = _MISSING,
        outputs: Mapping[Any, Any] | None = None,
    ) -> AsyncRun:
        """Starts a new run that reuses the results of completed tasks of this one, which does not change."""
        return AsyncRun(self._client, *await self._client._do(_requests.fork(self.id, from_, input, outputs)))

    async def tasks(self) -> tuple[TaskInfo, ...]:
        """Reads the tasks of the run, in the order of their definition."""
        return await self._client._do(_requests.tasks(self.id))

    async def items(
        self, task: TaskName, *, state: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> ItemPage:
        """Reads a page of the items of a map: at most ``limit`` (50), those in a ``state`` only. Raises UnknownTaskError."""
        return await self._client._do(_requests.items(self.id, task, state, limit, cursor))

    async def children(self) -> tuple[ChildInfo, ...]:
        """Reads the child runs of the run, in the order of their start; at most 1,000."""
        return await self._client._do(_requests.children(self.id))

    async def history(self) -> tuple[HistoryEntry, ...]:
        """Reads the history of the run, oldest entry first: what became of it and of its tasks, and when."""
        return await self._client._do(_requests.history(self.id))

    async def explain(self) -> Explanation:
        """Explains what the run waits for, or how it ended."""
        return await self._client._do(_requests.explain(self.id))

    async def events(self) -> AsyncIterator[RunEvent]:
        """Yields past and future events of the run, until the run ends or the client or runner is stopped."""
        session = self._client._session
        stream = await self._client._do(_requests.open_events(self.id))
        try:
            while True:
                rows, is_done = await self._client._do(_requests.next_events(stream))
                for row in rows:
                    yield run_event(row)
                if is_done:
                    return
        except ShutdownError:
            return
        finally:
            session.forget(_requests.close_events(stream))
