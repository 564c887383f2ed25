/**
 * The candidate that `name` was probably meant to be: the fewest single-letter changes or swaps of neighbours away, and
 * near enough to be worth suggesting.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(nearest("transfrom", ["extract", "transform"]), "transform");
 * assertEquals(nearest("zzz", ["extract", "transform"]), undefined);
 * ```
 */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > LONGEST) return undefined;
  const lower = name.toLowerCase();
  let best: string | undefined;
  let limit = Math.max(1, Math.floor(name.length * 0.45)) + 1;
  for (const candidate of candidates) {
    if (candidate === name || Math.abs(candidate.length - name.length) >= limit) continue;
    const distance = editDistance(lower, candidate.toLowerCase());
    if (distance >= limit) continue;
    best = candidate;
    limit = distance;
  }
  return best;
}

/** ` (did you mean "transform"?)`, or nothing. */
export function didYouMean(name: unknown, candidates: Iterable<string>): string {
  const suggestion = typeof name === "string" ? nearest(name, candidates) : undefined;
  return suggestion === undefined ? "" : ` (did you mean "${suggestion}"?)`;
}

// No name that we accept is longer.
const LONGEST = 200;

// Optimal string alignment: Levenshtein, where a swap of neighbours counts as one change.
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, before[j - 2]! + 1);
      row.push(least);
    }
    before = above;
    above = row;
  }
  return above[b.length]!;
}
