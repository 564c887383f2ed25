"""Sluice: durable task pipelines, stored in SQLite or Postgres.

::

    from sluice import Runner, Workflow

    etl = Workflow("etl")

    @etl.task(retry=3)
    def extract(input):
        return [int(line) for line in input["lines"]]

    @etl.task(after=extract)
    async def total(extract):
        return sum(extract)

    etl.returns(total)

    if __name__ == "__main__":
        with Runner("sqlite://./app.db", workflows=[etl]) as runner:
            print(runner.execute(etl, {"lines": ["1", "2"]}).result)  # 3
"""

from ._async_client import AsyncClient
from ._async_run import AsyncRun
from ._cancellation import Cancellation
from ._client import Client
from ._context import AsyncContext, Context, StartedRun, TaskLog
from ._definition import Task, Workflow, event, map, map_workflow, sleep, subworkflow, task, workflow
from ._details import (
    BackfillResult,
    BlockedTask,
    ChildInfo,
    Explanation,
    HistoryEntry,
    ItemCounts,
    ItemInfo,
    ItemPage,
    LimitLane,
    LimitPermit,
    Progress,
    Reason,
    ScheduleCounts,
    ScheduleFailure,
    ScheduleInfo,
    ScheduleTick,
    Stats,
    StepInfo,
    StrandedRun,
    TaskInfo,
    TaskState,
    UndoInfo,
)
from ._duration import Duration, Time
from ._errors import (
    DeferError,
    DefinitionError,
    EngineError,
    EngineMissingError,
    EngineProtocolError,
    KeyConflictError,
    LeaseLostError,
    LimitReachedError,
    NonRetryableError,
    PayloadError,
    QueueFullError,
    RecoveryLimitError,
    RetryAfterError,
    RunCancelledError,
    RunFailedError,
    RunNotFoundError,
    RunStateError,
    RunTimeoutError,
    ShutdownError,
    SluiceError,
    StepTimeoutError,
    StoreError,
    TaskError,
    TaskTimeoutError,
    UnknownScheduleError,
    UnknownTaskError,
    UnknownWorkflowError,
    ValidationError,
    WaitTimeoutError,
)
from ._models import Outcome, RunEvent, RunInfo, RunPage, RunState
from ._options import Limit, Retry
from ._process_pool import ProcessEndedError
from ._run import Run
from ._runner import AsyncRunner, Runner
from ._schedule import Poll, PollStart, Schedule, poll, schedule
from ._schedules import AsyncSchedules, Schedules
from ._version import VERSION as __version__

__all__ = [
    "AsyncClient",
    "AsyncContext",
    "AsyncRun",
    "AsyncRunner",
    "AsyncSchedules",
    "BackfillResult",
    "BlockedTask",
    "Cancellation",
    "ChildInfo",
    "Client",
    "Context",
    "DeferError",
    "DefinitionError",
    "Duration",
    "EngineError",
    "EngineMissingError",
    "EngineProtocolError",
    "Explanation",
    "HistoryEntry",
    "ItemCounts",
    "ItemInfo",
    "ItemPage",
    "KeyConflictError",
    "LeaseLostError",
    "Limit",
    "LimitLane",
    "LimitPermit",
    "LimitReachedError",
    "NonRetryableError",
    "Outcome",
    "PayloadError",
    "Poll",
    "PollStart",
    "ProcessEndedError",
    "Progress",
    "QueueFullError",
    "Reason",
    "RecoveryLimitError",
    "Retry",
    "RetryAfterError",
    "Run",
    "RunCancelledError",
    "RunEvent",
    "RunFailedError",
    "RunInfo",
    "RunNotFoundError",
    "RunPage",
    "RunState",
    "RunStateError",
    "RunTimeoutError",
    "Runner",
    "Schedule",
    "ScheduleCounts",
    "ScheduleFailure",
    "ScheduleInfo",
    "ScheduleTick",
    "Schedules",
    "ShutdownError",
    "SluiceError",
    "StartedRun",
    "Stats",
    "StepInfo",
    "StepTimeoutError",
    "StoreError",
    "StrandedRun",
    "Task",
    "TaskError",
    "TaskInfo",
    "TaskLog",
    "TaskState",
    "TaskTimeoutError",
    "Time",
    "UndoInfo",
    "UnknownScheduleError",
    "UnknownTaskError",
    "UnknownWorkflowError",
    "ValidationError",
    "WaitTimeoutError",
    "Workflow",
    "__version__",
    "event",
    "map",
    "map_workflow",
    "poll",
    "schedule",
    "sleep",
    "subworkflow",
    "task",
    "workflow",
]
