/**
 * Definitions as the engine reads them, from what a caller wrote: checked, with every default filled in. The compiler
 * finds the same mistakes for those who use it; here they are found again for those who do not.
 *
 * @module
 */
import { type Checks, type Options, shown } from "./checks.ts";
import type { BodyDefinition, Database, TaskDefinition, TaskFunction, Trigger } from "./definition.ts";
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
export const BODY_OPTIONS: readonly string[] = [
  "retry",
  "timeout",
  "onSuccess",
  "onFailure",
  "version",
  "run",
  "transaction",
];

/** Options of a task. */
export const TASK_OPTIONS: readonly string[] = ["after", "on", "when", ...BODY_OPTIONS];

/** Reads what a workflow is but for its tasks; `options` are an object already. */
export function readSettings(options: Options, checks: Checks): WorkflowSettings {
  const { description, input, tags, timeout, version } = options;
  if (input !== undefined && !isSchema(input)) {
    checks.report(`input must be a Standard Schema, such as one of zod, valibot or arktype, not ${shown(input)}`);
  }
  const checkedTags = checks.list(tags, "tags", "strings");
  for (const tag of checkedTags) checks.name(tag, "a tag");
  return {
    description: checks.text(description, "description"),
    input: isSchema(input) ? input : undefined,
    tags: checkedTags,
    timeoutMs: checks.timeout(timeout, "timeout"),
    statedVersion: checks.version(version, "version"),
  };
}

/** Reads a task; whether its dependencies exist is for `checkDependencies` to say. */
export function readTask(id: string, options: Options, checks: Checks): TaskDefinition {
  const what = `task "${id}"`;
  const { after, on, when, version } = options;
  const database = readDatabase(options, what, checks);
  const common = {
    id,
    after: checks.list(after, `${what}: after`, "task ids"),
    reads: [],
    on: checks.word(on, `${what}: on`, TRIGGERS) ?? "success",
    when: checks.fn<TaskFunction>(when, `${what}: when`),
    version: checks.version(version, `${what}: version`),
    undo: undefined,
    ...readBody(what, options, checks),
  };
  return Object.freeze(
    database === undefined
      ? { ...common, kind: "task", guarantee: "atLeastOnce" }
      : { ...common, kind: "transaction", database },
  );
}

/** The database of a task that is marked as a transaction. */
function readDatabase({ transaction }: Options, what: string, checks: Checks): Database | undefined {
  if (transaction === undefined) return undefined;
  const { database } = (typeof transaction === "object" && transaction !== null ? transaction : {}) as Options;
  if (database === "sqlite" || database === "postgres") return database;
  checks.report(`${what}: transaction is ${shown(transaction)}, and not what \`...transaction\` gives`);
  return undefined;
}

/** Reads the options that a body may have away from any workflow. */
export function readBody(
  what: string,
  options: Options,
  checks: Checks,
): Pick<BodyDefinition, "run" | "retry" | "timeoutMs" | "onSuccess" | "onFailure"> {
  const { run, retry, timeout, onSuccess, onFailure } = options;
  if (run === undefined) checks.report(`${what} has no \`run\``);
  return {
    run: checks.fn<TaskFunction>(run, `${what}: run`) ?? (() => undefined),
    retry: readRetry(retry, `${what}: retry`, checks),
    timeoutMs: checks.timeout(timeout, `${what}: timeout`),
    onSuccess: checks.fn<NonNullable<TaskDefinition["onSuccess"]>>(onSuccess, `${what}: onSuccess`),
    onFailure: checks.fn<NonNullable<TaskDefinition["onFailure"]>>(onFailure, `${what}: onFailure`),
  };
}

/** A task id: a name that is not taken by something else. */
export function checkTaskId(id: unknown, what: string, checks: Checks): string {
  const name = checks.name(id, what);
  if (RESERVED.includes(name)) checks.report(`${what} must not be "${name}": it names a task argument`);
  // It would work in our own records, but not in the copies that programs make of them with Object.assign().
  if (name === "__proto__") checks.report(`${what} must not be "__proto__": JavaScript gives it a meaning of its own`);
  return name;
}

/** The tasks that may be named. */
export interface Candidates {
  /** What they are, such as `"earlier task"`. */
  readonly what: string;
  /** Whether one of them has this id. */
  has(id: string): boolean;
  /** Their ids; asked only for a suggestion. */
  ids(): Iterable<string>;
}

/** Whether every dependency of a task is one of the candidates. */
export function checkDependencies(task: TaskDefinition, candidates: Candidates, checks: Checks): void {
  for (const id of task.after) {
    if (id === "tx" && task.kind === "transaction") {
      checks.report(`task "${task.id}" is a transaction and cannot depend on "tx": it names an argument of its body`);
    }
    if (id === task.id) checks.report(`task "${id}" depends on itself`);
    else if (!candidates.has(id)) {
      const hint = didYouMean(id, candidates.ids());
      checks.report(`task "${task.id}" depends on "${id}", which is no ${candidates.what}${hint}`);
    }
  }
}

/** Whether the task to return is one of the candidates. */
export function checkResult(id: unknown, candidates: Candidates, checks: Checks): void {
  if (typeof id === "string" && candidates.has(id)) return;
  checks.report(`returns names ${shown(id)}, which is no ${candidates.what}${didYouMean(id, candidates.ids())}`);
}

const RESERVED = ["input", "ctx", "status", "item", "index"];

// Records instead of lists: a trigger added to the type and forgotten here does not compile.
const TRIGGERS: Record<Trigger, true> = {
  success: true,
  allSucceeded: true,
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

function readRetry(value: unknown, what: string, checks: Checks): RetryRule {
  const options = value === undefined ? {} : typeof value === "number" ? { attempts: value } : value;
  const { attempts = DEFAULT_ATTEMPTS, backoff, delay, maxDelay, jitter = true, retryIf } = checks.options(
    options,
    what,
    RETRY_OPTIONS,
  );
  if (!Number.isSafeInteger(attempts) || Number(attempts) < 1) {
    checks.report(`${what}: attempts must be a positive integer, not ${shown(attempts)}`);
  }
  if (typeof jitter !== "boolean") checks.report(`${what}: jitter must be true or false, not ${shown(jitter)}`);
  const delayMs = checks.duration(delay, `${what}: delay`);
  const maxDelayMs = checks.duration(maxDelay, `${what}: maxDelay`);
  if (delayMs !== undefined && maxDelayMs !== undefined && maxDelayMs < delayMs) {
    checks.report(`${what}: maxDelay (${maxDelayMs} ms) must not be shorter than delay (${delayMs} ms)`);
  }
  const cap = maxDelayMs ?? Math.max(DEFAULT_MAX_DELAY_MS, delayMs ?? 0);
  return Object.freeze({
    attempts: Number(attempts),
    backoff: checks.word(backoff, `${what}: backoff`, BACKOFFS) ?? "exponential",
    delayMs: delayMs ?? Math.min(DEFAULT_DELAY_MS, cap),
    maxDelayMs: cap,
    jitter: jitter === true,
    retryIf: checks.fn<(error: unknown) => boolean>(retryIf, `${what}: retryIf`),
  });
}
