import { StoreError } from "../../errors.ts";
import type { Logger } from "../../logger.ts";

/** Logs that a call of the store failed, unless the store was closed: then the runner has stopped. */
export function logFailedCall(logger: Logger, message: string, error: unknown): void {
  if (!isStoreClosed(error)) logger.error(message, { error: String(error) });
}

/** Whether a call failed because the store was closed. */
export function isStoreClosed(error: unknown): boolean {
  return error instanceof StoreError && error.code === "store_closed";
}
