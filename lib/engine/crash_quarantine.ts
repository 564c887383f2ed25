/**
 * Keeps a run that takes its runners down from taking others down with it.
 *
 * When a runner dies nobody knows which of its runs it was, so each of them counts a crash. The more often it has
 * happened to a run without its getting further, the fewer such runs are held beside it: at last it is alone among them,
 * and only the one at fault is counted on. Runs with which no runner died lately are not held back at all.
 *
 * @module
 */

/** So many runs close to suspicion are held at once. */
const TOGETHER = 8;

/** A run that has to wait its turn is looked at again after this time. */
export const RECHECK_MS = 250;

/**
 * Whether a run with which `crashes` runners have died may be taken up beside the ones that are `held`, each given as
 * its own number of crashes, where `limit` of them give a run up.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(canRunBeside(0, [4], 5), true); // never suspected
 * assertEquals(canRunBeside(2, [2, 2], 5), true); // a few at once
 * assertEquals(canRunBeside(3, [2], 5), false); // alone among suspects
 * ```
 */
export function canRunBeside(crashes: number, held: readonly number[], limit: number): boolean {
  const places = placesFor(crashes, limit);
  if (places === Infinity) return true;
  const suspects = held.filter((others) => placesFor(others, limit) < Infinity);
  return suspects.length < Math.min(places, ...suspects.map((others) => placesFor(others, limit)));
}

/** How many suspects may be held at once if a run with so many crashes is one of them. */
function placesFor(crashes: number, limit: number): number {
  if (crashes >= Math.max(1, limit - 2)) return 1;
  return crashes >= Math.max(1, limit - 3) ? TOGETHER : Infinity;
}
