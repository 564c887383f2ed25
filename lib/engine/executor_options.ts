import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { Store } from "../store/port.ts";
import type { Emitter } from "./emitter.ts";
import type { Outbox } from "./outbox.ts";
import type { RunEnd } from "./run_end.ts";
import type { Tracing } from "./tracing.ts";

/** What an executor needs of the engine. */
export interface ExecutorOptions {
  /** Where writes go. */
  readonly outbox: Outbox;
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
  /** Runs bodies in transactions. */
  readonly transact: Store["transact"];
  /** Told what happens. */
  readonly events: Emitter;
  /** Follows runs and attempts; absent if nothing does. */
  readonly tracing: Tracing | undefined;
  /** Something of a run became durable. */
  readonly touched: (runId: string) => void;
  /** A run has ended, durably, but its hooks have not returned yet. */
  readonly finishing: (runId: string) => void;
  /** A run has ended, durably, and its hooks have returned. */
  readonly ended: (end: RunEnd) => void;
  /** The store takes nothing of a run any more: it stays this runner's until that stops. */
  readonly gaveUp: (runId: string, error: Error) => void;
  /** A run left memory; it is due at that time if it waits. */
  readonly left: (dueAt: number | undefined) => void;
}
