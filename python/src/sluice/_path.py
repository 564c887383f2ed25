"""Which member of the input a function returns: the engine computes the limits of workflows by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class _Recorder:
    """Stands for the input, and records which of its members is read."""

    __slots__ = ("_path",)

    def __init__(self, path: tuple[str | int, ...]) -> None:
        self._path = path

    def __getitem__(self, key: object) -> _Recorder:
        if isinstance(key, bool) or not isinstance(key, (str, int)):
            raise TypeError("only members are read by a name or an index")
        return _Recorder((*self._path, key))


def path_of(function: Callable[..., Any], argument: str) -> list[str | int] | None:
    """Returns the path of ``lambda input: input["tenant"]``: ``["input", "tenant"]``; None for any other function."""
    try:
        returned = function(**{argument: _Recorder((argument,))})
    except Exception:
        return None
    return list(returned._path) if isinstance(returned, _Recorder) else None
