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
  process.on("unhandledRejection", complain);
  return () => void process.off("unhandledRejection", complain);
}

function describe(reason: unknown): string {
  try {
    return reason instanceof Error ? reason.stack ?? reason.message : String(reason);
  } catch {
    return "something that cannot be described";
  }
}
