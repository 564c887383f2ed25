/**
 * Text of users on a terminal: control characters, by which it could move the cursor or pass for output of the command, and
 * characters that turn text around are shown as escapes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(printable("a\u001b[2Jb"), "a\\u{1b}[2Jb");
 * ```
 */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}|\p{Bidi_Control}|\p{Cs}|[\u2028\u2029]/gu, (char) => `\\u{${hexOf(char)}}`);
}

/** Lines of columns that are as wide as their longest text. The last column is not padded. */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const shown = rows.map((row) => row.map(printable));
  const widths = (shown[0] ?? []).map((_, at) => Math.max(...shown.map((row) => row[at]!.length)));
  return shown.map((row) => row.map((text, at) => text.padEnd(widths[at]!)).join("  ").trimEnd());
}

/** The first line of a text, cut after 80 characters. */
export function shortened(text: string): string {
  const [line = ""] = text.split("\n", 1);
  return line.length <= LONGEST && line.length === text.length ? line : `${line.slice(0, LONGEST)}…`;
}

const LONGEST = 80;

function hexOf(char: string): string {
  return char.codePointAt(0)!.toString(16);
}
