/**
 * Changes of runs that do not come from their owners.
 *
 * @module
 */
import type { Failure } from "../../errors.ts";
import type { RunState } from "./batch.ts";

/** A change of a run that does not come from its owner. */
export type ControlRequest =
  | {
    readonly kind: "cancel";
    readonly reason: string | undefined;
    /** Whether completed tasks with an undo are compensated. @default {true} */
    readonly compensate?: boolean;
  }
  | { readonly kind: "pause"; readonly reason: string | undefined }
  | { readonly kind: "resume" };

/** The result of a control request. */
export type ControlResult =
  /** The request is recorded. `state` is the run's current state; `owner` applies the request and then acknowledges `attention`. */
  | {
    readonly kind: "done";
    readonly state: RunState;
    readonly owner: number | undefined;
    readonly attention: number;
  }
  /** The run has ended, in this state. */
  | { readonly kind: "ended"; readonly state: RunState }
  /** The run does not exist. */
  | { readonly kind: "unknown" };

/** A run that a request for many runs has changed. */
export interface ControlledRun extends Omit<Extract<ControlResult, { readonly kind: "done" }>, "kind"> {
  /** The id of the run. */
  readonly id: string;
}

/** A change of a run that its owner is to acknowledge. */
export interface Acknowledgement {
  /** The id of the run. */
  readonly id: string;
  /** The number of changes of the run, this one included. */
  readonly attention: number;
}

/** Which tags many runs get, and which they lose. */
export interface TagChange {
  /** Tags that runs get which do not have them. */
  readonly add: readonly string[];
  /** Tags that runs lose which have them. */
  readonly remove: readonly string[];
}

/** The result of a change of tags. */
export interface TagResult {
  /** The number of runs that were changed. */
  readonly changed: number;
  /** The id of a run that would have more tags than a run may have: then none was changed. */
  readonly full: string | undefined;
}

/** Which tasks of a failed run run again. */
export interface RestartedTasks {
  /** Tasks that keep their steps and completed items. */
  readonly retry: readonly string[];
  /** Tasks of which all rows are deleted. */
  readonly forget: readonly string[];
  /** The tasks in `forget` that were undone, as a whole or in part. @default {undefined} the run has no undos */
  readonly compensated?: readonly string[];
  /** Failed attempts of these tasks, which the history of the run keeps. @default {[]} */
  readonly failures?: readonly Failure[];
}

/** A failed run to restart. */
export interface RestartRequest extends RestartedTasks {
  /** The number of the run. */
  readonly seq: number;
  /** The epoch under which it failed. */
  readonly epoch: number;
}

/**
 * Whether a run was restarted, or which run holds its key. `"superseded"` is a child run whose task has started another
 * one, or will.
 */
export type RestartResult = boolean | "superseded" | { readonly keyHeldBy: string };
