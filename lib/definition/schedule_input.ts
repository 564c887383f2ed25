import type { Schema } from "./schema.ts";
import { encodeJson } from "./json.ts";
import { validate } from "./schema.ts";
import type { Checks } from "./checks.ts";

/** Reports a fixed input that cannot be stored, or that a schema rejects which does so at once. */
export function checkFixedInput(schema: Schema | undefined, input: unknown, checks: Checks): void {
  try {
    const value = validate(schema, input, "input");
    // The verdict of an asynchronous schema is not known here; the runner validates the input of each tick.
    if (value instanceof Promise) void value.catch(() => {});
    else encodeJson(value, "input", Infinity);
  } catch (error) {
    checks.report(error instanceof Error ? error.message : String(error));
  }
}
