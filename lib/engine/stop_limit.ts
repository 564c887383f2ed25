import { systemClock } from "../clock.ts";

/**
 * Awaits `work`, but no longer than `ms`; then calls `overrun` and continues without it. The machine's clock counts, because
 * `work` waits for a store that may not respond.
 */
export async function withinLimit(work: Promise<void>, ms: number, overrun: () => void): Promise<void> {
  const limit = Promise.withResolvers<void>();
  const cancel = systemClock.after(ms, () => {
    overrun();
    limit.resolve();
  });
  try {
    await Promise.race([work, limit.promise]);
  } finally {
    cancel();
    // After the limit its store is closed, and its failure is expected.
    work.catch(() => {});
  }
}
