"""The data that flows through a workflow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .._errors import PayloadError
from .._json import check
from ._errors import ContextError
from ._not_covered import not_covered


class Context:
    """The data that flows through a workflow: values that JSON holds, by keys.

    What goes in and comes out is copied: to change a list, set it again. Reading methods can be called by several threads.
    """

    __slots__ = ("_data",)

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        """Raises ContextError for a value that JSON cannot hold."""
        self._data: dict[str, Any] = {}
        self.update_from_dict(data or {})

    def get(self, key: str, default: Any = None) -> Any:
        """Returns the value of a key, or ``default`` without one."""
        return _copy(self._data[key]) if key in self._data else default

    def set(self, key: str, value: Any) -> None:
        """Stores a value, whether or not the key exists. Raises ContextError."""
        if not isinstance(key, str):
            raise ContextError(f"A key of a context must be text, not {key!r}")
        try:
            self._data[key] = _copy(check(value, f"context[{key!r}]"))
        except PayloadError as error:
            raise ContextError(error.message) from None

    def insert(self, key: str, value: Any) -> None:
        """Stores the value of a new key. Raises ValueError if it exists."""
        if key in self._data:
            raise ContextError(f"Cannot insert {key!r}: the key exists; use set or update")
        self.set(key, value)

    def update(self, key: str, value: Any) -> None:
        """Stores another value for a key. Raises KeyError if it does not exist."""
        if key not in self._data:
            raise KeyError(key)
        self.set(key, value)

    def remove(self, key: str) -> Any:
        """Removes a key and returns its value; ``None`` if it does not exist."""
        return self._data.pop(key, None)

    def update_from_dict(self, data: Mapping[str, Any]) -> None:
        """Stores all values of a dict."""
        for key, value in data.items():
            self.set(key, value)

    def to_dict(self) -> dict[str, Any]:
        """Returns a copy of all values."""
        copy: dict[str, Any] = _copy(self._data)
        return copy

    @property
    def data(self) -> dict[str, Any]:
        """The same as ``to_dict()``."""
        return self.to_dict()

    def to_json(self) -> str:
        """Returns the values as JSON text."""
        return json.dumps(self._data)

    @staticmethod
    def from_json(json_str: str) -> Context:
        """Returns a context with the members of a JSON object. Raises ValueError for other text."""
        data = json.loads(json_str)
        if not isinstance(data, dict):
            raise ContextError("The text of a context must be a JSON object")
        return Context(data)

    def secret(self, name: str) -> Any:
        """Not covered."""
        raise not_covered("Context.secret")

    def secret_field(self, name: str, field: str) -> Any:
        """Not covered."""
        raise not_covered("Context.secret_field")

    def __getitem__(self, key: str) -> Any:
        return _copy(self._data[key])

    def __setitem__(self, key: str, value: Any) -> None:
        self.set(key, value)

    def __delitem__(self, key: str) -> None:
        del self._data[key]

    def __contains__(self, key: object) -> bool:
        return key in self._data

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._data))

    def __repr__(self) -> str:
        return f"Context({self.to_json()})"


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copy(member) for member in value]
    return value


def changes(before: Mapping[str, Any], after: Context) -> dict[str, Any]:
    """Returns what a task did to its context, as it is recorded: ``{"set": {…}, "removed": […]}``."""
    now = after._data
    changed = {key: value for key, value in now.items() if key not in before or not _same(before[key], value)}
    removed = [key for key in before if key not in now]
    return {"set": changed, **({"removed": removed} if removed else {})}


def apply(data: dict[str, Any], change: Mapping[str, Any] | None) -> None:
    """Repeats what a task did."""
    if change is not None:
        data.update(change["set"])
        for key in change.get("removed", ()):
            data.pop(key, None)


def _same(one: Any, other: Any) -> bool:
    """Whether JSON text of both is the same. ``1 == True`` in Python."""
    return one is other or json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
