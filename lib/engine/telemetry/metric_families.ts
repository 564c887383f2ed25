/** What is counted of a store and of a runner, for Prometheus and OpenTelemetry. */
import type { ScheduleRow } from "../../store/port/schedules.ts";
import type { LimitTotals } from "../../store/port/limits.ts";
import type { ClientContext } from "../client/client_context.ts";
import type { Histogram } from "./histogram.ts";
import type { Metrics, ScheduleMetrics, TaskMetrics, WorkflowMetrics } from "./metrics.ts";
import { COUNTED, countsOf } from "./run_counts.ts";
import { MISSED_AFTER_MS } from "../schedules/decide.ts";
import { decodeProgress } from "../schedules/stored.ts";

/** The labels of a sample; `undefined` for all that is beyond a limit together. */
export type Labels = Readonly<Record<string, string | number | undefined>>;

/** A number with its labels. */
export interface Sample {
  /** The labels. @default {} */
  readonly labels?: Labels;
  /** The number. */
  readonly value: number;
  /** Follows the name of the family: `_bucket`, `_sum` or `_count` of a histogram. */
  readonly suffix?: string;
}

/** Samples of one name. */
export interface MetricFamily {
  /** The name, such as `sluice_runs`. */
  readonly name: string;
  /** How its numbers change. */
  readonly type: "gauge" | "counter" | "histogram";
  /** What it counts. */
  readonly help: string;
  /** The numbers. */
  readonly samples: readonly Sample[];
}

/** The most schedules whose ticks are reported, by name. */
const MOST_SCHEDULES = 100;

/** The most limits that are reported, by name. */
const MOST_LIMITS = 100;

/**
 * Reads the counts of a store and, from the context of a runner, the metrics of that runner. The names do not change
 * while a context is in use. Costs seven bounded reads.
 */
export async function readFamilies(context: ClientContext): Promise<readonly MetricFamily[]> {
  const store = await storeFamilies(context);
  const metrics = context.runner?.metrics();
  return [...store, ...runnerFamilies(context), ...metrics === undefined ? [] : familiesOf(metrics)];
}

async function storeFamilies({ store }: ClientContext): Promise<readonly MetricFamily[]> {
  const [tally, tasks, owned, runners, schedules, scheduleCounts, limits] = await Promise.all([
    store.inspection.tally(COUNTED),
    store.inspection.heldTasks(COUNTED),
    store.inspection.owned(COUNTED),
    store.runners(),
    store.schedules.read({ after: "", limit: MOST_SCHEDULES }),
    store.schedules.counts(MISSED_AFTER_MS),
    store.limits.totals(MOST_LIMITS),
  ]);
  const now = store.now();
  const counters = store.counters();
  const aged = tally.oldestDueAt === undefined ? 0 : Math.max(0, now - tally.oldestDueAt) / 1_000;
  const alive = runners.filter(({ leaseUntil }) => leaseUntil > now);
  return [
    gauge(
      "sluice_runs",
      `Runs by state; counts above ${COUNTED} are estimated from samples`,
      Object.entries(countsOf(tally)).map(([state, { count }]) => ({ labels: { state }, value: count })),
    ),
    gauge(
      "sluice_tasks",
      "Recorded tasks of runs that a runner owns, by state",
      [...tasks].map(([state, value]) => ({ labels: { state }, value })),
    ),
    gauge("sluice_backlog_runs", `Runs that are due and unowned; counted up to ${COUNTED}`, [
      { value: tally.backlog.count },
    ]),
    gauge("sluice_queue_age_seconds", "Seconds for which the oldest run of the backlog has been due", [{
      value: aged,
    }]),
    gauge("sluice_runners", "Registered runners, by whether their lease is valid (alive) or expired", [
      { labels: { state: "alive" }, value: alive.length },
      { labels: { state: "expired" }, value: runners.length - alive.length },
    ]),
    gauge(
      "sluice_runner_runs",
      "Runs that a runner owns",
      runners.map(({ id }) => ({ labels: { runner: id }, value: owned.counts.get(id) ?? 0 })),
    ),
    gauge(
      "sluice_runner_lease_seconds",
      "Seconds until the lease of a runner expires; negative if it has expired",
      runners.map(({ id, leaseUntil }) => ({ labels: { runner: id }, value: (leaseUntil - now) / 1_000 })),
    ),
    gauge("sluice_schedules", "Schedules and polls by state; overdue ones are active ones due for more than 10 s", [
      { labels: { state: "active" }, value: scheduleCounts.active },
      { labels: { state: "paused" }, value: scheduleCounts.paused },
      { labels: { state: "overdue" }, value: scheduleCounts.overdue },
    ]),
    ...scheduleFamilies(schedules, now),
    ...limitFamilies(limits),
    counter("sluice_store_commits_total", "Write transactions committed by this process", [{
      value: counters.commits,
    }]),
    counter("sluice_store_statements_total", "SQL statements executed by this process", [{
      value: counters.statements,
    }]),
    counter("sluice_store_rows_total", "Rows written by this process", [{ value: counters.rows }]),
    counter("sluice_store_retries_total", "Writes retried by this process", [{ value: counters.retries }]),
  ];
}

function scheduleFamilies(rows: readonly ScheduleRow[], now: number): readonly MetricFamily[] {
  const ticks = rows.flatMap((row) => {
    const { started, overlapped, missed, failed } = decodeProgress(row);
    return Object.entries({ started, overlapped, missed, failed }).map(([outcome, value]) => ({
      labels: { schedule: row.name, outcome },
      value,
    }));
  });
  const next = rows.flatMap(({ name, nextAt }) =>
    nextAt === undefined ? [] : [{ labels: { schedule: name }, value: (nextAt - now) / 1_000 }]
  );
  return [
    counter("sluice_schedule_ticks_total", "Ticks of a schedule, or runs of a poll, by outcome", ticks),
    gauge("sluice_schedule_next_seconds", "Seconds until the next tick of a schedule; negative if it is overdue", next),
  ];
}

function limitFamilies(totals: readonly LimitTotals[]): readonly MetricFamily[] {
  const samples = (of: "held" | "waiting"): readonly Sample[] =>
    totals.map((total) => ({ labels: { limit: total.limit }, value: total[of] }));
  return [
    gauge("sluice_limit_held", "Slots of a limit in use, over all keys", samples("held")),
    gauge("sluice_limit_waiting", "Tasks, items and runs waiting for a limit, over all keys", samples("waiting")),
  ];
}

function runnerFamilies({ runner }: ClientContext): readonly MetricFamily[] {
  const own = runner?.load();
  if (own === undefined) return [];
  return [
    gauge("sluice_bodies", "Task bodies of this runner: running (active), or waiting for a slot (queued)", [
      { labels: { state: "active" }, value: own.active },
      { labels: { state: "queued" }, value: own.queued },
    ]),
  ];
}

function firedFamilies({ lateness, checkSeconds }: ScheduleMetrics): readonly MetricFamily[] {
  const parts = (histogram: Histogram) => histogram.count === 0 ? [] : [{ labels: {}, histogram }];
  return [
    histogram(
      "sluice_schedule_lateness_seconds",
      "Seconds from a tick to the start of its run by this runner",
      parts(lateness),
    ),
    histogram(
      "sluice_poll_check_duration_seconds",
      "Duration in seconds of the poll checks of this runner",
      parts(checkSeconds),
    ),
  ];
}

function familiesOf({ workflows, commits, leaseLosses, schedules }: Metrics): readonly MetricFamily[] {
  const runs = (label: string, of: (runs: WorkflowMetrics["runs"]) => Readonly<Record<string, number>>) =>
    workflows.flatMap(({ workflow, runs }) =>
      Object.entries(of(runs)).map(([name, value]): Sample => ({ labels: { workflow, [label]: name }, value }))
    );
  const tasks = (of: (task: TaskMetrics) => number): readonly Sample[] =>
    workflows.flatMap(({ workflow, tasks }) =>
      tasks.map((one) => ({ labels: { workflow, task: one.task }, value: of(one) }))
    );
  return [
    counter(
      "sluice_runs_ended_total",
      "Runs that ended in this runner, by final state",
      runs("state", ({ completed, failed, cancelled }) => ({ completed, failed, cancelled })),
    ),
    counter(
      "sluice_run_events_total",
      "Other events of runs in this runner, such as started, resumed and stranded",
      runs("event", ({ seconds: _, completed: __, failed: ___, cancelled: ____, ...moves }) => ({ ...moves })),
    ),
    histogram(
      "sluice_run_duration_seconds",
      "Seconds from the first claim of a run to its end, for runs that ended in this runner",
      workflows.map(({ workflow, runs: { seconds } }) => ({ labels: { workflow }, histogram: seconds })),
    ),
    counter("sluice_task_attempts_total", "Attempts started", tasks(({ attempts }) => attempts)),
    counter(
      "sluice_task_retries_total",
      "Failed attempts that are retried",
      tasks(({ retries }) => retries),
    ),
    counter("sluice_task_deferrals_total", "Attempts deferred by DeferError", tasks(({ deferred }) => deferred)),
    counter(
      "sluice_task_blocks_total",
      "Attempts of at-most-once tasks that ended without a result and blocked the task",
      tasks(({ blocked }) => blocked),
    ),
    counter("sluice_tasks_completed_total", "Completed tasks", tasks(({ completed }) => completed)),
    counter("sluice_tasks_failed_total", "Tasks that failed after their last attempt", tasks(({ failed }) => failed)),
    counter("sluice_tasks_skipped_total", "Skipped tasks", tasks(({ skipped }) => skipped)),
    counter("sluice_tasks_compensated_total", "Compensated tasks", tasks(({ compensated }) => compensated)),
    counter(
      "sluice_task_undos_failed_total",
      "Tasks whose undo failed after its last attempt",
      tasks(({ undoFailed }) => undoFailed),
    ),
    histogram(
      "sluice_task_duration_seconds",
      "Duration in seconds of attempts that completed or failed",
      workflows.flatMap(({ workflow, tasks }) =>
        tasks.map(({ task, seconds }) => ({ labels: { workflow, task }, histogram: seconds }))
      ),
    ),
    histogram("sluice_commit_rows", "Rows written per commit", [{ labels: {}, histogram: commits.rows }]),
    histogram("sluice_commit_duration_seconds", "Duration of commits in seconds", [{
      labels: {},
      histogram: commits.seconds,
    }]),
    counter("sluice_commit_failures_total", "Commits that failed permanently", [{ value: commits.failed }]),
    counter("sluice_lease_losses_total", "Lost leases of this runner", [{ value: leaseLosses }]),
    ...firedFamilies(schedules),
  ];
}

function gauge(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { name, type: "gauge", help, samples };
}

function counter(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { name, type: "counter", help, samples };
}

function histogram(
  name: string,
  help: string,
  parts: readonly { readonly labels: Labels; readonly histogram: Histogram }[],
): MetricFamily {
  const samples = parts.flatMap(({ labels, histogram: { buckets, count, sum } }): readonly Sample[] => [
    ...buckets.map(({ le, count }) => ({
      suffix: "_bucket",
      labels: { ...labels, le: le === Infinity ? "+Inf" : le },
      value: count,
    })),
    { suffix: "_sum", labels, value: sum },
    { suffix: "_count", labels, value: count },
  ]);
  return { name, type: "histogram", help, samples };
}
