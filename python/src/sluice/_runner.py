"""Runners and runs, for functions and for coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from . import _requests
from ._definition import WorkflowOption
from ._duration import Duration, to_ms
from ._errors import ShutdownError, SluiceError
from ._models import Outcome, RunEvent, RunInfo, RunPage, run_event
from ._options import RetryOption
from ._requests import Request
from ._schedule import Schedule
from ._session import Session
from ._settings import Settings
from ._start_options import ListOptions, StartOptions

if TYPE_CHECKING:  # type checkers have it, whatever is installed
    from typing_extensions import Unpack

T = TypeVar("T")

_DEFAULT_STOP = 10.0


class Runner:
    """Executes the runs of workflows, and starts, reads and controls runs.

    As a context manager it is used from functions, and blocks; as an async context manager it is an ``AsyncRunner``, used
    from coroutines, and bodies that are coroutines run on the same event loop::

        with Runner("sqlite://./app.db", workflows=[etl]) as runner:
            print(runner.execute(etl, {"lines": ["1"]}).result)

        async with Runner("postgres://localhost/app", workflows=[etl]) as runner:
            print((await runner.execute(etl, {"lines": ["1"]})).result)

    ``url`` is ``sqlite://./app.db``, ``sqlite:///abs/app.db``, ``sqlite::memory:`` or ``postgres://…``. The options:

    - ``workflows``: those that it executes. It never claims runs of others.
    - ``schedules``: those that start runs. A runner pauses the schedules that its program no longer has.
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

    def __init__(
        self,
        url: str,
        *,
        workflows: Sequence[WorkflowOption] = (),
        schedules: Sequence[Schedule] | None = None,
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
        self._settings = Settings(url, options)
        self._session: Session | None = None

    def __enter__(self) -> Runner:
        self._refuse_twice()
        self._session = Session.open(self._settings, None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> AsyncRunner:
        self._refuse_twice()
        loop = asyncio.get_running_loop()
        self._session = await _in_thread(lambda: Session.open(self._settings, loop))
        return AsyncRunner(self._session)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await _in_thread(lambda: session.close(_DEFAULT_STOP))

    def stop(self, timeout: Duration = _DEFAULT_STOP) -> None:
        """Claims nothing more, lets running bodies finish for at most ``timeout``, and hands back the remaining runs."""
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

    def start(self, workflow: WorkflowOption | str, input: Any = None, **options: Unpack[StartOptions]) -> Run:
        """Starts a run. It is durable when this returns.

        The options: ``key``, ``if_exists`` (``"return"``, ``"compare"`` or ``"reject"``), ``key_scope`` (``"ever"`` or
        ``"active"``), ``delay`` or ``start_at``, ``priority``, ``tags``, ``timeout``, ``debounce``.

        Raises PayloadError, UnknownWorkflowError, KeyConflictError, LimitReachedError, TypeError; EngineError if the engine
        ended and whether the run exists is not known, which a ``key`` prevents.
        """
        run_id, is_new = self._do(_requests.start(workflow, input, options))
        return Run(self, run_id, is_new)

    def execute(self, workflow: WorkflowOption | str, input: Any = None, **options: Unpack[StartOptions]) -> Outcome:
        """Starts a run and waits until it ends. A run that fails is an outcome, not an exception."""
        return self.start(workflow, input, **options).outcome()

    def get(self, run_id: str) -> Run:
        """Returns a handle on a run without reading anything."""
        return Run(self, _text(run_id), False)

    def list(self, **options: Unpack[ListOptions]) -> RunPage:
        """Lists runs, newest first: ``workflow``, ``state``, ``tags``, ``key_prefix``, ``since``, ``limit``, ``cursor``, …"""
        return self._do(_requests.list_runs(options))

    def cancel(self, run_id: str, reason: str | None = None, *, compensate: bool = True) -> None:
        """The same as ``get(run_id).cancel(reason)``."""
        self.get(run_id).cancel(reason, compensate=compensate)

    def send(self, run_id: str, task: str, payload: Any = None) -> bool:
        """The same as ``get(run_id).send(task, payload)``."""
        return self.get(run_id).send(task, payload)

    def _refuse_twice(self) -> None:
        if self._session is not None:
            raise SluiceError("The runner is open already", code="already_open")

    def _open(self) -> Session:
        if self._session is None:
            raise SluiceError("The runner is not open; use it in a with statement", code="shutdown")
        return self._session

    def _do(self, request: Request[T], timeout: float | None = None) -> T:
        return request.convert(self._open().wait(request, timeout))


class Run:
    """A run, seen from functions. Every method raises RunNotFoundError if it does not exist."""

    def __init__(self, runner: Runner, run_id: str, is_new: bool) -> None:
        self._runner = runner
        self.id = run_id
        self.is_new = is_new
        """Whether the call that returned this inserted the run: False for a run with the same key."""

    def __repr__(self) -> str:
        return f"<run {self.id}>"

    def status(self) -> RunInfo:
        """Reads the state of the run, with its input."""
        return self._runner._do(_requests.status(self.id))

    def outcome(self, timeout: Duration | None = None) -> Outcome:
        """Waits until the run ends and returns how. Raises WaitTimeoutError; the run continues."""
        return self._runner._do(_requests.outcome(self.id), _seconds(timeout))

    def result(self, timeout: Duration | None = None) -> Any:
        """Waits until the run ends and returns its result. Raises RunFailedError, RunCancelledError, WaitTimeoutError."""
        return self.outcome(timeout).result

    def cancel(self, reason: str | None = None, *, compensate: bool = True) -> None:
        """Cancels the run; returns when the request is durable. Completed tasks with an undo are undone."""
        self._runner._do(_requests.cancel(self.id, reason, compensate))

    def pause(self, reason: str | None = None) -> None:
        """Pauses the run: running bodies finish, and nothing starts until ``resume()``."""
        self._runner._do(_requests.pause(self.id, reason))

    def resume(self) -> None:
        """Resumes a paused run."""
        self._runner._do(_requests.resume(self.id))

    def retry(self) -> None:
        """Runs the failed tasks of a failed run again, and what depends on them."""
        self._runner._do(_requests.retry(self.id))

    def delete(self) -> None:
        """Deletes a run that has ended."""
        self._runner._do(_requests.delete(self.id))

    def send(self, task: str, payload: Any = None) -> bool:
        """Sends a message to an event task; returns whether it was accepted: only the first is."""
        return self._runner._do(_requests.send(self.id, task, payload))

    def events(self) -> Iterator[RunEvent]:
        """Yields past and future events of the run, until the run ends or the runner is stopped."""
        session = self._runner._open()
        stream = self._runner._do(_requests.open_events(self.id))
        try:
            while True:
                rows, is_done = self._runner._do(_requests.next_events(stream))
                for row in rows:
                    yield run_event(row)
                if is_done:
                    return
        except ShutdownError:
            return
        finally:
            session.forget(_requests.close_events(stream))


class AsyncRunner:
    """A runner, used from coroutines: what ``async with Runner(…)`` returns. See ``Runner`` for its methods."""

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

    async def start(
        self, workflow: WorkflowOption | str, input: Any = None, **options: Unpack[StartOptions]
    ) -> AsyncRun:
        """Starts a run. It is durable when this returns."""
        run_id, is_new = await self._do(_requests.start(workflow, input, options))
        return AsyncRun(self, run_id, is_new)

    async def execute(
        self, workflow: WorkflowOption | str, input: Any = None, **options: Unpack[StartOptions]
    ) -> Outcome:
        """Starts a run and waits until it ends. A run that fails is an outcome, not an exception."""
        run = await self.start(workflow, input, **options)
        return await run.outcome()

    def get(self, run_id: str) -> AsyncRun:
        """Returns a handle on a run without reading anything."""
        return AsyncRun(self, _text(run_id), False)

    async def list(self, **options: Unpack[ListOptions]) -> RunPage:
        """Lists runs, newest first."""
        return await self._do(_requests.list_runs(options))

    async def cancel(self, run_id: str, reason: str | None = None, *, compensate: bool = True) -> None:
        """The same as ``get(run_id).cancel(reason)``."""
        await self.get(run_id).cancel(reason, compensate=compensate)

    async def send(self, run_id: str, task: str, payload: Any = None) -> bool:
        """The same as ``get(run_id).send(task, payload)``."""
        return await self.get(run_id).send(task, payload)

    async def _do(self, request: Request[T], timeout: float | None = None) -> T:
        return request.convert(await self._session.wait_async(request, timeout))


class AsyncRun:
    """A run, seen from coroutines. See ``Run`` for its methods."""

    def __init__(self, runner: AsyncRunner, run_id: str, is_new: bool) -> None:
        self._runner = runner
        self.id = run_id
        self.is_new = is_new
        """Whether the call that returned this inserted the run: False for a run with the same key."""

    def __repr__(self) -> str:
        return f"<run {self.id}>"

    async def status(self) -> RunInfo:
        """Reads the state of the run, with its input."""
        return await self._runner._do(_requests.status(self.id))

    async def outcome(self, timeout: Duration | None = None) -> Outcome:
        """Waits until the run ends and returns how. Raises WaitTimeoutError; the run continues."""
        return await self._runner._do(_requests.outcome(self.id), _seconds(timeout))

    async def result(self, timeout: Duration | None = None) -> Any:
        """Waits until the run ends and returns its result. Raises RunFailedError, RunCancelledError, WaitTimeoutError."""
        return (await self.outcome(timeout)).result

    async def cancel(self, reason: str | None = None, *, compensate: bool = True) -> None:
        """Cancels the run; returns when the request is durable."""
        await self._runner._do(_requests.cancel(self.id, reason, compensate))

    async def pause(self, reason: str | None = None) -> None:
        """Pauses the run."""
        await self._runner._do(_requests.pause(self.id, reason))

    async def resume(self) -> None:
        """Resumes a paused run."""
        await self._runner._do(_requests.resume(self.id))

    async def retry(self) -> None:
        """Runs the failed tasks of a failed run again, and what depends on them."""
        await self._runner._do(_requests.retry(self.id))

    async def delete(self) -> None:
        """Deletes a run that has ended."""
        await self._runner._do(_requests.delete(self.id))

    async def send(self, task: str, payload: Any = None) -> bool:
        """Sends a message to an event task; returns whether it was accepted: only the first is."""
        return await self._runner._do(_requests.send(self.id, task, payload))

    async def events(self) -> AsyncIterator[RunEvent]:
        """Yields past and future events of the run, until the run ends or the runner is stopped."""
        session = self._runner._session
        stream = await self._runner._do(_requests.open_events(self.id))
        try:
            while True:
                rows, is_done = await self._runner._do(_requests.next_events(stream))
                for row in rows:
                    yield run_event(row)
                if is_done:
                    return
        except ShutdownError:
            return
        finally:
            session.forget(_requests.close_events(stream))


async def _in_thread(work: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(work)


def _seconds(timeout: Duration | None) -> float | None:
    return None if timeout is None else to_ms(timeout, "timeout") / 1_000


def _text(run_id: object) -> str:
    if isinstance(run_id, str):
        return run_id
    raise TypeError(f"The id of a run must be text, not {run_id!r}")
