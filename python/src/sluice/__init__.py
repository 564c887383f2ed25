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

from ._cancellation import Cancellation
from ._context import AsyncContext, Context, StartedRun, TaskLog
from ._definition import Task, Workflow, event, map, map_workflow, sleep, subworkflow, task, workflow
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
from ._models import Outcome, RunEvent, RunInfo, RunPage
from ._options import Limit, Retry
from ._process_pool import ProcessEndedError
from ._runner import AsyncRun, AsyncRunner, Run, Runner
from ._schedule import Schedule, schedule
from ._version import VERSION as __version__

__all__ = [
    "AsyncContext",
    "AsyncRun",
    "AsyncRunner",
    "Cancellation",
    "Context",
    "DeferError",
    "DefinitionError",
    "Duration",
    "EngineError",
    "EngineMissingError",
    "EngineProtocolError",
    "KeyConflictError",
    "LeaseLostError",
    "Limit",
    "LimitReachedError",
    "NonRetryableError",
    "Outcome",
    "PayloadError",
    "ProcessEndedError",
    "QueueFullError",
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
    "RunStateError",
    "RunTimeoutError",
    "Runner",
    "Schedule",
    "ShutdownError",
    "SluiceError",
    "StartedRun",
    "StepTimeoutError",
    "StoreError",
    "Task",
    "TaskError",
    "TaskLog",
    "TaskTimeoutError",
    "Time",
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
    "schedule",
    "sleep",
    "subworkflow",
    "task",
    "workflow",
]
