import { systemClock } from "../clock.ts";

/**
 * Awaits `work`, but no longer than `ms`; then calls `overrun` and goes on without it. The machine's clock counts, as what
 * is waited for is a store that may not answer.
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
