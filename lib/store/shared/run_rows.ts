/** Reads rows of `runs`: the columns of each projection, and the decoders, which follow from the table of columns. */
import { StoreError } from "../../errors.ts";
import type { ClaimedRun, Heads } from "../port/batch.ts";
import type { Projection } from "./columns.ts";
import { type Decode, type Row, STORED_STATES, withoutUnsafeIntegers } from "./decode.ts";
import type { Outline } from "../port/inspection.ts";
import { hasMessages } from "../port/messages.ts";
import type { RunRow } from "../port/store.ts";
import { recordOf } from "./rows.ts";
import { type COLUMNS, RUN_COLUMNS } from "./run_columns.ts";
import { decodeEnding } from "./run_states.ts";

type Columns = typeof COLUMNS;

/** The decoded fields of a projection. */
type Fields<P extends Projection> = {
  readonly [
    C in keyof Columns as Columns[C] extends
      { readonly field: infer F extends string; readonly read: readonly (infer R)[] } ? P extends R ? F : never
      : never
  ]: Columns[C] extends { readonly decode: Decode<infer T> } ? T : never;
};

/** The columns that `decodeListedRun` reads. */
export const LISTED_COLUMNS: string = columnsOf("listed").join(", ");

/** The columns that `decodeRun` reads. */
export const SINGLE_COLUMNS: string = columnsOf("single").join(", ");

/** The columns that `decodeOutline` reads. */
export const OUTLINE_COLUMNS: string = columnsOf("outline").join(", ");

/** The columns that `decodeClaimed` reads. */
export const CLAIMED_COLUMNS: readonly string[] = columnsOf("claimed");

const decodeSingle = decoderOf("single");
const decodeClaim = decoderOf("claimed");
const decodeShort = decoderOf("outline");

/**
 * Decodes the row of a run.
 *
 * @throws {StoreError} `corrupt_row`, if the row is invalid.
 */
export function decodeRun(row: Row): RunRow {
  return decodeSingle(row);
}

/** Decodes the state and the times of a run. */
export function decodeOutline(row: Row): Outline {
  return decodeShort(row);
}

/** Decodes a row for a list. An invalid row must not hide the other rows, so its `error` describes what is invalid. */
export function decodeListedRun(row: Row): RunRow {
  try {
    return decodeRun(row);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const state = STORED_STATES.find((state) => state === row["state"]) ?? "failed";
    return decodeRun({ ...withoutUnsafeIntegers(row), state, tags: null, error: JSON.stringify(recordOf(error)) });
  }
}

/**
 * Decodes a claimed run.
 *
 * @throws {StoreError} `corrupt_row`, if the row is invalid.
 */
export function decodeClaimed(row: Row, heads: Heads): ClaimedRun {
  return { ...decodeClaim(row), ending: decodeEnding(row), hasMessages: hasMessages(row), ...heads };
}

function columnsOf(projection: Projection): string[] {
  return [...RUN_COLUMNS]
    .filter(([, { read, beside }]) => read?.includes(projection) || beside?.includes(projection))
    .map(([name]) => name);
}

function decoderOf<P extends Projection>(projection: P): (row: Row) => Fields<P> {
  const fields = [...RUN_COLUMNS].flatMap(([column, { field, decode, read }]) =>
    field !== undefined && decode !== undefined && read?.includes(projection) ? [{ column, field, decode }] : []
  );
  return (row) => {
    const run: Record<string, unknown> = {};
    for (const { column, field, decode } of fields) run[field] = decode(row, column);
    return run as Fields<P>;
  };
}
