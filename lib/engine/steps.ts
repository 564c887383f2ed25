import { decodeJson, encodeJson } from "../definition/json.ts";
import { nodeOf } from "./attempt.ts";
import { stepRecord } from "./journal_rows.ts";
import type { Attempt } from "./live_run.ts";
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
  const { id, task: { kind } } = nodeOf(attempt);
  if (kind === "transaction") {
    throw new TypeError(
      `Cannot run step "${name}": task "${id}" is a transaction, of which everything is kept or nothing; take the step ` +
        "in a task before it",
    );
  }
  const known = attempt.unit.steps?.get(name) ?? underWay.get(attempt)?.get(name);
  if (known !== undefined) return decodeJson(await known);
  if (attempt.stage !== "running") throw whyOver(attempt, name);
  const own = underWay.get(attempt) ?? new Map<string, Promise<string | undefined>>();
  underWay.set(attempt, own);
  const output = perform(attempt, name, body, options);
  own.set(name, output);
  const done = (): void => void own.delete(name);
  output.then(done, done);
  return decodeJson(await output);
}

// By attempt: the next one must not wait for a step that hangs.
const underWay = new WeakMap<Attempt, Map<string, Promise<string | undefined>>>();

async function perform(
  attempt: Attempt,
  name: string,
  body: () => unknown,
  { recorder, now, maxPayloadBytes }: StepOptions,
): Promise<string | undefined> {
  const { unit } = attempt;
  const text = encodeJson(await body(), `the output of step "${name}"`, maxPayloadBytes);
  if (attempt.stage !== "running") throw whyOver(attempt, name);
  // Remembered before it is durable: what is on its way to the store will stand there.
  const output = recorder.append(unit.run, stepRecord(attempt, name, text, now())).then(() => text);
  const steps = unit.steps ??= new Map();
  steps.set(name, output);
  output.catch(() => steps.delete(name));
  return await output;
}

function whyOver(attempt: Attempt, name: string): unknown {
  return attempt.aborted?.reason ?? new Error(`Cannot run step "${name}": its attempt is over`);
}
