/** Makes an empty record. */
export type NewRecord = <T = unknown>() => Record<string, T>;

/**
 * Makes records whose keys are these ids, such as the arguments of a body or the outputs of a run.
 *
 * An ordinary object is the fast one, but answers `constructor` or `toString` with what it inherits: workflows that
 * have tasks of such names get records that inherit nothing.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const newRecord = recordsOf(["constructor", "load"]);
 * assertEquals(newRecord()["constructor"], undefined);
 * ```
 */
export function recordsOf(ids: Iterable<string>): NewRecord {
  for (const id of ids) if (id in Object.prototype) return () => Object.create(null);
  return () => ({});
}
