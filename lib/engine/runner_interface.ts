import type { AnyWorkflow } from "../definition/workflow.ts";
import type { Duration } from "../duration.ts";
import type { Client } from "./client/client.ts";

/** Options of `stop`. */
export interface StopOptions {
  /** How long bodies may take to finish before they are aborted and their runs handed back. @default {"10s"} */
  readonly timeout?: Duration;
}

/** Executes runs, and has all methods of a client. */
export interface Runner<W extends AnyWorkflow> extends Client<W> {
  /**
   * Stops claiming runs, waits up to `timeout` for running bodies, aborts the rest, and releases the remaining runs
   * without counting an attempt. The runner leaves no timers or connections behind.
   *
   * Resolves at most 2 s after `timeout`, even if the store does not respond: a warning then reports the number of runs
   * that were not released, and other runners recover them when the lease expires.
   */
  stop(options?: StopOptions): Promise<void>;
}
