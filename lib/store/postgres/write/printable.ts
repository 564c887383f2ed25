import type { JournalRecord } from "../../port/batch.ts";

/** Replaces NUL, the only character that Postgres cannot store, in a text for display. */
export function printable<T extends string | undefined>(text: T): T {
  return (text?.includes("\0") ? text.replaceAll("\0", "\ufffd") : text) as T;
}

/** Formats the failed attempts of a row as JSON; `undefined` for none. */
export function failuresOf({ failures }: JournalRecord): string | undefined {
  return failures.length === 0 ? undefined : JSON.stringify(failures);
}
