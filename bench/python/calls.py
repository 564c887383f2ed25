"""Measures the Python package: how soon a runner is ready, and how many bodies it calls per second.

``deno run -A bench/python.ts [--items=20000] [--rounds=5]`` installs the package and runs it; or by hand, with it installed:
``python bench/python/calls.py [--items=20000] [--rounds=5] [--url=sqlite::memory:]``.

Prints a line of JSON: the median of the rounds, with the least and the most. A first round is not counted. A call is an item of a map whose body does nothing but return: its request, the body in its thread or coroutine, its answer, and the
commit of its result.
"""

from __future__ import annotations

import json
import platform
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


def measure(name: str, once: Callable[[], float]) -> dict[str, float]:
    once()
    values = [once() for _ in range(rounds)]
    figures = {"": statistics.median(values), "Least": min(values), "Most": max(values)}
    return {f"{name}{which}": round(value, 1) for which, value in figures.items()}


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
    figures = measure("readyMs", ready)
    with Runner(url, workflows=[functions, coroutines]) as runner:
        figures |= measure("functionCallsPerSecond", lambda: calls(runner, functions))
        figures |= measure("coroutineCallsPerSecond", lambda: calls(runner, coroutines))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    head = {"runtime": f"python {platform.python_version()}", "bench": "python", "items": items, "rounds": rounds}
    print(json.dumps({**head, **figures, "memoryMb": memory}))
