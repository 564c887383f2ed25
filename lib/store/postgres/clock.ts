/** The database's clock, extrapolated between two responses of the server. */
export interface ServerClock {
  /** Milliseconds since the epoch; never goes back. */
  now(): number;
  /** Takes in what the server's clock said between `sent` and now, by `performance.now()`. */
  learn(serverMs: number, sent: number): void;
}

/** How long an exact answer is preferred to a later, less exact one: clocks drift apart by some ms in an hour. */
const KEEP_MS = 10_000;

/**
 * Extrapolates from the server's responses with this process's monotonic clock. Its wall clock is never read: it may be
 * an hour off, or set while the process runs.
 */
export function createServerClock(monotonic: () => number = () => performance.now()): ServerClock {
  let offset = 0;
  let exactness = Infinity;
  let learnedAt = -Infinity;
  let last = 0;
  return {
    now() {
      // After a failover the clock of the new server may be behind: then time stands still until it has caught up.
      last = Math.max(last, Math.floor(monotonic() + offset));
      return last;
    },
    learn(serverMs, sent) {
      const received = monotonic();
      const took = received - sent;
      if (took > exactness && received - learnedAt < KEEP_MS) return;
      exactness = took;
      learnedAt = received;
      offset = serverMs - (sent + received) / 2;
    },
  };
}
