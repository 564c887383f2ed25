/** Small pieces of text, for the terminal and for the report. */

/** Shows control characters, and those that reverse or hide text, as escapes: a name must not drive a terminal. */
export function plain(text: string): string {
  return text.replace(UNSAFE, (char) => ESCAPES[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

// deno-lint-ignore no-control-regex -- finding them is the point
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Columns that a text takes on a terminal: letters of East Asia and emoji take two, what combines with them none. */
export function columns(text: string): number {
  let width = 0;
  for (const char of text) width += COMBINING.test(char) ? 0 : WIDE.test(char) ? 2 : 1;
  return width;
}

const COMBINING = /\p{Mark}/u;
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

/** Exactly `width` columns: filled up with spaces, or shortened with an ellipsis. */
export function fit(text: string, width: number): string {
  return shorten(text, width) + " ".repeat(Math.max(width - columns(text), 0));
}

/** At most `width` columns of the beginning. */
export function shorten(text: string, width: number): string {
  if (columns(text) <= width) return text;
  let kept = "";
  for (const char of text) {
    if (columns(kept + char) > width - 1) break;
    kept += char;
  }
  return `${kept}…`;
}

/** At most `width` columns of the end, where a path says most. */
export function shortenPath(path: string, width: number): string {
  if (columns(path) <= width) return path;
  const chars = [...path];
  while (columns(chars.join("")) > width - 1) chars.shift();
  return `…${chars.join("")}`;
}

/** A bar of `width` columns for the largest value; whatever is not zero can be seen. */
export function bar(value: number, largest: number, width: number): string {
  const eighths = largest > 0 ? Math.max(Math.round((value / largest) * width * 8), value > 0 ? 1 : 0) : 0;
  return "█".repeat(Math.floor(eighths / 8)) + (["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8] ?? "");
}

/** The course of values as a line of small bars, at most `width` of them, each the sum of its neighbours. */
export function sparkline(values: readonly number[], width: number): string {
  const group = Math.max(Math.ceil(values.length / width), 1);
  const sums = Array.from({ length: Math.ceil(values.length / group) }, (_, index) => (
    values.slice(index * group, (index + 1) * group).reduce((sum, value) => sum + value, 0)
  ));
  const largest = Math.max(...sums);
  return sums.map((sum) => sum === 0 ? " " : "▁▂▃▄▅▆▇█"[Math.ceil((sum / largest) * 8) - 1]).join("");
}

/** `12,345`. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `1 commit`, `2 commits`. */
export function counted(value: number, one: string, many: string = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `47 %`. */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** `2026-11-23`, in UTC. */
export function day(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}
