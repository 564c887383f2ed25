"""Measures the Python package: how soon a runner is ready, and how many bodies it calls per second.

    deno task python:wheel && python3 -m venv /tmp/venv && /tmp/venv/bin/pip install dist/python/*.whl
    /tmp/venv/bin/python bench/python/calls.py [--items=20000] [--rounds=5] [--url=sqlite::memory:]

Prints a line of JSON per figure: the median of the rounds, with the least and the most. A first round is not counted. A call
is an item of a map whose body does nothing but return: its request, the body in its thread or coroutine, its answer, and the
commit of its result.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable

from sluice import Runner, Workflow

options = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:])
items = int(options.get("items", "20000"))
rounds = int(options.get("rounds", "5"))
url = options.get("url", "sqlite::memory:")

functions = Workflow("functions")


@functions.map(lambda: list(range(items)))
def function(item):
    return item


coroutines = Workflow("coroutines")


@coroutines.map(lambda: list(range(items)))
async def coroutine(item):
    return item


def measure(name: str, unit: str, once: Callable[[], float]) -> None:
    once()
    values = [once() for _ in range(rounds)]
    figures = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    print(
        json.dumps({"name": name, "unit": unit, **{key: round(value, 1) for key, value in figures.items()}}), flush=True
    )


def ready() -> float:
    start = time.perf_counter()
    with Runner(url, workflows=[functions]):
        return (time.perf_counter() - start) * 1_000


def calls(runner: Runner, workflow: Workflow) -> float:
    start = time.perf_counter()
    outcome = runner.execute(workflow)
    seconds = time.perf_counter() - start
    (output,) = outcome.outputs.values()
    assert output == list(range(items))
    return items / seconds


if __name__ == "__main__":
    measure("ready", "ms", ready)
    with Runner(url, workflows=[functions, coroutines]) as runner:
        measure("functions", "calls/s", lambda: calls(runner, functions))
        measure("coroutines", "calls/s", lambda: calls(runner, coroutines))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"name": "memory of Python", "unit": "MB", "most": memory}))
