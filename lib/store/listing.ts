/**
 * Runs as lists tell them, and which to list.
 *
 * @module
 */
import type { ErrorRecord } from "../errors.ts";
import type { RunState } from "./batch.ts";

/** A run's row, but for its input, which may be large. */
export interface ListedRun {
  /** The run's id. */
  readonly id: string;
  /** Its row number, in the order of insertion. */
  readonly seq: number;
  /** Its workflow. */
  readonly workflow: string;
  /** The version it started with. */
  readonly version: string;
  /** Where it is. */
  readonly state: RunState;
  /** Its fence. */
  readonly epoch: number;
  /** Its owner, while it has one. */
  readonly owner: number | undefined;
  /** Its key. */
  readonly key: string | undefined;
  /** Lower is sooner. */
  readonly priority: number;
  /** Its tags. */
  readonly tags: readonly string[];
  /** The limit for its duration. */
  readonly timeoutMs: number | undefined;
  /** When it must have ended. */
  readonly deadlineAt: number | undefined;
  /** When it was inserted. */
  readonly createdAt: number;
  /** When it was first owned. */
  readonly startedAt: number | undefined;
  /** When it ended. */
  readonly endedAt: number | undefined;
  /** When it is due; `undefined` if it waits for something from outside. */
  readonly dueAt: number | undefined;
  /** Why it failed. */
  readonly error: ErrorRecord | undefined;
  /** Why it was cancelled (or is being), paused or stranded. */
  readonly reason: string | undefined;
  /** Whether an order to cancel it stands. */
  readonly cancelling: boolean;
  /** The version that could not go on with it. */
  readonly strandedBy: string | undefined;
  /** How many runners have died with it since it last got further. */
  readonly crashes: number;
  /** The run it was forked from. */
  readonly forkedFrom: string | undefined;
  /** Where its starter was in a trace. */
  readonly trace: string | undefined;
}

/** Which runs to list, newest first. */
export interface ListQuery {
  /** Of this workflow. */
  readonly workflow: string | undefined;
  /** In one of these states. */
  readonly states: readonly RunState[] | undefined;
  /** With all of these tags. */
  readonly tags: readonly string[] | undefined;
  /** Inserted at or after. */
  readonly since: number | undefined;
  /** Inserted before. */
  readonly until: number | undefined;
  /** At most so many. */
  readonly limit: number;
  /** Only rows with a smaller `seq`. */
  readonly before: number | undefined;
}
