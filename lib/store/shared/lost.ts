import { StoreError } from "../../errors.ts";

/** The code of the error of a store whose file was deleted, moved or replaced. */
export const FILE_REPLACED = "file_replaced";

/** Returns whether the database itself is gone: nothing can be written until it is back, and a retry does not help. */
export function isDatabaseLost(error: unknown): error is StoreError {
  return error instanceof StoreError && error.code === FILE_REPLACED;
}
