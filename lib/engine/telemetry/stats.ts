import type { RunCounts, Store, StoreCounters } from "../../store/port/store.ts";
import type { ScheduleRowCounts } from "../../store/port/schedules.ts";
import { MISSED_AFTER_MS } from "../schedules/decide.ts";
import type { ScheduleCounts } from "../schedules/stored.ts";

/** Counts of runs and operations. */
export interface Stats {
  /** Number of runs in each state. */
  readonly runs: RunCounts;
  /** Number of schedules and polls in each state. */
  readonly schedules: ScheduleTotals;
  /** Use of the limits. */
  readonly limits: LimitStats;
  /** Operations of this runner or client on its store since it was opened. */
  readonly store: StoreCounters;
  /** Load of this runner; absent for a client. */
  readonly runner?: RunnerStats;
}

/** The schedules and polls of a store. Times are milliseconds since the epoch. */
export interface ScheduleTotals extends ScheduleRowCounts {
  /** How many have been due for more than ten seconds: no live runner has them, or their checks are slow. */
  readonly overdue: number;
}

/** How busy limits are, in sums over all limits and keys. */
export interface LimitStats {
  /** Keys of limits for which a place is taken, or something waits. */
  readonly lanes: number;
  /** Places that are taken. */
  readonly held: number;
  /** Tasks, items and runs that wait; those that wait for several limits are counted for each. */
  readonly waiting: number;
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
  /** Ticks of schedules that this runner has decided about, by what became of them. */
  readonly ticks: ScheduleCounts;
  /** Checks of polls that this runner has made. */
  readonly checks: Readonly<Record<"completed" | "failed", number>>;
  /** Failed attempts that are followed by another attempt. */
  readonly retries: number;
  /** How often the lease expired and the runner registered again under a new id. */
  readonly leaseLosses: number;
}

/** Reads the counts of a store. */
export async function storeStats(store: Store): Promise<Stats> {
  const [runs, schedules, totals] = await Promise.all([
    store.counts(),
    store.schedules.counts(MISSED_AFTER_MS),
    store.limits.totals(MOST_LIMITS),
  ]);
  const limits = { lanes: 0, held: 0, waiting: 0 };
  for (const { lanes, held, waiting } of totals) {
    limits.lanes += lanes;
    limits.held += held;
    limits.waiting += waiting;
  }
  return { runs, schedules, limits, store: store.counters() };
}

/** The most limits that are summed up. */
const MOST_LIMITS = 10_000;
