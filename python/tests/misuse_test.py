"""One clear exception for each misuse and for each thing that is missing."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import sluice
from sluice import (
    DefinitionError,
    EngineError,
    EngineMissingError,
    EngineProtocolError,
    PayloadError,
    Runner,
    SluiceError,
    StoreError,
    Workflow,
    __version__,
    subworkflow,
)
from sluice import _lines as lines
from sluice import _session as session
from sluice._engine import EngineProcess

from .conftest import Store


def flow_of(name: str = "flow") -> Workflow:
    flow = Workflow(name)
    flow.task(id="one")(lambda: 1)
    return flow


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"url": 5}, r"url must be text such as sqlite://\./app\.db or postgres://…, not 5"),
        ({"workflows": "flow"}, "workflows must be a list, not 'flow'"),
        ({"workflows": [3]}, "workflows must be Workflow objects, not 3"),
        ({"schedules": ["x"]}, "schedules must be Schedule or Poll objects, not 'x'"),
        (
            {"concurrency": 0, "lease": "soon", "durability": "disk"},
            "durability must be one of .*; concurrency must be .*; lease is",
        ),
        ({"retention": {"done": 1}}, "retention has states completed, failed and cancelled, not 'done'"),
        ({"on_event": 3}, "on_event must be a function, not 3"),
        ({"password": b"secret"}, "password must be text$"),
    ],
)
def test_wrong_types_are_type_errors(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Runner(**{"url": "sqlite::memory:", **arguments})


def test_definitions_are_checked_before_the_engine_is_started() -> None:
    bad = Workflow("bad")
    with pytest.raises(DefinitionError, match="it has no tasks"):
        Runner("sqlite::memory:", workflows=[bad])
    with pytest.raises(DefinitionError, match='more than one workflow "flow"'):
        Runner("sqlite::memory:", workflows=[flow_of(), flow_of()])
    child = flow_of("child")
    parent = Workflow("parent", tasks=[subworkflow(child, id="one")])
    with pytest.raises(DefinitionError, match='starts workflow "child", which it does not have; pass it in workflows='):
        Runner("sqlite::memory:", workflows=[parent])


def test_wrong_types_in_calls_are_type_errors(memory: Store) -> None:
    flow = flow_of()
    with Runner(memory.url, workflows=[flow]) as runner:
        with pytest.raises(TypeError, match="its workflow must be a Workflow or a name, not 3"):
            runner.start(3)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r'Cannot start "flow": there is no option "keys"; did you mean "key"\?'):
            runner.start(flow, keys="x")
        with pytest.raises(TypeError, match="delay and start_at exclude each other; .*if_exists needs a key"):
            runner.start(flow, delay=1, start_at=1, if_exists="return")
        with pytest.raises(TypeError, match="state must be one of .*did you mean"):
            runner.list(state="complete")
        with pytest.raises(TypeError, match="The id of a run must be text"):
            runner.get(3)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="the reason must be text"):
            runner.start(flow).cancel(3)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="the task must be a task or its id"):
            runner.start(flow).send(3)  # type: ignore[arg-type]


def test_a_store_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "app.db").write_text("no database, but a text that is long enough to be one\n" * 100)
    with pytest.raises(StoreError) as caught:
        Runner(f"sqlite://{tmp_path}/app.db").__enter__()
    assert caught.value.code == "not_a_database"
    with pytest.raises(StoreError) as wrong:
        Runner("mysql://localhost").__enter__()
    assert wrong.value.code == "invalid_url"


def test_a_runner_that_is_not_open(memory: Store) -> None:
    runner = Runner(memory.url, workflows=[flow_of()])
    with pytest.raises(SluiceError, match="The runner is not open; use it in a with statement"):
        runner.start("flow")


def test_a_runner_is_opened_once(memory: Store) -> None:
    with Runner(memory.url, workflows=[flow_of()]) as runner:
        with pytest.raises(SluiceError, match="open already"):
            runner.__enter__()
        assert runner.execute("flow").result == {"one": 1}
    with runner:
        assert runner.execute("flow").result == {"one": 1}


def test_what_is_too_long_for_a_message_is_refused(memory: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Workflow("flow")
    flow.task(id="one", retry=3)(lambda: "x" * 100_000)
    with Runner(memory.url, workflows=[flow]) as runner:
        monkeypatch.setattr(lines, "MOST_BYTES", 50_000)
        error = runner.execute(flow).error
        assert isinstance(error, PayloadError) and "at most 50000 are allowed" in error.message
        with pytest.raises(PayloadError, match="at most 50000 are allowed"):
            runner.start(flow, "x" * 100_000)
        assert len(runner.list().runs) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_runner_is_of_no_use_in_a_forked_process(memory: Store) -> None:
    with Runner(memory.url, workflows=[flow_of()]) as runner:
        child = os.fork()
        if child == 0:
            try:
                runner.list()
            except EngineError as error:
                os._exit(0 if "Cannot use a runner in a forked process" in str(error) else 2)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert runner.execute("flow").status == "completed"


def test_the_version_is_that_of_the_engine() -> None:
    root = os.environ.get("SLUICE_ROOT")
    if root is None:
        pytest.skip("the package is not installed from its wheel")
    assert __version__ == json.loads((Path(root) / "deno.json").read_text())["version"]
    assert (Path(sluice.__file__).parent / "py.typed").is_file()


def test_deno_that_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SLUICE_DENO", raising=False)
    monkeypatch.setitem(sys.modules, "deno", None)
    with pytest.raises(EngineMissingError, match='the package "deno" is not installed; run "pip install deno"'):
        Runner("sqlite::memory:").__enter__()
    monkeypatch.setenv("SLUICE_DENO", str(tmp_path / "deno"))
    with pytest.raises(EngineMissingError, match="SLUICE_DENO names .*deno, which is not a file"):
        Runner("sqlite::memory:").__enter__()
    monkeypatch.setenv("SLUICE_ENGINE", str(tmp_path / "engine.js"))
    with pytest.raises(EngineMissingError, match="engine.js is missing; install the package from its wheel"):
        Runner("sqlite::memory:").__enter__()


def test_an_engine_that_knows_no_such_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PROTOCOL", 99)
    with pytest.raises(EngineProtocolError, match="99"):
        Runner("sqlite::memory:").__enter__()


ENGINES = {
    # An engine of an older release, which does not know how to refuse.
    "old": (
        "const read = new TextDecoder().decode((await Deno.stdin.readable.getReader().read()).value);"
        "console.log(JSON.stringify({ id: JSON.parse(read).id, result: { protocol: 0 } }));"
        "await new Promise(() => setTimeout(() => {}, 1e6));",
        EngineProtocolError,
        "it speaks version 0 of the worker protocol, and this package version 1",
    ),
    "dying": ('console.error("out of order"); Deno.exit(3);', EngineError, "it ended with exit code 3: out of order"),
    "babbling": (
        'console.log("hello?"); await new Promise(() => setTimeout(() => {}, 1e6));',
        EngineError,
        "not a message of the worker protocol",
    ),
    "silent": ("await new Promise(() => setTimeout(() => {}, 1e6));", EngineError, "has not answered within 1 s"),
}


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_that_is_not_ours(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source, kind, message = ENGINES[name]
    engine = tmp_path / "engine.js"
    engine.write_text(source)
    monkeypatch.setenv("SLUICE_ENGINE", str(engine))
    with pytest.raises(kind, match=message):
        Runner("sqlite::memory:", start_timeout=1 if name == "silent" else 60).__enter__()


def test_an_engine_that_ends_before_it_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ask = session.Session._ask

    def ask_late(self: session.Session, method: str, params: Mapping[str, Any], process: EngineProcess) -> Any:
        assert process.wait(30)
        return ask(self, method, params, process)

    monkeypatch.setattr(session.Session, "_ask", ask_late)
    source, kind, message = ENGINES["dying"]
    engine = tmp_path / "engine.js"
    engine.write_text(source)
    monkeypatch.setenv("SLUICE_ENGINE", str(engine))
    with pytest.raises(kind, match=message):
        Runner("sqlite::memory:", start_timeout=10).__enter__()


def test_the_same_from_coroutines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def main() -> None:
        async with Runner("mysql://localhost"):
            pass

    with pytest.raises(StoreError):
        asyncio.run(main())
