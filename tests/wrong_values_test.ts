/** Values of wrong types, as JavaScript callers may pass them, are rejected with an error message of Sluice. */
import { assert, assertEquals } from "@std/assert";
import { createRunner, DeferError, RetryAfterError, workflow } from "../mod.ts";
import { createInspector } from "../lib/inspector/mod.ts";
import {
  createPostgresPool,
  createTenant,
  listTenants,
  openPostgresStore,
  removeTenant,
} from "../lib/store/postgres/mod.ts";
import { openSqliteStore } from "../lib/store/sqlite/mod.ts";
import { createFakeClock, createTestContext } from "../lib/testing/mod.ts";
import { test } from "./harness.ts";

const flow = workflow("flow").task("a", { run: () => 1 });
const URL = "postgres://127.0.0.1:1/app";

// Each function receives values of every type except the expected one.
const CALLS: Readonly<Record<string, (value: never) => unknown>> = {
  "createRunner()": (value) => createRunner(value, { workflows: [flow] }),
  "createRunner(url)": (value) => createRunner("sqlite::memory:", value),
  "openSqliteStore()": (value) => openSqliteStore(value),
  "openSqliteStore(url)": (value) => openSqliteStore("sqlite::memory:", value),
  "openPostgresStore()": (value) => openPostgresStore(value),
  "openPostgresStore(url)": (value) => openPostgresStore(URL, value),
  "createPostgresPool()": (value) => createPostgresPool(value),
  "createPostgresPool(url)": (value) => createPostgresPool(URL, value),
  "pool.store()": (value) => createPostgresPool(URL).store(value),
  "createTenant()": (value) => createTenant(value, { schema: "acme" }),
  "createTenant(url)": (value) => createTenant(URL, value),
  "removeTenant()": (value) => removeTenant(value, { schema: "acme" }),
  "removeTenant(url)": (value) => removeTenant(URL, value),
  "listTenants()": (value) => listTenants(value),
  "listTenants(url)": (value) => listTenants(URL, value),
  "createInspector()": (value) => createInspector(value),
  "createTestContext()": (value) => createTestContext(value),
  "createFakeClock()": (value) => createFakeClock(value),
  "advance()": (value) => createFakeClock().advance(value),
  "RetryAfterError()": (value) => new RetryAfterError(value),
  "DeferError()": (value) => new DeferError(value),
};

const VALUES: Readonly<Record<string, unknown>> = {
  null: null,
  "an array": [],
  "a function": () => {},
  "an object without a prototype": Object.assign(Object.create(null), { durable: true }),
  "a text": "soon",
  "a symbol": Symbol("s"),
  "a bigint": 7n,
};

for (const [name, call] of Object.entries(CALLS)) {
  test(`${name} rejects values of wrong types with a message of Sluice`, async () => {
    for (const [what, value] of Object.entries(VALUES)) {
      let thrown: unknown;
      try {
        await call(value as never);
      } catch (error) {
        thrown = error;
      }
      assert(thrown instanceof Error, `${what} is accepted`);
      // Not the runtime's "Cannot read properties of …", "… is not a function" or "Cannot convert …".
      assert(
        /^(Cannot (use|create|make|open|remove|list|inspect)\b|The (argument|delay) of )/.test(thrown.message),
        `${what}: ${thrown.message}`,
      );
    }
  });
}

test("unknown options are rejected, and the error lists the known ones", async () => {
  const options = { durabilty: "process" } as object;
  const error = await openSqliteStore("sqlite::memory:", options).catch((error: unknown) => error);
  assertEquals(
    String(error),
    'TypeError: Cannot open the store: unknown option "durabilty" (known: durability, readOnly, clock, logger)',
  );
});
