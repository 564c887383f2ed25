/**
 * Returns the options of a call.
 *
 * @throws {TypeError} If they are not an object, or one has an unknown name; `action` completes "Cannot …".
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * const known = ["durability"] as const;
 * const options: { readonly durability?: string } = { durability: "power" };
 * knownOptions(options, "open the store", known);
 * assertThrows(
 *   () => knownOptions({ ...options, durable: true }, "open the store", known),
 *   TypeError,
 *   'Cannot open the store: unknown option "durable" (known: durability)',
 * );
 * ```
 */
export function knownOptions<Given extends object>(given: Given, action: string, known: readonly string[]): Given {
  const value: unknown = given;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`Cannot ${action}: the options must be an object`);
  }
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    throw new TypeError(`Cannot ${action}: unknown option "${name}" (known: ${known.join(", ")})`);
  }
  return given;
}
