import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { Store } from "../store/port/store.ts";

/** Runs deleted by one call of the store, which lets other work run in between. */
const BATCH_SIZE = 200;
const SHORTEST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 3_600_000;

/** How long runs are kept after their end, in milliseconds; a state without an entry for ever. */
export type RetentionTimes = Readonly<Partial<Record<"completed" | "failed" | "cancelled", number>>>;

/** Deletes runs in small batches, as long after their end as `retention` says, until the returned function is called. */
export function startRetention(
  store: Store,
  { clock, logger, retention }: {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly retention: RetentionTimes;
  },
): () => void {
  const kept = Object.entries(retention);
  if (kept.length === 0) return () => {};
  const shortest = Math.min(...kept.map(([, ms]) => ms));
  const pauseMs = Math.min(Math.max(shortest / 10, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS);
  let isStopped = false;
  let cancel = clock.after(0, sweep);
  return () => {
    isStopped = true;
    cancel();
  };

  async function sweep(): Promise<void> {
    let pruned = 0;
    try {
      const now = store.now();
      pruned = await store.prune(Object.fromEntries(kept.map(([state, ms]) => [state, now - ms])), BATCH_SIZE);
    } catch (error) {
      if (!isStopped) {
        logger.error("Cannot delete finished runs; the runner retries after a pause", { error: String(error) });
      }
    }
    // A full batch means that more runs are due. The pause leaves time for other writes.
    if (!isStopped) cancel = clock.after(pruned === BATCH_SIZE ? 10 : pauseMs, sweep);
  }
}
