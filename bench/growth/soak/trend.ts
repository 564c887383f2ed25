import { median } from "../../measure.ts";
import type { Sample } from "./gauges.ts";

/** How much more the last third may have than the first: the share, and what is added to it. */
export interface Allowance {
  /** Times what it was. */
  readonly times: number;
  /** And so much. */
  readonly plus: number;
}

/** Whether something grows. */
export interface Trend {
  /** The median of the first third. */
  readonly first: number;
  /** The median of the last third. */
  readonly last: number;
  /** By the line through all samples that is nearest to them. */
  readonly slopePerMinute: number;
  /** Whether the last is within what is allowed of the first. */
  readonly flat: boolean;
}

/** Compares the last third of samples with the first; `undefined` if there is no such read. */
export function trendOf(samples: readonly TimedSample[], what: string, allowed: Allowance): Trend | undefined {
  const points = samples.flatMap(({ minute, sample }) => {
    const value = sample[what];
    return value === undefined ? [] : [{ minute, value }];
  });
  if (points.length < 3) return undefined;
  const third = Math.floor(points.length / 3);
  const first = median(points.slice(0, third).map(({ value }) => value));
  const last = median(points.slice(-third).map(({ value }) => value));
  return { first, last, slopePerMinute: slopeOf(points), flat: last <= first * allowed.times + allowed.plus };
}

/** A sample, and when it was taken. */
export interface TimedSample {
  readonly minute: number;
  readonly sample: Sample;
}

interface Point {
  readonly minute: number;
  readonly value: number;
}

/** Least squares. */
function slopeOf(points: readonly Point[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const minute = mean(points.map((point) => point.minute));
  const value = mean(points.map((point) => point.value));
  const over = points.reduce((sum, point) => sum + (point.minute - minute) * (point.value - value), 0);
  return over / points.reduce((sum, point) => sum + (point.minute - minute) ** 2, 0);
}
