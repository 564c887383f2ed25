/** How many of some values were how large, in the form that Prometheus reads. */
export interface Histogram {
  /** For each bound, the last of which is infinite, how many values were not above it. */
  readonly buckets: readonly { readonly le: number; readonly count: number }[];
  /** How many values there were. */
  readonly count: number;
  /** What they come to. */
  readonly sum: number;
}

/** Counts values between bounds. */
export interface Observations {
  /** Takes in a value. */
  observe(value: number): void;
  /** What there was so far. */
  histogram(): Histogram;
}

/** Observations between `bounds`, which rise. */
export function createObservations(bounds: readonly number[]): Observations {
  const counts = new Float64Array(bounds.length + 1);
  let sum = 0;
  return {
    observe(value) {
      let at = 0;
      while (at < bounds.length && value > bounds[at]!) at++;
      counts[at]!++;
      // A wall clock that is set back in between makes a duration negative.
      sum += Math.max(0, value);
    },
    histogram() {
      let count = 0;
      const buckets = Array.from(counts, (own, at) => ({ le: bounds[at] ?? Infinity, count: count += own }));
      return { buckets, count, sum };
    },
  };
}
