import { shown } from "../definition/checks.ts";
import { decodeJson, encodeJson } from "../definition/json.ts";
import { textProblem } from "../text_limits.ts";
import { nodeOf } from "./attempt.ts";
import { AttemptSteps } from "./attempt_steps.ts";
import { stepRecord } from "./journal_rows.ts";
import type { Attempt } from "./live_run.ts";
import type { Recorder } from "./recorder.ts";
import { databaseOf } from "./transactions.ts";

/** Dependencies of `runStep`. */
export interface StepOptions {
  /** Writes the outputs of steps. */
  readonly recorder: Recorder;
  /** Returns the time of the store, in milliseconds since the epoch. */
  readonly now: () => number;
  /** The largest output, in bytes of JSON. */
  readonly maxPayloadBytes: number;
}

/**
 * Runs a step of an attempt; returns its recorded output if a step of that name has completed before. Two calls with the
 * same name at the same time share one execution; a second call after the first has returned throws. A step that throws
 * is not recorded, so a later call runs it again.
 *
 * @throws {TypeError} If the name or the body is invalid, the name was used, the step would wait for itself, or the task
 *   is a transaction.
 */
export async function runStep(
  attempt: Attempt,
  name: string,
  body: () => unknown,
  options: StepOptions,
): Promise<unknown> {
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`Cannot run a step: its name must be a string that is not empty, not ${shown(name)}`);
  }
  const problem = textProblem(name, "step");
  if (problem !== undefined) throw new TypeError(`Cannot run a step: its name ${problem}: ${shown(name)}`);
  if (typeof body !== "function") {
    throw new TypeError(`Cannot run step "${name}": its second argument must be a function`);
  }
  const { id, task } = nodeOf(attempt);
  if (databaseOf(task) !== undefined) {
    throw new TypeError(
      `Cannot run step "${name}": task "${id}" is a transaction, which commits all of its work or none; run ` +
        "the step in a task before it",
    );
  }
  // Held by the attempt and not by the unit: the next attempt must not wait for a step that hangs.
  const steps = attempt.steps ??= new AttemptSteps();
  const output = steps.call(name, () => attempt.unit.steps?.get(name) ?? perform(attempt, name, body, options));
  return decodeJson(await output);
}

async function perform(
  attempt: Attempt,
  name: string,
  body: () => unknown,
  { recorder, now, maxPayloadBytes }: StepOptions,
): Promise<string | undefined> {
  if (attempt.stage !== "running") throw whyOver(attempt, name);
  const { unit } = attempt;
  const text = encodeJson(await body(), `the output of step "${name}"`, maxPayloadBytes);
  if (attempt.stage !== "running") throw whyOver(attempt, name);
  // Visible to later calls before it is durable; removed again if its commit fails.
  const output = recorder.append(unit.run, stepRecord(attempt, name, text, now())).then(() => text);
  const steps = unit.steps ??= new Map();
  steps.set(name, output);
  output.catch(() => steps.delete(name));
  return await output;
}

function whyOver(attempt: Attempt, name: string): unknown {
  return attempt.aborted?.reason ?? new Error(`Cannot run step "${name}": its attempt is over`);
}
