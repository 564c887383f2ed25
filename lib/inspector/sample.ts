import type { Outline } from "../store/port/inspection.ts";
import type { Durations, RunSample } from "./sample_shape.ts";

/** Statistics of runs, newest first. */
export function sampleOf(outlines: readonly Outline[]): RunSample {
  const runs = {
    pending: 0,
    running: 0,
    waiting: 0,
    paused: 0,
    compensating: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
  };
  for (const { state } of outlines) runs[state]++;
  const ended = runs.completed + runs.failed;
  return {
    runs,
    failureRate: ended === 0 ? undefined : runs.failed / ended,
    durations: durationsOf(outlines.filter(({ state }) => state === "completed")),
    since: outlines.at(-1)?.createdAt,
    lastAt: outlines[0]?.createdAt,
  };
}

/** Percentiles by the nearest rank; `undefined` where nothing was timed. */
export function durationsOf(
  timed: readonly { readonly startedAt: number | undefined; readonly endedAt: number | undefined }[],
): Durations | undefined {
  const sorted = timed
    // A clock that was set back must not make it negative.
    .flatMap(({ startedAt, endedAt }) =>
      startedAt === undefined || endedAt === undefined ? [] : [Math.max(0, endedAt - startedAt)]
    )
    .sort((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  const rank = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1]!;
  return { count: sorted.length, p50Ms: rank(0.5), p95Ms: rank(0.95), p99Ms: rank(0.99), maxMs: sorted.at(-1)! };
}

/** Groups a list by a key, in order of first occurrence. */
export function groupBy<T>(list: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of list) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}
