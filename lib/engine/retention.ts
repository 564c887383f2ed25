import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { Store } from "../store/port.ts";

/** Runs deleted by one call of the store. It lets other work run in between. */
const AT_ONCE = 200;
const SHORTEST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 3_600_000;

/** Deletes finished runs `retentionMs` after their end, in small batches; the answer ends it. */
export function keepRetention(
  store: Store,
  clock: Clock,
  logger: Logger,
  retentionMs: number | undefined,
): () => void {
  if (retentionMs === undefined) return () => {};
  const pauseMs = Math.min(Math.max(retentionMs / 10, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS);
  let isOver = false;
  let cancel = clock.after(0, sweep);
  return () => {
    isOver = true;
    cancel();
  };

  async function sweep(): Promise<void> {
    let pruned = 0;
    try {
      pruned = await store.prune(store.now() - retentionMs!, AT_ONCE);
    } catch (error) {
      if (!isOver) logger.error("Cannot delete finished runs; trying again", { error: String(error) });
    }
    // A full batch says that there is more: go on soon, but let others have their turn.
    if (!isOver) cancel = clock.after(pruned === AT_ONCE ? 10 : pauseMs, sweep);
  }
}
