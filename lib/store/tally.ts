import type { RunState } from "./batch.ts";
import type { Capped, Tally } from "./inspection.ts";

/** A part of the live and unsuccessful runs that has an index of its own. */
export type Source = "held" | "paused" | "due" | "stranded" | "failed" | "cancelled";

/** Runs of one state in one source. */
export interface SourceCount {
  /** Where they were counted. */
  readonly source: Source;
  /** Their state. */
  readonly state: string;
  /** How many. */
  readonly runs: number;
}

type Counted = Exclude<RunState, "completed">;

const STATES_OF: Readonly<Record<Source, readonly Counted[]>> = {
  held: ["running", "waiting", "paused"],
  paused: ["paused"],
  due: ["pending", "waiting"],
  stranded: ["pending", "waiting"],
  failed: ["failed"],
  cancelled: ["cancelled"],
};

/** How many places of the table a sample is of. */
export const SAMPLE_PLACES = 16;

/** How many row numbers are looked at in each. */
export const SAMPLE_WIDTH = 256;

/** Up to how many rows all are counted, as a sample would hold most of them. */
export function countable(most: number): number {
  return Math.max(most, 2 * SAMPLE_PLACES * SAMPLE_WIDTH);
}

/** Adds up what was counted in each source, up to `most` there. */
export function addUp(counts: readonly SourceCount[], most: number): Tally["states"] {
  const none: Capped = { count: 0, isCapped: false };
  const states: Record<Counted, Capped> = {
    pending: none,
    running: none,
    waiting: none,
    paused: none,
    failed: none,
    cancelled: none,
  };
  const totals = new Map<Source, number>();
  for (const { source, state, runs } of counts) {
    totals.set(source, (totals.get(source) ?? 0) + runs);
    if (isCounted(state)) states[state] = { ...states[state], count: states[state].count + runs };
  }
  for (const [source, total] of totals) {
    if (total < most) continue;
    for (const state of STATES_OF[source]) states[state] = { ...states[state], isCapped: true };
  }
  return states;

  function isCounted(state: string): state is Counted {
    return Object.hasOwn(states, state);
  }
}

/** About how many rows there are between two numbers, by the rows found in samples. */
export function estimate(sample: Tally["sample"], range: number): number {
  const found = Object.values(sample).reduce((sum, runs) => sum + runs, 0);
  return Math.round(found / (SAMPLE_PLACES * SAMPLE_WIDTH) * range);
}
