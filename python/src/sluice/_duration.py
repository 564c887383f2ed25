"""Durations and times: seconds, ``timedelta`` or text such as ``"30s"``; ``datetime``, seconds or ISO 8601 text."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Union

Duration = Union[int, float, str, timedelta]
"""Seconds, a ``timedelta``, or a number with a unit: ``"250ms"``, ``"30s"``, ``"5m"``, ``"2h"``, ``"7d"``."""

Time = Union[datetime, int, float, str]
"""A ``datetime`` with a zone, seconds since the epoch, or ISO 8601 text with a zone."""

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_FORM = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_LONGEST_MS = 10_000 * 365 * _UNITS["d"]


def to_ms(value: object, what: str, *, allow_negative: bool = False) -> int:
    """Converts a duration to whole milliseconds.

    Raises TypeError for a value of another type, ValueError for text or a number that is not a duration.
    """
    if isinstance(value, timedelta):
        ms = value.total_seconds() * 1_000
    elif isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(f"{what} is not a duration: {shown(value)} ({_HOW})")
    elif isinstance(value, str):
        match = _FORM.fullmatch(value)
        if match is None:
            raise ValueError(f"{what} is not a duration: {shown(value)} ({_HOW})")
        ms = float(match[1]) * _UNITS[match[2]]
    else:
        ms = value * 1_000
    if ms < 0 and allow_negative:
        return 0
    if not 0 <= ms <= _LONGEST_MS:
        raise ValueError(f"{what} is not a duration: {shown(value)} ({_HOW})")
    return round(ms)


_HOW = 'use seconds, a timedelta, or text such as "250ms", "30s", "5m", "2h", "7d"'


def time_to_ms(value: object, what: str) -> int:
    """Converts a time to milliseconds since the epoch. Raises TypeError or ValueError."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.replace("Z", "+00:00") if value.endswith("Z") else value)
        except ValueError:
            raise ValueError(f"{what} is not a time: {shown(value)} (use ISO 8601 text with a zone)") from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{what} has no time zone: {value.isoformat()} (use datetime.now(timezone.utc))")
        return round(value.timestamp() * 1_000)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{what} must be a datetime, seconds since the epoch or ISO 8601 text, not {shown(value)}")
    if not 0 <= value <= 8.64e12:
        raise ValueError(f"{what} is not a time: {shown(value)}")
    return round(value * 1_000)


def from_ms(value: object) -> datetime | None:
    """Returns a time in UTC; ``None`` for ``None``."""
    if not isinstance(value, (int, float)):
        return None
    return datetime.fromtimestamp(value / 1_000, timezone.utc)


def shown(value: object) -> str:
    """Returns a value as messages show it, in at most 80 characters."""
    try:
        text = repr(value)
    except Exception:  # a __repr__ of the user
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."
