"""What Cloaca has and this module does not cover, with what to use instead."""

from __future__ import annotations

from ._errors import NotCoveredError

_GRAPHS = "computation graphs have no counterpart; use a workflow, which is durable"
_SECRETS = "read secrets from the environment, or wherever the program keeps them"

NAMES = {
    "ComputationGraphBuilder": _GRAPHS,
    "node": _GRAPHS,
    "reactor": _GRAPHS,
    "passthrough_accumulator": _GRAPHS,
    "stream_accumulator": _GRAPHS,
    "polling_accumulator": _GRAPHS,
    "batch_accumulator": _GRAPHS,
    "state_accumulator": _GRAPHS,
    "boundary_schema": _GRAPHS,
    "constructor": "write the task in Python",
    "workflow_params": "packages have no counterpart; put the parameters into the context",
    "workflow_secrets": _SECRETS,
    "TaskDecorator": "it is what task(…) returns, a function",
    "TriggerDecorator": "it is what trigger(…) returns, a function",
    "WorkflowParamsDecorator": "packages have no counterpart",
    "WorkflowSecretsDecorator": _SECRETS,
    "TaskNamespace": "the name of a task is its id",
    "WorkflowContext": "the name of a task is its id",
    "task(invokes=…)": _GRAPHS,
    "task(post_invocation=…)": _GRAPHS,
    "Context.secret": _SECRETS,
    "Context.secret_field": _SECRETS,
    "DefaultRunner.subscribe_workflow_to_reactor": _GRAPHS,
    "DefaultRunner.unsubscribe_workflow_from_reactor": _GRAPHS,
    "DefaultRunner.list_reactor_subscriptions": _GRAPHS,
}


def not_covered(name: str) -> NotCoveredError:
    """Returns the exception for one of these names."""
    return NotCoveredError(f"sluice.cloaca does not cover {name}: {NAMES[name]}")
