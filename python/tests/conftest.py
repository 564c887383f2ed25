"""A store for each test, of the kind that SLUICE_TEST_STORE names: ``sqlite`` or ``postgres``."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


class Store:
    """Where a runner keeps its runs."""

    def __init__(self, url: str, schema: str | None = None) -> None:
        self.url = url
        self.schema = schema
        self.options: dict[str, Any] = {} if schema is None else {"schema": schema}


KINDS = ["sqlite", *(["postgres"] if os.environ.get("DATABASE_URL") else [])]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        yield Store(f"sqlite://{tmp_path}/app.db")
    else:
        # The server of the tests is gone with its schemas.
        yield Store(os.environ["DATABASE_URL"], f"py_{uuid.uuid4().hex[:16]}")


@pytest.fixture
def memory() -> Store:
    return Store("sqlite::memory:")
