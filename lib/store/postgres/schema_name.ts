import { StoreError } from "../../errors.ts";

// Longer names would be cut off by Postgres, which knows 63 bytes, once a suffix such as a channel's is added.
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
  if (typeof schema !== "string") throw invalid(typeof schema, "it must be a string");
  const shown = JSON.stringify(schema.length > 60 ? `${schema.slice(0, 60)}…` : schema);
  if (schema.length > LONGEST) throw invalid(shown, `it has more than ${LONGEST} characters`);
  if (!/^[a-z_][a-z0-9_]*$/.test(schema)) {
    throw invalid(shown, "it must begin with a lower-case letter or _, and go on with these or digits");
  }
  if (schema.startsWith("pg_") || schema === "information_schema") throw invalid(shown, "it belongs to Postgres");
  return schema;
}

function invalid(shown: string, reason: string): StoreError {
  return new StoreError("invalid_schema", `Cannot use ${shown} for the name of a schema: ${reason}`);
}
