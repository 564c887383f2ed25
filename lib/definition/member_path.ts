const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/**
 * The path of a member as one would write it in a program.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(memberPath(memberPath(memberPath("output", "rows"), 3), "due at"), 'output.rows[3]["due at"]');
 * ```
 */
export function memberPath(path: string, key: PropertyKey): string {
  if (typeof key !== "string") return `${path}[${String(key)}]`;
  if (!IDENTIFIER.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}
