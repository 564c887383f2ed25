import process from "node:process";
import { type Logger, silent } from "../logger.ts";

/**
 * While it is held, a promise that was rejected and that nobody awaits is logged instead of ending the process, and with
 * it every run of every other task. An application that listens itself is left alone. Where nothing is logged it is a
 * warning of the process, as an error that nobody hears of is worse than a line that nobody asked for. The answer lets
 * go.
 */
export function holdRejections(logger: Logger): () => void {
  const complain = (reason: unknown): void => {
    if (logger === silent) process.emitWarning(`${UNHEARD}: ${describe(reason)}`);
    else logger.error(UNHEARD, { error: describe(reason) });
  };
  if (holders.size === 0) process.on("unhandledRejection", tellAll);
  holders.add(complain);
  return () => {
    if (holders.delete(complain) && holders.size === 0) process.off("unhandledRejection", tellAll);
  };
}

const UNHEARD = "A promise was rejected and nobody awaits it";

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
