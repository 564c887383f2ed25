"""Prints results in the format of ``deno test``, which tests/suite reads: ``-p tests.deno_report -p no:terminal``."""

from __future__ import annotations

import pytest

_counts = {"ok": 0, "FAILED": 0, "ignored": 0}
_failures: list[tuple[str, str, str]] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    is_last = report.when == "call" or (report.outcome != "passed")
    if not is_last:
        return
    file, _, name = report.nodeid.partition("::")
    result = {"passed": "ok", "failed": "FAILED", "skipped": "ignored"}[report.outcome]
    _record(f"python/{file}", name, result, report.duration, report.longreprtext if result == "FAILED" else "")


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _record(f"python/{report.nodeid}", "(its import)", "FAILED", 0, report.longreprtext)


def _record(file: str, name: str, result: str, seconds: float, details: str) -> None:
    _counts[result] += 1
    if details:
        _failures.append((file, name, details))
    print(f"{file} => {name} ... {result} ({seconds * 1000:.0f}ms)", flush=True)


def pytest_sessionfinish() -> None:
    if _failures:
        print("\n ERRORS \n")
    for file, name, details in _failures:
        print(f"{name} => {file}:1:1\n{details}\n")
    verdict = "FAILED" if _counts["FAILED"] else "ok"
    print(
        f"\n{verdict} | {_counts['ok']} passed | {_counts['FAILED']} failed | {_counts['ignored']} ignored", flush=True
    )
