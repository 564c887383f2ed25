import type { TaskKind } from "../definition/definition.ts";
import type { ErrorRecord } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { RunMove } from "../store/batch.ts";

/**
 * Follows runs and attempts on their way; `openTelemetry()` of `./otel` makes one. What it throws is logged and changes
 * nothing.
 */
export interface Tracing {
  /**
   * Where the caller of `start()` or `fork()` is, as text that travels with the run to whoever executes it, in whichever
   * process: at most 1,000 characters. `undefined` for nowhere.
   */
  readonly here: () => string | undefined;
  /** A run has come into a runner's memory. It comes anew after a long wait, a pause, or another runner. */
  readonly follow: (run: TracedRun) => RunTrace;
}

/** A run in a runner's memory. */
export interface TracedRun {
  /** Its id. */
  readonly runId: string;
  /** Its workflow. */
  readonly workflow: string;
  /** The version that executes it. */
  readonly version: string;
  /** The number of times it has changed hands. */
  readonly epoch: number;
  /** What `here` answered when it was started. */
  readonly trace: string | undefined;
}

/** A run that is followed. */
export interface RunTrace {
  /** An attempt at one of its tasks begins. */
  attempt(attempt: TracedAttempt): AttemptTrace;
  /** It leaves the runner's memory. Called once, and after the ends of its attempts. */
  left(leave: RunLeave): void;
}

/** How a run leaves a runner's memory. */
export type RunLeave =
  /** It has ended. */
  | { readonly state: "completed" }
  | { readonly state: "failed"; readonly error: ErrorRecord }
  | { readonly state: "cancelled"; readonly reason: string | undefined }
  /** It is let go of: until it is due, or for whoever has room, as after a pause. */
  | { readonly state: "waiting" | "pending" }
  /** It is another runner's, or its store takes nothing of it. */
  | { readonly state: "lost"; readonly error: Error };

/** An attempt that begins. */
export interface TracedAttempt {
  /** The task. */
  readonly taskId: string;
  /** Its kind. */
  readonly kind: TaskKind;
  /** Which try, counted from 1. */
  readonly attempt: number;
}

/** An attempt that is followed. */
export interface AttemptTrace {
  /** Calls what the user wrote for the task, such as its body, and answers what that does. */
  within<T>(call: () => T): T;
  /** It has ended, whatever its body still does. Called once. */
  ended(end: TracedEnd): void;
}

/** How an attempt ended. */
export type TracedEnd =
  /** With a result. */
  | { readonly kind: "completed" }
  /** `when` said no. */
  | { readonly kind: "skipped" }
  /** Its body threw, or took too long. Another may follow. */
  | { readonly kind: "failed"; readonly thrown: unknown }
  /** The run was cancelled, lost or handed back meanwhile, and the attempt does not count. */
  | { readonly kind: "aborted"; readonly reason: unknown };

/** Longer ones would be stored with each run. */
const LONGEST_TRACE = 1_000;

/** The same, but what it throws is logged. */
export function harmlessTracing(tracing: Tracing, logger: Logger): Tracing {
  return {
    here() {
      const text = attempt<unknown>(() => tracing.here());
      if (text === undefined) return undefined;
      if (typeof text === "string" && text.length <= LONGEST_TRACE && !text.includes("\0")) return text;
      logger.warn("tracing.here() did not answer a text that can travel with a run");
      return undefined;
    },
    follow(run) {
      const trace = attempt(() => tracing.follow(run));
      return {
        attempt: (begun) => harmlessAttempt(attempt(() => trace?.attempt(begun))),
        left: (leave) => attempt(() => trace?.left(leave)),
      };
    },
  };

  function harmlessAttempt(trace: AttemptTrace | undefined): AttemptTrace {
    return {
      within: (call) => trace === undefined ? call() : within(trace, call),
      ended: (end) => attempt(() => trace?.ended(end)),
    };
  }

  function within<T>(trace: AttemptTrace, call: () => T): T {
    let isCalled = false;
    try {
      return trace.within(() => {
        isCalled = true;
        return call();
      });
    } catch (thrown) {
      // What the user wrote may throw; the body of an attempt is called nevertheless, and once.
      if (isCalled) throw thrown;
      complain(thrown);
      return call();
    }
  }

  function attempt<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (thrown) {
      complain(thrown);
      return undefined;
    }
  }

  function complain(thrown: unknown): void {
    logger.warn("tracing threw", { error: String(thrown) });
  }
}

/** How a run leaves memory that is moved so. */
export function leaveOf(move: RunMove): RunLeave {
  switch (move.to) {
    case "failed":
      return { state: "failed", error: move.error };
    case "cancelled":
      return { state: "cancelled", reason: move.reason };
    case "completed":
    case "waiting":
      return { state: move.to };
    case "running":
    case "pending":
    case "stranded":
      return { state: "pending" };
  }
}
