"""Bodies in worker processes."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from sluice import Runner, TaskError, TaskTimeoutError, Workflow

from . import flows
from .conftest import Store

HANG = 60


def pid_in(path: Path) -> int:
    for _ in range(HANG * 100):
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.01)
    raise AssertionError(f"{path} was not written")


def wait_until_gone(pid: int) -> None:
    for _ in range(HANG * 100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    raise AssertionError(f"process {pid} is still there")


def test_bodies_in_processes(memory: Store, tmp_path: Path) -> None:
    """One runner for all: each worker process takes a while to start."""
    spun, unbounded = tmp_path / "spun", tmp_path / "unbounded"
    workflows: list[Workflow] = [
        flows.heavy,
        flows.asynchronous,
        flows.endless,
        flows.unbounded,
        flows.failing,
        flows.dying,
        flows.later,
    ]
    with Runner(memory.url, workflows=workflows) as runner:
        # A process that ends takes only its attempt with it.
        died = runner.execute(flows.dying)
        assert "ended before the body did (exit code 7)" in str(died.error)

        # A process has the context, and is used again.
        first = runner.execute(flows.heavy, {"n": 3})
        assert first.result == {"pid": first.result["pid"], "square": 36, "run": first.run_id, "attempt": 1}
        assert first.result["pid"] != os.getpid()
        assert runner.execute(flows.heavy, {"n": 1}).result["pid"] == first.result["pid"]
        assert runner.execute(flows.asynchronous, {"n": 2}).result == 8
        assert runner.execute(flows.later).result == 2

        # An exception keeps its class for retry_if, and its traceback.
        failed = runner.execute(flows.failing, 5)
        assert isinstance(failed.error, TaskError) and failed.error.stack is not None
        assert (failed.error.name, failed.error.message) == ("Refused", "refused 5")
        assert "in refuse" in failed.error.stack and "_process_body" not in failed.error.stack
        assert len(failed.failures) == 1

        # An endless loop is killed on a timeout and on a cancel.
        spin = runner.start(flows.endless, {"path": str(spun)})
        spin_on = runner.start(flows.unbounded, {"path": str(unbounded)})
        wait_until_gone(pid_in(spun))
        assert isinstance(spin.outcome(HANG).error, TaskTimeoutError)
        pid = pid_in(unbounded)
        spin_on.cancel("enough")
        wait_until_gone(pid)
        assert spin_on.outcome(HANG).status == "cancelled"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sluice-engine")]
