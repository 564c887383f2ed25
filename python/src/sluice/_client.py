"""Clients, used from functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from . import _requests
from ._async_client import AsyncClient
from ._definition import TaskName, WorkflowOption
from ._details import BlockedTask, Explanation, LimitLane, Stats, StrandedRun
from ._duration import Duration, to_ms
from ._errors import SluiceError
from ._models import Outcome, RunPage
from ._requests import Request
from ._run import Run, run_id_of
from ._schedule import Poll, Schedule
from ._schedules import Schedules
from ._session import Session
from ._settings import Role, Settings
from ._start_options import ListOptions, ManyOptions, StartManyOptions, StartOptions

if TYPE_CHECKING:  # type checkers have it, whatever is installed
    from typing_extensions import Self, Unpack

T = TypeVar("T")

_DEFAULT_STOP = 10.0


class Client:
    """Starts, reads and controls runs without executing any: runners on the same store do that.

    As a context manager it is used from functions, and blocks; as an async context manager it is an ``AsyncClient``, used
    from coroutines::

        with Client("postgres://localhost/app", workflows=[etl]) as client:
            print(client.start(etl, {"lines": ["1"]}, key="2026-11-23").id)

        async with Client("sqlite://./app.db") as client:
            print((await client.list(state="failed")).runs)

    ``url`` is ``sqlite://./app.db``, ``sqlite:///abs/app.db`` or ``postgres://…``. The options:

    - ``workflows``: those that it starts runs of, whose inputs it validates. Others are read and controlled, too.
    - ``schedules``: those whose input is a function, which ``schedules.trigger`` and ``schedules.backfill`` call.
    - ``schema`` (Postgres, by default ``"sluice"``), ``password`` (Postgres), ``durability`` (SQLite: ``"power"``, the
      default, or ``"process"``), ``max_payload_bytes``.
    - ``on_crash``: called with an ``EngineError`` after the engine, a child process, ended unexpectedly. It is started again
      by itself.
    - ``start_timeout``: how long the engine may take to open the store.

    Raises StoreError, DefinitionError, EngineMissingError and EngineProtocolError when it is entered.
    """

    _role: Role = "client"

    def __init__(
        self,
        url: str,
        *,
        workflows: Sequence[WorkflowOption] = (),
        schedules: Sequence[Schedule | Poll] | None = None,
        schema: str | None = None,
        password: str | None = None,
        durability: str | None = None,
        max_payload_bytes: int | None = None,
        on_crash: Callable[[SluiceError], object] | None = None,
        start_timeout: Duration = 60,
    ) -> None:
        options = {name: value for name, value in locals().items() if name not in ("self", "url")}
        self._create(url, options)

    def _create(self, url: str, options: Mapping[str, Any]) -> None:
        self._settings = Settings(self._role, url, options)
        self._session: Session | None = None

    def __enter__(self) -> Self:
        self._refuse_twice()
        self._session = Session.open(self._settings, None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> AsyncClient:
        return AsyncClient(await self._open_async())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await asyncio.to_thread(session.close, _DEFAULT_STOP)

    def stop(self, timeout: Duration = _DEFAULT_STOP) -> None:
        """Ends calls that wait, with a ShutdownError, and closes the store.

        A runner claims nothing more, lets running bodies finish for at most ``timeout``, and hands back the remaining runs.
        """
        if self._session is not None:
            session, self._session = self._session, None
            session.close(to_ms(timeout, "timeout") / 1_000)

    @property
    def engine_pid(self) -> int:
        """The process id of the engine."""
        return self._open().pid

    @property
    def engine_crashes(self) -> int:
        """How often the engine has ended unexpectedly and was started again."""
        return self._open().crashes

    @property
    def schedules(self) -> Schedules:
        """Reads and controls the schedules and polls of the store."""
        return Schedules(self)

    # Starts

    def start(self, workflow: WorkflowOption | str, input: Any = None, **options: Unpack[StartOptions]) -> Run:
        """Starts a run. It is durable when this returns.

        The options: ``key``, ``if_exists`` (``"return"``, ``"compare"`` or ``"reject"``), ``key_scope`` (``"ever"`` or
        ``"active"``), ``delay`` or ``start_at``, ``priority``, ``tags``, ``timeout``, ``debounce``.

        Raises PayloadError, UnknownWorkflowError, ValidationError, KeyConflictError, LimitReachedError, TypeError;
        EngineError if the engine ended and whether the run exists is not known, which a ``key`` prevents.
        """
        return Run(self, *self._do(_requests.start(workflow, input, options)))

    def start_many(
        self,
        workflow: WorkflowOption | str,
        inputs: Sequence[Any],
        *,
        keys: Sequence[str] | None = None,
        **options: Unpack[StartManyOptions],
    ) -> tuple[Run, ...]:
        """Starts a run for each input, all in one commit: one that is invalid prevents all. ``keys`` has a key for each."""
        started = self._do(_requests.start_many(workflow, inputs, keys, options))
        return tuple(Run(self, *one) for one in started)

    def execute(self, workflow: WorkflowOption | str, input: Any = None, **options: Unpack[StartOptions]) -> Outcome:
        """Starts a run and waits until it ends. A run that fails is an outcome, not an exception."""
        return self.start(workflow, input, **options).outcome()

    # Runs

    def get(self, run_id: str) -> Run:
        """Returns a handle on a run without reading anything."""
        return Run(self, run_id_of(run_id), False)

    def list(self, **options: Unpack[ListOptions]) -> RunPage:
        """Lists runs, newest first: ``workflow``, ``state``, ``tags``, ``key_prefix``, ``since``, ``limit``, ``cursor``, …"""
        return self._do(_requests.list_runs(options))

    def cancel(self, run_id: str, reason: str | None = None, *, compensate: bool = True) -> None:
        """The same as ``get(run_id).cancel(reason)``."""
        self.get(run_id).cancel(reason, compensate=compensate)

    def send(self, run_id: str, task: TaskName, payload: Any = None) -> bool:
        """The same as ``get(run_id).send(task, payload)``."""
        return self.get(run_id).send(task, payload)

    def explain(self, run_id: str) -> Explanation:
        """The same as ``get(run_id).explain()``."""
        return self.get(run_id).explain()

    def stranded(self) -> tuple[StrandedRun, ...]:
        """Lists the runs that no live runner can continue: at most 100 of each workflow and version."""
        return self._do(_requests.stranded())

    def blocked(self) -> tuple[BlockedTask, ...]:
        """Lists the tasks that wait for ``Run.resolve()``: at most 1,000, those of the oldest runs first."""
        return self._do(_requests.blocked())

    def limits(
        self, limit: str | None = None, *, lanes: int | None = None, permits: int | None = None
    ) -> tuple[LimitLane, ...]:
        """Lists the lanes of limits that have holders or waiters, those with the most waiters first.

        ``lanes`` (by default 100) bounds the lanes, ``permits`` (by default 10) the holders and the waiters of each.
        """
        return self._do(_requests.limits(limit, lanes, permits))

    def stats(self) -> Stats:
        """Returns counts of runs and operations."""
        return self._do(_requests.stats())

    # Many runs

    def cancel_many(self, *, reason: str | None = None, compensate: bool = True, **which: Unpack[ManyOptions]) -> int:
        """Cancels all runs that match the filters, as ``Run.cancel()`` does; returns how many.

        As for every operation on many runs: the filters are those of ``list``, of which at least one is stated, or
        ``all=True`` for all runs; with ``dry_run=True`` nothing is changed, and the result is how many runs match. The runs
        are changed in batches, each in a short transaction, so the call may be repeated: it then changes those that are left.
        """
        return self._do(_requests.cancel_many(reason, compensate, which))

    def pause_many(self, *, reason: str | None = None, **which: Unpack[ManyOptions]) -> int:
        """Pauses all runs that match and have not ended; returns how many. See ``cancel_many``."""
        return self._do(_requests.pause_many(reason, which))

    def resume_many(self, **which: Unpack[ManyOptions]) -> int:
        """Resumes all paused runs that match; returns how many. See ``cancel_many``."""
        return self._do(_requests.resume_many(which))

    def retry_many(self, **which: Unpack[ManyOptions]) -> int:
        """Retries all failed runs that match; returns how many. See ``cancel_many``."""
        return self._do(_requests.retry_many(which))

    def delete_many(self, **which: Unpack[ManyOptions]) -> int:
        """Deletes all runs that match and have ended; returns how many. See ``cancel_many``."""
        return self._do(_requests.delete_many(which))

    def tag_many(self, *, add: Sequence[str] = (), remove: Sequence[str] = (), **which: Unpack[ManyOptions]) -> int:
        """Adds tags to all runs that match and removes others; returns how many were changed. See ``cancel_many``."""
        return self._do(_requests.tag_many(add, remove, which))

    # The session

    async def _open_async(self) -> Session:
        self._refuse_twice()
        loop = asyncio.get_running_loop()
        session = self._session = await asyncio.to_thread(Session.open, self._settings, loop)
        return session

    def _refuse_twice(self) -> None:
        if self._session is not None:
            raise SluiceError(f"The {self._role} is open already", code="already_open")

    def _open(self) -> Session:
        if self._session is None:
            raise SluiceError(f"The {self._role} is not open; use it in a with statement", code="shutdown")
        return self._session

    def _do(self, request: Request[T], timeout: float | None = None) -> T:
        return request.convert(self._open().wait(request, timeout))
