/**
 * Runs that bodies start. The start of a run is recorded like a step, so a repeated body starts nothing twice, even when
 * the run has been deleted in the meantime. If the process dies between the insert and the record, the repeated body
 * inserts a run of the same key and id, which the store refuses.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { StartedRun } from "../../definition/task_start.ts";
import { decodeJson, encodeJson } from "../../definition/json.ts";
import { derivedId } from "../../ids.ts";
import { TEXT_LIMITS } from "../../text_limits.ts";
import { nodeOf } from "../runs/attempt.ts";
import { AttemptSteps } from "../runs/attempt_steps.ts";
import { stepRecord } from "../runs/journal_rows.ts";
import type { Attempt } from "../runs/live_run.ts";
import type { Recorder } from "./recorder.ts";
import type { PreparedStart, RunStarter, StartRequest } from "../client/start_run.ts";
import { checkIsRunning, RESERVED_STEP } from "./steps.ts";
import { databaseOf } from "./transactions.ts";

/** What starts in bodies need of the engine. */
export interface TaskStartPort {
  /** Checks and inserts runs. */
  readonly starter: RunStarter;
  /** Records that a run was started. */
  readonly recorder: Pick<Recorder, "append">;
  /** Returns the time of the store, in milliseconds since the epoch. */
  readonly now: () => number;
}

/** A start whose target and options are valid. */
interface TaskStart {
  readonly attempt: Attempt;
  readonly start: PreparedStart;
  /** Name under which the start is recorded. */
  readonly name: string;
  readonly port: TaskStartPort;
}

/**
 * Starts a run for the body of a task.
 *
 * @throws What a start throws; a `TypeError` if the attempt has started a run of the workflow without a key before.
 */
export async function startFromTask(
  attempt: Attempt,
  request: StartRequest,
  port: TaskStartPort,
): Promise<StartedRun> {
  const start = port.starter.prepare(request);
  const name = nameOf(start);
  return databaseOf(nodeOf(attempt).task) === undefined
    ? await startOnce({ attempt, start, name, port })
    : await startWithin({ attempt, start, name, port });
}

async function startOnce(task: TaskStart): Promise<StartedRun> {
  const { attempt, start, name } = task;
  const { unit } = attempt;
  const steps = attempt.steps ??= new AttemptSteps();
  const earlier = steps.outputOf(name);
  if (earlier !== undefined) {
    checkRepetition(start);
    return { ...startedRun(await earlier), isNew: false };
  }
  return startedRun(await steps.call(name, () => unit.steps?.get(name) ?? perform(task)));
}

async function perform({ attempt, start, name, port }: TaskStart): Promise<string | undefined> {
  const { unit } = attempt;
  checkIsRunning(attempt, name);
  const started = await start.insert({ key: keyOf(attempt), id: idOf(attempt, name), tx: undefined });
  checkIsRunning(attempt, name);
  const text = encodeJson(started, "the started run", Infinity);
  const output = port.recorder.append(unit.run, stepRecord(attempt, name, text, port.now())).then(() => text);
  const recorded = unit.steps ??= new Map();
  recorded.set(name, output);
  output.catch(() => recorded.delete(name));
  return await output;
}

/** Inserts a run in the transaction of the body, with which it is committed or rolled back. */
async function startWithin({ attempt, start, name }: TaskStart): Promise<StartedRun> {
  const { transaction } = attempt;
  if (transaction === undefined) throw new Error(`Cannot ${start.action}: the transaction of the body is over`);
  const { tx, starts } = transaction;
  const earlier = starts.get(name);
  if (earlier !== undefined) {
    checkRepetition(start);
    return { ...await earlier, isNew: false };
  }
  const started = start.insert({ key: keyOf(attempt), id: idOf(attempt, name), tx });
  starts.set(name, started);
  started.catch(() => starts.delete(name));
  return await started;
}

/** A second start with a key that was stated returns the first run; without one it is likely to mean another run. */
function checkRepetition({ key, action }: PreparedStart): void {
  if (key === undefined) throw startedAgain(action);
}

/** Returns the error of a second start without a key; `action` is the beginning of its message. */
export function startedAgain(action: string): TypeError {
  return new TypeError(
    `Cannot ${action} again without a key: the attempt has started a run of this workflow; give each run a key, such as ` +
      "{ key: `${ctx.idempotencyKey}/${i}` }",
  );
}

function startedRun(text: string | undefined): StartedRun {
  return decodeJson(text) as StartedRun;
}

function nameOf({ workflow, key }: PreparedStart): string {
  const name = `${RESERVED_STEP}${[workflow, ...key === undefined ? [] : [key]].map((text) => JSON.stringify(text))})`;
  if (name.length <= TEXT_LIMITS.step) return name;
  return `${RESERVED_STEP}${createHash("sha256").update(name).digest("hex")})`;
}

function keyOf({ context }: Attempt): string {
  return context!.idempotencyKey;
}

function idOf(attempt: Attempt, name: string): string {
  const { unit, unit: { run, item }, context } = attempt;
  const isFirst = nodeOf({ unit }).undo === undefined && run.compensations === undefined;
  // Ids of tasks may contain what separates the parts of the key.
  const parts = [run.id, nodeOf(attempt).id, item, name, ...isFirst ? [] : [context!.idempotencyKey]];
  return derivedId(run.id, JSON.stringify(parts));
}
