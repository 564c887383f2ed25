/**
 * The types of runners: their registration, the renewal of their lease, and the recovery of the runs of dead runners.
 *
 * @module
 */
import type { Served } from "./batch.ts";

/** The registration of a runner. */
export interface RunnerCard {
  /** The machine, boot and process namespace of the runner. Processes of one host can check each other's liveness. */
  readonly host: string;
  /** The id of the runner's process. */
  readonly pid: number;
  /** When that process started, in the host's own unit; it distinguishes processes that had the same pid. */
  readonly pidStartedAt: string | undefined;
  /** A random token of the isolate: a restart by `--watch` keeps the process and its pid. @default {""} */
  readonly isolate?: string;
  /** The thread that executes the isolate. @default {undefined} the thread cannot be identified */
  readonly thread?: string | undefined;
  /** The workflow versions that the runner can execute. */
  readonly served: readonly Served[];
  /** The names of its schedules and polls. @default {[]} */
  readonly schedules?: readonly string[];
  /** Whether the runner claims only runs of exactly these versions. */
  readonly pinned: boolean;
  /** The maximum number of task bodies that execute at once. */
  readonly concurrency: number;
  /** The maximum number of runs that the runner owns at once. */
  readonly maxRuns: number;
}

/** The row of a runner, without its schedules, of which there may be thousands. */
export interface RunnerRow extends Omit<RunnerCard, "schedules"> {
  /** The id of the runner. The store never reuses an id. */
  readonly id: number;
  /** When the runner joined. */
  readonly startedAt: number;
  /** When the lease expires. */
  readonly leaseUntil: number;
  /** The duration of the lease after each renewal. */
  readonly leaseMs: number;
}

/**
 * An owned run with external changes that its owner has not acknowledged. An entry holds the current state of the run's
 * row, so that applying an entry twice, or only the last of several entries, has the same effect as applying each once.
 */
export interface InboxEntry {
  /** The run. */
  readonly seq: number;
  /** The number of external changes of the run. The owner acknowledges this number with its next write. */
  readonly attention: number;
  /** The run must be cancelled. */
  readonly cancel: { readonly reason: string | undefined; readonly compensate: boolean } | undefined;
  /** Whether the run is paused: the owner must start no new task. */
  readonly paused: boolean;
  /** Whether messages were sent to tasks of the run; `messages()` reads them. */
  readonly hasMessages: boolean;
}

/** A run that a runner owns. */
export interface OwnedRun {
  /** Number of the run. */
  readonly seq: number;
  /** The epoch under which the runner owns it. */
  readonly epoch: number;
}

/** The result of a renewal. */
export interface Renewal {
  /** False if the runner is dead: its row is deleted, and it no longer owns its runs. */
  readonly alive: boolean;
  /** The runner's runs with external changes that it has not acknowledged. */
  readonly inbox: readonly InboxEntry[];
  /** All runs that the runner owns. */
  readonly owned: readonly OwnedRun[];
}

/** Options of `recover()`. A runner is dead if its row is gone, if `dead` names it, or if its lease expired, unless `alive` names it. */
export interface RecoverRequest {
  /** Runners whose isolate is known to have ended, independent of their lease. */
  readonly dead: readonly number[];
  /** Runners that count as alive although their lease has expired. @default {[]} */
  readonly alive?: readonly number[];
  /** A run fails after this number of runners died while they owned it without progress. */
  readonly recoveryLimit: number;
  /** The maximum number of runs to recover. */
  readonly limit: number;
  /** Whether the store's clock was set back: what was due at once while it was ahead is made due now. @default {false} */
  readonly wasClockSetBack?: boolean;
}

/** The result of a recovery. */
export interface Recovery {
  /** Runs that were released: they are pending again, or remain paused. */
  readonly released: readonly { readonly id: string; readonly workflow: string; readonly crashes: number }[];
  /** Runs that failed because too many runners died while they owned them. */
  readonly failed: readonly { readonly id: string; readonly workflow: string; readonly crashes: number }[];
  /** Whether runs of dead runners remain for another call. */
  readonly more: boolean;
}
