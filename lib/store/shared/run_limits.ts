import type { LaneRef, PermitHolder, RunLimits, WhenFull } from "../port/limits.ts";

const WHEN_FULL: readonly WhenFull[] = ["wait", "reject", "replace"];

/** A lane in the text of a queue. */
export type LaneText = readonly [limit: string, isRate: 0 | 1, ...key: string[]];

/** Returns the text by which a queue is found: its lanes in the order of their names. */
export function queueText(lanes: readonly LaneRef[]): string {
  return JSON.stringify(lanes.map(({ limit, isRate, key }): LaneText => [limit, isRate ? 1 : 0, ...key]));
}

/** Returns the lanes of a queue. */
export function lanesOf(text: string): readonly LaneRef[] {
  return (JSON.parse(text) as LaneText[]).map(([limit, isRate, ...key]) => ({ limit, isRate: isRate === 1, key }));
}

/** Returns the slots of a run as its row holds them. */
export function encodeRunLimits({ lanes, weight, whenFull }: RunLimits): string {
  return JSON.stringify([JSON.parse(queueText(lanes)), weight, whenFull]);
}

/** Returns the slots of a run from its row. */
export function decodeRunLimits(text: string): RunLimits {
  const [lanes, weight, whenFull] = JSON.parse(text) as [unknown, unknown, unknown];
  return {
    lanes: lanesOf(JSON.stringify(lanes)),
    weight: typeof weight === "number" ? weight : 1,
    whenFull: WHEN_FULL.find((value) => value === whenFull) ?? "wait",
  };
}

/** Returns a text that differs between units, and runs. */
export function permitKey({ run, task, item }: PermitHolder): string {
  return `${run}/${item}/${task}`;
}
