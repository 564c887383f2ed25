/**
 * Schedules and polls as rows. The store keeps what they are and how far they have come as JSON text of the engine; it
 * guards that of several runners only one advances a row, in the commit that inserts the runs.
 *
 * @module
 */
import type { NewRun } from "./batch.ts";
import type { ListedRun } from "./listing.ts";

/** A schedule or poll, as it is written. */
export interface ScheduleRecord {
  /** The name, unique in the store. */
  readonly name: string;
  /** Whether it is a schedule, which starts runs by time, or a poll, which asks for them. */
  readonly kind: "schedule" | "poll";
  /** The name of the workflow of its runs. */
  readonly workflow: string;
  /** Whether it starts runs. */
  readonly state: "active" | "paused";
  /** Whether a user has paused it, or a runner whose program no longer has it. @default {undefined} it is active */
  readonly pausedBy: "user" | "removal" | undefined;
  /** When a runner is to look at it; `undefined` for never. */
  readonly nextAt: number | undefined;
  /** The latest run that it has started. */
  readonly lastRun: string | undefined;
  /** What it is, as JSON text. */
  readonly definition: string;
  /** How far it has come, as JSON text. */
  readonly progress: string;
}

/** The row of a schedule or poll. */
export interface ScheduleRow extends ScheduleRecord {
  /** Raised by each write. */
  readonly revision: number;
  /** Whether the latest run has not ended. */
  readonly isLastRunLive: boolean;
  /** When it was registered first. */
  readonly createdAt: number;
}

/** A write of a row, with the runs that it starts. */
export interface ScheduleWrite extends ScheduleRecord {
  /** The revision that the writer has read; 0 if the row does not exist. */
  readonly revision: number;
  /** Runs to insert, in the same transaction. A run whose id, key or tick exists is not inserted. */
  readonly runs: readonly NewRun[];
  /** Whether runners other than the writer must learn of it: it may have become due earlier. @default {false} */
  readonly isChange?: boolean;
}

/** The result of a write. */
export type ScheduleVerdict =
  /** The row is written; `inserted` are the ids of the runs that did not exist. */
  | { readonly kind: "written"; readonly inserted: ReadonlySet<string> }
  /** The row has another revision, or exists already: nothing was written. */
  | { readonly kind: "conflict" };

/** Which rows to read. */
export type ScheduleQuery =
  /** Those with these names. */
  | { readonly names: readonly string[] }
  /** Those that were changed, and not only advanced, at this time or later. */
  | { readonly changedSince: number }
  /** Those after a name, in the order of names. */
  | { readonly after: string; readonly limit: number };

/** The number of schedules and polls. */
export interface ScheduleRowCounts {
  /** How many start runs. */
  readonly active: number;
  /** How many are paused. */
  readonly paused: number;
  /** When the next of them is due; `undefined` for never. */
  readonly nextAt: number | undefined;
}

/** The operations on schedules and polls. */
export interface ScheduleStore {
  /** Reads rows. */
  read(query: ScheduleQuery): Promise<readonly ScheduleRow[]>;
  /** Writes rows of different names in one transaction; a conflict of one does not affect the others. */
  write(writes: readonly ScheduleWrite[]): Promise<readonly ScheduleVerdict[]>;
  /** Inserts runs of past ticks in one transaction; returns the ids of those that did not exist. */
  insert(runs: readonly NewRun[]): Promise<ReadonlySet<string>>;
  /** Returns the names of the schedules and polls that runners with an unexpired lease have. */
  held(): Promise<ReadonlySet<string>>;
  /** Counts rows; `overdue` are the active ones that have been due for longer than `overdueMs`. */
  counts(overdueMs: number): Promise<ScheduleRowCounts & { readonly overdue: number }>;
  /** Returns the runs of a schedule, the latest inserted first. */
  runs(name: string, limit: number): Promise<readonly ListedRun[]>;
}
