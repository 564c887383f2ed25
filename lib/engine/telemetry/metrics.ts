import type { Histogram } from "./histogram.ts";

/** Counters and histograms of a runner since it was opened. */
export interface Metrics {
  /** When the runner was opened, in milliseconds since the epoch. */
  readonly since: number;
  /** Metrics by workflow, in the order of the `workflows` option. */
  readonly workflows: readonly WorkflowMetrics[];
  /** Metrics of commits that wrote results, ends or new runs. */
  readonly commits: CommitMetrics;
  /** How often the lease expired and the runner registered again under a new id. */
  readonly leaseLosses: number;
  /** Metrics of the schedules and polls that the runner has fired. */
  readonly schedules: ScheduleMetrics;
}

/** Metrics of the schedules and polls that a runner has fired, together. */
export interface ScheduleMetrics {
  /** How late the runs of ticks were inserted, in seconds, jitter not included. */
  readonly lateness: Histogram;
  /** Ticks that started no run because an earlier run had not ended. */
  readonly overlapped: number;
  /** Ticks that no runner could start in time. */
  readonly missed: number;
  /** Ticks whose input could not be computed, and that were given up. */
  readonly failed: number;
  /** Checks of polls that returned. */
  readonly checked: number;
  /** Checks of polls that failed. */
  readonly checksFailed: number;
  /** Runs that checks have started. */
  readonly found: number;
  /** Duration of a check, in seconds. */
  readonly checkSeconds: Histogram;
}

/** Metrics of the runs of a workflow in this runner. */
export interface WorkflowMetrics {
  /** Name of the workflow; `undefined` for the sum of all workflows beyond the limit. */
  readonly workflow: string | undefined;
  /** Its runs, and their durations. */
  readonly runs: RunCounters & {
    /** Time from first claim to end, in seconds, of runs that ended here. */
    readonly seconds: Histogram;
  };
  /** Metrics by task, in the order of their definition. */
  readonly tasks: readonly TaskMetrics[];
}

/** Counters of runs. */
export interface RunCounters {
  /** Runs claimed for the first time. */
  readonly started: number;
  /** Runs claimed again: after a wait or a pause, or from another runner. */
  readonly resumed: number;
  /** Runs that ended as `completed`. */
  readonly completed: number;
  /** Runs that ended as `failed`, including those given up because too many runners died while they owned them. */
  readonly failed: number;
  /** Runs that ended as `cancelled`. */
  readonly cancelled: number;
  /** Runs whose compensation began here. */
  readonly compensating: number;
  /** Runs released until they are due. */
  readonly waited: number;
  /** Runs released because they are paused, or the runner stops. */
  readonly handedBack: number;
  /** Runs lost to another runner. */
  readonly leaseLost: number;
  /** Runs taken from dead runners and made claimable. */
  readonly recovered: number;
  /** Runs parked because the version of this runner cannot continue them. */
  readonly stranded: number;
}

/** Metrics of a task in this runner. */
export interface TaskMetrics {
  /** Id of the task; `undefined` for the sum of all tasks beyond the limit. */
  readonly task: string | undefined;
  /** Attempts started. */
  readonly attempts: number;
  /** Tasks that ended as `completed`. */
  readonly completed: number;
  /** Tasks that ended as `failed`. */
  readonly failed: number;
  /** Tasks that ended as `skipped`, without calling a body. */
  readonly skipped: number;
  /** Failed attempts that are followed by another attempt. */
  readonly retries: number;
  /** Attempts that threw a `DeferError`. */
  readonly deferred: number;
  /** Attempts that ended without a result, of tasks that run at most once. */
  readonly blocked: number;
  /** Tasks that were undone. */
  readonly compensated: number;
  /** Tasks whose undo failed. */
  readonly undoFailed: number;
  /** Duration, in seconds, of attempts that completed or failed, without those at undos. */
  readonly seconds: Histogram;
}

/** Metrics of the commits of a runner. */
export interface CommitMetrics {
  /** Rows per commit: new runs, results, and changes of runs. */
  readonly rows: Histogram;
  /** Duration of a commit, in seconds. */
  readonly seconds: Histogram;
  /** Commits that failed with an error that is not retried. */
  readonly failed: number;
}
