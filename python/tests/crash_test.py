"""Python, its engine or both are killed, at moments that are drawn: runs end as if nothing had happened.

``SLUICE_FAULT_SECONDS=60 pytest -s tests/crash_test.py -k kills`` makes the race take longer and prints what happened, and
``SLUICE_TEST_SEED`` repeats one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from sluice import EngineError, Runner, Workflow

from .conftest import Store

HANG = 60
SECONDS = float(os.environ.get("SLUICE_FAULT_SECONDS", "0"))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:  # a zombie is dead
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not Path("/proc/self").exists()


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + HANG
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.005)
    raise AssertionError(f"{what} has not happened within {HANG} s")


class Child:
    """A program of tests/child.py."""

    def __init__(self, store: Store, log: Path, runs: int) -> None:
        command = [sys.executable, "-m", "tests.child", store.url, store.schema or "", str(log), str(runs)]
        self.process = subprocess.Popen(
            command,
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.engine: int = self.line()["engine"]

    def line(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the program ended with {self.process.wait()}"
        return json.loads(line)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_runs_survive_kills_of_python_of_the_engine_and_of_both(store: Store, tmp_path: Path) -> None:
    seed = int(os.environ.get("SLUICE_TEST_SEED") or random.randrange(2**32))
    draw = random.Random(seed)
    print(f"SLUICE_TEST_SEED={seed}")
    log = tmp_path / "effects"
    runs = 12 + round(SECONDS * 20)
    kinds = ["engine", "python", "both"]
    draw.shuffle(kinds)
    rounds = [*kinds, *(draw.choice(kinds) for _ in range(round(SECONDS / 2)))]
    child = Child(store, log, runs)
    try:
        for kind in rounds:
            wanted = len(lines(log)) + draw.randrange(1, 8)
            until(lambda wanted=wanted: len(lines(log)) >= min(wanted, runs * 6), "the next effect")
            if kind != "python":
                os.kill(child.engine, signal.SIGKILL)
            if kind != "engine":
                child.kill()
                until(lambda: not is_alive(child.engine), "the end of the engine after that of Python")
                child = Child(store, log, runs)
            else:
                # The pid of the engine that was started again is not known: the next kill of "engine" meets no process.
                until(lambda: not is_alive(child.engine), "the end of the engine")
                wanted = len(lines(log)) + 1
                until(lambda wanted=wanted: len(lines(log)) >= min(wanted, runs * 6), "an effect of the next engine")
                child.kill()
                child = Child(store, log, runs)
        answer = child.line()
        assert answer["results"] == [[n * 10, 10] for n in range(runs)]
        child.process.communicate("")  # the program ends by itself, and its engine with it
        assert child.process.returncode == 0
        until(lambda: not is_alive(child.engine), "the end of the engine")
    finally:
        child.kill()
    effects = Counter(line.rpartition(" ")[0] for line in lines(log))
    # Of each run: first, the step, second, two items, last. Each happened, and was repeated at most once a kill: "engine"
    # counts twice, as its Python is killed afterwards.
    repeats = sum(effects.values()) - len(effects)
    print(f"{dict(Counter(rounds))} kills, {runs} runs, {len(effects)} effects, {repeats} of them repeated")
    assert len(effects) == runs * 6
    assert max(effects.values()) <= 1 + 2 * len(rounds)
    assert repeats <= 8 * 2 * len(rounds)


def test_an_engine_that_is_killed_is_started_again_and_reported(store: Store) -> None:
    flow = Workflow("flow")
    attempts: list[object] = []
    crashes: list[str] = []
    engines: SimpleQueue[int] = SimpleQueue()

    @flow.task
    def work(ctx):
        attempts.append(ctx.attempt)
        if len(attempts) == 1:
            os.kill(engines.get(timeout=HANG), signal.SIGKILL)
            assert ctx.signal.wait(HANG)
            assert isinstance(ctx.signal.reason, EngineError)
            with pytest.raises(EngineError):
                ctx.step("late", lambda: 1)
        return "done"

    flow.returns(work)
    flow.event("go", after=work)
    with Runner(
        store.url, workflows=[flow], on_crash=lambda error: crashes.append(str(error)), **store.options
    ) as runner:
        run = runner.start(flow)
        # A stream is not opened again: what it has yielded is not known to the next engine.
        with pytest.raises(EngineError, match='The engine ended before it answered "events.next"'):
            for event in run.events():
                if event.type == "run.started":
                    engines.put(runner.engine_pid)
        until(lambda: run.status().state == "waiting", "the wait of the run")
        run.send("go")
        assert run.result(HANG) == "done"
        assert runner.engine_crashes == 1
    assert len(attempts) == 2
    assert len(crashes) == 1 and "SIGKILL" in crashes[0] and "it is started again" in crashes[0]


def test_calls_wait_for_the_next_engine_and_keyed_starts_are_repeated(memory: Store, tmp_path: Path) -> None:
    flow = Workflow("flow")
    flow.task(id="one")(lambda: 1)
    with Runner(f"sqlite://{tmp_path}/app.db", workflows=[flow]) as runner:
        os.kill(runner.engine_pid, signal.SIGKILL)
        # Whether this reaches the old engine or the next one is a matter of luck, which the key makes irrelevant.
        assert runner.start(flow, key="k").result(HANG) == {"one": 1}
        assert len(runner.list().runs) == 1
        until(lambda: runner.engine_crashes == 1, "the report")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_keep_the_engine_alive(tmp_path: Path) -> None:
    source = (
        "import os, sys, time\n"
        "from sluice import Runner, Workflow\n"
        "flow = Workflow('flow'); flow.task(id='one')(lambda: 1)\n"
        f"runner = Runner('sqlite://{tmp_path}/app.db', workflows=[flow]).__enter__()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    time.sleep(600)\n"
        "print(runner.engine_pid, child, flush=True)\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    engine, child = (int(word) for word in process.stdout.readline().split())
    try:
        assert is_alive(engine) and is_alive(child)
        process.kill()
        process.wait()
        until(lambda: not is_alive(engine), "the end of the engine")
        assert is_alive(child)
    finally:
        os.kill(child, signal.SIGKILL)
        process.kill()
        process.communicate()
