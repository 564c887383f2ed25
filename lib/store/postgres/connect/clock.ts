import type { ClockSteps } from "../../shared/clock_steps.ts";
import { SMALL_STEP_MS } from "../../shared/clock_steps.ts";

/** The database's clock, extrapolated between two responses of the server. */
export interface ServerClock {
  /** Milliseconds since the epoch. Goes back only if the clock of the server was set back. */
  now(): number;
  /** Learns from a time of the server's clock that was read between `sent` and now, by `performance.now()`. */
  learn(serverMs: number, sent: number): void;
}

/** How long an exact answer is preferred to a later, less exact one: clocks drift apart by some ms in an hour. */
const KEEP_MS = 10_000;

/** If two readings differ by more than this and their errors of measurement, the clock was set between them. */
const DRIFT_MS = 100;

/**
 * Extrapolates from the server's responses with this process's monotonic clock. Its wall clock is never read: it may be
 * an hour off, or set while the process runs. The clock of the server may be set, too, and a failover leads to another
 * server: an answer that contradicts the earlier ones replaces them at once. After a small step back time stands still until
 * the server's clock has caught up. Steps are recorded in `steps`.
 */
export function createServerClock(
  monotonic: () => number = () => performance.now(),
  steps?: Pick<ClockSteps, "record">,
): ServerClock {
  let offset = 0;
  let exactness = Infinity;
  let learnedAt = -Infinity;
  let last = 0;
  return {
    now() {
      last = Math.max(last, Math.floor(monotonic() + offset));
      return last;
    },
    learn(serverMs, sent) {
      const received = monotonic();
      const took = received - sent;
      const next = serverMs - (sent + received) / 2;
      const wasSet = Math.abs(next - offset) > (took + exactness) / 2 + DRIFT_MS;
      // The answer is in the past. So nothing that follows from a row happens before the row was written.
      if (!wasSet) last = Math.max(last, Math.floor(serverMs));
      if (!wasSet && took > exactness && received - learnedAt < KEEP_MS) return;
      if (wasSet && offset - next > SMALL_STEP_MS) last = 0;
      if (wasSet && exactness < Infinity) steps?.record(next - offset);
      exactness = took;
      learnedAt = received;
      offset = next;
    },
  };
}
