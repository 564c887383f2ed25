import { StoreError } from "../../../errors.ts";

// Postgres truncates names to 63 bytes; this limit leaves room for a suffix such as a channel's.
const LONGEST = 48;

/**
 * Checks the name of a tenant's schema, before it touches any SQL.
 *
 * @throws {StoreError} `invalid_schema`, if it is not of the form `[a-z_][a-z0-9_]*` with at most 48 characters, or
 * belongs to Postgres.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(checkSchema("tenant_7"), "tenant_7");
 * assertThrows(() => checkSchema('x"; drop schema public; --'));
 * ```
 */
export function checkSchema(schema: unknown): string {
  const name = checkName(schema, "schema");
  if (name === "information_schema") throw invalid("schema", JSON.stringify(name), "it belongs to Postgres");
  return name;
}

/**
 * Checks the name of a tenant's role by the same rules.
 *
 * @throws {StoreError} `invalid_role`, if it breaks them.
 */
export function checkRole(role: unknown): string {
  const name = checkName(role, "role");
  if (name === "public" || name === "none") throw invalid("role", JSON.stringify(name), "it belongs to Postgres");
  return name;
}

function checkName(name: unknown, kind: Kind): string {
  if (typeof name !== "string") throw invalid(kind, typeof name, "it must be a string");
  const shown = JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name);
  if (name.length > LONGEST) throw invalid(kind, shown, `it has more than ${LONGEST} characters`);
  if (!/^[a-z_][a-z0-9_]*$/.test(name)) {
    throw invalid(kind, shown, "it must be lower-case letters, digits and _, and not begin with a digit");
  }
  if (name.startsWith("pg_")) throw invalid(kind, shown, "it belongs to Postgres");
  return name;
}

type Kind = "schema" | "role";

function invalid(kind: Kind, shown: string, reason: string): StoreError {
  return new StoreError(`invalid_${kind}`, `Cannot use ${shown} for the name of a ${kind}: ${reason}`);
}
