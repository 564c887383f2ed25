import type { RunCounts, Store, StoreCounters } from "../store/port.ts";

/** Counts of runs and operations. */
export interface Stats {
  /** Number of runs in each state. */
  readonly runs: RunCounts;
  /** Operations of this runner or client on its store since it was opened. */
  readonly store: StoreCounters;
  /** Load of this runner; absent for a client. */
  readonly runner?: RunnerStats;
}

/** Load of a runner. */
export interface RunnerStats {
  /** Runs in memory. */
  readonly runs: number;
  /** Bodies that are running. */
  readonly active: number;
  /** Bodies that wait for a slot. */
  readonly queued: number;
  /** Totals since the runner was opened. */
  readonly done: RunnerTotals;
}

/** Totals of a runner since it was opened. */
export interface RunnerTotals {
  /** Runs that ended here, including those given up because too many runners died while they owned them. */
  readonly runs: Readonly<Record<"completed" | "failed" | "cancelled", number>>;
  /** Tasks that ended here. */
  readonly tasks: Readonly<Record<"completed" | "failed" | "skipped", number>>;
  /** Failed attempts that are followed by another attempt. */
  readonly retries: number;
  /** How often the lease expired and the runner registered again under a new id. */
  readonly leaseLosses: number;
}

/** Reads the counts of a store. */
export async function storeStats(store: Store): Promise<Stats> {
  return { runs: await store.counts(), store: store.counters() };
}
