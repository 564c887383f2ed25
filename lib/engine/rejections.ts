import process from "node:process";
import { type Logger, silent } from "../logger.ts";

/**
 * Logs unhandled promise rejections of the process until the returned function is called. Without a listener the runtime
 * would end the process, and with it every run of every other task. Listeners of the application are left as they are.
 * With the silent logger a rejection is a warning of the process, so that it is never lost.
 */
export function logUnhandledRejections(logger: Logger): () => void {
  const report = (reason: unknown): void => {
    if (logger === silent) process.emitWarning(`${MESSAGE}: ${describe(reason)}`);
    else logger.error(MESSAGE, { error: describe(reason) });
  };
  if (reporters.size === 0) process.on("unhandledRejection", reportAll);
  reporters.add(report);
  return () => {
    if (reporters.delete(report) && reporters.size === 0) process.off("unhandledRejection", reportAll);
  };
}

const MESSAGE = "Unhandled promise rejection";

// Module-level state on purpose: the listener belongs to the process, of which this is the only count. All runners of a
// process share one, as the runtime warns of a leak at the eleventh.
const reporters = new Set<(reason: unknown) => void>();

function reportAll(reason: unknown): void {
  for (const report of reporters) report(reason);
}

function describe(reason: unknown): string {
  try {
    // A member of an error may be anything, and not every object can be converted.
    return String(reason instanceof Error ? reason.stack ?? reason.message : reason);
  } catch {
    return "a value that cannot be converted to text";
  }
}
