import { StoreError } from "../../errors.ts";

/** Returns whether an error is about the data of a row: another read of the row would throw it again. */
export function isCorruptRow(error: unknown): error is StoreError {
  return error instanceof StoreError && error.code === "corrupt_row";
}
