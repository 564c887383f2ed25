"""Clients, used from coroutines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from . import _requests
from ._async_run import AsyncRun
from ._definition import TaskName, WorkflowOption
from ._details import BlockedTask, Explanation, LimitLane, Stats, StrandedRun
from ._models import Outcome, RunPage
from ._requests import Request
from ._run import run_id_of
from ._schedules import AsyncSchedules
from ._session import Session
from ._start_options import ListOptions, ManyOptions, StartManyOptions, StartOptions

if TYPE_CHECKING:  # type checkers have it, whatever is installed
    from typing_extensions import Unpack

T = TypeVar("T")


class AsyncClient:
    """A client, used from coroutines: what ``async with Client(…)`` returns. See ``Client`` for its methods."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def engine_pid(self) -> int:
        """The process id of the engine."""
        return self._session.pid

    @property
    def engine_crashes(self) -> int:
        """How often the engine has ended unexpectedly and was started again."""
        return self._session.crashes

    @property
    def schedules(self) -> AsyncSchedules:
        """Reads and controls the schedules and polls of the store."""
        return AsyncSchedules(self)

    # Starts

    async def start(
        self, workflow: WorkflowOption | str, input: Any = None, **options: Unpack[StartOptions]
    ) -> AsyncRun:
        """Starts a run. It is durable when this returns."""
        return AsyncRun(self, *await self._do(_requests.start(workflow, input, options)))

    async def start_many(
        self,
        workflow: WorkflowOption | str,
        inputs: Sequence[Any],
        *,
        keys: Sequence[str] | None = None,
        **options: Unpack[StartManyOptions],
    ) -> tuple[AsyncRun, ...]:
        """Starts a run for each input, all in one commit: one that is invalid prevents all. ``keys`` has a key for each."""
        started = await self._do(_requests.start_many(workflow, inputs, keys, options))
        return tuple(AsyncRun(self, *one) for one in started)

    async def execute(
        self, workflow: WorkflowOption | str, input: Any = None, **options: Unpack[StartOptions]
    ) -> Outcome:
        """Starts a run and waits until it ends. A run that fails is an outcome, not an exception."""
        run = await self.start(workflow, input, **options)
        return await run.outcome()

    # Runs

    def get(self, run_id: str) -> AsyncRun:
        """Returns a handle on a run without reading anything."""
        return AsyncRun(self, run_id_of(run_id), False)

    async def list(self, **options: Unpack[ListOptions]) -> RunPage:
        """Lists runs, newest first: ``workflow``, ``state``, ``tags``, ``key_prefix``, ``since``, ``limit``, ``cursor``, …"""
        return await self._do(_requests.list_runs(options))

    async def cancel(self, run_id: str, reason: str | None = None, *, compensate: bool = True) -> None:
        """The same as ``get(run_id).cancel(reason)``."""
        await self.get(run_id).cancel(reason, compensate=compensate)

    async def send(self, run_id: str, task: TaskName, payload: Any = None) -> bool:
        """The same as ``get(run_id).send(task, payload)``."""
        return await self.get(run_id).send(task, payload)

    async def explain(self, run_id: str) -> Explanation:
        """The same as ``get(run_id).explain()``."""
        return await self.get(run_id).explain()

    async def stranded(self) -> tuple[StrandedRun, ...]:
        """Lists the runs that no live runner can continue: at most 100 of each workflow and version."""
        return await self._do(_requests.stranded())

    async def blocked(self) -> tuple[BlockedTask, ...]:
        """Lists the tasks that wait for ``Run.resolve()``: at most 1,000, those of the oldest runs first."""
        return await self._do(_requests.blocked())

    async def limits(
        self, limit: str | None = None, *, lanes: int | None = None, permits: int | None = None
    ) -> tuple[LimitLane, ...]:
        """Lists the lanes of limits that have holders or waiters, those with the most waiters first."""
        return await self._do(_requests.limits(limit, lanes, permits))

    async def stats(self) -> Stats:
        """Returns counts of runs and operations."""
        return await self._do(_requests.stats())

    # Many runs

    async def cancel_many(
        self, *, reason: str | None = None, compensate: bool = True, **which: Unpack[ManyOptions]
    ) -> int:
        """Cancels all runs that match the filters, as ``Run.cancel()`` does; returns how many."""
        return await self._do(_requests.cancel_many(reason, compensate, which))

    async def pause_many(self, *, reason: str | None = None, **which: Unpack[ManyOptions]) -> int:
        """Pauses all runs that match and have not ended; returns how many. See ``cancel_many``."""
        return await self._do(_requests.pause_many(reason, which))

    async def resume_many(self, **which: Unpack[ManyOptions]) -> int:
        """Resumes all paused runs that match; returns how many. See ``cancel_many``."""
        return await self._do(_requests.resume_many(which))

    async def retry_many(self, **which: Unpack[ManyOptions]) -> int:
        """Retries all failed runs that match; returns how many. See ``cancel_many``."""
        return await self._do(_requests.retry_many(which))

    async def delete_many(self, **which: Unpack[ManyOptions]) -> int:
        """Deletes all runs that match and have ended; returns how many. See ``cancel_many``."""
        return await self._do(_requests.delete_many(which))

    async def tag_many(
        self, *, add: Sequence[str] = (), remove: Sequence[str] = (), **which: Unpack[ManyOptions]
    ) -> int:
        """Adds tags to all runs that match and removes others; returns how many were changed. See ``cancel_many``."""
        return await self._do(_requests.tag_many(add, remove, which))

    async def _do(self, request: Request[T], timeout: float | None = None) -> T:
        return request.convert(await self._session.wait_async(request, timeout))
