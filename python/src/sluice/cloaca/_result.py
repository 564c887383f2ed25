"""Results of workflows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from .._errors import RunCancelledError
from .._models import Outcome
from ._context import Context
from ._workflow import Workflow

_STATUS: Mapping[str, str] = {"completed": "Completed", "failed": "Failed", "cancelled": "Cancelled"}


@dataclass(frozen=True)
class WorkflowResult:
    """How the execution of a workflow ended."""

    status: str
    """``"Completed"``; ``"Failed"`` if a task has failed; ``"Cancelled"``."""
    workflow_name: str
    execution_id: str
    """The id of the run."""
    final_context: Context
    """The context after all tasks."""
    start_time: datetime | None
    end_time: datetime | None
    error_message: str | None
    """Why it has failed."""

    @property
    def duration(self) -> timedelta | None:
        """How long it took."""
        if self.start_time is None or self.end_time is None:
            return None
        return self.end_time - self.start_time

    def __repr__(self) -> str:
        return f"WorkflowResult(status={self.status}, error={self.error_message})"


def result_of(outcome: Outcome, workflow: Workflow, context: Context) -> WorkflowResult:
    """Returns the result for the outcome of a run."""
    error = outcome.error
    if error is None and outcome.status == "cancelled":
        error = RunCancelledError(f"It was cancelled: {outcome.reason}" if outcome.reason else "It was cancelled")
    return WorkflowResult(
        status=_STATUS[outcome.status],
        workflow_name=workflow.name,
        execution_id=outcome.run_id,
        final_context=Context(workflow.context_after(context.to_dict(), outcome.outputs)),
        start_time=outcome.started_at,
        end_time=outcome.ended_at,
        error_message=None if error is None else str(error),
    )
