/** The database's clock, as it is known between two answers of the server. */
export interface ServerClock {
  /** Milliseconds since the epoch; never goes back. */
  now(): number;
  /** Takes in what the server's clock said between `sent` and now, by `performance.now()`. */
  learn(serverMs: number, sent: number): void;
}

/** How long an exact answer is preferred to a later, less exact one: clocks drift apart by some ms in an hour. */
const KEEP_MS = 10_000;

/**
 * Counts on from the server's answers by this process's monotonic clock. Its wall clock is never looked at, be it an
 * hour off or set while the process runs.
 */
export function createServerClock(monotonic: () => number = () => performance.now()): ServerClock {
  let offset = 0;
  let exactness = Infinity;
  let learnedAt = -Infinity;
  let last = 0;
  return {
    now() {
      // A server that is another one by now, as after a failover, may be behind: then time stands until it is not.
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
