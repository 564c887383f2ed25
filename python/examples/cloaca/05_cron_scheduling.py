"""Tutorial 05: workflows at certain times.

It prints::

    daily_report: 0 9 * * * UTC, enabled
    health_check: * * * * * * UTC, enabled
    backup: 0 2 * * SUN Europe/Berlin, disabled
    health_check has run
    2 or more executions, success rate 100%
    health_check: 0 */6 * * *
    2 schedules are left
    invalid expression: ValueError
"""

import threading
import time
from datetime import datetime, timedelta, timezone

from sluice import cloaca

checked = threading.Semaphore(0)

with cloaca.WorkflowBuilder("daily_report") as builder:

    @cloaca.task()
    def daily_report(context):
        context.set("at", datetime.now(timezone.utc).isoformat())
        return context


with cloaca.WorkflowBuilder("health_check") as builder:

    @cloaca.task()
    def health_check(context):
        context.set("status", "healthy")
        checked.release()
        return context


with cloaca.WorkflowBuilder("backup") as builder:

    @cloaca.task()
    def backup(context):
        context.set("kind", context.get("kind", "incremental"))
        return context


if __name__ == "__main__":
    runner = cloaca.DefaultRunner(cloaca.var_or("DATABASE_URL", ":memory:"))
    try:
        runner.register_cron_workflow("daily_report", "0 9 * * *", "UTC")
        health_id = runner.register_cron_workflow("health_check", "* * * * * *", "UTC")
        backup_id = runner.register_workflow_instance(
            "backup", "weekly", "0 2 * * SUN", "Europe/Berlin", cloaca.Context({"kind": "full"})
        )
        runner.set_cron_schedule_enabled(backup_id, False)
        for schedule in runner.list_cron_schedules():
            state = "enabled" if schedule["enabled"] else "disabled"
            print(f"{schedule['workflow_name']}: {schedule['cron_expression']} {schedule['timezone']}, {state}")

        for _ in range(2):
            checked.acquire(timeout=60)
        print("health_check has run")
        while True:  # until the second one is stored
            stats = runner.get_cron_execution_stats((datetime.now(timezone.utc) - timedelta(days=1)).isoformat())
            if stats["successful_executions"] >= 2:
                break
            time.sleep(0.05)
        history = runner.get_cron_execution_history(health_id, limit=2)
        print(f"{len(history)} or more executions, success rate {stats['success_rate']:.0%}")

        runner.update_cron_schedule(health_id, "0 */6 * * *", "UTC")
        print(f"health_check: {runner.get_cron_schedule(health_id)['cron_expression']}")
        runner.delete_cron_schedule(backup_id)
        print(f"{len(runner.list_cron_schedules(enabled_only=True))} schedules are left")
        try:
            runner.register_cron_workflow("daily_report", "at nine", "UTC")
        except ValueError:
            print("invalid expression: ValueError")
    finally:
        runner.shutdown()
