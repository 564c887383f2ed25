/** The distribution of observed values, as cumulative buckets in the sense of Prometheus. */
export interface Histogram {
  /** For each upper bound `le`, the last of which is infinite, the number of values that do not exceed it. */
  readonly buckets: readonly { readonly le: number; readonly count: number }[];
  /** Number of values. */
  readonly count: number;
  /** Sum of all values. */
  readonly sum: number;
}

/** Collects values for a histogram. */
export interface Observations {
  /** Adds a value. */
  observe(value: number): void;
  /** Returns a copy of the counts so far. */
  histogram(): Histogram;
}

/** Creates a collector with upper bounds in ascending order. */
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
