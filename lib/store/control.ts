/**
 * Changes of runs that do not come from their owners.
 *
 * @module
 */
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
