import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { Store } from "../store/port.ts";

/** Runs deleted by one call of the store, which lets other work run in between. */
const BATCH_SIZE = 200;
const SHORTEST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 3_600_000;

/** Deletes runs in small batches, `retentionMs` milliseconds after their end, until the returned function is called. */
export function startRetention(
  store: Store,
  { clock, logger, retentionMs }: {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly retentionMs: number | undefined;
  },
): () => void {
  if (retentionMs === undefined) return () => {};
  const pauseMs = Math.min(Math.max(retentionMs / 10, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS);
  let isStopped = false;
  let cancel = clock.after(0, sweep);
  return () => {
    isStopped = true;
    cancel();
  };

  async function sweep(): Promise<void> {
    let pruned = 0;
    try {
      pruned = await store.prune(store.now() - retentionMs!, BATCH_SIZE);
    } catch (error) {
      if (!isStopped) {
        logger.error("Cannot delete finished runs; the runner retries after a pause", { error: String(error) });
      }
    }
    // A full batch means that more runs are due. The pause leaves time for other writes.
    if (!isStopped) cancel = clock.after(pruned === BATCH_SIZE ? 10 : pauseMs, sweep);
  }
}
