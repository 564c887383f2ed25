import type { ErrorRecord } from "../errors.ts";

/** Something that happened to a run: what `onEvent` and `handle.events()` tell. */
export type RunEvent = RunLevelEvent | TaskLevelEvent;

/** Something that happened to a run as a whole. */
export type RunLevelEvent =
  & {
    /** The run. */
    readonly runId: string;
    /** Its workflow. */
    readonly workflow: string;
    /** When, in milliseconds since the epoch. */
    readonly at: number;
  }
  & (
    | {
      readonly type: "run.started" | "run.resumed" | "run.waiting" | "run.paused" | "run.completed" | "run.handedBack";
    }
    | { readonly type: "run.recovered"; readonly crashes: number }
    | { readonly type: "run.failed"; readonly error: ErrorRecord }
    | { readonly type: "run.cancelled"; readonly reason: string | undefined }
    | { readonly type: "run.stranded"; readonly reason: string }
    | { readonly type: "run.leaseLost" }
  );

/** Something that happened to a task of a run. */
export type TaskLevelEvent =
  & {
    /** The run. */
    readonly runId: string;
    /** Its workflow. */
    readonly workflow: string;
    /** The task. */
    readonly taskId: string;
    /** Its latest attempt, counted from 1; 0 if none began. */
    readonly attempt: number;
    /** When, in milliseconds since the epoch. */
    readonly at: number;
  }
  & (
    | { readonly type: "task.started" }
    | { readonly type: "task.progress"; readonly done: number; readonly total?: number; readonly message?: string }
    | { readonly type: "task.completed"; readonly output: unknown }
    | { readonly type: "task.failed"; readonly error: ErrorRecord }
    | { readonly type: "task.retrying"; readonly error: ErrorRecord; readonly dueAt: number }
    | { readonly type: "task.deferred"; readonly dueAt: number }
    | { readonly type: "task.skipped"; readonly reason: string }
  );

/** What `ctx.progress` said. */
export interface Progress {
  /** How much is done. */
  readonly done: number;
  /** Of how much. */
  readonly total?: number;
  /** What it is at. */
  readonly message?: string;
}
