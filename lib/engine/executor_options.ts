import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { Store } from "../store/port.ts";
import type { Observer } from "./engine_events.ts";
import type { Committer } from "./committer.ts";
import type { Tracing } from "./tracing.ts";

/** What an executor needs of the engine. */
export interface ExecutorOptions {
  readonly committer: Committer;
  /** Timers run on it. */
  readonly clock: Clock;
  /** The store's time. */
  readonly now: () => number;
  /** Where messages go. */
  readonly logger: Logger;
  /** Bodies at once. */
  readonly concurrency: number;
  /** Whether a body may start: the runner's lease holds. */
  readonly canStart: () => boolean;
  /** The largest output, in bytes of JSON. */
  readonly maxPayloadBytes: number;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
  /** Runs bodies in transactions, receives messages, and reads what bodies of resumed runs receive. */
  readonly store: Pick<Store, "tenant" | "transact" | "messages" | "closeMailbox" | "outputs">;
  /** Receives what happens to runs in memory. */
  readonly emit: Observer;
  /** Follows runs and attempts; absent if nothing does. */
  readonly tracing: Tracing | undefined;
  /** Runs in memory at once. */
  readonly maxRuns: number;
}
