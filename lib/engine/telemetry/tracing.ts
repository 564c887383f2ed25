import { thrownText } from "../errors/error_record.ts";
import type { TaskKind } from "../../definition/definition.ts";
import type { ErrorRecord } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import type { RunMove } from "../../store/port/batch.ts";

/**
 * Observes runs and attempts; `createTracing()` of `./otel` returns one that creates spans. An error that it throws is
 * logged and has no other effect.
 */
export interface Tracing {
  /**
   * Returns the trace context of the caller of `start()` or `fork()`, as text of at most 1,000 characters. It is stored
   * with the run and passed to the process that executes it. `undefined` if there is no trace.
   */
  readonly currentContext: () => string | undefined;
  /** Called when a runner loads a run: at its first claim, and again after a long wait, a pause, or another runner. */
  readonly startRun: (run: TracedRun) => RunTrace;
}

/** A run in the memory of a runner. */
export interface TracedRun {
  /** Id of the run. */
  readonly runId: string;
  /** Name of its workflow. */
  readonly workflow: string;
  /** Version of the workflow that executes it. */
  readonly version: string;
  /** Number of its claim, counted from 1. */
  readonly epoch: number;
  /** The trace context that `currentContext` returned when the run was started. */
  readonly trace: string | undefined;
}

/** The observer of one run. */
export interface RunTrace {
  /** Called when an attempt at one of its tasks starts. */
  startAttempt(attempt: TracedAttempt): AttemptTrace;
  /** Called once when the run leaves the memory of the runner, after the ends of its attempts. */
  end(leave: RunLeave): void;
}

/** How a run leaves the memory of a runner. */
export type RunLeave =
  /** The run ended. */
  | { readonly state: "completed" }
  | { readonly state: "failed"; readonly error: ErrorRecord }
  | { readonly state: "cancelled"; readonly reason: string | undefined }
  /** The run was released: until it is due, or to be claimed by any runner, as after a pause. */
  | { readonly state: "waiting" | "pending" }
  /** Another runner owns the run, or the store rejects its writes. */
  | { readonly state: "lost"; readonly error: Error };

/** An attempt that starts. */
export interface TracedAttempt {
  /** Id of the task. */
  readonly taskId: string;
  /** Kind of the task. */
  readonly kind: TaskKind;
  /** Index of the item, counted from 0; absent for an attempt at the task itself. */
  readonly item?: number;
  /** Number of the attempt, counted from 1. */
  readonly attempt: number;
  /** Whether it is an attempt at the undo of the task. @default {false} */
  readonly isUndo?: boolean;
}

/** The observer of one attempt. */
export interface AttemptTrace {
  /** Calls a function of the user, such as the body of the task, and returns its result. */
  run<T>(call: () => T): T;
  /** Called once when the attempt has ended for the engine; its body may still run. */
  end(end: TracedEnd): void;
}

/** How an attempt ended. */
export type TracedEnd =
  /** The attempt has a result. */
  | { readonly kind: "completed" }
  /** `when` returned false. */
  | { readonly kind: "skipped" }
  /** The body threw or timed out. Another attempt may follow. */
  | { readonly kind: "failed"; readonly thrown: unknown }
  /** The run was cancelled, lost or released during the attempt, which does not count. */
  | { readonly kind: "aborted"; readonly reason: unknown };

/** Limits the trace context, as it is stored with each run. */
const LONGEST_TRACE = 1_000;

/** Wraps tracing so that an error of it is logged and has no other effect. */
export function harmlessTracing(tracing: Tracing, logger: Logger): Tracing {
  return {
    currentContext() {
      const text = attempt<unknown>(() => tracing.currentContext());
      if (text === undefined) return undefined;
      if (typeof text === "string" && text.length <= LONGEST_TRACE && !text.includes("\0")) return text;
      logger.warn(
        "tracing.currentContext() must return at most 1,000 characters without NUL; the run starts without a trace",
      );
      return undefined;
    },
    startRun(run) {
      const trace = attempt(() => tracing.startRun(run));
      return {
        startAttempt: (begun) => harmlessAttempt(attempt(() => trace?.startAttempt(begun))),
        end: (leave) => attempt(() => trace?.end(leave)),
      };
    },
  };

  function harmlessAttempt(trace: AttemptTrace | undefined): AttemptTrace {
    return {
      run: (call) => trace === undefined ? call() : runWithin(trace, call),
      end: (end) => attempt(() => trace?.end(end)),
    };
  }

  function runWithin<T>(trace: AttemptTrace, call: () => T): T {
    let isCalled = false;
    try {
      return trace.run(() => {
        isCalled = true;
        return call();
      });
    } catch (thrown) {
      // An error of the user's function is passed on. An error of the tracing is not: the body still runs, once.
      if (isCalled) throw thrown;
      logError(thrown);
      return call();
    }
  }

  function attempt<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (thrown) {
      logError(thrown);
      return undefined;
    }
  }

  function logError(thrown: unknown): void {
    logger.warn("An error in tracing was ignored", { error: thrownText(thrown) });
  }
}

/** Returns how a run leaves memory with a change of its row. */
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
    case "compensating":
    case "stranded":
      return { state: "pending" };
  }
}

/** Calls a function of the user within a trace. Apart from the caller, whose call without a trace makes no closure. */
export function callTraced<Args, T>(trace: AttemptTrace, code: (args: Args) => T, args: Args): T {
  return trace.run(() => code(args));
}
