/** Decoders from database rows to the types of the port; run_columns.ts has those of runs. */
import { type ErrorRecord, StoreError } from "../../errors.ts";
import type { SluiceError } from "../../sluice_error.ts";
import type { JournalRecord, RecordHead, TaskState } from "../port/batch.ts";
import type { JournalOutput } from "../port/outputs.ts";
import {
  createReader,
  FACT_KINDS,
  isFailures,
  isServed,
  type Row,
  TASK_STATES,
  withoutUnsafeIntegers,
} from "./decode.ts";
import type { DefinitionRow, JournalHead, Timing } from "../port/inspection.ts";
import type { Fact } from "../port/store.ts";
import type { RunnerRow } from "../port/runners.ts";

const tasks = createReader("tasks", "run");
const readState = tasks.oneOf(TASK_STATES, "a state of a task");
const readFailures = tasks.json(isFailures);
const runners = createReader("runners");
const readServed = runners.json(isServed);
const events = createReader("events", "run");
const readFactFailures = events.json(isFailures);
const readKind = events.oneOf(FACT_KINDS, "a kind of event");
const workflows = createReader("workflows");

/** The columns that `decodeRecordHead` reads. */
export const RECORD_HEAD_COLUMNS =
  "run, task, item, step, epoch, state, attempts, started_at, ended_at, due_at, failures, reason, progress, items";

/** The columns that `decodeRecord` reads. */
export const RECORD_COLUMNS: string = `${RECORD_HEAD_COLUMNS}, output`;

/** The columns that `decodeRunners` reads. */
export const RUNNER_COLUMNS: string =
  "id, host, pid, pid_started_at, isolate, thread, served, pinned, concurrency, max_runs, started_at, lease_until, " +
  "lease_ms";

/**
 * Decodes a row of the journal.
 *
 * @throws {StoreError} `corrupt_row`, if the row is invalid.
 */
export function decodeRecord(row: Row): JournalRecord {
  return { ...decodeColumns(row), output: tasks.optionalText(row, "output") };
}

/**
 * Decodes a row of the journal without its output.
 *
 * @throws {StoreError} `corrupt_row`, if the row is invalid.
 */
export function decodeRecordHead(row: Row): RecordHead {
  const record = decodeColumns(row);
  // No owner has epoch 0.
  return row["epoch"] === 0 ? { ...record, isCopied: true } : record;
}

function decodeColumns(row: Row): Omit<JournalRecord, "output"> {
  return {
    task: tasks.text(row, "task"),
    item: tasks.integer(row, "item"),
    step: tasks.text(row, "step"),
    state: decodeTaskState(row),
    attempts: tasks.integer(row, "attempts"),
    failures: readFailures(row, "failures") ?? [],
    reason: tasks.optionalText(row, "reason"),
    startedAt: tasks.optionalInteger(row, "started_at"),
    endedAt: tasks.optionalInteger(row, "ended_at"),
    dueAt: tasks.optionalInteger(row, "due_at"),
    progress: tasks.optionalText(row, "progress"),
    items: tasks.optionalInteger(row, "items"),
  };
}

/** Decodes an output of a journal. */
export function decodeOutput(row: Row): JournalOutput {
  const error = readFailures(row, "failures")?.at(-1)?.error;
  return {
    seq: tasks.integer(row, "run"),
    task: tasks.text(row, "task"),
    item: tasks.integer(row, "item"),
    step: tasks.text(row, "step"),
    output: tasks.optionalText(row, "output"),
    ...(error === undefined ? {} : { error }),
  };
}

/** Decodes the rows of runners. An invalid row is left out and does not hide the others; only its lease decides whether that runner is dead. */
export function decodeRunners(rows: readonly Row[]): RunnerRow[] {
  return decodeValid(rows, decodeRunner);
}

function decodeRunner(row: Row): RunnerRow {
  return {
    id: runners.integer(row, "id"),
    host: runners.text(row, "host"),
    pid: runners.integer(row, "pid"),
    pidStartedAt: runners.optionalText(row, "pid_started_at"),
    isolate: runners.text(row, "isolate"),
    thread: runners.optionalText(row, "thread"),
    served: readServed(row, "served") ?? [],
    pinned: runners.integer(row, "pinned") === 1,
    concurrency: runners.integer(row, "concurrency"),
    maxRuns: runners.integer(row, "max_runs"),
    startedAt: runners.integer(row, "started_at"),
    leaseUntil: runners.integer(row, "lease_until"),
    leaseMs: runners.integer(row, "lease_ms"),
  };
}

/** Decodes an entry of a run's history. */
export function decodeFact(row: Row): Fact {
  const failures = readFactFailures(row, "failures");
  return {
    kind: readKind(row, "kind"),
    at: events.integer(row, "at"),
    detail: events.optionalText(row, "detail"),
    ...(failures === undefined ? {} : { failures }),
  };
}

/** Decodes a row of the journal with a truncated output; `output_bytes` is the size of the whole output. */
export function decodeHead(row: Row): JournalHead {
  return { ...decodeRecord(row), outputBytes: tasks.optionalInteger(row, "output_bytes") };
}

/** Decodes a row of the journal to show it. The failures of an invalid row describe what is invalid. */
export function decodeShownHead(row: Row): JournalHead {
  try {
    return decodeHead(row);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const state = TASK_STATES.find((state) => state === row["state"]) ?? "failed";
    const failures = JSON.stringify([{ taskId: String(row["task"]), attempt: 1, error: recordOf(error) }]);
    return decodeHead({ ...withoutUnsafeIntegers(row), state, failures });
  }
}

/** Decodes the rows of a sample; leaves out those that are invalid. */
export function decodeValid<T>(rows: readonly Row[], decode: (row: Row) => T): T[] {
  return rows.flatMap((row) => {
    try {
      return [decode(row)];
    } catch (error) {
      if (error instanceof StoreError) return [];
      throw error;
    }
  });
}

/** Decodes a definition without its graph. */
export function decodeDefinition(row: Row): DefinitionRow {
  return {
    workflow: workflows.text(row, "workflow"),
    version: workflows.text(row, "version"),
    structure: workflows.text(row, "structure"),
    createdAt: workflows.integer(row, "created_at"),
  };
}

/** Decodes the state and the times of a task. */
export function decodeTiming(row: Row): Timing {
  return {
    task: tasks.text(row, "task"),
    state: decodeTaskState(row),
    attempts: tasks.integer(row, "attempts"),
    startedAt: tasks.optionalInteger(row, "started_at"),
    endedAt: tasks.optionalInteger(row, "ended_at"),
  };
}

/** Decodes the state of a row of the journal, or of a group of such rows. */
export function decodeTaskState(row: Row): TaskState {
  return readState(row, "state");
}

/** Converts an error that the store found in a run to the record that it stores. */
export function recordOf(error: Pick<SluiceError, "name" | "message" | "code">): ErrorRecord {
  return { name: error.name, message: error.message, code: error.code };
}
