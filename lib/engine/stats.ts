import type { RunCounts, Store, StoreCounters } from "../store/port.ts";

/** Counts of runs and of what was done. */
export interface Stats {
  /** How many runs are in each state. */
  readonly runs: RunCounts;
  /** What this runner or client has done to its store since it was opened. */
  readonly store: StoreCounters;
  /** How busy this runner is; absent for a client. */
  readonly runner?: RunnerStats;
}

/** How busy a runner is. */
export interface RunnerStats {
  /** Runs held in memory. */
  readonly runs: number;
  /** Bodies that run. */
  readonly active: number;
  /** Bodies that wait for a place. */
  readonly queued: number;
  /** What it has done since it was opened. */
  readonly done: RunnerTotals;
}

/** What a runner has done. */
export interface RunnerTotals {
  /** Runs that ended in it, or that it gave up because they took too many runners with them. */
  readonly runs: Readonly<Record<"completed" | "failed" | "cancelled", number>>;
  /** Tasks that ended in it. */
  readonly tasks: Readonly<Record<"completed" | "failed" | "skipped", number>>;
  /** Failed attempts that are followed by another. */
  readonly retries: number;
  /** How often it was taken for dead, and went on as a new one. */
  readonly leaseLosses: number;
}

/** Counts of a store. */
export async function storeStats(store: Store): Promise<Stats> {
  return { runs: await store.counts(), store: store.counters() };
}
