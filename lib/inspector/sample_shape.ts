/**
 * The shapes of statistics. The conventions of shapes.ts apply.
 *
 * @module
 */
import type { RunState } from "../store/port/batch.ts";

/** How long something took, from a sample. */
export interface Durations {
  /** Of how many this was computed. */
  readonly count: number;
  /** Half of them took at most so long; milliseconds. */
  readonly p50Ms: number;
  /** 95 of 100. */
  readonly p95Ms: number;
  /** 99 of 100. */
  readonly p99Ms: number;
  /** The longest. */
  readonly maxMs: number;
}

/** Statistics of the latest runs of a workflow, or of one version of it. */
export interface RunSample {
  /** Runs in the sample, by state. */
  readonly runs: Readonly<Record<RunState, number>>;
  /** How many of those that completed or failed have failed, from 0 to 1; `undefined` if none has ended. */
  readonly failureRate: number | undefined;
  /** From the start to the end of those that completed; `undefined` if none has. */
  readonly durations: Durations | undefined;
  /** When the oldest of them was inserted. */
  readonly since: number | undefined;
  /** When the latest of them was inserted. */
  readonly lastAt: number | undefined;
}

/** Statistics of a task in the latest runs of its workflow. */
export interface TaskSample {
  /** Its id. */
  readonly id: string;
  /** How often it ended so. */
  readonly completed: number;
  /** How often it failed for good. */
  readonly failed: number;
  /** How often it was skipped. */
  readonly skipped: number;
  /** Attempts beyond the first, in all. */
  readonly retries: number;
  /** How long the last attempt of those that completed took; `undefined` if none has. */
  readonly durations: Durations | undefined;
}
