"""Collects the problems of a definition, so that one exception names all of them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ._duration import shown, time_to_ms, to_ms
from ._errors import DefinitionError
from ._json import MAX_SAFE


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns a clause that names the nearest known word; empty if none is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


class Checks:
    """The problems of one definition."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def report(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)

    def refuse(self, what: str) -> None:
        """Raises a DefinitionError that lists the problems, if there are any."""
        if self.problems:
            raise DefinitionError(f"Cannot define {what}: {'; '.join(self.problems)}", self.problems)

    def duration(self, value: object, what: str) -> int | None:
        """Returns milliseconds; None for None."""
        return self._converted(to_ms, value, what)

    def time(self, value: object, what: str) -> int | None:
        """Returns milliseconds since the epoch; None for None."""
        return self._converted(time_to_ms, value, what)

    def _converted(self, convert: Callable[[object, str], int], value: object, what: str) -> int | None:
        if value is None:
            return None
        try:
            return convert(value, what)
        except (TypeError, ValueError) as error:
            self.report(str(error))
            return None

    def count(self, value: object, what: str, most: int = MAX_SAFE, least: int = 1) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.report(f"{what} must be an integer from {least} to {most}, not {shown(value)}")
            return None
        return value

    def text(self, value: object, what: str, longest: int = 200) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            self.report(f"{what} must be text, not {shown(value)}")
            return None
        if value == "" or len(value) > longest:
            self.report(f"{what} must have 1 to {longest} characters, not {len(value)}")
            return None
        return value

    def flag(self, value: object, what: str) -> bool:
        if not isinstance(value, bool):
            self.report(f"{what} must be True or False, not {shown(value)}")
        return value is True

    def word(self, value: object, what: str, words: Mapping[str, str]) -> str | None:
        """Returns the word of the engine for one of Python."""
        if value is None:
            return None
        if isinstance(value, str) and value in words:
            return words[value]
        known = ", ".join(f'"{word}"' for word in words)
        near = did_you_mean(value, words) if isinstance(value, str) else ""
        self.report(f"{what} must be one of {known}, not {shown(value)}{near}")
        return None

    def texts(self, value: object, what: str) -> list[str]:
        if isinstance(value, str) or not isinstance(value, (list, tuple, set, frozenset)):
            self.report(f"{what} must be a list of texts, not {shown(value)}")
            return []
        return [item for item in (self.text(item, f"{what}[{at}]") for at, item in enumerate(value)) if item]

    def function(self, value: Any, what: str) -> Any:
        if value is not None and not callable(value):
            self.report(f"{what} must be a function, not {shown(value)}")
            return None
        return value
