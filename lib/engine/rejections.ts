import process from "node:process";
import type { Logger } from "../logger.ts";

/**
 * While it is held, a promise that was rejected and that nobody awaits is logged instead of ending the process, and with
 * it every run of every other task. An application that listens itself is left alone. The answer lets go.
 */
export function holdRejections(logger: Logger): () => void {
  const complain = (reason: unknown): void => {
    logger.error("A promise was rejected and nobody awaits it", { error: describe(reason) });
  };
  if (holders.size === 0) process.on("unhandledRejection", tellAll);
  holders.add(complain);
  return () => {
    if (holders.delete(complain) && holders.size === 0) process.off("unhandledRejection", tellAll);
  };
}

// One listener for all runners of a process: with eleven of them the runtime warns of a leak.
const holders = new Set<(reason: unknown) => void>();

function tellAll(reason: unknown): void {
  for (const complain of holders) complain(reason);
}

function describe(reason: unknown): string {
  try {
    return reason instanceof Error ? reason.stack ?? reason.message : String(reason);
  } catch {
    return "something that cannot be described";
  }
}
