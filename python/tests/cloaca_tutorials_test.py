"""The programs in ``examples/cloaca``, which follow the tutorials of Cloaca, print what they say."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
import uuid
from pathlib import Path

import pytest

from .conftest import KINDS

ROOT = Path(os.environ.get("SLUICE_ROOT") or Path(__file__).parents[2])
PROGRAMS = sorted((ROOT / "python/examples/cloaca").glob("*.py"))
ON_POSTGRES = ("03_complex_workflows", "06_multi_tenancy")
"""Those that run on Postgres, too; 06 needs it."""

CASES = [
    (program, kind)
    for program in PROGRAMS
    for kind in KINDS
    if (kind == "sqlite" and program.stem != ON_POSTGRES[1]) or (kind == "postgres" and program.stem in ON_POSTGRES)
]


def test_there_are_ten_tutorials_and_the_readme() -> None:
    assert len(PROGRAMS) == 11


@pytest.mark.parametrize(("program", "kind"), CASES, ids=[f"{program.stem}-{kind}" for program, kind in CASES])
def test_a_tutorial_prints_what_it_says(program: Path, kind: str, tmp_path: Path) -> None:
    source = program.read_text()
    assert "from sluice import cloaca\n" in source
    documentation = ast.get_docstring(ast.parse(source)) or ""
    expected = textwrap.dedent(documentation.partition("It prints::\n\n")[2])
    environment = {**os.environ}
    if kind == "postgres":
        server = os.environ["DATABASE_URL"]
        environment["CLOACINA_VAR_ADMIN_URL"] = server
        environment["CLOACINA_VAR_DATABASE_URL"] = f"{server}?options=-csearch_path%3Dtutorial_{uuid.uuid4().hex[:16]}"
    command = [sys.executable, str(program)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, env=environment)
    assert (ended.stdout.strip(), ended.returncode) == (expected.strip(), 0), ended.stderr
