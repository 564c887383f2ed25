"""The programs in the documentation for Python run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("SLUICE_ROOT") or Path(__file__).parents[2])


@pytest.mark.parametrize("name", ["docs/python.md", "docs/cloaca.md", "python/README.md"])
def test_the_programs_in_the_documentation_run(name: str, tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / name).read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    (tmp_path / "program.py").write_text("\n".join(blocks))
    ended = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
