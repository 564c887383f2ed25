import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import { ValidationError } from "../../lib/errors.ts";
import { isSchema, type Schema, unchecked, validate } from "../../lib/definition/schema.ts";
import { test } from "../harness.ts";

const ACTION = 'Cannot start workflow "etl"';

async function issuesOf(schema: Schema, value: unknown): Promise<readonly string[]> {
  const error = await assertRejects(async () => await validate(schema, value, ACTION), ValidationError);
  assertEquals(error.message, `${ACTION}: ${error.issues.join("; ")}`);
  return error.issues;
}

function schemaOf(validate: (value: unknown) => unknown): Schema {
  return { "~standard": { version: 1, vendor: "test", validate: validate as Schema["~standard"]["validate"] } };
}

test("schemas of zod, valibot and arktype check, fill in defaults and name the path of an issue", async () => {
  const schemas = [
    z.object({ rows: z.array(z.object({ url: z.string() })), limit: z.number().default(100) }),
    v.object({ rows: v.array(v.object({ url: v.string() })), limit: v.optional(v.number(), 100) }),
    type({ rows: type({ url: "string" }).array(), limit: "number = 100" }),
  ];
  for (const schema of schemas) {
    assertEquals(isSchema(schema), true);
    assertEquals(await validate(schema, { rows: [{ url: "x" }] }, ACTION), { rows: [{ url: "x" }], limit: 100 });
    const [issue, ...others] = await issuesOf(schema, { rows: [{ url: "x" }, { url: 5 }] });
    assertEquals([issue?.startsWith("rows[1].url: "), others], [true, []]);
  }
});

test("paths are written as keys or as segments, and an issue without one is shown by itself", async () => {
  const issues = [
    { message: "Required", path: ["url"] },
    { message: "Too small", path: [{ key: "rows" }, { key: 3 }, "due at"] },
    { message: "Odd", path: [] },
    { message: "Bad" },
  ];
  assertEquals(await issuesOf(schemaOf(() => ({ issues })), 1), [
    "url: Required",
    'rows[3]["due at"]: Too small',
    "Odd",
    "Bad",
  ]);
});

test("a schema may be asynchronous", async () => {
  const trimmed = z.string().transform((text) => Promise.resolve(text.trim()));
  assertEquals(await validate(trimmed, " x ", ACTION), "x");
  assertEquals(await issuesOf(schemaOf(() => Promise.resolve({ issues: [{ message: "no" }] })), 1), ["no"]);
});

test("a schema that throws, rejects or returns nothing refuses the input, with the cause", async () => {
  const cause = new Error("out of order");
  const throwing = schemaOf(() => {
    throw cause;
  });
  assertEquals(await issuesOf(throwing, 1), ['its schema threw "out of order"']);
  assertEquals(await issuesOf(schemaOf(() => Promise.reject(undefined)), 1), ['its schema threw "undefined"']);
  assertEquals(await issuesOf(schemaOf(() => undefined), 1), ["its schema returned no result"]);
  assertEquals(await issuesOf(schemaOf(() => ({ issues: [] })), 1), ["its schema rejects it"]);
  const error = await assertRejects(async () => await validate(throwing, 1, ACTION), ValidationError);
  assertStrictEquals(error.cause, cause);
});

test("without a schema, and with an unchecked one, a value passes as it is", async () => {
  const value = { at: new Date() };
  assertStrictEquals(await validate(undefined, value, ACTION), value);
  assertStrictEquals(await validate(unchecked<string>(), value, ACTION), value);
});

test("what is no Standard Schema is known", () => {
  for (const other of [null, undefined, 1, "x", {}, () => 1, { "~standard": { version: 2, validate: () => 1 } }]) {
    assertEquals(isSchema(other), false);
  }
});
