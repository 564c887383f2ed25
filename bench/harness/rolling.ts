/** Percentiles of the last half minute, in bounded memory. */
export interface RollingHistogram {
  /** Adds a value in milliseconds. */
  add(ms: number): void;
  /** The value below which the share `q` of those in the window lies, to three digits; 0 without values. */
  quantile(q: number): number;
}

/** How long a value counts. */
export const WINDOW_S = 30;

// Buckets grow by a thousandth, from a hundredth of a millisecond: three digits are exact, and an hour is bucket 19,700.
const GROWTH = Math.log(1.001);
const LEAST_MS = 0.01;

/** Creates a histogram of `WINDOW_S` slots of a second each. `now` returns milliseconds of a clock that does not go back. */
export function createRollingHistogram(now: () => number = () => performance.now()): RollingHistogram {
  const slots = Array.from({ length: WINDOW_S }, () => ({ second: -1, counts: new Map<number, number>() }));
  return {
    add(ms) {
      const second = Math.floor(now() / 1_000);
      const slot = slots[second % WINDOW_S]!;
      if (slot.second !== second) {
        slot.second = second;
        slot.counts.clear();
      }
      const bucket = Math.round(Math.log(Math.max(LEAST_MS, ms) / LEAST_MS) / GROWTH);
      slot.counts.set(bucket, (slot.counts.get(bucket) ?? 0) + 1);
    },
    quantile(q) {
      const since = Math.floor(now() / 1_000) - WINDOW_S;
      const counts = new Map<number, number>();
      let total = 0;
      for (const slot of slots) {
        if (slot.second <= since) continue;
        for (const [bucket, count] of slot.counts) {
          counts.set(bucket, (counts.get(bucket) ?? 0) + count);
          total += count;
        }
      }
      let left = Math.ceil(total * q);
      for (const [bucket, count] of [...counts].sort(([a], [b]) => a - b)) {
        left -= count;
        if (left <= 0) return Number((LEAST_MS * Math.exp(bucket * GROWTH)).toPrecision(3));
      }
      return 0;
    },
  };
}
