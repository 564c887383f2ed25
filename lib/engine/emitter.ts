import { decodeJson } from "../definition/json.ts";
import type { ErrorRecord } from "../errors.ts";
import type { Progress, RunEvent } from "./events.ts";
import type { Attempt, LiveRun } from "./live_run.ts";
import type { RunEnd } from "./run_end.ts";

/** Tells a listener what happens, as it happens; builds nothing when there is none. */
export interface Emitter {
  /** Something without further details happened to a run. */
  run(
    run: LiveRun,
    type: "run.started" | "run.resumed" | "run.waiting" | "run.paused" | "run.handedBack" | "run.leaseLost",
  ): void;
  /** A run has ended. */
  ended(end: RunEnd): void;
  /** A body is called. */
  task(attempt: Attempt, type: "task.started"): void;
  /** A body says how far it is. */
  progress(attempt: Attempt, progress: Progress): void;
  /** A failed attempt will be followed by another. */
  retrying(attempt: Attempt, error: ErrorRecord, dueAt: number): void;
  /** A task asked to be called later. */
  deferred(attempt: Attempt, dueAt: number): void;
  /** The end of a task is durable. */
  recorded(run: LiveRun, task: number): void;
}

/** An emitter for a listener, whose errors are its own. */
export function createEmitter(listener: ((event: RunEvent) => void) | undefined, now: () => number): Emitter {
  if (listener === undefined) return NOBODY;
  const emit = (event: RunEvent): void => listener(event);
  return {
    run: (run, type) => emit({ type, ...runFields(run), at: now() }),
    ended(end) {
      const fields = { runId: end.runId, workflow: end.workflow, at: now() };
      if (end.state === "completed") return emit({ type: "run.completed", ...fields });
      if (end.state === "cancelled") return emit({ type: "run.cancelled", ...fields, reason: end.reason });
      emit({ type: "run.failed", ...fields, error: end.error ?? { name: "Error", message: "a task failed" } });
    },
    task: (attempt, type) => emit({ type, ...taskFields(attempt.run, attempt.task), at: now() }),
    progress: (attempt, progress) =>
      emit({ type: "task.progress", ...taskFields(attempt.run, attempt.task), at: now(), ...progress }),
    retrying: (attempt, error, dueAt) =>
      emit({ type: "task.retrying", ...taskFields(attempt.run, attempt.task), at: now(), error, dueAt }),
    deferred: (attempt, dueAt) =>
      emit({ type: "task.deferred", ...taskFields(attempt.run, attempt.task), at: now(), dueAt }),
    recorded(run, number) {
      const task = run.progress.tasks[number]!;
      const fields = { ...taskFields(run, number), at: now() };
      if (task.state === "completed") {
        return emit({ type: "task.completed", ...fields, output: decodeJson(run.outputs[number]) });
      }
      if (task.state === "skipped") return emit({ type: "task.skipped", ...fields, reason: task.reason ?? "" });
      const error = run.failures?.get(number)?.at(-1)?.error ?? { name: "Error", message: "the task failed" };
      emit({ type: "task.failed", ...fields, error });
    },
  };
}

const NOBODY: Emitter = {
  run() {},
  ended() {},
  task() {},
  progress() {},
  retrying() {},
  deferred() {},
  recorded() {},
};

function runFields(run: LiveRun): { readonly runId: string; readonly workflow: string } {
  return { runId: run.id, workflow: run.plan.workflow.name };
}

function taskFields(
  run: LiveRun,
  number: number,
): { readonly runId: string; readonly workflow: string; readonly taskId: string; readonly attempt: number } {
  return {
    ...runFields(run),
    taskId: run.plan.tasks[number]!.id,
    attempt: run.progress.tasks[number]!.attempts,
  };
}
