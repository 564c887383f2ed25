"""A program with a runner, which tests kill: ``python -m tests.child URL SCHEMA LOG RUNS``.

It starts RUNS runs, each with a key, so that the next program goes on with the same ones. It prints a line with the process
id of the engine, and at the end the results.
"""

from __future__ import annotations

import json
import os
import sys
import time

from sluice import Context, Retry, Runner, Workflow

HANG = 120

url, schema, log, runs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
chain = Workflow("chain")


def effect(ctx: Context, step: str = "") -> None:
    with open(log, "a") as file:
        file.write(f"{ctx.run_id} {ctx.task_id}{step} {os.getpid()}\n")


@chain.task(retry=Retry(attempts=3, delay=0))
def first(input, ctx: Context):
    effect(ctx)
    time.sleep(0.02)
    return [input]


@chain.task(after=first)
async def second(first, ctx):
    async def body():
        effect(ctx, "/step")
        return len(first)

    size = await ctx.step("size", body)
    effect(ctx)
    return [*first, size]


@chain.map(lambda second: second, after=second)
def third(item, ctx: Context):
    time.sleep(0.02)
    effect(ctx, f"/{ctx.item}")
    return item * 10


@chain.task(after=third)
def last(third, ctx: Context):
    effect(ctx)
    return third


chain.returns(last)

if __name__ == "__main__":
    # So many kills in so short a time would exceed the default limit, which holds for runs without progress.
    options = {"schema": schema} if schema else {}
    with Runner(url, workflows=[chain], concurrency=4, recovery_limit=1_000, **options) as runner:
        print(json.dumps({"engine": runner.engine_pid}), flush=True)
        started = [runner.start(chain, n, key=str(n)) for n in range(runs)]
        results = [run.result(HANG) for run in started]
        print(json.dumps({"results": results, "crashes": runner.engine_crashes}), flush=True)
        sys.stdin.read()
