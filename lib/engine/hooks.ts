import { decodeJson } from "../definition/json.ts";
import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { Attempt, LiveRun } from "./live_run.ts";

/** Calls `onSuccess` or `onFailure` of a task whose end is durable. What a hook throws is logged and changes nothing. */
export function callHooks(run: LiveRun, attempt: Attempt, logger: Logger): void {
  const { onSuccess, onFailure } = run.plan.tasks[attempt.task]!;
  if (onSuccess !== undefined || onFailure !== undefined) call(run, attempt, logger);
}

function call(run: LiveRun, attempt: Attempt, logger: Logger): void {
  const { onSuccess, onFailure, id } = run.plan.tasks[attempt.task]!;
  const ctx = attempt.context;
  if (ctx === undefined) return;
  const { state } = run.progress.tasks[attempt.task]!;
  try {
    if (state === "completed") watch(onSuccess?.({ output: decodeJson(run.outputs[attempt.task]), ctx }));
    if (state === "failed") watch(onFailure?.({ error: run.thrown?.get(attempt.task), ctx }));
  } catch (thrown) {
    complain(thrown);
  }

  function watch(answer: unknown): void {
    if (answer instanceof Promise) (run.hooks ??= []).push(answer.catch(complain));
  }

  function complain(thrown: unknown): void {
    logger.warn(`A hook of task "${id}" threw`, { runId: run.id, error: String(thrown) });
  }
}

/** Resolves when all hooks have returned; one that takes longer than `patienceMs` is not waited for. */
export function hooksReturned(hooks: readonly Promise<unknown>[], clock: Clock, patienceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(patienceMs, resolve);
    void Promise.allSettled(hooks).then(() => {
      cancel();
      resolve();
    });
  });
}
