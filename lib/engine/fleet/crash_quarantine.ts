/**
 * Isolates runs that may crash their runners.
 *
 * When a runner dies, any of its runs may be the cause, so each of them counts a crash. The more crashes a run has counted
 * without progress, the fewer such runs a runner holds at once. Shortly before the recovery limit it is the only one, so
 * that further crashes are counted on the culprit alone. Runs without recent crashes are never held back.
 *
 * @module
 */

/** Suspects that a runner holds at once while none of them is close to the recovery limit. */
const MOST_SUSPECTS = 8;

/** A run that is held back is claimed again after this time, in milliseconds. */
export const RECHECK_MS = 250;

/**
 * Whether a runner may load a run with that many crashes. `held` has the crashes of each run in memory, and `limit` is the
 * number of crashes at which a run fails.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(canRunBeside(0, [4], 5), true); // not a suspect
 * assertEquals(canRunBeside(2, [2, 2], 5), true); // eight suspects at most
 * assertEquals(canRunBeside(3, [2], 5), false); // the only suspect
 * ```
 */
export function canRunBeside(crashes: number, held: readonly number[], limit: number): boolean {
  const most = mostBeside(crashes, limit);
  if (most === Infinity) return true;
  const suspects = held.filter((others) => mostBeside(others, limit) < Infinity);
  return suspects.length < Math.min(most, ...suspects.map((others) => mostBeside(others, limit)));
}

/** Returns how many suspects a runner may hold if a run with that many crashes is one of them. */
function mostBeside(crashes: number, limit: number): number {
  if (crashes >= Math.max(1, limit - 2)) return 1;
  return crashes >= Math.max(1, limit - 3) ? MOST_SUSPECTS : Infinity;
}
