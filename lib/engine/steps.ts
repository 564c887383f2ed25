import { decodeJson, encodeJson } from "../definition/json.ts";
import { type Attempt, stepKey, stepRecord } from "./live_run.ts";
import type { Recorder } from "./recorder.ts";

const LONGEST_NAME = 200;

/** What steps need of the engine. */
export interface StepOptions {
  /** Where their outputs go. */
  readonly recorder: Recorder;
  /** The store's time. */
  readonly now: () => number;
  /** The largest output, in bytes of JSON. */
  readonly maxPayloadBytes: number;
}

/**
 * Runs a step of an attempt, or answers what it answered before. Two calls of one name at the same time are one. A step
 * that throws is forgotten, so that it runs again.
 */
export async function runStep(
  attempt: Attempt,
  name: string,
  body: () => unknown,
  options: StepOptions,
): Promise<unknown> {
  if (typeof name !== "string" || name === "" || name.length > LONGEST_NAME) {
    throw new TypeError(`A step needs a name of 1 to ${LONGEST_NAME} characters: ${JSON.stringify(name)}`);
  }
  if (typeof body !== "function") throw new TypeError(`Step "${name}" needs a function`);
  const steps = attempt.run.steps ??= new Map();
  const key = stepKey(attempt.task, name);
  const known = steps.get(key);
  if (known !== undefined) return decodeJson(await known);
  if (attempt.stage !== "running") {
    throw attempt.aborted?.reason ?? new Error(`Cannot run step "${name}": its attempt is over`);
  }
  const output = perform(attempt, name, body, options);
  steps.set(key, output);
  output.catch(() => steps.delete(key));
  return decodeJson(await output);
}

async function perform(
  attempt: Attempt,
  name: string,
  body: () => unknown,
  { recorder, now, maxPayloadBytes }: StepOptions,
): Promise<string | undefined> {
  const output = encodeJson(await body(), `the output of step "${name}"`, maxPayloadBytes);
  await recorder.append(attempt.run, stepRecord(attempt, name, output, now()));
  return output;
}
