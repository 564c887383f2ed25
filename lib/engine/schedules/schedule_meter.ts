import type { EngineEvent } from "../telemetry/engine_events.ts";
import { createObservations } from "../telemetry/histogram.ts";
import type { ScheduleMetrics } from "../telemetry/metrics.ts";
import type { RunnerTotals } from "../telemetry/stats.ts";

/** Counts what becomes of ticks and checks in a runner. */
export interface ScheduleMeter {
  /** Counts an event. */
  observe(event: Extract<EngineEvent, { readonly type: "scheduleAdvanced" | "pollChecked" }>): void;
  /** A copy of all counts. */
  metrics(): ScheduleMetrics;
  /** What the counts come to. */
  totals(): Pick<RunnerTotals, "ticks" | "checks">;
}

// In seconds. Ticks are late by milliseconds, or by as long as no runner was alive.
const LATENESS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10, 60, 600, 3_600, 86_400];
const CHECK_TIMES = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** A meter without counts. */
export function createScheduleMeter(): ScheduleMeter {
  const lateness = createObservations(LATENESS);
  const checkTimes = createObservations(CHECK_TIMES);
  const ticks = { started: 0, overlapped: 0, missed: 0, failed: 0 };
  const checks = { checked: 0, checksFailed: 0, found: 0 };
  return {
    observe(event) {
      if (event.type === "pollChecked") {
        checks[event.isFailed ? "checksFailed" : "checked"]++;
        checks.found += event.runIds.length;
        return checkTimes.observe(event.ms / 1_000);
      }
      const { runs, overlapped, missed, failed } = event.advance;
      ticks.started += runs.length;
      ticks.overlapped += overlapped;
      ticks.missed += missed;
      ticks.failed += failed;
      for (const { lateMs } of runs) lateness.observe(lateMs / 1_000);
    },
    metrics() {
      const { started: _, ...lost } = ticks;
      return { lateness: lateness.histogram(), ...lost, ...checks, checkSeconds: checkTimes.histogram() };
    },
    totals: () => ({ ticks: { ...ticks }, checks: { completed: checks.checked, failed: checks.checksFailed } }),
  };
}
