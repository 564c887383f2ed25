"""Schedules and polls, read and controlled."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from . import _requests
from ._async_run import AsyncRun
from ._details import BackfillResult, ScheduleInfo, ScheduleTick
from ._duration import Time
from ._run import Run

if TYPE_CHECKING:
    from ._async_client import AsyncClient
    from ._client import Client


class Schedules:
    """The schedules and polls of a store, as ``client.schedules``. A runner registers its own when it opens.

    Every method but ``list`` raises UnknownScheduleError if the store has none of the name.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self) -> tuple[ScheduleInfo, ...]:
        """Returns all schedules and polls, in the order of their names."""
        return self._client._do(_requests.list_schedules())

    def get(self, name: str) -> ScheduleInfo:
        """Returns a schedule or poll."""
        return self._client._do(_requests.get_schedule(name))

    def pause(self, name: str) -> None:
        """Stops a schedule from starting runs, also in runners that open later. Runs that were started go on."""
        self._client._do(_requests.pause_schedule(name))

    def resume(self, name: str) -> None:
        """Lets a schedule tick again, from now on: ticks while it was paused start no runs."""
        self._client._do(_requests.resume_schedule(name))

    def trigger(self, name: str) -> Run:
        """Starts a run now, whatever runs already, also of a paused schedule. A function as ``input`` takes now as its tick.

        Raises TypeError if the input is a function of a schedule that this client or runner does not have, and for a poll.
        """
        return Run(self._client, *self._client._do(_requests.trigger_schedule(name)))

    def next(self, name: str, count: int = 1) -> tuple[datetime, ...]:
        """Returns the next ticks, also of a paused schedule. Without jitter."""
        return self._client._do(_requests.next_ticks(name, count))

    def history(self, name: str, limit: int = 50) -> tuple[ScheduleTick, ...]:
        """Returns past ticks, the latest first: those with a run, and of those without a run the latest twenty."""
        return self._client._do(_requests.schedule_history(name, limit))

    def backfill(self, name: str, from_: Time, to: Time) -> BackfillResult:
        """Starts a run for each tick of a past period, from ``from_`` and before ``to``, that has none.

        It may be repeated: no tick gets a second run. Neither ``overlap``, ``max_catch_up``, ``start_at`` nor ``jitter``
        applies. Raises TypeError, as ``trigger`` does.
        """
        return self._client._do(_requests.backfill(name, from_, to))


class AsyncSchedules:
    """The schedules and polls of a store, used from coroutines. See ``Schedules`` for its methods."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(self) -> tuple[ScheduleInfo, ...]:
        """Returns all schedules and polls, in the order of their names."""
        return await self._client._do(_requests.list_schedules())

    async def get(self, name: str) -> ScheduleInfo:
        """Returns a schedule or poll."""
        return await self._client._do(_requests.get_schedule(name))

    async def pause(self, name: str) -> None:
        """Stops a schedule from starting runs."""
        await self._client._do(_requests.pause_schedule(name))

    async def resume(self, name: str) -> None:
        """Lets a schedule tick again, from now on."""
        await self._client._do(_requests.resume_schedule(name))

    async def trigger(self, name: str) -> AsyncRun:
        """Starts a run now, whatever runs already."""
        return AsyncRun(self._client, *await self._client._do(_requests.trigger_schedule(name)))

    async def next(self, name: str, count: int = 1) -> tuple[datetime, ...]:
        """Returns the next ticks, also of a paused schedule."""
        return await self._client._do(_requests.next_ticks(name, count))

    async def history(self, name: str, limit: int = 50) -> tuple[ScheduleTick, ...]:
        """Returns past ticks, the latest first."""
        return await self._client._do(_requests.schedule_history(name, limit))

    async def backfill(self, name: str, from_: Time, to: Time) -> BackfillResult:
        """Starts a run for each tick of a past period that has none."""
        return await self._client._do(_requests.backfill(name, from_, to))
