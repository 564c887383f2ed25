import { assertEquals } from "@std/assert";
import { test } from "../harness.ts";
import { storeContract } from "./contract.ts";
import { openOn, type TestSchema, testSchema } from "./postgres_schema.ts";

// One schema for all tests: creating one for each would take as long as the tests.
let made: TestSchema | undefined;

storeContract("postgres", () => openOn(made ??= testSchema()));

test("postgres: the contract leaves no connection and no schema behind", async () => {
  if (made === undefined) return;
  const { schema, sql } = made;
  const [open] =
    await sql`select count(*) as n from pg_stat_activity where application_name like ${`sluice%${schema}`}`;
  assertEquals(open?.["n"], 0);
  await made[Symbol.asyncDispose]();
});
