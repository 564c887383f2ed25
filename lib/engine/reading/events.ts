import type { ErrorRecord } from "../../errors.ts";
import type { ScheduleEvent } from "../schedules/schedule_events.ts";

/** An event of a run, a schedule or a poll, as `onEvent` receives it. */
export type RunEvent = ExecutionEvent | ScheduleEvent;

/** An event of a run, as `onEvent` receives and `handle.events()` yields it. */
export type ExecutionEvent = RunLevelEvent | TaskLevelEvent;

/** An event that concerns a run as a whole. */
export type RunLevelEvent =
  & {
    /** Id of the run. */
    readonly runId: string;
    /** Name of its workflow. */
    readonly workflow: string;
    /** Time of the event, in milliseconds since the epoch. */
    readonly at: number;
  }
  & (
    | {
      readonly type:
        | "run.started"
        | "run.resumed"
        | "run.waiting"
        | "run.paused"
        | "run.compensating"
        | "run.completed"
        | "run.handedBack";
    }
    | { readonly type: "run.recovered"; readonly crashes: number }
    | { readonly type: "run.failed"; readonly error: ErrorRecord }
    | { readonly type: "run.cancelled"; readonly reason: string | undefined }
    | { readonly type: "run.stranded"; readonly reason: string }
    | { readonly type: "run.leaseLost" }
  );

/** An event that concerns a task of a run. */
export type TaskLevelEvent =
  & {
    /** Id of the run. */
    readonly runId: string;
    /** Name of its workflow. */
    readonly workflow: string;
    /** Id of the task. */
    readonly taskId: string;
    /** Index of the item, counted from 0; absent for an event of the task itself. */
    readonly item?: number;
    /** Number of its latest attempt, or of that at its undo, counted from 1; 0 if none has started. */
    readonly attempt: number;
    /** Time of the event, in milliseconds since the epoch. */
    readonly at: number;
  }
  & (
    | { readonly type: "task.started" }
    | {
      readonly type: "task.progress" | "undo.progress";
      readonly done: number;
      readonly total?: number;
      readonly message?: string;
    }
    /** The output of a map, which may be large, is not part of its event. */
    | { readonly type: "task.completed"; readonly output: unknown }
    | { readonly type: "task.failed"; readonly error: ErrorRecord }
    | { readonly type: "task.retrying"; readonly error: ErrorRecord; readonly dueAt: number }
    | { readonly type: "task.deferred"; readonly dueAt: number; readonly message?: string }
    | { readonly type: "task.blocked" }
    | { readonly type: "task.skipped"; readonly reason: string }
    | { readonly type: "undo.started" | "undo.completed" }
    | { readonly type: "undo.failed"; readonly error: ErrorRecord }
    | { readonly type: "undo.retrying"; readonly error: ErrorRecord; readonly dueAt: number }
    | { readonly type: "undo.deferred"; readonly dueAt: number; readonly message?: string }
  );

/** Progress of a body, as passed to `ctx.progress`. */
export interface Progress {
  /** Amount of work that is done. */
  readonly done: number;
  /** Total amount of work, in the same unit. */
  readonly total?: number;
  /** Description of the current work. */
  readonly message?: string;
}
