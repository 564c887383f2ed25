/** Decoders from database rows to the types of the port. An error for an invalid value, for example after a manual edit, names its table, run and column. */
import { type ErrorRecord, type Failure, StoreError } from "../errors.ts";
import type { ClaimedRun, JournalOutput, JournalRecord, RecordHead, RunState, Served, TaskState } from "./batch.ts";
import type { DefinitionRow, JournalHead, Outline, Timing } from "./inspection.ts";
import { hasMessages } from "./messages.ts";
import type { Fact, RunnerRow, RunRow } from "./port.ts";

/** A row as the driver returns it: null, text and numbers by column. */
export type Row = Readonly<Record<string, unknown>>;

/** The columns that `decodeListedRun` needs. */
export const LISTED_COLUMNS =
  "seq, epoch, owner, state, ended_at, id, workflow, version, key, priority, due_at, created_at, started_at, " +
  "deadline_at, timeout_ms, cancel_at, crashes, stranded_by, forked_from, trace, reason, tags, error";

/** The columns that `decodeRun` reads. */
export const RUN_COLUMNS: string = `${LISTED_COLUMNS}, input`;

/** The columns that `decodeRecordHead` reads. */
export const RECORD_HEAD_COLUMNS =
  "run, task, item, step, state, attempts, started_at, ended_at, due_at, failures, reason, progress";

/** The columns that `decodeRecord` reads. */
export const RECORD_COLUMNS: string = `${RECORD_HEAD_COLUMNS}, output`;

/** The columns that `decodeRunners` reads. */
export const RUNNER_COLUMNS =
  "id, host, pid, pid_started_at, isolate, thread, served, pinned, concurrency, max_runs, started_at, lease_until, " +
  "lease_ms";

/**
 * Decodes the row of a run.
 *
 * @throws {StoreError} `corrupt_row`, if the row is invalid.
 */
export function decodeRun(row: Row): RunRow {
  const { text, optionalText, integer, optionalInteger, json } = reader("runs", row, row["seq"]);
  const state = runState(text("state"), row);
  return {
    id: text("id"),
    seq: integer("seq"),
    workflow: text("workflow"),
    version: text("version"),
    state,
    epoch: integer("epoch"),
    owner: optionalInteger("owner"),
    key: optionalText("key"),
    priority: integer("priority"),
    tags: json("tags", isTexts) ?? [],
    input: optionalText("input"),
    timeoutMs: optionalInteger("timeout_ms"),
    deadlineAt: optionalInteger("deadline_at"),
    createdAt: integer("created_at"),
    startedAt: optionalInteger("started_at"),
    endedAt: optionalInteger("ended_at"),
    dueAt: optionalInteger("due_at"),
    error: json("error", isErrorRecord),
    reason: optionalText("reason"),
    cancelling: row["cancel_at"] !== null && row["ended_at"] === null,
    strandedBy: optionalText("stranded_by"),
    crashes: optionalInteger("crashes") ?? 0,
    forkedFrom: optionalText("forked_from"),
    trace: optionalText("trace"),
  };
}

/** Decodes a row for a list. An invalid row must not hide the other rows, so its `error` describes what is invalid. */
export function decodeListedRun(row: Row): RunRow {
  try {
    return decodeRun(row);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const state = isRunState(row["state"]) ? row["state"] : "failed";
    return decodeRun({ ...row, state, tags: null, error: JSON.stringify(recordOf(error)) });
  }
}

/**
 * Decodes a claimed run.
 *
 * @throws {StoreError} `corrupt_row`, if the row is invalid.
 */
export function decodeClaimed(row: Row, journal: readonly RecordHead[]): ClaimedRun {
  const { text, optionalText, integer, optionalInteger, json } = reader("runs", row, row["seq"]);
  return {
    id: text("id"),
    seq: integer("seq"),
    epoch: integer("epoch"),
    workflow: text("workflow"),
    version: text("version"),
    input: optionalText("input"),
    tags: json("tags", isTexts) ?? [],
    startedAt: optionalInteger("started_at"),
    deadlineAt: optionalInteger("deadline_at"),
    timeoutMs: optionalInteger("timeout_ms"),
    attention: optionalInteger("attention") ?? 0,
    hasMessages: hasMessages(row),
    crashes: optionalInteger("crashes") ?? 0,
    trace: optionalText("trace"),
    journal,
  };
}

/**
 * Decodes a row of the journal.
 *
 * @throws {StoreError} `corrupt_row`, if the row is invalid.
 */
export function decodeRecord(row: Row): JournalRecord {
  const { optionalText } = reader("tasks", row, row["run"]);
  return { ...decodeRecordHead(row), output: optionalText("output") };
}

/**
 * Decodes a row of the journal without its output.
 *
 * @throws {StoreError} `corrupt_row`, if the row is invalid.
 */
export function decodeRecordHead(row: Row): RecordHead {
  const { text, optionalText, integer, optionalInteger, json } = reader("tasks", row, row["run"]);
  const state = taskState(text("state"), row);
  return {
    task: text("task"),
    item: integer("item"),
    step: text("step"),
    state,
    attempts: integer("attempts"),
    failures: json("failures", isFailures) ?? [],
    reason: optionalText("reason"),
    startedAt: optionalInteger("started_at"),
    endedAt: optionalInteger("ended_at"),
    dueAt: optionalInteger("due_at"),
    progress: optionalText("progress"),
  };
}

/** Decodes an output of a journal. */
export function decodeOutput(row: Row): JournalOutput {
  const { text, integer } = reader("tasks", row, row["run"]);
  return { seq: integer("run"), task: text("task"), item: integer("item"), step: text("step"), output: text("output") };
}

/** Decodes the rows of runners. An invalid row is left out and does not hide the others; only its lease decides whether that runner is dead. */
export function decodeRunners(rows: readonly Row[]): RunnerRow[] {
  return rows.flatMap((row) => {
    try {
      return [decodeRunner(row)];
    } catch (error) {
      if (error instanceof StoreError) return [];
      throw error;
    }
  });
}

function decodeRunner(row: Row): RunnerRow {
  const { text, optionalText, integer, json } = reader("runners", row, undefined);
  return {
    id: integer("id"),
    host: text("host"),
    pid: integer("pid"),
    pidStartedAt: optionalText("pid_started_at"),
    isolate: text("isolate"),
    thread: optionalText("thread"),
    served: json("served", isServed) ?? [],
    pinned: integer("pinned") === 1,
    concurrency: integer("concurrency"),
    maxRuns: integer("max_runs"),
    startedAt: integer("started_at"),
    leaseUntil: integer("lease_until"),
    leaseMs: integer("lease_ms"),
  };
}

/** Decodes an entry of a run's history. */
export function decodeFact(row: Row): Fact {
  const { text, optionalText, integer } = reader("events", row, row["run"]);
  const kind = text("kind");
  if (!isFactKind(kind)) throw corrupt("events", row["run"], "kind", `unknown kind "${kind}"`);
  return { kind, at: integer("at"), detail: optionalText("detail") };
}

/** Decodes a row of the journal with a truncated output; `output_bytes` is the size of the whole output. */
export function decodeHead(row: Row): JournalHead {
  const { optionalInteger } = reader("tasks", row, row["run"]);
  return { ...decodeRecord(row), outputBytes: optionalInteger("output_bytes") };
}

/** Decodes a definition without its graph. */
export function decodeDefinition(row: Row): DefinitionRow {
  const { text, integer } = reader("workflows", row, undefined);
  return {
    workflow: text("workflow"),
    version: text("version"),
    structure: text("structure"),
    createdAt: integer("created_at"),
  };
}

/** Decodes the state and the times of a run. */
export function decodeOutline(row: Row): Outline {
  const { text, integer, optionalInteger } = reader("runs", row, row["seq"]);
  const state = runState(text("state"), row);
  return {
    seq: integer("seq"),
    workflow: text("workflow"),
    version: text("version"),
    state,
    createdAt: integer("created_at"),
    startedAt: optionalInteger("started_at"),
    endedAt: optionalInteger("ended_at"),
  };
}

/** Decodes the state and the times of a task. */
export function decodeTiming(row: Row): Timing {
  const { text, integer, optionalInteger } = reader("tasks", row, row["run"]);
  const state = taskState(text("state"), row);
  return {
    task: text("task"),
    state,
    attempts: integer("attempts"),
    startedAt: optionalInteger("started_at"),
    endedAt: optionalInteger("ended_at"),
  };
}

/** Decodes the state of a row of the journal, or of a group of such rows. */
export function decodeTaskState(row: Row): TaskState {
  return taskState(reader("tasks", row, row["run"]).text("state"), row);
}

/** Converts an error that the store found in a run to the record that it stores. */
export function recordOf(
  error: { readonly name: string; readonly message: string; readonly code: string },
): ErrorRecord {
  return { name: error.name, message: error.message, code: error.code };
}

interface Reader {
  text(column: string): string;
  optionalText(column: string): string | undefined;
  integer(column: string): number;
  optionalInteger(column: string): number | undefined;
  json<T>(column: string, is: (value: unknown) => value is T): T | undefined;
}

function reader(table: string, row: Row, run: unknown): Reader {
  return { text, optionalText, integer, optionalInteger, json };

  function text(column: string): string {
    return optionalText(column) ?? refuse(column, "it is null");
  }

  function optionalText(column: string): string | undefined {
    const value = row[column];
    if (value === null || value === undefined) return undefined;
    return typeof value === "string" ? value : refuse(column, "it is not text");
  }

  function integer(column: string): number {
    return optionalInteger(column) ?? refuse(column, "it is null");
  }

  function optionalInteger(column: string): number | undefined {
    const value = row[column];
    if (value === null || value === undefined) return undefined;
    return Number.isSafeInteger(value) ? Number(value) : refuse(column, "it is not an integer");
  }

  function json<T>(column: string, is: (value: unknown) => value is T): T | undefined {
    const written = optionalText(column);
    if (written === undefined) return undefined;
    const value = parse(written);
    return is(value) ? value : refuse(column, "its JSON is not what Sluice wrote");
  }

  function refuse(column: string, why: string): never {
    throw corrupt(table, run, column, why);
  }
}

function corrupt(table: string, run: unknown, column: string, why: string): StoreError {
  const of = run === undefined ? "" : ` of run ${run}`;
  return new StoreError("corrupt_row", `Cannot read column "${column}" of table "${table}"${of}: ${why}`);
}

/** Parses JSON text; returns `undefined`, which is no JSON value, if the text is invalid. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const RUN_STATES: readonly unknown[] = [
  "pending",
  "running",
  "waiting",
  "paused",
  "completed",
  "failed",
  "cancelled",
] satisfies RunState[];

const TASK_STATES: readonly unknown[] = [
  "pending",
  "running",
  "waiting",
  "completed",
  "failed",
  "skipped",
  "cancelled",
] satisfies TaskState[];

const FACT_KINDS: readonly unknown[] = [
  "cancel",
  "pause",
  "resume",
  "recovery",
  "retry",
  "stranded",
] satisfies Fact["kind"][];

function runState(state: string, row: Row): RunState {
  if (isRunState(state)) return state;
  throw corrupt("runs", row["seq"], "state", `"${state}" is not a state of a run`);
}

function isRunState(value: unknown): value is RunState {
  return RUN_STATES.includes(value);
}

function taskState(state: string, row: Row): TaskState {
  if (isTaskState(state)) return state;
  throw corrupt("tasks", row["run"], "state", `"${state}" is not a state of a task`);
}

function isTaskState(value: unknown): value is TaskState {
  return TASK_STATES.includes(value);
}

function isFactKind(value: unknown): value is Fact["kind"] {
  return FACT_KINDS.includes(value);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isErrorRecord(value: unknown): value is ErrorRecord {
  return isObject(value) && typeof value["name"] === "string" && typeof value["message"] === "string";
}

function isFailures(value: unknown): value is readonly Failure[] {
  return Array.isArray(value) &&
    value.every((item) => isObject(item) && typeof item["taskId"] === "string" && isErrorRecord(item["error"]));
}

function isServed(value: unknown): value is readonly Served[] {
  return Array.isArray(value) &&
    value.every((item) =>
      isObject(item) && typeof item["workflow"] === "string" && typeof item["version"] === "string"
    );
}
