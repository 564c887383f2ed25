import type { Clock } from "../../clock.ts";
import { shown } from "../../definition/checks.ts";
import { decodeJson, encodeJson } from "../../definition/json.ts";
import type { Logger } from "../../logger.ts";
import { textProblem } from "../../text_limits.ts";
import { nodeOf } from "../runs/attempt.ts";
import { AttemptSteps, checkExecution, type StepExecution } from "../runs/attempt_steps.ts";
import { stepRecord } from "../runs/journal_rows.ts";
import type { Attempt } from "../runs/live_run.ts";
import type { Recorder } from "./recorder.ts";
import { readStepOptions, repeatStep, type StepAttemptsPort, type StepRule, withinLimit } from "./step_attempts.ts";
import { databaseOf } from "./transactions.ts";

/** The arguments of `ctx.step`, which callers without a compiler may get wrong. */
export interface StepCall {
  readonly name: unknown;
  readonly body: unknown;
  readonly options: unknown;
}

/** What steps need of the engine. */
export interface StepPort {
  /** Writes the outputs of steps. */
  readonly recorder: Recorder;
  /** Runs time-outs and delays. */
  readonly clock: Clock;
  /** Returns the time of the store, in milliseconds since the epoch. */
  readonly now: () => number;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
  readonly logger: Logger;
  /** The largest output, in bytes of JSON. */
  readonly maxPayloadBytes: number;
}

/** The beginning of the names under which starts of runs are recorded. */
export const RESERVED_STEP = "ctx.start(";

/** A step whose name and options are valid. */
interface ValidStep {
  readonly name: string;
  readonly body: () => unknown;
  readonly rule: StepRule;
}

/**
 * Runs a step of an attempt; returns its recorded output if a step of that name has completed before. Two calls with the
 * same name at the same time share one execution; a second call after the first has returned throws. A step that fails
 * is not recorded, so a later call runs it again.
 *
 * @throws {TypeError} If the name, the body or an option is invalid, the name was used, the step would wait for itself,
 *   or the task is a transaction.
 */
export async function runStep(attempt: Attempt, call: StepCall, port: StepPort): Promise<unknown> {
  const step = validStep(attempt, call);
  const { name } = step;
  // Held by the attempt and not by the unit: the next attempt must not wait for a step that hangs.
  const steps = attempt.steps ??= new AttemptSteps();
  const output = steps.call(
    name,
    (caller) => attempt.unit.steps?.get(name) ?? perform({ attempt, step, steps, caller, port }),
  );
  return decodeJson(await output);
}

function validStep(attempt: Attempt, { name, body, options }: StepCall): ValidStep {
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`Cannot run a step: its name must be a string that is not empty, not ${shown(name)}`);
  }
  const problem = textProblem(name, "step");
  if (problem !== undefined) throw new TypeError(`Cannot run a step: its name ${problem}: ${shown(name)}`);
  if (name.startsWith(RESERVED_STEP)) {
    throw new TypeError(`Cannot run step ${shown(name)}: names that begin with "${RESERVED_STEP}" are reserved`);
  }
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
  return { name, body: () => body(), rule: readStepOptions(name, options) };
}

/** A step on its way to its output. */
interface Execution {
  readonly attempt: Attempt;
  readonly step: ValidStep;
  readonly steps: AttemptSteps;
  /** The execution of another step in which it was called. */
  readonly caller: StepExecution | undefined;
  readonly port: StepPort;
}

async function perform(execution: Execution): Promise<string | undefined> {
  const { attempt, step: { name, rule }, steps, port: { recorder, clock, now, random, logger } } = execution;
  const { unit } = attempt;
  check(execution);
  const after: StepAttemptsPort["after"] = (ms, fire) => steps.after(clock, ms, fire);
  const text = await repeatStep(rule.retry, () => attemptStep(execution, after), {
    after,
    random,
    logger,
    signal: () => attempt.context!.signal,
    check: () => check(execution),
  });
  check(execution);
  // Visible to later calls before it is durable; removed again if its commit fails.
  const output = recorder.append(unit.run, stepRecord(attempt, name, text, now())).then(() => text);
  const recorded = unit.steps ??= new Map();
  recorded.set(name, output);
  output.catch(() => recorded.delete(name));
  return await output;
}

/** Calls the body once; returns its output as JSON text. */
async function attemptStep(
  { step: { name, body, rule: { timeoutMs } }, steps, caller, port }: Execution,
  after: StepAttemptsPort["after"],
): Promise<string | undefined> {
  const own: StepExecution = { step: name, caller, hasFailed: false, expired: undefined };
  const call = (): unknown => steps.within(own, body);
  const expired = (error: Error): void => void (own.expired = error);
  try {
    const value = timeoutMs === undefined ? await call() : await withinLimit(call, { name, timeoutMs, after, expired });
    return encodeJson(value, `the output of step "${name}"`, port.maxPayloadBytes);
  } catch (thrown) {
    own.hasFailed = true;
    throw thrown;
  }
}

/** Throws if nothing that a step does counts any more. */
function check({ attempt, step: { name }, caller }: Execution): void {
  checkIsRunning(attempt, name);
  checkExecution(caller);
}

/** Throws why an attempt is over, if it is. */
export function checkIsRunning({ stage, aborted }: Attempt, name: string): void {
  if (stage !== "running") throw aborted?.reason ?? new Error(`Cannot run step "${name}": its attempt is over`);
}
