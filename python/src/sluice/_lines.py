"""Messages of the worker protocol: one JSON object on a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ._error_record import error_record
from ._errors import PayloadError
from ._json import encode

MOST_BYTES = 64 * 1024 * 1024


def line_of(message: Mapping[str, Any]) -> bytes:
    """Returns the line of a message. JSON of Python has no line break in it. Raises PayloadError if it is too long."""
    line = (encode(message) + "\n").encode("ascii")
    if len(line) > MOST_BYTES:
        raise PayloadError(
            f"Cannot send a message of {len(line)} bytes to the engine: at most {MOST_BYTES} are allowed; store large data "
            "elsewhere and pass a reference",
            code="payload_too_large",
        )
    return line


def answer_line(invocation: int, answer: Mapping[str, Any]) -> bytes:
    """Returns the line that answers an invocation: that of an error if the answer cannot be sent."""
    try:
        return line_of({"id": invocation, **answer})
    except Exception as error:
        return line_of({"id": invocation, "error": {**error_record(error), "retry": False}})


class LineReader:
    """Splits what is read into lines."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yields the lines that are complete, without their ends."""
        first, *others = chunk.split(b"\n")
        self._parts.append(first)
        if not others:
            return
        yield b"".join(self._parts)
        last = others.pop()
        self._parts = [last]
        yield from others
