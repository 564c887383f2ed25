import type { Clock } from "../../clock.ts";
import type { Logger } from "../../logger.ts";
import type { Store } from "../../store/port/store.ts";
import type { InboxEntry, OwnedRun } from "../../store/port/runners.ts";
import type { Permits } from "../limits/permits.ts";
import type { LimitRule } from "../../store/port/limits.ts";
import type { LiveRun } from "../runs/live_run.ts";
import type { ChildOutcomes } from "../children/child_outcomes.ts";
import type { Observer } from "../telemetry/engine_events.ts";
import type { Committer } from "../commit/committer.ts";
import type { OwnChildren } from "../runs/spawning.ts";
import type { RunStarter } from "../client/start_run.ts";
import type { Tracing } from "../telemetry/tracing.ts";

/** What an executor needs of the engine. */
export interface ExecutorOptions {
  readonly committer: Committer;
  /** Timers run on it. */
  readonly clock: Clock;
  /** The store's time. */
  readonly now: () => number;
  /** Where messages go. */
  readonly logger: Logger;
  /** Bodies at once. */
  readonly concurrency: number;
  /** Whether a body may start: the runner's lease holds. */
  readonly canStart: () => boolean;
  /** The largest output, in bytes of JSON. */
  readonly maxPayloadBytes: number;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
  /** Runs bodies in transactions, receives messages, controls child runs, and reads what bodies of resumed runs receive. */
  readonly store: Pick<
    Store,
    "tenant" | "transact" | "messages" | "closeMailbox" | "controlChildren" | "outputs" | "limits"
  >;
  /** The limits of the runner's workflows. */
  readonly limitRules: readonly LimitRule[];
  /** The id of the runner. */
  readonly runner: () => number;
  /** Cancels a run. */
  readonly cancel: (runId: string, reason: string) => Promise<void>;
  /** Owns child runs from their insert. */
  readonly ownChildren: OwnChildren;
  /** Reads how child runs have ended. */
  readonly children: ChildOutcomes;
  /** Receives what happens to runs in memory. */
  readonly emit: Observer;
  /** Follows runs and attempts; absent if nothing does. */
  readonly tracing: Tracing | undefined;
  /** Starts runs for bodies. */
  readonly starter: RunStarter;
  /** Runs in memory at once. */
  readonly maxRuns: number;
}

/** Executes runs. */
export interface Executor {
  /** How many runs it holds. */
  readonly size: number;
  /** How many more runs fit in memory. */
  readonly room: number;
  /** How many runs may be claimed: no more than there are free slots, so that runners share a burst. */
  readonly capacity: number;
  /** Places that are reserved for runs on their way into memory. */
  readonly reserved: number;
  /** Reserves places, or gives them up. */
  reserve(count: number): void;
  unreserve(count: number): void;
  /** Whether the run with a number is in memory. */
  holds(seq: number): boolean;
  /** The ids of the runs in memory. */
  readonly ids: ReadonlySet<string>;
  /** Attempts that run, and attempts that wait for a slot. */
  readonly load: { readonly active: number; readonly queued: number };
  /** Whether a task waits for a slot. */
  isQueued(runId: string, taskId: string): boolean;
  /** With how many crashes the runs that it holds have come. */
  readonly crashes: readonly number[];
  /** Requests and releases the slots of limits that units need. */
  readonly permits: Pick<Permits, "begin" | "look" | "recheck" | "admit">;
  /** Takes in a run this process owns. */
  adopt(run: LiveRun): void;
  /** Applies changes from outside, and acknowledges them; resolves once messages have been read. */
  applyChanges(inbox: readonly InboxEntry[]): Promise<void>;
  /**
   * Called before the store reads which runs this runner owns; the result drops runs from memory that it does not own
   * any more, and returns those that it owns and does not hold.
   */
  checkOwned(): (owned: readonly OwnedRun[]) => readonly OwnedRun[];
  /** Gives up all runs: they are another runner's. */
  loseAll(): void;
  /** The database is gone: drops all runs, and aborts their bodies with this error. */
  abandonAll(error: Error): void;
  /** Starts queued bodies: the lease holds again. */
  resume(): void;
  /** Starts nothing new, lets bodies finish for at most `timeoutMs`, then aborts them; hands back the remaining runs. */
  drain(timeoutMs: number): Promise<void>;
}
