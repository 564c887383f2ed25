import type { AnyWorkflow } from "../definition/workflow.ts";
import type { Duration } from "../duration.ts";
import type { Client } from "./client.ts";

/** Options of `stop`. */
export interface StopOptions {
  /** How long bodies may take to finish before they are aborted and their runs handed back. @default {"10s"} */
  readonly timeout?: Duration;
}

/** Executes runs, and does all that a client does. */
export interface Runner<W extends AnyWorkflow> extends Client<W> {
  /**
   * Claims nothing more, lets running bodies finish for at most `timeout`, aborts those that did not, and hands back
   * the remaining runs without counting an attempt. Nothing of the runner remains afterwards.
   *
   * Resolves at most 2 s after `timeout`, also if the store does not answer: then a warning says how many runs were not
   * handed back, and other runners take them over when the lease expires.
   */
  stop(options?: StopOptions): Promise<void>;
}
