/**
 * `createRunner(url)`, `createClient(url)` and the store report errors of Postgres in the same way: in one sentence
 * that states the remedy, and without keeping the process alive.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Child, spawn } from "../child.ts";
import { test } from "../harness.ts";
import { startProxy } from "../proxy.ts";
import { claimBy, commit, join, newRun } from "./contract/fixture.ts";
import { type TestSchema, testSchema } from "./postgres_schema.ts";

const WAYS = ["runner", "client", "store"];

function open(url: string, schema: string): Child[] {
  return WAYS.map((way) => spawn("store/fixtures/open_by_url.ts", [way, url, schema]));
}

/** Asserts that every way of opening fails with this code and one sentence that contains `hint`. */
async function refused(url: string, schema: string, code: string, hint: string): Promise<void> {
  const exits = await Promise.all(open(url, schema).map(({ exited }) => exited));
  for (const { stdout, ...exit } of exits) {
    assertEquals(exit, { code: 0, signal: null, stderr: "" });
    const lines = stdout.trimEnd().split("\n");
    assertEquals(lines.length, 1, stdout);
    assert(lines[0]!.startsWith(`${code} StoreError: Cannot `), stdout);
    assertStringIncludes(lines[0]!, hint);
    const { password } = new URL(url);
    assert(!stdout.includes(`:${password}@`), stdout);
  }
}

/** Asserts that every way of opening waits, and logs the reason, until `letIn` makes it possible. */
async function waits(url: string, schema: string, reason: string, letIn: () => Promise<unknown>): Promise<void> {
  const children = open(url, schema);
  for (const child of children) assertStringIncludes(await child.until("warn Waiting for Postgres"), reason);
  await letIn();
  for (const { exited } of children) {
    const { stdout, ...exit } = await exited;
    assertEquals(exit, { code: 0, signal: null, stderr: "" });
    assertEquals(stdout.trimEnd().split("\n").at(-1), "opened");
  }
}

function changed(url: string, change: (url: URL) => void): string {
  const parsed = new URL(url);
  change(parsed);
  return parsed.href;
}

/** Creates a login with all rights on its own schema. */
async function login({ sql, url, schema }: TestSchema): Promise<AsyncDisposable & { url: string; role: string }> {
  const role = `${schema}_role`;
  await sql.unsafe(`create role "${role}" login password 'secret'`);
  return {
    role,
    url: changed(url, (it) => {
      it.username = role;
      it.password = "secret";
    }),
    async [Symbol.asyncDispose]() {
      await sql.unsafe(`drop owned by "${role}" cascade`);
      await sql.unsafe(`drop role "${role}"`);
    },
  };
}

test("postgres: a wrong password is reported by every way of opening", async () => {
  await using on = testSchema();
  await using role = await login(on);
  const url = changed(role.url, (it) => it.password = "wrong1234");
  await refused(url, on.schema, "login_failed", "check user and password of the URL");
});

test("postgres: a missing database is reported by every way of opening", async () => {
  await using on = testSchema();
  await refused(
    changed(on.url, (it) => it.pathname = "/nowhere"),
    on.schema,
    "no_database",
    "create it, as with createdb",
  );
});

test("postgres: every way of opening waits for a read-only server", async () => {
  await using on = testSchema();
  await using role = await login(on);
  await on.sql.unsafe(`create schema "${on.schema}" authorization "${role.role}"`);
  await on.sql.unsafe(`alter role "${role.role}" set default_transaction_read_only = on`);
  const allow = `alter role "${role.role}" reset default_transaction_read_only`;
  await waits(role.url, on.schema, "read-only", () => on.sql.unsafe(allow));
});

test("postgres: a role that may not create a schema is reported by every way of opening", async () => {
  await using on = testSchema();
  await using role = await login(on);
  await refused(role.url, on.schema, "not_permitted", `run: create schema "${on.schema}" authorization`);
});

test("postgres: a role that may not change an empty schema is reported by every way of opening", async () => {
  await using on = testSchema();
  await using role = await login(on);
  await on.sql.unsafe(`create schema "${on.schema}"`);
  const remedy = `grant usage, create on schema "${on.schema}" to `;
  await refused(role.url, on.schema, "not_permitted", `run: ${remedy}<role>`);
  await on.sql.unsafe(`${remedy} "${role.role}"`);
  await (await on.open({ url: role.url })).close();
});

test("postgres: a role that may not use the schema of another role is reported by every way of opening", async () => {
  await using on = testSchema();
  await (await on.open()).close();
  await using role = await login(on);
  const remedy =
    `grant usage on schema "${on.schema}" to <role>; grant select, insert, update, delete on all tables in ` +
    `schema "${on.schema}" to <role>`;
  await refused(role.url, on.schema, "not_permitted", `run: ${remedy}`);
  await on.sql.unsafe(remedy.replaceAll("<role>", `"${role.role}"`));
  const store = await on.open({ url: role.url });
  const runner = await join(store);
  const { starts } = await commit(store, { starts: [newRun({ dueAt: 0 })] });
  const claim = await store.claim(claimBy(runner));
  assertEquals([starts[0]?.kind, claim?.runs.length], ["started", 1]);
});

test("postgres: a schema of a newer version is reported by every way of opening", async () => {
  await using on = testSchema();
  await (await on.open()).close();
  await on.sql`update meta set value = '999' where key = 'sluice_schema'`;
  await refused(on.url, on.schema, "newer_schema", "use a newer Sluice");
});

test("postgres: an invalid schema name is reported by every way of opening", async () => {
  await using on = testSchema();
  const children = open(on.url, "No Schema");
  for (const { exited } of children) {
    const { stdout, ...exit } = await exited;
    assertEquals(exit, { code: 0, signal: null, stderr: "" });
    assert(stdout.startsWith('invalid_schema StoreError: Cannot use "No Schema"'), stdout);
  }
});

test("postgres: every way of opening waits for a login that is limited to one connection", async () => {
  await using on = testSchema();
  await using role = await login(on);
  await on.sql.unsafe(`create schema "${on.schema}" authorization "${role.role}"`);
  await on.sql.unsafe(`alter role "${role.role}" connection limit 1`);
  await waits(
    role.url,
    on.schema,
    "too many connections",
    () => on.sql.unsafe(`alter role "${role.role}" connection limit -1`),
  );
});

test("postgres: every way of opening waits for a server that is down", async () => {
  await using on = testSchema();
  const { hostname, port } = new URL(on.url);
  await using proxy = await startProxy({ host: hostname, port: Number(port || 5432) });
  proxy.refuse();
  const url = changed(on.url, (it) => it.port = String(proxy.port));
  await waits(url, on.schema, "", () => Promise.resolve(proxy.accept()));
});
