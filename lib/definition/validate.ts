/**
 * Definitions as the engine reads them, from what a caller wrote: checked, with every default filled in. The compiler
 * finds the same mistakes for those who use it; here they are found again for those who do not.
 *
 * @module
 */
import { DefinitionError } from "../errors.ts";
import {
  checkDuration,
  checkFunction,
  checkList,
  checkName,
  checkOptions,
  checkText,
  checkTimeout,
  checkVersion,
  checkWord,
  type Options,
  shown,
} from "./checks.ts";
import type { TaskArguments } from "./context.ts";
import type { TaskDefinition, Trigger } from "./definition.ts";
import { didYouMean } from "./nearest.ts";
import type { RetryRule } from "./retry.ts";
import { isSchema, type Schema } from "./schema.ts";

/** What a workflow is but for its tasks. */
export interface WorkflowSettings {
  /** What it is for. */
  readonly description: string | undefined;
  /** Checks the input. */
  readonly input: Schema | undefined;
  /** Tags that each of its runs carries. */
  readonly tags: readonly string[];
  /** Longest a run may take, in milliseconds. */
  readonly timeoutMs: number | undefined;
  /** Stands for the code in the content version, if stated. */
  readonly statedVersion: string | undefined;
}

/** Options of a workflow. */
export const WORKFLOW_OPTIONS: readonly string[] = ["description", "input", "tags", "timeout", "version"];

/** Options of a body that is defined away from any workflow. */
export const BODY_OPTIONS: readonly string[] = ["retry", "timeout", "onSuccess", "onFailure", "version", "run"];

/** Options of a task. */
export const TASK_OPTIONS: readonly string[] = ["after", "on", "when", ...BODY_OPTIONS];

/** Throws all problems at once, if there are any. */
export function refuseProblems(workflow: unknown, problems: readonly string[]): void {
  if (problems.length > 0) throw new DefinitionError(typeof workflow === "string" ? workflow : "", problems);
}

/** Reads what a workflow is but for its tasks; `options` are an object already. */
export function readSettings(options: Options, problems: string[]): WorkflowSettings {
  const { description, input, tags, timeout, version } = options;
  if (input !== undefined && !isSchema(input)) {
    problems.push(`input must be a Standard Schema, such as one of zod, valibot or arktype, not ${shown(input)}`);
  }
  const checkedTags = checkList(tags, "tags", "strings", problems);
  for (const tag of checkedTags) checkName(tag, "a tag", problems);
  return {
    description: checkText(description, "description", problems),
    input: isSchema(input) ? input : undefined,
    tags: checkedTags,
    timeoutMs: checkTimeout(timeout, "timeout", problems),
    statedVersion: checkVersion(version, "version", problems),
  };
}

/** Reads a task; whether its dependencies exist is for `checkDependencies` to say. */
export function readTask(id: string, options: Options, problems: string[]): TaskDefinition {
  const what = `task "${id}"`;
  const { after, on, when, version } = options;
  return Object.freeze({
    id,
    kind: "task",
    after: checkList(after, `${what}: after`, "task ids", problems),
    on: checkWord(on, `${what}: on`, TRIGGERS, problems) ?? "success",
    when: checkFunction<NonNullable<TaskDefinition["when"]>>(when, `${what}: when`, problems),
    version: checkVersion(version, `${what}: version`, problems),
    ...readBody(what, options, problems),
  });
}

/** Reads the options that a body may have away from any workflow. */
export function readBody(
  what: string,
  options: Options,
  problems: string[],
): Pick<TaskDefinition, "run" | "retry" | "timeoutMs" | "onSuccess" | "onFailure"> {
  const { run, retry, timeout, onSuccess, onFailure } = options;
  if (run === undefined) problems.push(`${what} has no \`run\``);
  return {
    run: checkFunction<(args: TaskArguments) => unknown>(run, `${what}: run`, problems) ?? (() => undefined),
    retry: readRetry(retry, `${what}: retry`, problems),
    timeoutMs: checkTimeout(timeout, `${what}: timeout`, problems),
    onSuccess: checkFunction<NonNullable<TaskDefinition["onSuccess"]>>(onSuccess, `${what}: onSuccess`, problems),
    onFailure: checkFunction<NonNullable<TaskDefinition["onFailure"]>>(onFailure, `${what}: onFailure`, problems),
  };
}

/** A task id: a name that is not taken by something else. */
export function checkTaskId(id: unknown, what: string, problems: string[]): string {
  const name = checkName(id, what, problems);
  if (RESERVED.includes(name)) problems.push(`${what} must not be "${name}": it names a task argument`);
  // It would work in our own records, but not in the copies that programs make of them with Object.assign().
  if (name === "__proto__") problems.push(`${what} must not be "__proto__": JavaScript gives it a meaning of its own`);
  return name;
}

/** Whether every dependency is one of the `candidates`; `missing` says what it is if not. */
export function checkDependencies(
  task: TaskDefinition,
  missing: string,
  has: (id: string) => boolean,
  candidates: () => Iterable<string>,
  problems: string[],
): void {
  for (const id of task.after) {
    if (id === task.id) problems.push(`task "${id}" depends on itself`);
    else if (!has(id)) {
      problems.push(`task "${task.id}" depends on "${id}", ${missing}${didYouMean(id, candidates())}`);
    }
  }
}

/** Whether the task to return is one of the `candidates`. */
export function checkResult(
  id: unknown,
  has: (id: string) => boolean,
  candidates: () => Iterable<string>,
  problems: string[],
): void {
  if (typeof id === "string" && has(id)) return;
  problems.push(`returns names ${shown(id)}, which is no task of this workflow${didYouMean(id, candidates())}`);
}

const RESERVED = ["input", "ctx", "status", "item", "index"];

// Records instead of lists: a trigger added to the type and forgotten here does not compile.
const TRIGGERS: Record<Trigger, true> = {
  success: true,
  settled: true,
  anySucceeded: true,
  anyFailed: true,
  allFailed: true,
};
const BACKOFFS: Record<RetryRule["backoff"], true> = { exponential: true, linear: true, fixed: true };
const RETRY_OPTIONS = ["attempts", "backoff", "delay", "maxDelay", "jitter", "retryIf"];

const DEFAULT_ATTEMPTS = 3;
const DEFAULT_DELAY_MS = 1_000;
const DEFAULT_MAX_DELAY_MS = 30_000;

function readRetry(value: unknown, what: string, problems: string[]): RetryRule {
  const options = value === undefined ? {} : typeof value === "number" ? { attempts: value } : value;
  const { attempts = DEFAULT_ATTEMPTS, backoff, delay, maxDelay, jitter = true, retryIf } = checkOptions(
    options,
    what,
    RETRY_OPTIONS,
    problems,
  );
  if (!Number.isSafeInteger(attempts) || Number(attempts) < 1) {
    problems.push(`${what}: attempts must be a positive integer, not ${shown(attempts)}`);
  }
  if (typeof jitter !== "boolean") problems.push(`${what}: jitter must be true or false, not ${shown(jitter)}`);
  const delayMs = checkDuration(delay, `${what}: delay`, problems);
  const maxDelayMs = checkDuration(maxDelay, `${what}: maxDelay`, problems);
  if (delayMs !== undefined && maxDelayMs !== undefined && maxDelayMs < delayMs) {
    problems.push(`${what}: maxDelay (${maxDelayMs} ms) must not be shorter than delay (${delayMs} ms)`);
  }
  const cap = maxDelayMs ?? Math.max(DEFAULT_MAX_DELAY_MS, delayMs ?? 0);
  return Object.freeze({
    attempts: Number(attempts),
    backoff: checkWord(backoff, `${what}: backoff`, BACKOFFS, problems) ?? "exponential",
    delayMs: delayMs ?? Math.min(DEFAULT_DELAY_MS, cap),
    maxDelayMs: cap,
    jitter: jitter === true,
    retryIf: checkFunction<(error: unknown) => boolean>(retryIf, `${what}: retryIf`, problems),
  });
}
