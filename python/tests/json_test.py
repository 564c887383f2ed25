"""What JSON can hold."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import uuid
from typing import Any

import pytest

from sluice import PayloadError
from sluice._json import check, encode


@dataclasses.dataclass
class Point:
    x: int


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


def cycle() -> list[Any]:
    value: list[Any] = []
    value.append({"again": value})
    return value


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


async def later() -> None:
    pass


REFUSED = [
    ({"rows": [{"at": datetime.datetime(2026, 1, 1)}]}, "output.rows[0].at", "a datetime - use value.isoformat()"),
    ({"a b": datetime.timedelta(1)}, 'output["a b"]', "a timedelta - use value.total_seconds()"),
    (decimal.Decimal(1), "output", "a Decimal - use str(value)"),
    (uuid.UUID(int=1), "output", "a UUID - use str(value)"),
    (Colour.RED, "output", "a member of Colour - use value.value"),
    ([b"x"], "output[0]", "binary data (bytes) - encode it as base64"),
    ({1}, "output", "a set - use sorted(value)"),
    (Point(1), "output", "a dataclass (Point) - use dataclasses.asdict(value)"),
    (ValueError("x"), "output", "an exception (ValueError) - use str(value)"),
    (float("nan"), "output", "it is nan - use None"),
    (-float("inf"), "output", "it is -inf - use None"),
    (2**53, "output", "the integer 9007199254740992, beyond 2**53 - 1 - use str(n)"),
    ({1: 2}, "output", "its key 1 is not text - use str keys"),
    (range(3), "output", "an instance of range - return what it consists of"),
    ((n for n in ()), "output", "a generator - use list(value)"),
    (len, "output", "a function (builtin_function_or_method)"),
    (int, "output", "the class int"),
    (cycle(), "output[0].again", "it is a cycle"),
    (object(), "output", "an instance of object"),
]


@pytest.mark.parametrize(("value", "path", "reason"), REFUSED, ids=[type(value).__name__ for value, _, _ in REFUSED])
def test_a_value_that_json_would_change_is_refused(value: Any, path: str, reason: str) -> None:
    with pytest.raises(PayloadError) as caught:
        check(value, "output")
    assert caught.value.path == path
    assert caught.value.message.startswith(f"Cannot store {path}: ")
    assert reason in caught.value.message


def test_a_coroutine_names_the_missing_await() -> None:
    coroutine = later()
    with pytest.raises(PayloadError, match="missing await"):
        check(coroutine, "output")
    coroutine.close()


def test_depth_is_bounded() -> None:
    with pytest.raises(PayloadError, match="nested deeper than 500 levels"):
        check(deep(), "output")


def test_what_json_holds_is_unchanged() -> None:
    value = {"text": 'é \ud800 "', "numbers": [0, -1, 1.5, 2**53 - 1, True, None], "nested": {"": [[]]}}
    assert json.loads(encode(check(value, "output"))) == value
    assert json.loads(encode(check({"pair": (1, Level.LOW)}, "output"))) == {"pair": [1, 1]}
