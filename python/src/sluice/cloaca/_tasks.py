"""Tasks: functions of a context."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import inspect
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .. import _context as bodies
from .._definition import Task as SluiceTask
from .._definition import task as sluice_task
from .._errors import DeferError, NonRetryableError, RetryAfterError, TaskTimeoutError
from .._functions import version_of
from ._context import Context, apply, changes
from ._errors import TaskValidationError, WorkflowError
from ._handle import TaskHandle, Waiting
from ._not_covered import not_covered
from ._registry import registry
from ._retry import RetryPolicy, policy_of
from ._rules import Rule, always, check_rule, is_met

F = TypeVar("F", bound=Callable[..., Any])
Dependency = Any
"""The id of a task, or its function."""

_logger = logging.getLogger("sluice.cloaca")


@dataclass(frozen=True)
class TaskDefinition:
    """A task as ``@task`` states it."""

    id: str
    function: Callable[..., Any]
    dependencies: tuple[Dependency, ...]
    policy: RetryPolicy
    rule: Rule
    on_success: Callable[..., Any] | None
    on_failure: Callable[..., Any] | None
    waiting: Waiting | None = field(default=None, compare=False)
    """For a task that takes a handle."""


current_tasks: contextvars.ContextVar[dict[str, TaskDefinition] | None] = contextvars.ContextVar("tasks", default=None)
"""The tasks of the workflow whose ``with`` statement is being executed by this thread."""


def task(
    *,
    id: str | None = None,
    dependencies: Sequence[Dependency] | None = None,
    retry: RetryPolicy | None = None,
    retry_attempts: int | None = None,
    retry_backoff: str | None = None,
    retry_delay_ms: int | None = None,
    retry_max_delay_ms: int | None = None,
    retry_condition: str | None = None,
    retry_jitter: bool | None = None,
    on_success: Callable[[str, Context], object] | None = None,
    on_failure: Callable[[str, str, Context], object] | None = None,
    invokes: object = None,
    post_invocation: object = None,
    trigger_rules: Rule | None = None,
) -> Callable[[F], F]:
    """Decorates a function or an ``async def`` that takes a ``Context``, changes it, and returns it or ``None``.

    Within ``with WorkflowBuilder(…)`` it becomes a task of that workflow; elsewhere ``add_task`` finds it by its id.

    - ``id``: by default the name of the function.
    - ``dependencies``: ids or functions of tasks that must have ended. Without ``trigger_rules`` the task then runs, however
      they have ended.
    - ``retry``: a policy, or the options ``retry_attempts`` (the total number, by default 3), ``retry_backoff``
      (``"exponential"``, ``"linear"``, ``"fixed"``), ``retry_delay_ms`` (1000), ``retry_max_delay_ms`` (60000),
      ``retry_condition`` (``"all"``, ``"transient"``, ``"never"``) and ``retry_jitter`` (True).
    - ``on_success(task_id, context)`` and ``on_failure(task_id, error, context)``: called after the last attempt. What they
      raise is logged.
    - ``trigger_rules``: a rule that says whether the task runs, or is skipped.

    The function is returned as it is. Raises TaskValidationError, which is a ValueError.
    """
    for name, value in (("invokes", invokes), ("post_invocation", post_invocation)):
        if value is not None:
            raise not_covered(f"task({name}=…)")
    policy = policy_of(
        {
            "retry": retry,
            "retry_attempts": retry_attempts,
            "retry_backoff": retry_backoff,
            "retry_delay_ms": retry_delay_ms,
            "retry_max_delay_ms": retry_max_delay_ms,
            "retry_condition": retry_condition,
            "retry_jitter": retry_jitter,
        }
    )

    def decorate(function: F) -> F:
        name = id if id is not None else getattr(function, "__name__", "")
        if not isinstance(name, str) or name == "":
            raise TaskValidationError(f"A task needs an id; {function!r} has none")
        definition = TaskDefinition(
            id=name,
            function=function,
            dependencies=tuple(dependencies or ()),
            policy=policy,
            rule=trigger_rules if trigger_rules is not None else always(),
            on_success=on_success,
            on_failure=on_failure,
            waiting=Waiting() if _takes_handle(function) else None,
        )
        tasks = current_tasks.get()
        (registry.tasks if tasks is None else tasks)[name] = definition
        return function

    return decorate


def _takes_handle(function: Callable[..., Any]) -> bool:
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return False
    return len(names) > 1 and names[1] in ("handle", "task_handle")


def resolve(tasks: Mapping[str, TaskDefinition]) -> dict[str, tuple[str, ...]]:
    """Returns the ids of the dependencies of each task. Raises WorkflowError for one that is no task of the workflow."""
    found: dict[str, tuple[str, ...]] = {}
    for definition in tasks.values():
        names: list[str] = []
        for dependency in definition.dependencies:
            name = _id_of(dependency, tasks)
            if name not in tasks:
                raise WorkflowError(f'task "{definition.id}" depends on "{name}", which is no task of its workflow')
            if name not in names:
                names.append(name)
        found[definition.id] = tuple(names)
    return found


def _id_of(dependency: Dependency, tasks: Mapping[str, TaskDefinition]) -> str:
    if isinstance(dependency, str):
        return dependency
    for name, definition in tasks.items():
        if definition.function is dependency:
            return name
    return str(getattr(dependency, "__name__", dependency))


def to_sluice(
    definition: TaskDefinition, dependencies: tuple[str, ...], ancestors: Sequence[str]
) -> SluiceTask[..., Any]:
    """Returns the task for the engine. ``ancestors`` are all that it depends on, in the order of their changes.

    Its output is what it did to its context, ``{"set": {…}, "removed": […]}``. So its context is the input of the run with the
    changes of its ancestors, of which the later win.
    """
    check_rule(definition.rule, dependencies, definition.id)
    return sluice_task(
        id=definition.id,
        after=dependencies,
        reads=[name for name in ancestors if name not in dependencies],
        on="settled",
        when=_condition(definition, ancestors) if definition.rule["type"] != "Always" else None,
        retry=definition.policy.for_tasks(),
        on_failure=_after_timeout(definition, ancestors) if definition.on_failure is not None else None,
        version=version_of_task(definition),
    )(_body(definition, ancestors))


def version_of_task(definition: TaskDefinition) -> str:
    """16 hex digits over the code of a task and its rule."""
    code = version_of((definition.function, definition.on_success, definition.on_failure))
    return hashlib.sha256(f"{code}{json.dumps(definition.rule, sort_keys=True)}".encode()).hexdigest()[:16]


def data_after(input: Any, outputs: Mapping[str, Any], ancestors: Sequence[str]) -> dict[str, Any]:
    """The values of the context after tasks, in the order of their changes."""
    data = dict(input or {})
    for name in ancestors:
        apply(data, outputs.get(name))
    return data


def _condition(definition: TaskDefinition, ancestors: Sequence[str]) -> Callable[..., bool]:
    def when(input: Any, outputs: Any, status: Any) -> bool:
        return is_met(definition.rule, status, data_after(input, outputs, ancestors))

    return when


def _after_timeout(definition: TaskDefinition, ancestors: Sequence[str]) -> Callable[..., None]:
    """Calls ``on_failure`` after a timeout; what a body raises is reported where its context is."""

    def on_failure(input: Any, outputs: Any, error: Exception) -> None:
        if isinstance(error, TaskTimeoutError):
            _tell(definition.on_failure, definition.id, str(error), Context(data_after(input, outputs, ancestors)))

    return on_failure


def _body(definition: TaskDefinition, ancestors: Sequence[str]) -> Callable[..., Any]:
    function, waiting = definition.function, definition.waiting
    is_async = inspect.iscoroutinefunction(inspect.unwrap(function))

    def run(ctx: bodies.Context, input: Any, outputs: Any) -> Any:
        data = data_after(input, outputs, ancestors)
        context = Context(data)
        if waiting is not None:
            context = waiting.context(ctx.run_id, context)
        try:
            if waiting is None:
                returned = function(context)
            else:
                returned = waiting.call(ctx.run_id, lambda handle: _call(function, context, handle), context)
            return _completed(definition, ctx, data, context, returned)
        except Exception as error:
            _failed(definition, ctx, context, error)
            raise

    async def run_async(ctx: bodies.AsyncContext, input: Any, outputs: Any) -> Any:
        data = data_after(input, outputs, ancestors)
        context = Context(data)
        try:
            return _completed(definition, ctx, data, context, await function(context))
        except Exception as error:
            _failed(definition, ctx, context, error)
            raise

    return run_async if is_async and waiting is None else run


def _call(function: Callable[..., Any], context: Context, handle: TaskHandle) -> Any:
    """Calls a body in a thread of its own, where it may block."""
    returned = function(context, handle)
    return asyncio.run(_awaited(returned)) if inspect.isawaitable(returned) else returned


async def _awaited(value: Any) -> Any:
    return await value


def _completed(
    definition: TaskDefinition, ctx: bodies._BaseContext, data: dict[str, Any], context: Context, returned: Any
) -> dict[str, Any]:
    result = context if returned is None else returned
    if not isinstance(result, Context):
        raise TypeError(f'Task "{definition.id}" must return its context or None, not {type(returned).__name__}')
    if not ctx.cancelled:
        _tell(definition.on_success, definition.id, Context(result.to_dict()))
    return changes(data, result)


def _failed(definition: TaskDefinition, ctx: bodies._BaseContext, context: Context, error: Exception) -> None:
    if ctx.cancelled or isinstance(error, DeferError):
        return
    if isinstance(error, RetryAfterError):
        is_last = ctx.attempt >= definition.policy.max_attempts
    else:
        is_last = isinstance(error, NonRetryableError) or not definition.policy.should_retry(ctx.attempt, error)
    if is_last:
        _tell(definition.on_failure, definition.id, f"{type(error).__name__}: {error}", context)


def _tell(callback: Callable[..., Any] | None, *args: Any) -> None:
    if callback is None:
        return
    try:
        returned = callback(*args)
        if inspect.isawaitable(returned):
            asyncio.run(_awaited(returned))
    except Exception:
        _logger.exception("A callback of task %r raised", args[0])
