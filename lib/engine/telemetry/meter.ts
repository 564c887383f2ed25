/**
 * Counts what a runner does, from its start on, because callers ask about the past. A task costs a few additions, but no
 * read of the clock and no look-up by name.
 *
 * The names are those of definitions, so their number is bounded. Names beyond a limit are still counted together, because
 * collectors of metrics pay for each name.
 *
 * @module
 */
import { undoneUnit } from "../runs/compensation.ts";
import type { EngineEvent, Observer, StoredRun } from "./engine_events.ts";
import { createObservations, type Observations } from "./histogram.ts";
import type { Attempt, LiveRun, LiveUnit } from "../runs/live_run.ts";
import type { Metrics, RunCounters, TaskMetrics } from "./metrics.ts";
import type { Plan } from "../machine/plan.ts";
import type { RunEnd } from "../runs/run_end.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import { createScheduleMeter } from "../schedules/schedule_meter.ts";
import type { RunnerTotals } from "./stats.ts";

/** Counts for a runner. */
export interface Meter {
  /** Counts an event. */
  readonly observe: Observer;
  /** A copy of all counts. */
  metrics(): Metrics;
  /** What the counts come to. */
  totals(): RunnerTotals;
}

/** So many tasks of a runner have counts of their own. */
const MOST_TASKS = 500;

// In seconds. Bodies take from less than a millisecond, which is as short as the clock can tell, to hours.
const TIMES = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200];
const COMMIT_TIMES = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
const COMMIT_ROWS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500];

type Counting<T> = { -readonly [Name in keyof T]: T[Name] };

interface TaskCounts {
  readonly counts: Counting<Omit<TaskMetrics, "seconds">>;
  readonly times: Observations;
}

interface WorkflowCounts {
  readonly workflow: string | undefined;
  readonly runs: Counting<RunCounters>;
  readonly times: Observations;
  /** By task number. */
  readonly tasks: readonly TaskCounts[];
  /** Those of all other tasks. */
  readonly rest: TaskCounts | undefined;
}

/** A meter for runs of these workflows. */
export function createMeter(plans: readonly Plan[], now: () => number): Meter {
  const since = now();
  const byPlace = countsOf(plans);
  const all = [...new Set(byPlace)];
  const places = new Map(plans.map(({ workflow, place }) => [workflow.name, place]));
  const rowsOfCommits = createObservations(COMMIT_ROWS);
  const timesOfCommits = createObservations(COMMIT_TIMES);
  const schedules = createScheduleMeter();
  let failedCommits = 0;
  let leaseLosses = 0;
  return {
    observe,
    metrics: () => ({
      since,
      workflows: all.map(({ workflow, runs, times, tasks, rest }) => ({
        workflow,
        runs: { ...runs, seconds: times.histogram() },
        tasks: (rest === undefined ? tasks : [...tasks, rest])
          .map(({ counts, times }) => ({ ...counts, seconds: times.histogram() })),
      })),
      commits: { rows: rowsOfCommits.histogram(), seconds: timesOfCommits.histogram(), failed: failedCommits },
      leaseLosses,
      schedules: schedules.metrics(),
    }),
    totals,
  };

  function observe(event: EngineEvent): void {
    switch (event.type) {
      case "runLoaded":
        return void ofRun(event.run).runs[loadedAs(event.run)]++;
      case "runReleased":
        if (event.as === "compensating") return;
        return void ofRun(event.run).runs[event.as === "waiting" ? "waited" : "handedBack"]++;
      case "runLost":
        return void ofRun(event.run).runs.leaseLost++;
      case "runEnded":
        return countEnd(ofRun(event.run), event.end);
      case "attemptStarted":
        return event.attempt.unit.run.compensation === undefined
          ? void ofTask(event.attempt.unit).counts.attempts++
          : undefined;
      case "attemptFailed":
        return event.attempt.unit.run.compensation === undefined ? countRetry(event.attempt) : undefined;
      case "attemptDeferred":
        return event.attempt.unit.run.compensation === undefined
          ? void ofTask(event.attempt.unit).counts.deferred++
          : undefined;
      case "unitBlocked":
        return void ofTask(event.unit).counts.blocked++;
      case "unitEnded":
        return countUnit(event.unit, event.tookMs);
      case "runRecovered":
        return countStored(event.run, "recovered");
      case "runGivenUp":
        return countStored(event.run, "failed");
      case "runParked":
        return countStored(event.run, "stranded");
      case "committed":
        rowsOfCommits.observe(event.rows);
        return timesOfCommits.observe(event.ms / 1_000);
      case "commitFailed":
        return void failedCommits++;
      case "leaseLost":
        return void leaseLosses++;
      case "scheduleAdvanced":
      case "pollChecked":
        return schedules.observe(event);
      case "runAbandoned":
      case "runEnding":
      case "runChanged":
      case "capacityReleased":
      case "leaseConfirmed":
      case "attemptProgressed":
        return;
    }
  }

  function countEnd({ runs, times }: WorkflowCounts, { state, tookMs }: RunEnd): void {
    runs[state]++;
    if (tookMs !== undefined) times.observe(tookMs / 1_000);
  }

  function countRetry({ unit, tookMs = 0 }: Attempt): void {
    const { counts, times } = ofTask(unit);
    counts.retries++;
    times.observe(tookMs / 1_000);
  }

  /** Counts ends of tasks; items of a map count only as attempts. */
  function countUnit(unit: LiveUnit, tookMs: number | undefined): void {
    if (unit.run.compensation !== undefined) return countUndo(unit);
    const { counts, times } = ofTask(unit);
    if (unit.item !== NO_ITEM) return tookMs === undefined ? undefined : times.observe(tookMs / 1_000);
    if (unit.state === "skipped") return void counts.skipped++;
    if (unit.state === "completed") counts.completed++;
    else counts.failed++;
    if (tookMs !== undefined && unit.expansion === undefined) times.observe(tookMs / 1_000);
  }

  function countUndo(unit: LiveUnit): void {
    const undone = undoneUnit(unit);
    if (undone === undefined || unit.item !== NO_ITEM) return;
    ofTask(undone).counts[unit.state === "completed" ? "compensated" : "undoFailed"]++;
  }

  function countStored({ workflow }: StoredRun, what: "recovered" | "stranded" | "failed"): void {
    const place = places.get(workflow);
    if (place !== undefined) byPlace[place]!.runs[what]++;
  }

  function ofRun(run: LiveRun): WorkflowCounts {
    return byPlace[run.plan.place]!;
  }

  function ofTask({ run, node }: Pick<LiveUnit, "run" | "node">): TaskCounts {
    const { tasks, rest } = ofRun(run);
    return tasks[node] ?? rest!;
  }

  function totals(): RunnerTotals {
    const runs = { completed: 0, failed: 0, cancelled: 0 };
    const tasks = { completed: 0, failed: 0, skipped: 0 };
    let retries = 0;
    for (const each of all) {
      for (const state of RUN_ENDS) runs[state] += each.runs[state];
      for (const { counts } of each.rest === undefined ? each.tasks : [...each.tasks, each.rest]) {
        for (const state of TASK_ENDS) tasks[state] += counts[state];
        retries += counts.retries;
      }
    }
    return { runs, tasks, retries, leaseLosses, ...schedules.totals() };
  }
}

function loadedAs({ compensation, epoch }: LiveRun): "started" | "resumed" | "compensating" {
  if (compensation?.isNew === true) return "compensating";
  return epoch > 1 ? "resumed" : "started";
}

const RUN_ENDS = ["completed", "failed", "cancelled"] as const;
const TASK_ENDS = ["completed", "failed", "skipped"] as const;

/** For each plan, by its place, where its runs are counted. */
function countsOf(plans: readonly Plan[]): readonly WorkflowCounts[] {
  let left = MOST_TASKS;
  let others: WorkflowCounts | undefined;
  return plans.map(({ workflow, nodes }) => {
    if (left === 0) return others ??= newCounts(undefined, [], true);
    const own = nodes.slice(0, left);
    left -= own.length;
    return newCounts(workflow.name, own.map(({ id }) => id), own.length < nodes.length);
  });
}

function newCounts(workflow: string | undefined, tasks: readonly string[], hasMore: boolean): WorkflowCounts {
  return {
    workflow,
    runs: {
      started: 0,
      resumed: 0,
      completed: 0,
      failed: 0,
      cancelled: 0,
      compensating: 0,
      waited: 0,
      handedBack: 0,
      leaseLost: 0,
      recovered: 0,
      stranded: 0,
    },
    times: createObservations(TIMES),
    tasks: tasks.map(newTaskCounts),
    rest: hasMore ? newTaskCounts(undefined) : undefined,
  };
}

function newTaskCounts(task: string | undefined): TaskCounts {
  return {
    counts: {
      task,
      attempts: 0,
      completed: 0,
      failed: 0,
      skipped: 0,
      retries: 0,
      deferred: 0,
      blocked: 0,
      compensated: 0,
      undoFailed: 0,
    },
    times: createObservations(TIMES),
  };
}
