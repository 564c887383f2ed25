/** Formats figures, with no more digits than a benchmark has. */
import type { Line } from "../results.ts";

/** Integers with commas; smaller numbers with three significant digits, those below one with two. */
export function number(value: number): string {
  if (value === 0) return "0";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  // As a number once more: without zeros at the end.
  return String(Number(value.toPrecision(Math.abs(value) >= 1 ? 3 : 2)));
}

/** A share as whole percent. */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** A figure between its least and its most, with its unit where it has one. */
export function spread(line: Line, name: string, show: (value: number) => string, unit = ""): string {
  const [least, most] = [line[`${name}Least`], line[`${name}Most`]];
  const middle = show(Number(line[name])) + unit;
  return least === undefined || most === undefined
    ? middle
    : `${middle} (${show(Number(least))} – ${show(Number(most))})`;
}

/** Several figures, one after the other. */
export function figures(line: Line, names: readonly string[], show: (value: number) => string = number): string {
  return names.map((name) => line[name] === undefined ? "–" : show(Number(line[name]))).join(" / ");
}
