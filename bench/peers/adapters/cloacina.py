"""Cloacina through its Python wheel: workflows executed from as many threads as there are runs in flight, 32 tasks at
once, polling each 10 ms, which is the least it accepts. Its `execute()` looks for the result twice a second. Answers to the same commands as serve.ts."""

import json
import os
import platform
import sqlite3
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

# The engine logs each run to the standard output, which is for replies here.
os.environ["RUST_LOG"] = "off"
import cloaca  # noqa: E402

WIDTH = 100
PAYLOAD = "x" * 10

bodies = 0
lock = threading.Lock()


def body(context, source, target):
    global bodies
    with lock:
        bodies += 1
    context.set(target, context.get(source))
    return context


def add(name, source, dependencies):
    def run(context):
        return body(context, source, name)

    run.__name__ = name
    cloaca.task(id=name, dependencies=dependencies)(run)


with cloaca.WorkflowBuilder("chain") as builder:
    builder.description("Three tasks in a row")
    add("first", "payload", [])
    add("second", "first", ["first"])
    add("third", "second", ["second"])

with cloaca.WorkflowBuilder("fan") as builder:
    builder.description("One task, a hundred after it, one after those")
    add("first", "payload", [])
    for at in range(WIDTH):
        add(f"item{at}", "first", ["first"])
    add("last", "item0", [f"item{at}" for at in range(WIDTH)])


class Session:
    def __init__(self, workload, place, flight):
        self.workflow = "fan" if workload == "1 + 100 + 1" else "chain"
        self.place = place
        self.flight = flight
        url = f"sqlite://{place['url']}" if place["kind"] == "sqlite" else place["url"]
        # Ten milliseconds is the least it accepts.
        config = cloaca.DefaultRunnerConfig(
            max_concurrent_tasks=32, scheduler_poll_interval_ms=10, enable_cron_scheduling=False
        )
        self.runner = cloaca.DefaultRunner.with_config(url, config)

    def one(self, _=None):
        result = self.runner.execute(self.workflow, cloaca.Context({"payload": PAYLOAD}))
        if result.status != "Completed":
            raise RuntimeError(f"A run ended as {result.status}")

    def carry(self, runs):
        with ThreadPoolExecutor(self.flight) as threads:
            list(threads.map(self.one, range(runs)))

    def one_by_one(self, runs):
        each = []
        for _ in range(runs):
            began = time.perf_counter()
            self.one()
            each.append((time.perf_counter() - began) * 1000)
        return each

    def ended(self):
        # On Postgres the driver counts, as Python has no client of its own.
        if self.place["kind"] != "sqlite":
            return None
        with sqlite3.connect(self.place["url"]) as db:
            return db.execute("select count(*) from workflow_executions where status = 'Completed'").fetchone()[0]


def timed(session, work):
    before = bodies
    began = time.perf_counter()
    each = work()
    ms = (time.perf_counter() - began) * 1000
    return {"ms": ms, "each": each, "ended": session.ended(), "bodies": bodies - before}


def obey(session, command):
    if command["do"] == "open":
        return Session(command["workload"], command["place"], command["flight"]), {"runtime": f"python {platform.python_version()}"}
    if command["do"] == "carry":
        return session, timed(session, lambda: session.carry(command["runs"]))
    if command["do"] == "one by one":
        return session, timed(session, lambda: session.one_by_one(command["runs"]))
    if command["do"] == "close":
        session.runner.shutdown()
        return None, {}
    return session, {}


session = None
for line in sys.stdin:
    try:
        session, reply = obey(session, json.loads(line))
    except Exception as error:
        reply = {"error": str(error)}
    print("reply " + json.dumps(reply), flush=True)
os._exit(0)
