"""JSON that survives the round trip through the engine and the database."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import uuid
from collections.abc import Mapping
from typing import Any

from ._duration import shown
from ._errors import PayloadError

MAX_SAFE = 2**53 - 1
_DEEPEST = 1_000

_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)
_encode = _encoder.encode


def encode(value: Any) -> str:
    """Returns the JSON text of a value that was checked, or of a message of the protocol."""
    return _encode(value)


def check(value: Any, label: str) -> Any:
    """Returns the value if JSON holds it without loss. A tuple is stored as a list.

    Raises PayloadError, which names the place and the remedy: for keys that are not text, NaN and infinities, integers
    beyond 2**53 - 1 (numbers are those of JavaScript), dates, bytes, sets, instances of classes, cycles.
    """
    if _is_plain(value, 0):
        return value
    _walk(value, label, [], 0)
    return value


_SCALARS = frozenset((str, bool, type(None)))


def _is_plain(value: Any, depth: int) -> bool:
    kind = type(value)
    if kind in _SCALARS:
        return True
    if kind is int:
        return bool(-MAX_SAFE <= value <= MAX_SAFE)
    if kind is float:
        return math.isfinite(value)
    if depth > 64:
        return False
    if kind is dict:
        for key, member in value.items():
            if type(key) is not str or not _is_plain(member, depth + 1):
                return False
        return True
    if kind is list or kind is tuple:
        for member in value:
            if not _is_plain(member, depth + 1):
                return False
        return True
    return False


def _walk(value: Any, path: str, ancestors: list[int], depth: int) -> None:
    if value is None or isinstance(value, (bool, str)):
        return
    if isinstance(value, int):
        if not -MAX_SAFE <= value <= MAX_SAFE:
            raise _refused(path, f"it is the integer {shown(value)}, beyond 2**53 - 1 - use str(n)")
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _refused(path, f"it is {value!r} - use None")
        return
    if isinstance(value, (dict, list, tuple)):
        if id(value) in ancestors:
            raise _refused(path, "it is a cycle: it refers back to a container that it is in")
        if depth > _DEEPEST // 2:
            raise _refused(path[:80], f"it is nested deeper than {_DEEPEST // 2} levels")
        ancestors.append(id(value))
        if isinstance(value, dict):
            for key, member in value.items():
                if not isinstance(key, str):
                    raise _refused(path, f"its key {shown(key)} is not text - use str keys")
                _walk(member, member_path(path, key), ancestors, depth + 1)
        else:
            for at, member in enumerate(value):
                _walk(member, f"{path}[{at}]", ancestors, depth + 1)
        ancestors.pop()
        return
    raise _refused(path, f"it is {_remedy(value)}")


def member_path(path: str, key: str) -> str:
    return f"{path}.{key}" if key.isidentifier() else f"{path}[{json.dumps(key)}]"


def _refused(path: str, reason: str) -> PayloadError:
    return PayloadError(f"Cannot store {path}: {reason}", path)


def _remedy(value: Any) -> str:
    name = type(value).__qualname__
    if isinstance(value, type):
        return f"the class {value.__qualname__}"
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return f"a {name} - use value.isoformat()"
    if isinstance(value, datetime.timedelta):
        return "a timedelta - use value.total_seconds()"
    if isinstance(value, decimal.Decimal):
        return "a Decimal - use str(value)"
    if isinstance(value, uuid.UUID):
        return "a UUID - use str(value)"
    if isinstance(value, enum.Enum):
        return f"a member of {name} - use value.value"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"binary data ({name}) - encode it as base64"
    if isinstance(value, (set, frozenset)):
        return f"a {name} - use sorted(value)"
    if isinstance(value, Mapping):
        return f"a {name} - use dict(value)"
    if dataclasses.is_dataclass(value):
        return f"a dataclass ({name}) - use dataclasses.asdict(value)"
    if isinstance(value, BaseException):
        return f"an exception ({name}) - use str(value)"
    if hasattr(value, "model_dump"):
        return f'a {name} - use value.model_dump(mode="json")'
    if hasattr(value, "__await__"):
        return f"a {name} - missing await?"
    if hasattr(value, "__next__"):
        return f"a {name} - use list(value)"
    if callable(value):
        return f"a function ({name})"
    return f"an instance of {name} - return what it consists of"
