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
}

/** Counts of a store. */
export async function storeStats(store: Store): Promise<Stats> {
  return { runs: await store.counts(), store: store.counters() };
}
