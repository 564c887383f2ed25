"""The public names: documented, the same from functions and from coroutines, and typed."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sluice
from sluice import _errors

PAIRS = [
    (sluice.Client, sluice.AsyncClient),
    (sluice.Runner, sluice.AsyncRunner),
    (sluice.Run, sluice.AsyncRun),
    (sluice.Schedules, sluice.AsyncSchedules),
    (sluice.Context, sluice.AsyncContext),
]
# A coroutine leaves its `async with` instead.
OF_FUNCTIONS = {"stop"}


def members(cls: type) -> dict[str, object]:
    return {name: member for name, member in inspect.getmembers(cls) if not name.startswith("_")}


@pytest.mark.parametrize(("of_functions", "of_coroutines"), PAIRS)
def test_coroutines_have_the_methods_of_functions(of_functions: type, of_coroutines: type) -> None:
    ours, theirs = members(of_functions), members(of_coroutines)
    assert set(ours) - OF_FUNCTIONS == set(theirs)
    for name, method in theirs.items():
        if callable(method):
            mine = inspect.signature(ours[name])  # type: ignore[arg-type]
            assert [str(one) for one in mine.parameters.values() if one.name not in ("self", "body")] == [
                str(one) for one in inspect.signature(method).parameters.values() if one.name not in ("self", "body")
            ], name


def test_every_public_name_is_documented() -> None:
    for name in sluice.__all__:
        found = getattr(sluice, name)
        if not inspect.isclass(found) and not inspect.isfunction(found):
            continue
        methods = [member for member in members(found).values() if callable(member)] if inspect.isclass(found) else []
        for one in (found, *methods):
            if (getattr(one, "__module__", None) or "").startswith("sluice"):
                assert one.__doc__ and not one.__doc__.startswith(f"{name}("), f"{name}: {one}"


def test_every_code_of_an_error_has_a_class() -> None:
    root = os.environ.get("SLUICE_ROOT")
    if root is None:
        pytest.skip("the sources of the engine are not here")
    text = (Path(root) / "lib/error_codes.ts").read_text()
    union = re.search(r"export type ErrorCode =(.*?);", text, re.DOTALL)
    assert union is not None
    codes = re.findall(r'"(\w+)"', union[1])
    assert len(codes) > 20
    for code in codes:
        error = _errors.call_error_from_record({"code": code, "name": "x", "message": "m", "fields": {"delayMs": 5}})
        assert type(error) not in (sluice.EngineError, sluice.SluiceError), code
        assert isinstance(error, sluice.SluiceError) and error.code == code
    store = _errors.call_error_from_record({"code": "corrupt", "name": "StoreError", "message": "m"})
    assert isinstance(store, sluice.StoreError) and store.code == "corrupt"


MARK = re.compile(r"# error: ([\w-]+)$")
ERROR = re.compile(r".*?typed_examples\.py:(\d+): error: .*\[([\w-]+)\]")


def test_types_are_checked_as_the_examples_say() -> None:
    """``mypy --strict`` accepts the package, and of typed_examples.py all but the lines that it should refuse."""
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    examples = Path(__file__).with_name("typed_examples.py")
    # The package by its name: what is found in the environment is what users have.
    options = ["--strict", "--python-version", "3.10", "--cache-dir", os.devnull, "--no-error-summary"]
    command = [sys.executable, "-m", "mypy", *options, "-p", "sluice", "-m", "typed_examples"]
    env = {**os.environ, "MYPYPATH": str(examples.parent)}
    ended = subprocess.run(command, capture_output=True, text=True, env=env, cwd=examples.parent, timeout=300)
    assert ended.stderr == ""
    lines = [line for line in ended.stdout.splitlines() if ": note: " not in line]
    reported = {int(match[1]): match[2] for line in lines if (match := ERROR.fullmatch(line)) is not None}
    assert len(reported) == len(lines), ended.stdout
    source = enumerate(examples.read_text().splitlines(), 1)
    expected = {number: match[1] for number, line in source if (match := MARK.search(line)) is not None}
    assert len(expected) > 15 and reported == expected, ended.stdout
