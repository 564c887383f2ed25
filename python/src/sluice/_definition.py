"""Tasks and workflows."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, Union, overload

from ._checks import Checks, did_you_mean
from ._duration import Duration, Time, shown
from ._errors import DefinitionError
from ._functions import Function, read_function, read_validator, version_of
from ._options import Limit, Retry, RetryOption, read_limits, read_retry
from ._path import path_of

P = ParamSpec("P")
R = TypeVar("R")

TRIGGERS = {
    "success": "success",
    "all_succeeded": "allSucceeded",
    "settled": "settled",
    "any_succeeded": "anySucceeded",
    "any_failed": "anyFailed",
    "all_failed": "allFailed",
}
GUARANTEES = {"at_least_once": "atLeastOnce", "at_most_once": "atMostOnce"}
ON_ITEM_FAILURE = {"stop": "stop", "finish": "finish", "collect": "collect"}
WHEN_FULL = {"wait": "wait", "reject": "reject", "replace": "replace"}

ARGUMENTS = ("input", "outputs", "status")
"""What every function of a task can take besides the outputs of its dependencies."""
RESERVED = ("input", "outputs", "ctx", "status", "item", "index", "output", "error", "tx")
"""Names that no task can have, as arguments have them."""

_ID = re.compile(r"\S(?:.{0,198}\S)?")

TaskName = Union[str, "Task[..., Any]"]
"""A task, or its id."""
Tasks = Union[TaskName, Sequence[TaskName]]
"""One task or several, each by its id or as the object that a decorator returned."""
WorkflowOption = Union["Workflow", type]
"""A workflow. Type checkers that ignore what a decorator makes of a class, as mypy does, see a class."""
AnyFunction = Callable[..., Any]
Validator = Callable[[Any], Any]
"""A function that returns the value to store, or raises; or a class of pydantic."""


class Task(Generic[P, R]):
    """A task of a workflow: what ``@task`` and the other decorators return. Calling it calls its function."""

    def __init__(self, kind: str, what: str, fn: Callable[P, R] | None, options: Mapping[str, Any]) -> None:
        self._kind = kind
        self._label = what
        self._fn = fn
        self._options = dict(options)
        self._undo: AnyFunction | None = options.get("undo")
        stated = options.get("id")
        self._id: str | None = stated if stated is not None else getattr(fn, "__name__", None)
        if self._id == "<lambda>":
            self._id = None
        self.__doc__ = getattr(fn, "__doc__", None)
        self.__name__ = self._id or what
        self.__wrapped__ = fn
        if fn is not None:
            self.__module__ = getattr(fn, "__module__", "")
            self.__qualname__ = getattr(fn, "__qualname__", "")

    @property
    def id(self) -> str:
        """The id: that of the option ``id``, or the name of the function."""
        return self._id or ""

    @property
    def kind(self) -> str:
        """``"task"``, ``"map"``, ``"subworkflow"``, ``"event"`` or ``"sleep"``."""
        return self._kind

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if self._fn is None:
            raise TypeError(f"{self._label} {self.id!r} has no body that could be called")
        return self._fn(*args, **kwargs)

    def __set_name__(self, owner: type, name: str) -> None:
        if self._id is None:
            self._id = name

    def __repr__(self) -> str:
        return f"<{self._label} {self.id!r}>"

    def undo(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Decorates the function that reverts what the body did, after the run has failed or was cancelled.

        It takes what the body takes, and ``output``.
        """
        if self._kind not in ("task", "map"):
            raise TypeError(f"{self._label} {self.id!r} cannot have an undo")
        if self._undo is not None:
            raise TypeError(f"{self._label} {self.id!r} has an undo already")
        self._undo = fn
        return fn


class TaskSpec:
    """A task of a finished workflow, checked, with the names of all that it refers to."""

    __slots__ = ("after", "functions", "id", "in_process", "kind", "limits", "options", "reads", "retry", "version")

    def __init__(self, task: Task[..., Any], ids: Mapping[int, str], checks: Checks) -> None:
        options = task._options
        self.id = task.id
        self.kind = task.kind
        what = f'task "{self.id}"'
        self.after = _names(options.get("after"), f"{what}: after", ids, checks)
        self.reads = _names(options.get("reads"), f"{what}: reads", ids, checks)
        self.version = checks.text(options.get("version"), f"{what}: version")
        self.limits = read_limits(options.get("limits", ()), f"{what}: limits", checks)
        self.in_process = checks.flag(options.get("process", False), f"{what}: process")
        policy, self.retry = read_retry(options.get("retry"), f"{what}: retry", checks)
        self.options = _common(options, what, checks)
        if policy is not None:
            self.options["retry"] = policy
        self.functions: dict[str, Function] = {}
        self._read_functions(task, what, set(ids.values()), checks)
        if self.in_process:
            for name in ("run", "undo"):
                if name in self.functions:
                    _check_place(self.functions[name].call, f"{what}: {name}", checks)

    def _read_functions(self, task: Task[..., Any], what: str, known: set[str], checks: Checks) -> None:
        options = task._options
        outputs = [*self.after, *self.reads]
        of_item = ("item", "index") if self.kind == "map" else ()
        body = (*ARGUMENTS, "ctx", *of_item)

        def add(name: str, fn: Any, reserved: Iterable[str]) -> None:
            if fn is None:
                return
            if not callable(fn):
                checks.report(f"{what}: {name} must be a function, not {shown(fn)}")
                return
            where = f"{what}: {name}"
            found = read_function(fn, where, outputs=outputs, reserved=reserved, ids=known, checks=checks)
            self.functions[name] = found

        if self.kind in ("task", "map"):
            add("run", task._fn, body)
            add("undo", task._undo, (*body, "output"))
            add("on_success", options.get("on_success"), (*body, "output"))
            add("on_failure", options.get("on_failure"), (*body, "error"))
        add("when", options.get("when"), ARGUMENTS)
        add("over", options.get("over"), ARGUMENTS)
        if options.get("schema") is not None:
            self.functions["validate"] = read_validator(options["schema"], f"{what}: schema", checks)
        add("input", options.get("input"), (*ARGUMENTS, *of_item))
        for name in ("key", "for", "until"):
            value = options.get(name)
            if callable(value):
                add(name, value, ARGUMENTS)
        for at, limit in enumerate(self.limits):
            for name in ("key", "weight"):
                value = getattr(limit, name)
                if callable(value):
                    add(f"limits[{at}].{name}", value, (*ARGUMENTS, *of_item))

    def code_version(self) -> str:
        """The stated version, or that of its functions."""
        if self.version is not None:
            return self.version
        condition = self.retry.retry_if if self.retry is not None else None
        functions = [self.functions[name].call for name in sorted(self.functions)]
        if callable(condition):
            functions.append(condition)
        return version_of(functions)


def _common(options: Mapping[str, Any], what: str, checks: Checks) -> dict[str, Any]:
    """The options without functions, as the engine takes them. Durations are milliseconds."""
    read: dict[str, Any] = {}

    def put(name: str, value: Any) -> None:
        if value is not None:
            read[name] = value

    put("on", checks.word(options.get("on"), f"{what}: on", TRIGGERS))
    put("timeout", checks.duration(options.get("timeout"), f"{what}: timeout"))
    put("guarantee", checks.word(options.get("guarantee"), f"{what}: guarantee", GUARANTEES))
    put("concurrency", checks.count(options.get("concurrency"), f"{what}: concurrency", 10_000))
    put("onItemFailure", checks.word(options.get("on_item_failure"), f"{what}: on_item_failure", ON_ITEM_FAILURE))
    put("priority", checks.count(options.get("priority"), f"{what}: priority", 32_767, -32_768))
    if options.get("tags") is not None:
        read["tags"] = checks.texts(options["tags"], f"{what}: tags")
    if not callable(options.get("key")):
        put("key", checks.text(options.get("key"), f"{what}: key", 500))
    if not callable(options.get("for")):
        put("for", checks.duration(options.get("for"), f"{what}: for_"))
    if not callable(options.get("until")):
        put("until", checks.time(options.get("until"), f"{what}: until"))
    if options.get("workflow") is not None:
        put("workflow", _child(options["workflow"], what, checks))
    return read


def _child(value: object, what: str, checks: Checks) -> Any:
    if isinstance(value, (Workflow, str)) or callable(value):
        return value
    checks.report(f"{what}: workflow must be a workflow, its name or a function that returns it, not {shown(value)}")
    return None


def _names(value: object, what: str, ids: Mapping[int, str], checks: Checks) -> tuple[str, ...]:
    if value is None:
        return ()
    items = value if isinstance(value, (list, tuple)) else [value]
    names: list[str] = []
    known = set(ids.values())
    for item in items:
        name = ids.get(id(item), item.id) if isinstance(item, Task) else item
        if not isinstance(name, str):
            checks.report(f"{what} must be tasks or their ids, not {shown(item)}")
        elif name not in known:
            checks.report(f'{what}: there is no task "{name}" in this workflow{did_you_mean(name, known)}')
        elif name not in names:
            names.append(name)
    return tuple(names)


def _check_place(fn: AnyFunction, what: str, checks: Checks) -> None:
    """A worker process imports the function by its name."""
    qualname = getattr(fn, "__qualname__", "")
    if "<" in qualname or not qualname:
        checks.report(f"{what} runs in a process, which imports it: define it at the top level of a module")
    elif getattr(fn, "__module__", "") == "__main__" and not getattr(sys.modules["__main__"], "__file__", None):
        checks.report(f"{what} runs in a process, which imports it: define it in a file")


class Workflow:
    """A named graph of tasks. Add tasks with its methods, or pass them as ``tasks``; a runner takes it as it then is.

    ::

        etl = Workflow("etl")

        @etl.task(retry=3)
        def extract(input):
            return [int(line) for line in input["lines"]]

        @etl.task(after=extract)
        def total(extract):
            return sum(extract)

        etl.returns(total)

    ``input`` validates the input of each run: a function that returns the value to store or raises, or a class of pydantic.
    ``limits`` bound its runs, and ``when_full`` says what a start does then: ``"wait"`` (the default), ``"reject"`` or
    ``"replace"``. ``version`` replaces the code in the content version.
    """

    def __init__(
        self,
        name: str,
        *,
        tasks: Iterable[Task[..., Any]] = (),
        returns: TaskName | None = None,
        description: str | None = None,
        input: Validator | None = None,
        tags: Sequence[str] = (),
        timeout: Duration | None = None,
        limits: Sequence[Limit] = (),
        when_full: str | None = None,
        version: str | None = None,
    ) -> None:
        self.name = name
        self._tasks: list[Task[..., Any]] = []
        self._returns: TaskName | None = returns
        self._stated: dict[str, Any] = {
            "description": description,
            "input": input,
            "tags": tags,
            "timeout": timeout,
            "limits": limits,
            "when_full": when_full,
            "version": version,
        }
        self._spec: WorkflowSpec | None = None
        for task in tasks:
            self.add(task)

    def __repr__(self) -> str:
        return f"<workflow {self.name!r} of {len(self._tasks)} tasks>"

    def __getitem__(self, task_id: str) -> Task[..., Any]:
        for task in self._tasks:
            if task.id == task_id:
                return task
        raise KeyError(task_id)

    def __iter__(self) -> Iterator[Task[..., Any]]:
        return iter(self._tasks)

    def add(self, task: Task[P, R]) -> Task[P, R]:
        """Adds a task that ``sluice.task`` or one of the other functions made. Returns it."""
        if not isinstance(task, Task):
            raise TypeError(
                f"Cannot add to workflow {self.name!r}: {shown(task)} is not a task; decorate it with @task"
            )
        if self._spec is not None:
            raise DefinitionError(f"Cannot add to workflow {self.name!r}: a runner uses it already")
        self._tasks.append(task)
        return task

    def returns(self, task: TaskName) -> None:
        """Chooses the task whose output is the result. Without it the result is all outputs by id."""
        self._returns = task

    @overload
    def task(self, fn: Callable[P, R], /) -> Task[P, R]: ...
    @overload
    def task(
        self,
        *,
        id: str | None = None,
        after: Tasks = (),
        reads: Tasks = (),
        on: str | None = None,
        when: AnyFunction | None = None,
        retry: RetryOption | None = None,
        timeout: Duration | None = None,
        limits: Sequence[Limit] = (),
        guarantee: str | None = None,
        undo: AnyFunction | None = None,
        on_success: AnyFunction | None = None,
        on_failure: AnyFunction | None = None,
        process: bool = False,
        version: str | None = None,
    ) -> Callable[[Callable[P, R]], Task[P, R]]: ...
    def task(self, fn: Any = None, /, **options: Any) -> Any:  # type: ignore[misc]
        """The decorator ``sluice.task``, which also adds the task."""
        return self._adding(task(fn, **options) if fn is not None else task(**options))

    def map(
        self,
        over: AnyFunction,
        *,
        id: str | None = None,
        after: Tasks = (),
        reads: Tasks = (),
        on: str | None = None,
        when: AnyFunction | None = None,
        concurrency: int | None = None,
        on_item_failure: str | None = None,
        retry: RetryOption | None = None,
        timeout: Duration | None = None,
        limits: Sequence[Limit] = (),
        guarantee: str | None = None,
        undo: AnyFunction | None = None,
        process: bool = False,
        version: str | None = None,
    ) -> Callable[[Callable[P, R]], Task[P, list[R]]]:
        """The decorator ``sluice.map``, which also adds the task."""
        options = {name: value for name, value in locals().items() if name != "self"}
        decorate: Callable[[Callable[P, R]], Task[P, list[R]]] = self._adding(map(**options))
        return decorate

    def subworkflow(self, id: str, workflow: Workflow | str | Callable[[], Workflow], **options: Any) -> Task[..., Any]:
        """The function ``sluice.subworkflow``, which also adds the task."""
        return self.add(subworkflow(workflow, id=id, **options))

    def event(self, id: str, **options: Any) -> Task[..., Any]:
        """The function ``sluice.event``, which also adds the task."""
        return self.add(event(id=id, **options))

    def sleep(self, id: str, **options: Any) -> Task[..., Any]:
        """The function ``sluice.sleep``, which also adds the task."""
        return self.add(sleep(id=id, **options))

    def _adding(self, made: Any) -> Any:
        if isinstance(made, Task):
            return self.add(made)
        return lambda fn: self.add(made(fn))

    @property
    def spec(self) -> WorkflowSpec:
        """The checked definition, as a runner takes it. Afterwards the workflow does not change.

        Raises DefinitionError, which lists every problem.
        """
        if self._spec is None:
            self._spec = WorkflowSpec(self)
        return self._spec


class WorkflowSpec:
    """A checked workflow."""

    def __init__(self, workflow: Workflow) -> None:
        checks = Checks()
        stated = workflow._stated
        self.name = workflow.name
        if not isinstance(self.name, str) or _ID.fullmatch(self.name) is None:
            checks.report(f"its name must be text of 1 to 200 characters, not {shown(self.name)}")
        ids = _ids(workflow._tasks, checks)
        if not workflow._tasks:
            checks.report("it has no tasks")
        self.tasks = [TaskSpec(task, ids, checks) for task in workflow._tasks]
        self.result = next(iter(_names(workflow._returns, "returns", ids, checks)), None)
        self.description = stated["description"]
        if self.description is not None and not isinstance(self.description, str):
            checks.report(f"description must be text, not {shown(self.description)}")
        self.tags = checks.texts(stated["tags"], "tags")
        self.timeout_ms = checks.duration(stated["timeout"], "timeout")
        self.version = checks.text(stated["version"], "version")
        self.when_full = checks.word(stated["when_full"], "when_full", WHEN_FULL)
        self.limits = read_limits(stated["limits"], "limits", checks)
        self.validator = None if stated["input"] is None else read_validator(stated["input"], "input", checks)
        self.paths: dict[str, list[str | int]] = {}
        for at, limit in enumerate(self.limits):
            for name in ("key", "weight"):
                value = getattr(limit, name)
                if callable(value):
                    self._read_path(value, f"limits[{at}].{name}", checks)
        _check_cycles(self.tasks, checks)
        checks.refuse(f"workflow {shown(self.name)}")

    def _read_path(self, value: AnyFunction, what: str, checks: Checks) -> None:
        path = path_of(value, "input")
        if path is None:
            checks.report(
                f'{what} of a workflow must be text or return a member of the input, as lambda input: input["tenant"] does; '
                "a limit of a task takes any function"
            )
        else:
            self.paths[what] = path


def _ids(tasks: Sequence[Task[..., Any]], checks: Checks) -> dict[int, str]:
    ids: dict[int, str] = {}
    for task in tasks:
        name = task.id
        if not isinstance(name, str) or _ID.fullmatch(name) is None:
            checks.report(f"{task!r}: its id must be text of 1 to 200 characters; state id=")
        elif name in RESERVED:
            checks.report(f'the id of a task must not be "{name}": it names an argument')
        elif name in ids.values():
            checks.report(f'there is more than one task "{name}"')
        ids[id(task)] = name
    return ids


def _check_cycles(tasks: Sequence[TaskSpec], checks: Checks) -> None:
    after = {task.id: task.after for task in tasks}
    done: set[str] = set()
    for start in after:
        path: list[str] = []
        stack: list[tuple[str, int]] = [(start, 0)]
        while stack:
            name, at = stack.pop()
            if at == 0:
                if name in done:
                    continue
                if name in path:
                    cycle = [*path[path.index(name) :], name]
                    arrows = " → ".join(f'"{item}"' for item in cycle)
                    checks.report(f"its tasks form a cycle: {arrows}")
                    return
                path.append(name)
            if at < len(after.get(name, ())):
                stack.append((name, at + 1))
                stack.append((after[name][at], 0))
            else:
                done.add(name)
                path.pop()


@overload
def task(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(
    *,
    id: str | None = None,
    after: Tasks = (),
    reads: Tasks = (),
    on: str | None = None,
    when: AnyFunction | None = None,
    retry: RetryOption | None = None,
    timeout: Duration | None = None,
    limits: Sequence[Limit] = (),
    guarantee: str | None = None,
    undo: AnyFunction | None = None,
    on_success: AnyFunction | None = None,
    on_failure: AnyFunction | None = None,
    process: bool = False,
    version: str | None = None,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def task(fn: Any = None, /, **options: Any) -> Any:
    """Decorates the body of a task: a function or an ``async def``, which takes its arguments by name.

    The arguments are the outputs of the tasks in ``after`` and ``reads`` by id, ``input``, ``outputs`` (all of these outputs
    as a dict), ``status`` (how each dependency ended) and ``ctx``. A function runs in a thread; an ``async def`` runs on the
    event loop; with ``process=True`` the body runs in a process, which is killed on a timeout or a cancel.

    - ``id``: by default the name of the function.
    - ``after``: tasks that must end first; ``reads``: further ancestors whose outputs are arguments.
    - ``on``: how the tasks in ``after`` must have ended: ``"success"`` (the default), ``"all_succeeded"``, ``"settled"``,
      ``"any_succeeded"``, ``"any_failed"`` or ``"all_failed"``.
    - ``when``: a function; if it returns False, the task is skipped.
    - ``retry``: a total number of attempts, or a ``Retry``. ``timeout``: the maximum duration of an attempt.
    - ``limits``: a list of ``Limit``. ``guarantee``: ``"at_least_once"`` (the default) or ``"at_most_once"``.
    - ``undo``: reverts what the body did; it takes what the body takes, and ``output``.
    - ``on_success`` (with ``output``) and ``on_failure`` (with ``error``): called at most once, after the end.
    - ``version``: replaces the code in the content version.
    """
    _check_options("task", options, _TASK_OPTIONS)
    if fn is not None:
        return _body("task", "task", fn, options)
    return lambda body: _body("task", "task", body, options)


def map(
    over: AnyFunction,
    *,
    id: str | None = None,
    after: Tasks = (),
    reads: Tasks = (),
    on: str | None = None,
    when: AnyFunction | None = None,
    concurrency: int | None = None,
    on_item_failure: str | None = None,
    retry: RetryOption | None = None,
    timeout: Duration | None = None,
    limits: Sequence[Limit] = (),
    guarantee: str | None = None,
    undo: AnyFunction | None = None,
    process: bool = False,
    version: str | None = None,
) -> Callable[[Callable[P, R]], Task[P, list[R]]]:
    """Decorates a body that is called for each element of a list, which it takes as ``item`` and ``index``.

    ``over`` returns the list; it is called once. Each item is attempted, retried and recorded by itself. The output is the
    list of results, in the order of the items. ``concurrency`` bounds the items that run at once. ``on_item_failure``:
    ``"stop"`` (the default), ``"finish"`` or ``"collect"``, with which each element is ``{"ok": True, "value": …}`` or
    ``{"ok": False, "error": …}``. The other options are those of ``task``.
    """
    options = dict(locals())

    def decorate(body: Callable[P, R]) -> Task[P, list[R]]:
        made: Task[P, list[R]] = _body("map", "map", body, options)
        return made

    return decorate


def map_workflow(
    workflow: Workflow | str | Callable[[], Workflow],
    over: AnyFunction,
    *,
    input: AnyFunction | None = None,
    id: str | None = None,
    after: Tasks = (),
    reads: Tasks = (),
    on: str | None = None,
    when: AnyFunction | None = None,
    concurrency: int | None = None,
    on_item_failure: str | None = None,
    limits: Sequence[Limit] = (),
    version: str | None = None,
) -> Task[..., list[Any]]:
    """A task that starts a child run for each element of a list. ``input`` takes ``item`` and ``index`` too."""
    return Task("map", "map", None, dict(locals()))


def subworkflow(
    workflow: Workflow | str | Callable[[], Workflow],
    *,
    id: str | None = None,
    input: AnyFunction | None = None,
    key: str | AnyFunction | None = None,
    priority: int | None = None,
    tags: Sequence[str] | None = None,
    after: Tasks = (),
    reads: Tasks = (),
    on: str | None = None,
    when: AnyFunction | None = None,
    timeout: Duration | None = None,
    limits: Sequence[Limit] = (),
    version: str | None = None,
) -> Task[..., Any]:
    """A task that starts a run of another workflow and waits for its end; its output is the result of that run.

    ``input`` is a function that returns the input of the child run.
    """
    return Task("subworkflow", "subworkflow", None, dict(locals()))


def event(
    *,
    id: str | None = None,
    after: Tasks = (),
    reads: Tasks = (),
    on: str | None = None,
    when: AnyFunction | None = None,
    timeout: Duration | None = None,
    schema: Validator | None = None,
    version: str | None = None,
) -> Task[..., Any]:
    """A task that waits for a message from outside, which is its output; ``None`` after ``timeout``.

    ``schema`` validates the message, as the option ``input`` of a workflow does.
    """
    return Task("event", "event", None, dict(locals()))


def sleep(
    *,
    id: str | None = None,
    for_: Duration | AnyFunction | None = None,
    until: Time | AnyFunction | None = None,
    after: Tasks = (),
    reads: Tasks = (),
    on: str | None = None,
    when: AnyFunction | None = None,
    version: str | None = None,
) -> Task[..., None]:
    """A task that waits for a time. Exactly one of ``for_`` and ``until`` is stated, each a value or a function."""
    options = dict(locals())
    options["for"] = options.pop("for_")
    if (for_ is None) == (until is None):
        raise DefinitionError("Cannot define a sleep: state exactly one of for_ and until")
    return Task("sleep", "sleep", None, options)


@overload
def workflow(cls: type, /) -> Workflow: ...
@overload
def workflow(
    *,
    name: str | None = None,
    returns: TaskName | None = None,
    description: str | None = None,
    input: Validator | None = None,
    tags: Sequence[str] = (),
    timeout: Duration | None = None,
    limits: Sequence[Limit] = (),
    when_full: str | None = None,
    version: str | None = None,
) -> Callable[[type], Workflow]: ...
def workflow(cls: Any = None, /, *, name: str | None = None, returns: TaskName | None = None, **options: Any) -> Any:
    """Decorates a class whose attributes are tasks, and makes a workflow of them, with the name of the class.

    ::

        @workflow(returns="total")
        class etl:
            @task(retry=3)
            def extract(input):
                return [int(line) for line in input["lines"]]

            @task(after=extract)
            def total(extract):
                return sum(extract)
    """
    _check_options("workflow", options, ("description", "input", "tags", "timeout", "limits", "when_full", "version"))

    def build(source: Any) -> Workflow:
        if not isinstance(source, type):
            raise TypeError(f"@workflow decorates a class whose attributes are tasks, not {shown(source)}")
        tasks = [value for value in vars(source).values() if isinstance(value, Task)]
        stated = {"description": source.__doc__, **options}
        made = Workflow(name or source.__name__, tasks=tasks, returns=returns, **stated)
        made.__doc__ = source.__doc__
        return made

    return build if cls is None else build(cls)


_TASK_OPTIONS = (
    "id",
    "after",
    "reads",
    "on",
    "when",
    "retry",
    "timeout",
    "limits",
    "guarantee",
    "undo",
    "on_success",
    "on_failure",
    "process",
    "version",
)


def _check_options(what: str, options: Mapping[str, Any], known: Iterable[str]) -> None:
    known = tuple(known)
    for name in options:
        if name not in known:
            raise TypeError(f'{what}() has no option "{name}"{did_you_mean(name, known)}')


def _body(kind: str, what: str, fn: Any, options: Mapping[str, Any]) -> Any:
    if isinstance(fn, Task):
        raise TypeError(f"@{what} decorates a function, and {fn!r} is a task already")
    if isinstance(fn, (staticmethod, classmethod)):
        fn = fn.__func__
    if not callable(fn):
        raise TypeError(f"@{what} decorates a function, not {shown(fn)}")
    return Task(kind, what, fn, options)


__all__ = [
    "Limit",
    "Retry",
    "Task",
    "Workflow",
    "event",
    "map",
    "map_workflow",
    "sleep",
    "subworkflow",
    "task",
    "workflow",
]
