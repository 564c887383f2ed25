import type { Histogram } from "./histogram.ts";

/** What a runner has counted since it was opened. */
export interface Metrics {
  /** When that was, in milliseconds since the epoch. */
  readonly since: number;
  /** By workflow, in the order in which the runner was given them. */
  readonly workflows: readonly WorkflowMetrics[];
  /** Commits that wrote results, ends or new runs. */
  readonly commits: CommitMetrics;
  /** How often the runner was taken for dead, and went on as a new one. */
  readonly leaseLosses: number;
}

/** What became of the runs of a workflow in this runner. */
export interface WorkflowMetrics {
  /** Its name; `undefined` for all workflows beyond the limit, together. */
  readonly workflow: string | undefined;
  /** Its runs. */
  readonly runs: RunCounters & {
    /** From when a runner first took a run to its end, for those that ended here. */
    readonly seconds: Histogram;
  };
  /** Its tasks, in the order of their definition. */
  readonly tasks: readonly TaskMetrics[];
}

/** Counts of runs. */
export interface RunCounters {
  /** Taken for the first time. */
  readonly started: number;
  /** Taken once more, after a wait, a pause, or another runner. */
  readonly resumed: number;
  /** Ended so. */
  readonly completed: number;
  /** Ended so, those included that took too many runners with them. */
  readonly failed: number;
  /** Ended so. */
  readonly cancelled: number;
  /** Let go of until they are due. */
  readonly waited: number;
  /** Let go of because they are paused, or the runner stops. */
  readonly handedBack: number;
  /** Lost to another runner. */
  readonly leaseLost: number;
  /** Taken from dead runners, for whoever has room. */
  readonly recovered: number;
  /** Found not to fit the version that this runner has. */
  readonly stranded: number;
}

/** What became of a task in this runner. */
export interface TaskMetrics {
  /** Its id; `undefined` for all tasks beyond the limit, together. */
  readonly task: string | undefined;
  /** Attempts begun. */
  readonly attempts: number;
  /** Ended so. */
  readonly completed: number;
  /** Ended so, for good. */
  readonly failed: number;
  /** Ended so, without a body. */
  readonly skipped: number;
  /** Failed attempts that are followed by another. */
  readonly retries: number;
  /** Attempts that asked to be called later. */
  readonly deferred: number;
  /** How long attempts took that completed or failed. */
  readonly seconds: Histogram;
}

/** What a runner has committed. */
export interface CommitMetrics {
  /** Rows of a commit: new runs, results, and moves of runs. */
  readonly rows: Histogram;
  /** How long a commit took. */
  readonly seconds: Histogram;
  /** Commits that no retry mended. */
  readonly failed: number;
}
