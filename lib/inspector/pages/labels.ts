import type { GraphLimit } from "../shapes.ts";
import { type Html, markup } from "./html.ts";
import { duration } from "./times.ts";

/** Limits as the page of a workflow or task shows them, with links to their lanes. */
export function limitWords(limits: readonly GraphLimit[]): Html {
  return markup`${
    limits.map(({ name, href, max, per, isKeyed }, at) =>
      markup`${at > 0 && ", "}<a href="${href}">${name}</a>: ${max}${per !== undefined && ` per ${duration(per)}`}${
        isKeyed && " by key"
      }`
    )
  }`;
}

/**
 * Shortens text to a number of columns, with an ellipsis in the middle: ids often differ at their ends.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(shorten("extract", 10), "extract");
 * assertEquals(shorten("extract-customers-2026", 11), "extrac…2026");
 * ```
 */
export function shorten(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  const chars = [...text.slice(0, columns), "…", ...text.slice(-columns)];
  let [head, tail] = ["", ""];
  // Two thirds are taken from the front; a wide character counts as two.
  let front = 0;
  let back = chars.length - 1;
  while (front < back) {
    const fromFront = columnsOf(head) <= 1.5 * columnsOf(tail);
    const char = fromFront ? chars[front++]! : chars[back--]!;
    if (columnsOf(head) + columnsOf(tail) + columnsOf(char) + 1 > columns) break;
    if (fromFront) head += char;
    else tail = char + tail;
  }
  return `${head}…${tail}`;
}

/** How many columns of a fixed-width font a text takes, roughly: East Asian letters and pictures take two. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const char of text) columns += WIDE.test(char) ? 2 : 1;
  return columns;
}

/** The common part of the names of grouped tasks: `fetch-…` of `fetch-1`, `fetch-2`. */
export function commonName(names: readonly string[]): string {
  const [first = "", ...others] = names;
  let length = first.length;
  for (const other of others) while (!other.startsWith(first.slice(0, length))) length--;
  return length === 0 ? `${first}, …` : `${first.slice(0, length).toWellFormed()}…`;
}

/** `1 task`, `2 tasks`. */
export function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** An integer with thousands separators. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** The anchor of a task's details in the page of its run. */
export function taskAnchor(id: string): string {
  return `task-${encodeURIComponent(id.toWellFormed())}`;
}

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/u;
