"""Two Python processes and a TypeScript runner share a store, and each executes its own workflows. The inspector and the
command line show runs of Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from sluice import Runner, Workflow
from sluice._engine import engine_command

from .conftest import Store

HANG = 60

OTHER = """
import json, os, sys
from sluice import Runner, Workflow
other = Workflow("other")
@other.task
def pid(input):
    return [os.getpid(), input]
other.returns(pid)
with Runner(sys.argv[1], workflows=[other], **({"schema": sys.argv[2]} if sys.argv[2] else {})) as runner:
    print(json.dumps([runner.start(other, n).id for n in range(5)]), flush=True)
    sys.stdin.read()
"""


def test_three_runners_share_a_store(store: Store) -> None:
    mine = Workflow("mine")

    @mine.task
    def double(input):
        return input * 2

    mine.returns(double)
    place = [store.url, store.schema or ""]
    # Beside the sources, also when the tests are copied to where only the wheel is.
    root = os.environ.get("SLUICE_ROOT") or Path(__file__).parents[2]
    script = Path(root) / "python/tests/runner.ts"
    commands = [
        [sys.executable, "-c", OTHER, *place],
        [engine_command()[0], "run", "-A", "--quiet", "--no-check", str(script), *place],
    ]
    with Runner(store.url, workflows=[mine], **store.options) as runner:
        children = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for command in commands
        ]
        try:
            runs = [runner.start(mine, n) for n in range(5)]
            others, squares = (
                [runner.get(run_id) for run_id in json.loads(child.stdout.readline())] if child.stdout else []
                for child in children
            )
            assert [run.result(HANG) for run in runs] == [n * 2 for n in range(5)]
            assert [run.result(HANG) for run in others] == [[children[0].pid, n] for n in range(5)]
            assert [run.result(HANG) for run in squares] == [n**2 for n in range(5)]
            assert {run.workflow for run in runner.list(state="completed").runs} == {"mine", "other", "typescript"}
            print(runs[3].id, file=children[1].stdin, flush=True)
            assert children[1].stdout is not None
            shown = json.loads(children[1].stdout.readline())
            inspected, listed = shown["inspector"], shown["commandLine"]
            assert (inspected["run"]["workflow"], inspected["tasks"][0]["output"]["text"]) == ("mine", "6")
            assert [task["id"] for task in inspected["graph"]["tasks"]] == ["double"]
            assert (listed["run"]["state"], listed["tasks"][0]["output"]) == ("completed", 6)
        finally:
            for child in children:
                child.communicate("")
        assert [child.returncode for child in children] == [0, 0]
