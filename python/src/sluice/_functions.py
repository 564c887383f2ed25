"""Functions of the user as the engine calls them: by the names of their parameters, and with a version of their code."""

from __future__ import annotations

import functools
import hashlib
import inspect
import textwrap
import types
from collections.abc import Callable, Iterable
from typing import Any

from ._checks import Checks, did_you_mean


class Function:
    """A function with the names that it takes."""

    __slots__ = ("call", "is_async", "names", "takes_all")

    def __init__(self, call: Callable[..., Any], names: tuple[str, ...], takes_all: bool) -> None:
        self.call = call
        self.names = names
        """The arguments that it takes, of those that there are."""
        self.takes_all = takes_all
        """Whether it takes all other arguments too, as ``**kwargs``."""
        self.is_async = inspect.iscoroutinefunction(inspect.unwrap(call)) or inspect.iscoroutinefunction(
            getattr(call, "__call__", None)
        )


def read_function(
    call: Callable[..., Any],
    what: str,
    *,
    outputs: Iterable[str],
    reserved: Iterable[str],
    ids: Iterable[str],
    checks: Checks,
) -> Function:
    """Checks the parameters of a function against the arguments that there are."""
    outputs = tuple(outputs)
    available = {*outputs, *reserved}
    try:
        parameters = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):
        checks.report(f"{what}: its parameters are unknown, as it is not a Python function; wrap it in one")
        return Function(call, (), False)
    names: list[str] = []
    takes_all = False
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_all = True
        elif parameter.kind is parameter.VAR_POSITIONAL:
            continue
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            checks.report(f'{what}: parameter "{parameter.name}" is positional-only; arguments are passed by name')
        elif parameter.name in available:
            names.append(parameter.name)
        elif parameter.default is parameter.empty:
            checks.report(f"{what}: {_unknown(parameter.name, available, set(ids))}")
    return Function(call, tuple(names), takes_all)


def read_validator(schema: Any, what: str, checks: Checks) -> Function:
    """Returns the function that validates a value: of a class of pydantic its method, otherwise the function itself."""
    validate = getattr(schema, "model_validate", None) or getattr(schema, "validate_python", None) or schema
    if not callable(validate):
        checks.report(f"{what} must be a function or a class of pydantic, not {schema!r}")

    def call(value: Any) -> dict[str, Any]:
        try:
            valid = validate(value)
        except Exception as error:
            return {"issues": _issues(error)}
        dump = getattr(valid, "model_dump", None)
        return {"value": dump(mode="json") if callable(dump) else valid}

    return Function(call, ("value",), False)


def _issues(error: Exception) -> list[dict[str, Any]]:
    errors = getattr(error, "errors", None)  # of pydantic
    found = errors() if callable(errors) else []
    issues = [{"message": str(one["msg"]), "path": list(one["loc"])} for one in found]
    return issues or [{"message": str(error) or type(error).__name__}]


def _unknown(name: str, available: set[str], ids: set[str]) -> str:
    if name in ids:
        return f'parameter "{name}" is the output of a task that is not in after=; add it'
    there_are = ", ".join(sorted(available))
    return f'parameter "{name}" is not an argument (there are {there_are}){did_you_mean(name, available)}'


def version_of(functions: Iterable[Callable[..., Any] | None]) -> str:
    """Returns 16 hex digits over the source text of functions and the names that their bytecode uses.

    Where the source is not known, as at a prompt, the bytecode itself is taken.
    """
    digest = hashlib.sha256()
    for function in functions:
        digest.update(b"\0" if function is None else _code_text(function, set()).encode("utf-8", "surrogatepass"))
        digest.update(b"\1")
    return digest.hexdigest()[:16]


def _code_text(function: Any, seen: set[int]) -> str:
    if id(function) in seen:
        return ""
    seen.add(id(function))
    if isinstance(function, functools.partial):
        parts = [_code_text(function.func, seen), repr(function.args), repr(sorted(function.keywords.items()))]
        return "\n".join(parts)
    function = inspect.unwrap(function)
    if isinstance(function, types.MethodType):
        function = function.__func__
    code = getattr(function, "__code__", None)
    if code is None:
        call = getattr(type(function), "__call__", None)
        inner = getattr(call, "__code__", None)
        if inner is None:
            return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__qualname__)}"
        function, code = call, inner
    names = sorted(_names(code))
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        source = repr((code.co_code, [const for const in code.co_consts if not isinstance(const, types.CodeType)]))
    return f"{source}\n{names}"


def _names(code: types.CodeType) -> set[str]:
    names = {*code.co_names, *code.co_freevars}
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            names |= _names(const)
    return names
