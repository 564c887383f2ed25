import { decodeJson } from "../../definition/json.ts";
import type { Clock } from "../../clock.ts";
import type { Logger } from "../../logger.ts";
import { isThenable } from "../../definition/thenable.ts";
import { nodeOf } from "../runs/attempt.ts";
import { thrownText } from "../errors/error_record.ts";
import type { Attempt } from "../runs/live_run.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import { hookArgumentsOf } from "./unit_arguments.ts";

/** Calls `onSuccess` or `onFailure` of a task whose end is durable. An error of a hook is logged and has no other effect. */
export function callHooks(attempt: Attempt, logger: Logger): void {
  const { onSuccess, onFailure } = nodeOf(attempt).task;
  if (attempt.unit.item === NO_ITEM && (onSuccess !== undefined || onFailure !== undefined)) call(attempt, logger);
}

function call(attempt: Attempt, logger: Logger): void {
  const { id, task: { onSuccess, onFailure } } = nodeOf(attempt);
  const { unit, context } = attempt;
  const { run, state } = unit;
  if (context === undefined) return;
  try {
    if (state === "completed") watch(onSuccess?.(hookArgumentsOf(attempt, { output: decodeJson(unit.output) })));
    if (state === "failed") watch(onFailure?.(hookArgumentsOf(attempt, { error: unit.thrown })));
  } catch (thrown) {
    logError(thrown);
  }

  function watch(returned: unknown): void {
    if (isThenable(returned)) (run.hooks ??= []).push(settled(returned).catch(logError));
  }

  function logError(thrown: unknown): void {
    logger.warn(`A hook of task "${id}" threw`, { runId: run.id, error: thrownText(thrown) });
  }
}

/** Awaited, a lazy query of a query builder is executed. */
async function settled(thenable: PromiseLike<unknown>): Promise<void> {
  await thenable;
}

/** Resolves when all hooks have returned, or after `patienceMs` milliseconds. */
export function hooksReturned(hooks: readonly Promise<unknown>[], clock: Clock, patienceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(patienceMs, resolve);
    void Promise.allSettled(hooks).then(() => {
      cancel();
      resolve();
    });
  });
}
