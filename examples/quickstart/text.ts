/** Text formatting for the terminal and the report. */

/** Escapes control characters and those that reverse or hide text: a name must not control the terminal. */
export function plain(text: string): string {
  return text.replace(UNSAFE, (char) => ESCAPES[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

// deno-lint-ignore no-control-regex -- finding them is the point
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Returns the width of a text in columns: East Asian letters and emoji take two, combining characters none. */
export function columns(text: string): number {
  let width = 0;
  for (const char of text) width += COMBINING.test(char) ? 0 : WIDE.test(char) ? 2 : 1;
  return width;
}

const COMBINING = /\p{Mark}/u;
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

/** Fits a text to exactly `width` columns: padded with spaces, or shortened with an ellipsis. */
export function fit(text: string, width: number): string {
  return shorten(text, width) + " ".repeat(Math.max(width - columns(text), 0));
}

/** Returns at most `width` columns of the beginning of a text. */
export function shorten(text: string, width: number): string {
  if (columns(text) <= width) return text;
  let kept = "";
  for (const char of text) {
    if (columns(kept + char) > width - 1) break;
    kept += char;
  }
  return `${kept}…`;
}

/** Returns at most `width` columns of the end of a text, which is the most specific part of a path. */
export function shortenPath(path: string, width: number): string {
  if (columns(path) <= width) return path;
  const chars = [...path];
  while (columns(chars.join("")) > width - 1) chars.shift();
  return `…${chars.join("")}`;
}

/** Draws a bar, `width` columns for the largest value; every value above zero is visible. */
export function bar(value: number, largest: number, width: number): string {
  const eighths = largest > 0 ? Math.max(Math.round((value / largest) * width * 8), value > 0 ? 1 : 0) : 0;
  return "█".repeat(Math.floor(eighths / 8)) + (["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8] ?? "");
}

/** Draws values over time as at most `width` small bars, each the sum of neighbouring values. */
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
