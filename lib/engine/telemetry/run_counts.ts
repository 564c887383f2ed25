import type { RunState } from "../../store/port/batch.ts";
import type { Tally } from "../../store/port/inspection.ts";

/** A number of runs. Counting stops at a limit, so that a page costs the same however many there are. */
export interface BoundedCount {
  /** How many. */
  readonly count: number;
  /** `exact`; `atLeast`, where counting stopped; `about`, where it was estimated from samples of the table. */
  readonly precision: "exact" | "atLeast" | "about";
}

/** How many runs are in each state. */
export type StateCounts = Readonly<Record<RunState, BoundedCount>>;

/** The number of runs up to which they are counted. */
export const COUNTED = 10_000;

/** Returns the counts of a tally; those that were not counted to the end are estimated. */
export function countsOf({ states, total, sample }: Tally): StateCounts {
  const sampled = Object.values(sample).reduce((sum, runs) => sum + runs, 0);
  const share = (state: RunState): number => Math.round(total * (sample[state] ?? 0) / Math.max(1, sampled));
  const countOf = (state: Exclude<RunState, "completed">): BoundedCount => {
    const { count, isCapped } = states[state];
    if (!isCapped) return { count, precision: "exact" };
    return share(state) > count ? { count: share(state), precision: "about" } : { count, precision: "atLeast" };
  };
  const live = Object.values(states);
  const others = live.reduce((sum, { count }) => sum + count, 0);
  const completed = live.some(({ isCapped }) => isCapped) ? share("completed") : Math.max(0, total - others);
  return {
    pending: countOf("pending"),
    running: countOf("running"),
    waiting: countOf("waiting"),
    paused: countOf("paused"),
    compensating: countOf("compensating"),
    completed: { count: completed, precision: sampled === 0 ? "exact" : "about" },
    failed: countOf("failed"),
    cancelled: countOf("cancelled"),
  };
}
