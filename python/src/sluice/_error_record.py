"""Exceptions of bodies as they are recorded: class, message, traceback, causes and inner exceptions, within bounds."""

from __future__ import annotations

import os
import traceback
from types import TracebackType
from typing import Any

from ._errors import DeferError, RetryAfterError, SluiceError, TaskError

_DEEPEST_CAUSE = 5
_MOST_INNER = 10
_LONGEST_MESSAGE = 8_192
_LONGEST_STACK = 16_384
_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep


def error_record(error: BaseException, depth: int = 1) -> dict[str, Any]:
    """Returns the record of an exception. Its ``stack`` is the traceback, without the frames of this package."""
    if isinstance(error, TaskError):
        record: dict[str, Any] = {"name": error.name, "message": error.message[:_LONGEST_MESSAGE]}
    else:
        record = {"name": type(error).__qualname__[:200], "message": _message(error)[:_LONGEST_MESSAGE]}
    if isinstance(error, SluiceError) and not isinstance(error, TaskError):
        record["code"] = error.code
        record["isSluice"] = True
        if isinstance(error, (RetryAfterError, DeferError)):
            record["fields"] = {"delayMs": error.delay_ms}
    record["stack"] = _stack(error)
    if depth >= _DEEPEST_CAUSE:
        return record
    cause = error.__cause__
    if cause is None and not error.__suppress_context__:
        cause = error.__context__
    if cause is not None and cause is not error:
        record["cause"] = error_record(cause, depth + 1)
    inner = getattr(error, "exceptions", None)  # of an ExceptionGroup
    if isinstance(inner, tuple):
        found = [item for item in inner if isinstance(item, BaseException)]
        record["errors"] = [error_record(item, depth + 1) for item in found[:_MOST_INNER]]
    return record


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "an exception that cannot be converted to text was raised"


def _stack(error: BaseException) -> str:
    try:
        lines = traceback.format_exception(type(error), error, _of_user(error.__traceback__), chain=False)
        text = "".join(lines).rstrip()
    except Exception:
        return type(error).__qualname__
    # The last lines are the nearest to the error.
    return text if len(text) <= _LONGEST_STACK else f"…{text[1 - _LONGEST_STACK :]}"


def _of_user(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame that is not of this package."""
    start = trace
    while start is not None and os.path.abspath(start.tb_frame.f_code.co_filename).startswith(_OWN_FOLDER):
        start = start.tb_next
    return start if start is not None else trace
