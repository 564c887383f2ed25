/**
 * The runs that a list returns, the query of a list, and the result of a deletion.
 *
 * @module
 */
import type { ErrorRecord } from "../../errors.ts";
import type { RunState, Served } from "./batch.ts";
import type { Debounce } from "./debounced.ts";
import type { ParentTask } from "./inserted_child.ts";

/**
 * How a run is being ended: a `cancel` is recorded, with compensation or without (`cancelOnly`), or its compensation has
 * begun, after which it fails (`undoFailed`) or is cancelled (`undoCancelled`).
 */
export type Closing = "cancel" | "cancelOnly" | "undoFailed" | "undoCancelled";

/** The row of a run without its input, which can be large. */
export interface ListedRun {
  /** The id of the run. */
  readonly id: string;
  /** The row number of the run; numbers increase in the order of insertion. */
  readonly seq: number;
  /** The name of the run's workflow. */
  readonly workflow: string;
  /** The version that the run started with. */
  readonly version: string;
  /** The state of the run. */
  readonly state: RunState;
  /** The epoch of the current claim, which fences writes. */
  readonly epoch: number;
  /** The runner that owns the run; `undefined` if unowned. */
  readonly owner: number | undefined;
  /** The idempotency key of the run. */
  readonly key: string | undefined;
  /** `"active"` if the run holds its key only until it ends; `undefined` if for ever. */
  readonly keyScope: "active" | undefined;
  /** How the run was debounced; `undefined` for a run that was not. */
  readonly debounce: Debounce | undefined;
  /** The priority; runs with lower values are claimed first. */
  readonly priority: number;
  /** The run's tags. */
  readonly tags: readonly string[];
  /** The maximum duration of the run. */
  readonly timeoutMs: number | undefined;
  /** When the run times out. */
  readonly deadlineAt: number | undefined;
  /** When the run was created. */
  readonly createdAt: number;
  /** When the run was first owned. */
  readonly startedAt: number | undefined;
  /** When the run ended. */
  readonly endedAt: number | undefined;
  /** When the run is due; `undefined` if it waits for an external change. */
  readonly dueAt: number | undefined;
  /** When the run requests the slots of its limits; -1 if it waits for them, `undefined` if it needs none or has them. */
  readonly gateAt: number | undefined;
  /** The error of a failed run. */
  readonly error: ErrorRecord | undefined;
  /** The reason of a cancel (requested or completed), of a pause, or for parking the run. */
  readonly reason: string | undefined;
  /** How the run is being ended, or was: by a recorded cancel, or by its compensation. */
  readonly closing: Closing | undefined;
  /** The version that could not continue the run and parked it. */
  readonly strandedBy: string | undefined;
  /** The number of runners that have died while they owned the run, since its last progress. */
  readonly crashes: number;
  /** The id of the run that this run was forked from. */
  readonly forkedFrom: string | undefined;
  /** The schedule or poll that started the run. */
  readonly schedule: string | undefined;
  /** The tick of the schedule that the run was started for; `undefined` if it was triggered, or started by a poll. */
  readonly tick: number | undefined;
  /** The trace context of the start. */
  readonly trace: string | undefined;
  /** The task that started the run as a child; `undefined` for a run without a parent. */
  readonly parent: ParentTask | undefined;
}

/** The runs of a workflow version that no live runner can continue. */
export interface ParkedGroup extends Served {
  /** Whether the runs were parked by a runner that could not continue them; if not, no runner has claimed them yet. */
  readonly stranded: boolean;
  /** Whether only the runs belong to it that their own version could not continue. */
  readonly byOwnVersion: boolean;
}

/** Which runs an operation is about: those that match all filters. `undefined` for any. */
export interface RunQuery {
  /** Only runs of this workflow. */
  readonly workflow: string | undefined;
  /** Only runs that started with this version. */
  readonly version?: string | undefined;
  /** Only runs in one of these states. */
  readonly states: readonly RunState[] | undefined;
  /** Only runs with all of these tags. */
  readonly tags: readonly string[] | undefined;
  /** Only runs whose key begins with this text. */
  readonly keyPrefix?: string | undefined;
  /** Only runs whose error contains this text, in its name, message or code, or in those of its cause. */
  readonly error?: string | undefined;
  /** Only runs in which this task has failed. */
  readonly failedTask?: string | undefined;
  /** Only runs that were inserted at or after this time. */
  readonly since: number | undefined;
  /** Only runs that were inserted before this time. */
  readonly until: number | undefined;
  /** Only runs that ended at or after this time. */
  readonly endedSince?: number | undefined;
  /** Only runs that ended before this time. */
  readonly endedUntil?: number | undefined;
  /** Only child runs of the run with this id. */
  readonly parent?: string | undefined;
  /** Only runs that this schedule or poll started. */
  readonly schedule?: string | undefined;
  /** Only runs with these numbers. */
  readonly seqs?: readonly number[] | undefined;
  /** Only unowned runs of these groups, or all others. */
  readonly parked?: { readonly groups: readonly ParkedGroup[]; readonly wanted: boolean } | undefined;
}

/** Runs by their numbers, of which an operation changes those that match. */
export interface RunSelection extends RunQuery {
  /** The numbers of the runs. */
  readonly seqs: readonly number[];
}

/** A page of a list of runs, newest first. */
export interface ListQuery extends RunQuery {
  /** The maximum number of runs. */
  readonly limit: number;
  /** Only runs with a smaller `seq`. */
  readonly before: number | undefined;
  /** Whether the inputs of the runs are read, too. @default {true} */
  readonly withInput?: boolean;
}

/** For each final state the time before which runs must have ended to be deleted; without one they are kept. */
export interface PruneTimes {
  /** The time for completed runs. */
  readonly completed?: number | undefined;
  /** The time for failed runs. */
  readonly failed?: number | undefined;
  /** The time for cancelled runs. */
  readonly cancelled?: number | undefined;
}

/** The result of `deleteRun()`. */
export type DeleteResult =
  /** The run and its descendants were deleted. */
  | { readonly kind: "deleted"; readonly runs: number }
  /** The run, or this descendant of it, has not ended; nothing was deleted. */
  | { readonly kind: "live"; readonly runId: string; readonly state: RunState }
  /** The run is a child of this run, with which it is deleted. */
  | { readonly kind: "child"; readonly parentId: string }
  /** The run does not exist. */
  | { readonly kind: "unknown" };
