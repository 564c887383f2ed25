/**
 * Options and input of a start, checked before anything is written.
 *
 * @module
 */
import { type Checks, newChecks, type Options, shown } from "../../definition/checks.ts";
import { encodeJson } from "../../definition/json.ts";
import { validate } from "../../definition/schema.ts";
import type { IfExists, KeyScope, TaskStartOptions } from "../../definition/task_start.ts";
import type { NewId } from "../../ids.ts";
import type { Duration } from "../../duration.ts";
import type { NewRun } from "../../store/port/batch.ts";
import type { Debounce } from "../../store/port/debounced.ts";
import type { Store } from "../../store/port/store.ts";
import { refuse } from "../options.ts";
import { runLimitsOf } from "../limits/permit_request.ts";
import type { Plan } from "../machine/plan.ts";

/** Options of `start` and `execute`. */
export interface StartOptions extends Omit<TaskStartOptions, "key" | "ifExists"> {
  /**
   * A second start of the same workflow with the same key returns the first run, as long as that run holds the key
   * (`keyScope`). 1 to 500 characters.
   */
  readonly key?: string;
  /**
   * What to do if a run of the workflow with `key` exists. `"return"`: return it. `"compare"`: return it if it was started
   * with an equal input, or else throw a `KeyConflictError`. `"reject"`: throw a `KeyConflictError`.
   *
   * @default {"return"}
   */
  readonly ifExists?: IfExists;
  /**
   * Delays the run until no other start of the workflow with the same debounce key has followed for `delay`. Until then
   * there is one pending run with the key: each start restarts its delay and replaces its input, tags, priority,
   * timeout and version, in one atomic write, and returns a handle on it with `isNew: false`. A run that was claimed is
   * not changed: the next start creates a new one. Excludes `key`, `keyScope`, `ifExists`, `delay` and `startAt`.
   */
  readonly debounce?: DebounceOptions;
  /**
   * Cancels the run when it aborts. If it has aborted already, its reason is thrown and nothing is started. It does not
   * cancel a debounced run, which other starts share. A start that waits for the database is dropped.
   */
  readonly signal?: AbortSignal;
  /**
   * A transaction of the caller on the same database: the run exists if and only if the transaction commits, and the
   * call does not wait for the commit. On Postgres the argument of the callback of the driver's `sql.begin()`; on SQLite
   * a database handle of the runtime (`Database` of `bun:sqlite`, `DatabaseSync` of `node:sqlite`) with an open
   * transaction.
   */
  readonly tx?: Transactional;
}

/** What debounces starts. */
export interface DebounceOptions {
  /** The debounce key, apart from other keys. 1 to 500 characters. */
  readonly key: string;
  /** The run is due this long after the last start. */
  readonly delay: Duration;
  /** The run is due this long after the first start, however many follow. At least `delay`. @default {} no limit */
  readonly maxDelay?: Duration;
}

/** A transaction of the caller: an SQLite database handle, or a transaction of the Postgres driver. */
export type Transactional =
  | { readonly prepare: unknown; readonly exec: unknown }
  | { readonly unsafe: unknown; readonly begin?: never };

/** Options of `startMany`, by the type of an input. */
export interface StartManyOptions<Input = unknown> extends Omit<StartOptions, "key" | "signal" | "debounce"> {
  /** Returns the key of a run, from its input as it was passed and the index of the input. */
  readonly key?: (input: Input, index: number) => string;
}

/** Options of a start after validation. */
export interface StartSettings {
  readonly key: string | undefined;
  readonly ifExists: IfExists;
  readonly keyScope: KeyScope;
  readonly debounce: Debounce | undefined;
  readonly dueAt: number | undefined;
  readonly delayMs: number | undefined;
  readonly priority: number;
  readonly tags: readonly string[];
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly tx: unknown;
}

/** Names of the options of a start in a body. */
export const TASK_START_OPTIONS: readonly string[] = [
  "key",
  "ifExists",
  "keyScope",
  "delay",
  "startAt",
  "priority",
  "tags",
  "timeout",
];
const START_OPTIONS = [...TASK_START_OPTIONS, "debounce", "signal", "tx"];
const NO_OPTIONS: StartSettings = {
  key: undefined,
  ifExists: "return",
  keyScope: "ever",
  debounce: undefined,
  dueAt: undefined,
  delayMs: undefined,
  priority: 0,
  tags: [],
  timeoutMs: undefined,
  signal: undefined,
  tx: undefined,
};

/** What the options of a start may be. */
interface StartRules {
  /** The names of the options. @default {} all */
  readonly allowed?: readonly string[];
  /** Whether the run has a key if none is stated. @default {false} */
  readonly hasOwnKey?: boolean;
}

/**
 * Validates the options of a start.
 *
 * @throws {TypeError} If an option is invalid; the message names every one.
 */
export function startSettings(
  options: unknown,
  action: string,
  { allowed = START_OPTIONS, hasOwnKey = false }: StartRules = {},
): StartSettings {
  if (options === undefined) return NO_OPTIONS;
  const checks = newChecks();
  const read = checks.options(options, "the options", allowed);
  if (read["delay"] !== undefined && read["startAt"] !== undefined) {
    checks.report("delay and startAt exclude each other; pass one of them");
  }
  const settings: StartSettings = {
    key: checks.key(read["key"], "key"),
    ifExists: checks.word(read["ifExists"], "ifExists", { return: 1, compare: 1, reject: 1 }) ?? "return",
    keyScope: checks.word(read["keyScope"], "keyScope", { ever: 1, active: 1 }) ?? "ever",
    debounce: checkDebounce(read, checks),
    delayMs: checks.duration(read["delay"], "delay"),
    dueAt: checkTime(read["startAt"], checks),
    priority: checks.priority(read["priority"], "priority") ?? 0,
    tags: checks.tags(read["tags"], "tags"),
    timeoutMs: checks.timeout(read["timeout"], "timeout"),
    signal: checkSignal(read, checks),
    tx: read["tx"],
  };
  if (settings.tx !== undefined && settings.signal !== undefined) {
    checks.report("signal and tx exclude each other, as a run that is not committed cannot be cancelled");
  }
  for (const option of ["ifExists", "keyScope"]) {
    if (read[option] !== undefined && read["key"] === undefined && !hasOwnKey) {
      checks.report(`${option} needs a key; state one`);
    }
  }
  refuse(action, checks);
  return settings;
}

/**
 * Returns the validated input of a run as JSON text.
 *
 * @throws {ValidationError} If the schema of the workflow rejects the input.
 * @throws {PayloadError} If JSON cannot represent the input, or it is too large.
 */
export function encodeInput(
  plan: Plan,
  input: unknown,
  action: string,
  maxPayloadBytes: number,
): string | undefined | Promise<string | undefined> {
  const value = validate(plan.workflow.input, input, action);
  return value instanceof Promise ? encodeLater(value, maxPayloadBytes) : encodeJson(value, "input", maxPayloadBytes);
}

async function encodeLater(value: Promise<unknown>, maxPayloadBytes: number): Promise<string | undefined> {
  return encodeJson(await value, "input", maxPayloadBytes);
}

/** Creates the row of a run to insert, due now unless its settings say otherwise. */
export function newRun(
  plan: Plan,
  input: string | undefined,
  settings: StartSettings,
  { store, newId, currentTrace }: {
    readonly store: Pick<Store, "now">;
    readonly newId: NewId;
    readonly currentTrace: () => string | undefined;
  },
): NewRun {
  const now = store.now();
  const { name, version, tags, timeoutMs } = plan.workflow;
  const delayMs = settings.debounce?.delayMs ?? settings.delayMs;
  return {
    id: newId(now),
    workflow: name,
    version,
    key: settings.key,
    keyScope: settings.key !== undefined && settings.keyScope === "active" ? "active" : undefined,
    priority: settings.priority,
    debounce: settings.debounce,
    dueAt: settings.dueAt ?? (delayMs ? now + delayMs : undefined),
    tags: settings.tags.length === 0 ? tags : [...new Set([...tags, ...settings.tags])],
    input,
    timeoutMs: settings.timeoutMs ?? timeoutMs,
    owner: undefined,
    trace: currentTrace(),
    fork: undefined,
    limits: runLimitsOf(plan.workflow, input),
  };
}

function checkTime(value: unknown, checks: Checks): number | undefined {
  if (value === undefined) return undefined;
  const ms = value instanceof Date ? value.getTime() : value;
  if (typeof ms === "number" && ms >= 0 && ms <= 8.64e15) return Math.round(ms);
  checks.report(`startAt must be a Date or milliseconds since the epoch, not ${shown(value)}`);
  return undefined;
}

function checkDebounce(read: Options, checks: Checks): Debounce | undefined {
  if (read["debounce"] === undefined) return undefined;
  for (const option of ["key", "keyScope", "ifExists", "delay", "startAt"]) {
    if (read[option] !== undefined) checks.report(`debounce excludes ${option}; pass one of them`);
  }
  const stated = checks.options(read["debounce"], "debounce", ["key", "delay", "maxDelay"]);
  const key = checks.key(stated["key"], "debounce.key");
  const delayMs = checks.timeout(stated["delay"], "debounce.delay");
  const maxDelayMs = checks.timeout(stated["maxDelay"], "debounce.maxDelay");
  for (const option of ["key", "delay"]) {
    if (stated[option] === undefined) checks.report(`debounce needs a ${option}`);
  }
  if (key === undefined || delayMs === undefined) return undefined;
  if (maxDelayMs !== undefined && maxDelayMs < delayMs) {
    checks.report(`debounce.maxDelay must be at least debounce.delay, ${delayMs} ms, not ${maxDelayMs} ms`);
  }
  return { key, delayMs, maxDelayMs };
}

function checkSignal(read: Options, checks: Checks): AbortSignal | undefined {
  const { signal } = read;
  if (signal === undefined) return undefined;
  if (signal instanceof AbortSignal) return signal;
  checks.report(`signal must be an AbortSignal, not ${shown(signal)}`);
  return undefined;
}
