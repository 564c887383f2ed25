/** Reads the columns of database rows. An error for an invalid value, for example after a manual edit, names its table, run and column. */
import { type ErrorRecord, type Failure, StoreError } from "../../errors.ts";
import type { RunState, Served, TaskState } from "../port/batch.ts";
import type { Fact } from "../port/store.ts";

/** A row as the driver returns it: null, text and numbers by column. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * Reads the value of a column.
 *
 * @throws {StoreError} `corrupt_row`, if the value is invalid.
 */
export type Decode<T> = (row: Row, column: string) => T;

/** Reads the columns of a table. */
export interface TableReader {
  /** Reads a text. */
  readonly text: Decode<string>;
  /** Reads a text or null. */
  readonly optionalText: Decode<string | undefined>;
  /** Reads an integer. */
  readonly integer: Decode<number>;
  /** Reads an integer or null. */
  readonly optionalInteger: Decode<number | undefined>;
  /** Returns a function that reads a text of a known set. `what` names the set in errors. */
  oneOf<T extends string>(values: readonly T[], what: string): Decode<T>;
  /** Returns a function that reads JSON text of a type, or null. */
  json<T>(is: (value: unknown) => value is T): Decode<T | undefined>;
}

/** Creates a reader of a table; `runColumn` holds the number of the run in errors. */
export function createReader(table: string, runColumn?: string): TableReader {
  return { text, optionalText, integer, optionalInteger, oneOf, json };

  function text(row: Row, column: string): string {
    return optionalText(row, column) ?? refuse(row, column, "it is null");
  }

  function optionalText(row: Row, column: string): string | undefined {
    const value = row[column];
    if (value === null || value === undefined) return undefined;
    return typeof value === "string" ? value : refuse(row, column, "it is not text");
  }

  function integer(row: Row, column: string): number {
    return optionalInteger(row, column) ?? refuse(row, column, "it is null");
  }

  function optionalInteger(row: Row, column: string): number | undefined {
    const value = row[column];
    if (value === null || value === undefined) return undefined;
    return Number.isSafeInteger(value) ? Number(value) : refuse(row, column, "it is not an integer");
  }

  function oneOf<T extends string>(values: readonly T[], what: string): Decode<T> {
    return (row, column) => {
      const found = text(row, column);
      return values.find((value) => value === found) ?? refuse(row, column, `"${found}" is not ${what}`);
    };
  }

  function json<T>(is: (value: unknown) => value is T): Decode<T | undefined> {
    return (row, column) => {
      const written = optionalText(row, column);
      if (written === undefined) return undefined;
      const value = parse(written);
      return is(value) ? value : refuse(row, column, "its JSON is not what Sluice wrote");
    };
  }

  function refuse(row: Row, column: string, why: string): never {
    const of = runColumn === undefined ? "" : ` of run ${row[runColumn]}`;
    throw new StoreError("corrupt_row", `Cannot read column "${column}" of table "${table}"${of}: ${why}`);
  }
}

/** Parses JSON text; returns `undefined`, which is no JSON value, if the text is invalid. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The states of a run in its column; `compensating` follows from another column. */
export const STORED_STATES: readonly Exclude<RunState, "compensating">[] = [
  "completed",
  "running",
  "pending",
  "waiting",
  "paused",
  "failed",
  "cancelled",
];

/** The states of a task in rows of the journal. */
export const TASK_STATES: readonly TaskState[] = [
  "completed",
  "running",
  "skipped",
  "pending",
  "waiting",
  "blocked",
  "failed",
  "cancelled",
];

/** The kinds of entries in the history of a run. */
export const FACT_KINDS: readonly Fact["kind"][] = [
  "cancel",
  "pause",
  "resume",
  "recovery",
  "retry",
  "stranded",
  "handBack",
  "claim",
];

/** Returns whether a value is an array of texts. */
export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/** Returns whether a value is the record of an error. */
export function isErrorRecord(value: unknown): value is ErrorRecord {
  return isObject(value) && typeof value["name"] === "string" && typeof value["message"] === "string";
}

/** Returns whether a value is an array of failed attempts. */
export function isFailures(value: unknown): value is readonly Failure[] {
  return Array.isArray(value) &&
    value.every((item) => isObject(item) && typeof item["taskId"] === "string" && isErrorRecord(item["error"]));
}

/** Returns whether a value is an array of workflow versions. */
export function isServed(value: unknown): value is readonly Served[] {
  return Array.isArray(value) &&
    value.every((item) =>
      isObject(item) && typeof item["workflow"] === "string" && typeof item["version"] === "string"
    );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const REQUIRED: ReadonlySet<string> = new Set([
  "seq",
  "epoch",
  "priority",
  "created_at",
  "attempts",
  "item",
  "attention",
]);

/**
 * Returns a row without integers that are no integers of JavaScript: null instead, and 0 in a column that cannot be null.
 * The rest of an invalid row can be shown then.
 */
export function withoutUnsafeIntegers(row: Row): Row {
  const isUnsafe = (value: unknown): boolean =>
    typeof value === "bigint" || (typeof value === "number" && !Number.isSafeInteger(value));
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column,
      !isUnsafe(value) ? value : REQUIRED.has(column) ? 0 : null,
    ]),
  );
}
