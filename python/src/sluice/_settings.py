"""The options of a runner or client, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ._checks import Checks
from ._duration import shown
from ._options import read_retry
from ._wire import Definitions

_DURABILITY = {"power": "power", "process": "process"}
_ON_VERSION_CHANGE = {"resume": "resume", "pin": "pin"}


Role = Literal["runner", "client"]


class Settings:
    """What a runner or client was created with. Raises TypeError, which names every problem, and DefinitionError."""

    def __init__(self, role: Role, url: str, options: Mapping[str, Any]) -> None:
        checks = Checks()
        self.role = role
        if not isinstance(url, str):
            checks.report(f"url must be text such as sqlite://./app.db or postgres://…, not {shown(url)}")
        self.engine = _engine_options(options, checks)
        self.url = url
        self.on_event = checks.function(options.get("on_event"), "on_event")
        self.on_crash = checks.function(options["on_crash"], "on_crash")
        self.start_timeout = (checks.duration(options["start_timeout"], "start_timeout") or 0) / 1_000
        for name in ("workflows", "schedules"):
            value = options[name]
            if value is not None and not isinstance(value, (list, tuple)):
                checks.report(f"{name} must be a list, not {shown(value)}")
        if checks.problems:
            raise TypeError(f"Cannot create a {role}: {'; '.join(checks.problems)}")
        self.definitions = Definitions(f"open a {role}", options["workflows"], options["schedules"])

    def open_params(self) -> dict[str, Any]:
        """The parameters of ``open``."""
        params: dict[str, Any] = {
            "url": self.url,
            "role": self.role,
            "options": self.engine,
            "workflows": self.definitions.workflows,
            "log": "info",
        }
        if self.definitions.schedules is not None:
            params["schedules"] = self.definitions.schedules
        if self.on_event is not None:
            params["observe"] = True
        return params


def _engine_options(options: Mapping[str, Any], checks: Checks) -> dict[str, Any]:
    """The options that are there, as the engine takes them: a client has fewer than a runner."""
    policy, stated = read_retry(options.get("retry"), "retry", checks)
    if stated is not None and stated.retry_if is not None:
        checks.report("retry: retry_if is for tasks; state it where a task is defined")
    timeout = checks.duration(options.get("timeout"), "timeout")
    defaults = {name: value for name, value in (("retry", policy), ("timeout", timeout)) if value is not None}
    password = options["password"]
    if password is not None and not isinstance(password, str):
        checks.report("password must be text")  # not shown
    read: dict[str, Any] = {
        "schema": checks.text(options["schema"], "schema"),
        "password": password,
        "durability": checks.word(options["durability"], "durability", _DURABILITY),
        "concurrency": checks.count(options.get("concurrency"), "concurrency"),
        "maxRuns": checks.count(options.get("max_runs"), "max_runs"),
        "defaults": defaults or None,
        "lease": checks.duration(options.get("lease"), "lease"),
        "retention": _retention(options.get("retention"), checks),
        "maxPayloadBytes": checks.count(options["max_payload_bytes"], "max_payload_bytes"),
        "onVersionChange": checks.word(options.get("on_version_change"), "on_version_change", _ON_VERSION_CHANGE),
        "recoveryLimit": checks.count(options.get("recovery_limit"), "recovery_limit"),
    }
    return {name: value for name, value in read.items() if value is not None}


def _retention(value: object, checks: Checks) -> Any:
    if not isinstance(value, Mapping):
        return checks.duration(value, "retention")
    read: dict[str, Any] = {}
    for state, time in value.items():
        if state in ("completed", "failed", "cancelled"):
            read[state] = checks.duration(time, f"retention: {state}")
        else:
            checks.report(f"retention has states completed, failed and cancelled, not {shown(state)}")
    return read
