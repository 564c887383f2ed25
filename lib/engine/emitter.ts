import { AsyncLocalStorage } from "node:async_hooks";
import { decodeJson } from "../definition/json.ts";
import type { ErrorRecord } from "../errors.ts";
import { nodeOf } from "./attempt.ts";
import type { Attempt, LiveRun, LiveUnit } from "./live_run.ts";
import type { Progress, RunEvent } from "./events.ts";
import type { RunnerSettings } from "./options.ts";
import type { RunEnd } from "./run_end.ts";

/** A way of a run into memory or out of it, its end left out. */
export type Passage = "run.started" | "run.resumed" | "run.waiting" | "run.paused" | "run.handedBack" | "run.leaseLost";

/** Is told what happens to runs in memory, as it happens. */
export interface Emitter {
  /** A run came into memory or left it. */
  run(run: LiveRun, passage: Passage): void;
  /** A run has ended. */
  ended(run: LiveRun, end: RunEnd): void;
  /** A body is called. */
  task(attempt: Attempt, type: "task.started"): void;
  /** A body says how far it is. */
  progress(attempt: Attempt, progress: Progress): void;
  /** A failed attempt will be followed by another. */
  retrying(attempt: Attempt, error: ErrorRecord, dueAt: number): void;
  /** A task asked to be called later. */
  deferred(attempt: Attempt, dueAt: number): void;
  /** The end of a task is durable, whose last attempt took so long. */
  recorded(unit: LiveUnit, tookMs: number | undefined): void;
}

/** Tells all of them, in this order. */
export function tellAll(emitters: readonly Emitter[]): Emitter {
  const [first] = emitters;
  if (first !== undefined && emitters.length === 1) return first;
  return {
    run: (run, passage) => emitters.forEach((each) => each.run(run, passage)),
    ended: (run, end) => emitters.forEach((each) => each.ended(run, end)),
    task: (attempt, type) => emitters.forEach((each) => each.task(attempt, type)),
    progress: (attempt, progress) => emitters.forEach((each) => each.progress(attempt, progress)),
    retrying: (attempt, error, dueAt) => emitters.forEach((each) => each.retrying(attempt, error, dueAt)),
    deferred: (attempt, dueAt) => emitters.forEach((each) => each.deferred(attempt, dueAt)),
    recorded: (unit, tookMs) => emitters.forEach((each) => each.recorded(unit, tookMs)),
  };
}

/** What calls `onEvent`, if there is one: what that throws is its own trouble. */
export function listenerOf(
  { onEvent, logger }: Pick<RunnerSettings, "onEvent" | "logger">,
): ((event: RunEvent) => void) | undefined {
  if (onEvent === undefined) return undefined;
  const inOwnContext = AsyncLocalStorage.snapshot();
  return (event) => {
    try {
      inOwnContext(onEvent, event);
    } catch (error) {
      logger.warn("onEvent threw", { event: event.type, error: String(error) });
    }
  };
}

/** Makes events for a listener. */
export function createEmitter(emit: (event: RunEvent) => void, now: () => number): Emitter {
  return {
    run: (run, type) => emit({ type, ...runFields(run), at: now() }),
    ended(_run, end) {
      const fields = { runId: end.runId, workflow: end.workflow, at: now() };
      if (end.state === "completed") return emit({ type: "run.completed", ...fields });
      if (end.state === "cancelled") return emit({ type: "run.cancelled", ...fields, reason: end.reason });
      emit({ type: "run.failed", ...fields, error: end.error ?? { name: "Error", message: "a task failed" } });
    },
    task: (attempt, type) => emit({ type, ...unitFields(attempt.unit), at: now() }),
    progress: (attempt, progress) =>
      emit({ type: "task.progress", ...unitFields(attempt.unit), at: now(), ...progress }),
    retrying: (attempt, error, dueAt) =>
      emit({ type: "task.retrying", ...unitFields(attempt.unit), at: now(), error, dueAt }),
    deferred: (attempt, dueAt) => emit({ type: "task.deferred", ...unitFields(attempt.unit), at: now(), dueAt }),
    recorded(unit) {
      const fields = { ...unitFields(unit), at: now() };
      if (unit.state === "completed") {
        return emit({ type: "task.completed", ...fields, output: decodeJson(unit.output) });
      }
      if (unit.state === "skipped") return emit({ type: "task.skipped", ...fields, reason: unit.reason ?? "" });
      const error = unit.failures.at(-1)?.error ?? { name: "Error", message: "the task failed" };
      emit({ type: "task.failed", ...fields, error });
    },
  };
}

function runFields(run: LiveRun): { readonly runId: string; readonly workflow: string } {
  return { runId: run.id, workflow: run.plan.workflow.name };
}

function unitFields(
  unit: LiveUnit,
): { readonly runId: string; readonly workflow: string; readonly taskId: string; readonly attempt: number } {
  return { ...runFields(unit.run), taskId: nodeOf({ unit }).id, attempt: unit.attempts };
}
