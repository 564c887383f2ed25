/**
 * The shapes of the front page and of the failures. The conventions of shapes.ts apply.
 *
 * @module
 */
import type { BoundedCount, StateCounts } from "../engine/telemetry/run_counts.ts";
import type { Answer, RunLink } from "./shapes.ts";

/** Failed runs with the same error. */
export interface FailureGroup {
  /** The first line of the error, such as `TypeError: rows is undefined`; `[redacted]` where errors are hidden. */
  readonly error: string;
  /** The number of runs. */
  readonly runs: number;
  /** Their workflows, that of the newest run first; at most three. */
  readonly workflows: readonly string[];
  /** The list of these runs. */
  readonly href: string;
  /** The run that was inserted last. */
  readonly latest: RunLink;
  /** When the first of them ended. */
  readonly firstEndedAt: number;
  /** When the last of them ended. */
  readonly lastEndedAt: number;
}

/** Failed runs in groups. */
export interface FailureGroups {
  /** The groups, the largest first; at most a hundred. */
  readonly groups: readonly FailureGroup[];
  /** The number of groups. */
  readonly groupCount: number;
  /** The number of runs in all groups. */
  readonly grouped: number;
  /** Whether more runs have failed than are grouped: only the newest 5,000 are. */
  readonly isCapped: boolean;
  /** Whether runs are grouped by workflow, because `redact` hides parts of errors. */
  readonly isByWorkflow: boolean;
}

/** `/failures` and `/api/failures`, with `?workflow=` and `?since=`: failed runs grouped by their error. */
export interface FailuresPage extends Answer, FailureGroups {
  /** Only runs of this workflow. */
  readonly workflow: string | undefined;
  /** Only runs that ended at this time or later. */
  readonly since: number | undefined;
  /** Names of workflows, to choose from. */
  readonly workflows: readonly string[];
}

/** How many runs ended in each part of a span of time. */
export interface OutcomeChart {
  /** Where the first part starts. */
  readonly since: number;
  /** The length of a part in milliseconds. */
  readonly bucketMs: number;
  /** Completed runs. */
  readonly completed: readonly number[];
  /** Failed runs. */
  readonly failed: readonly number[];
  /** Cancelled runs. */
  readonly cancelled: readonly number[];
  /** Whether numbers are estimated from a sample, as too many runs were inserted to look at each. */
  readonly isEstimated: boolean;
}

/** A task that waits for `resolve()`: its attempt has ended without a result, and it runs at most once. */
export interface BlockedTaskSummary {
  /** The run, with the task and the index of the item. */
  readonly run: RunLink;
  /** The name of its workflow. */
  readonly workflow: string;
  /** When the attempt started. */
  readonly startedAt: number | undefined;
}

/** A run that no live runner can continue. */
export interface ParkedRun extends RunLink {
  /** The name of its workflow. */
  readonly workflow: string;
  /** Why, and what is needed. */
  readonly reason: string;
}

/** `/overview` and `/api/overview`: what needs attention, and how runs ended in the last hour and day. */
export interface OverviewPage extends Answer {
  /** All runs by state. */
  readonly counts: StateCounts;
  /** Due runs without an owner. */
  readonly backlog: BoundedCount;
  /** Since when the one of them that has waited longest is due. */
  readonly oldestDueAt: number | undefined;
  /** The number of runners whose lease holds. */
  readonly runners: number;
  /** The number of schedules that have been due for more than ten seconds. */
  readonly overdueSchedules: number;
  /** Blocked tasks, those of the oldest runs first; at most ten. */
  readonly blocked: readonly BlockedTaskSummary[];
  /** The number of blocked tasks. */
  readonly blockedCount: BoundedCount;
  /** Parked runs; at most ten. */
  readonly parked: readonly ParkedRun[];
  /** The number of parked runs. */
  readonly parkedCount: BoundedCount;
  /** How runs ended in the last hour, by minutes. */
  readonly hour: OutcomeChart;
  /** How runs ended in the last day, by half hours. */
  readonly day: OutcomeChart;
  /** Failures of the last day, the largest groups first; at most ten. */
  readonly failures: FailureGroups;
  /** All failures of the last day. */
  readonly failuresHref: string;
}
