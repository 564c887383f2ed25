"""Runners."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ._async_client import AsyncClient
from ._client import Client
from ._definition import WorkflowOption
from ._duration import Duration
from ._errors import SluiceError
from ._models import RunEvent
from ._options import RetryOption
from ._schedule import Poll, Schedule


class Runner(Client):
    """A ``Client`` that executes the runs of its workflows.

    As a context manager it is used from functions, and blocks; as an async context manager it is an ``AsyncRunner``, used
    from coroutines, and bodies that are coroutines run on the same event loop::

        with Runner("sqlite://./app.db", workflows=[etl]) as runner:
            print(runner.execute(etl, {"lines": ["1"]}).result)

        async with Runner("postgres://localhost/app", workflows=[etl]) as runner:
            print((await runner.execute(etl, {"lines": ["1"]})).result)

    ``url`` is ``sqlite://./app.db``, ``sqlite:///abs/app.db``, ``sqlite::memory:`` or ``postgres://…``. The options:

    - ``workflows``: those that it executes. It never claims runs of others.
    - ``schedules``: schedules and polls that start runs. A runner pauses those that its program no longer has.
    - ``schema`` (Postgres, by default ``"sluice"``), ``password`` (Postgres), ``durability`` (SQLite: ``"power"``, the
      default, or ``"process"``).
    - ``concurrency``: bodies at once, by default 64. ``max_runs``: runs in memory, by default 1,000.
    - ``retry``, ``timeout``: what applies to tasks that state none.
    - ``lease``: how long the runner is believed alive without a sign of life, by default 30 seconds.
    - ``retention``: how long runs are kept after their end, or a dict of such durations by final state.
    - ``max_payload_bytes``, ``on_version_change`` (``"resume"`` or ``"pin"``), ``recovery_limit``.
    - ``on_event``: called with each ``RunEvent`` of this runner. ``on_crash``: called with an ``EngineError`` after the
      engine, a child process, ended unexpectedly. It is started again by itself.
    - ``start_timeout``: how long the engine may take to open the store.

    Raises StoreError, DefinitionError, EngineMissingError and EngineProtocolError when it is entered.
    """

    _role = "runner"

    def __init__(
        self,
        url: str,
        *,
        workflows: Sequence[WorkflowOption] = (),
        schedules: Sequence[Schedule | Poll] | None = None,
        schema: str | None = None,
        password: str | None = None,
        durability: str | None = None,
        concurrency: int | None = None,
        max_runs: int | None = None,
        retry: RetryOption | None = None,
        timeout: Duration | None = None,
        lease: Duration | None = None,
        retention: Duration | dict[str, Duration] | None = None,
        max_payload_bytes: int | None = None,
        on_version_change: str | None = None,
        recovery_limit: int | None = None,
        on_event: Callable[[RunEvent], object] | None = None,
        on_crash: Callable[[SluiceError], object] | None = None,
        start_timeout: Duration = 60,
    ) -> None:
        options = {name: value for name, value in locals().items() if name not in ("self", "url")}
        self._create(url, options)

    async def __aenter__(self) -> AsyncRunner:
        return AsyncRunner(await self._open_async())


class AsyncRunner(AsyncClient):
    """A runner, used from coroutines: what ``async with Runner(…)`` returns. See ``Runner`` for its methods."""
