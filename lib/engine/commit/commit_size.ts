import type { RunWrite } from "../../store/port/batch.ts";

// These functions are called for each write of each commit, so they allocate nothing.

/** A commit with so many rows takes no further write: about 5 ms of work for SQLite, whose commits hold the event loop. */
export const MOST_ROWS = 2_000;
/** A commit with payloads of so many characters takes no further write. */
export const MOST_CHARACTERS: number = 2 * 1024 * 1024;

/** The number of rows that a write inserts, without that of the run itself. */
export function rowsOf({ records, children }: RunWrite): number {
  return records.length + (children?.length ?? 0);
}

/** The number of rows that writes insert or update. */
export function rowsIn(writes: readonly RunWrite[]): number {
  let rows = 0;
  for (let at = 0; at < writes.length; at++) rows += rowsOf(writes[at]!) + (writes[at]!.move === undefined ? 0 : 1);
  return rows;
}

/** The payloads of a write, in characters. */
export function sizeOf({ records, children }: RunWrite): number {
  let size = 0;
  for (const { output, input } of records) size += (output?.length ?? 0) + (input?.length ?? 0);
  if (children !== undefined) { for (const { input } of children) size += input?.length ?? 0; }
  return size;
}
