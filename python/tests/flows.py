"""Workflows whose bodies run in worker processes, which import this module."""

from __future__ import annotations

import os
import time
from pathlib import Path

from sluice import Context, Retry, RetryAfterError, Workflow

heavy = Workflow("heavy")


@heavy.task(process=True)
def square(input, ctx: Context):
    saved = ctx.step("double", lambda: input["n"] * 2)
    ctx.progress(1, 2, "halfway")
    return {"pid": os.getpid(), "square": saved * saved, "run": ctx.run_id, "attempt": ctx.attempt}


heavy.returns(square)

asynchronous = Workflow("asynchronous")


@asynchronous.task(process=True)
async def cube(input, ctx):
    return await ctx.step("cube", lambda: input["n"] ** 3)


asynchronous.returns(cube)

endless = Workflow("endless")


@endless.task(process=True, timeout="3s", retry=1)
def spin(input):
    Path(input["path"]).write_text(str(os.getpid()))
    while True:  # no await, no sleep: only a kill ends it
        pass


unbounded = Workflow("unbounded")


@unbounded.task(process=True, retry=1)
def spin_on(input):
    Path(input["path"]).write_text(str(os.getpid()))
    while True:
        pass


class Refused(Exception):
    """An exception of a module of the user."""


failing = Workflow("failing")


@failing.task(process=True, retry=Retry(attempts=3, delay=0, retry_if=lambda error: not isinstance(error, Refused)))
def refuse(input):
    raise Refused(f"refused {input}")


dying = Workflow("dying")


@dying.task(process=True, retry=1)
def die():
    os._exit(7)


later = Workflow("later")


@later.task(process=True)
def once_more(ctx: Context):
    if ctx.attempt == 1:
        raise RetryAfterError("10ms")
    time.sleep(0)
    return ctx.attempt


later.returns(once_more)
