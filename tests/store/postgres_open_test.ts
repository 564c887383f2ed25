import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { StoreError } from "../../lib/errors.ts";
import { silent } from "../../lib/logger.ts";
import { createRunner } from "../../mod.ts";
import { SCHEMA_VERSION } from "../../lib/store/postgres/schema/migrations.ts";
import { openSession } from "../../lib/store/postgres/schema/open.ts";
import { openPostgresStore, type PostgresStoreOptions } from "../../lib/store/postgres/store.ts";
import { spawn } from "../child.ts";
import { test } from "../harness.ts";
import { startProxy } from "../proxy.ts";
import { commit, newRun } from "./contract/fixture.ts";
import { HANG_MS } from "../within.ts";
import { type TestSchema, testSchema } from "./postgres_schema.ts";

/** Returns the error of opening a store. */
async function refused(url: string, options: PostgresStoreOptions = { connectTimeoutMs: 300 }): Promise<StoreError> {
  return await assertRejects(() => openPostgresStore(url, options), StoreError);
}

function changed(url: string, change: (url: URL) => void): string {
  const parsed = new URL(url);
  change(parsed);
  return parsed.href;
}

/** Creates a login with only the given rights, for the duration of a test. */
async function withRole(on: TestSchema, settings: string, body: (url: string, role: string) => Promise<void>) {
  const role = `${on.schema}_role`;
  await on.sql.unsafe(`create role "${role}" login password 'secret word' ${settings}`);
  try {
    await body(
      changed(on.url, (url) => {
        url.username = role;
        url.password = "secret word";
      }),
      role,
    );
  } finally {
    await on.sql.unsafe(`drop owned by "${role}" cascade`);
    await on.sql.unsafe(`drop role "${role}"`);
  }
}

test("a schema name is checked before a connection is opened", async () => {
  const names = ['x"; drop table y; --', "Upper", "", "1st", "a b", "a".repeat(49), "pg_mine", "ä", "a\n", "a.b"];
  for (const schema of names) {
    assertEquals(
      (await refused("postgres://nobody@127.0.0.1:1/none", { schema, connectTimeoutMs: 300 })).code,
      "invalid_schema",
    );
  }
  const error = await refused("postgres://nobody@127.0.0.1:1/none", {
    schema: "a".repeat(48),
    connectTimeoutMs: 300,
  });
  assertEquals(error.code, "cannot_connect");
});

test("a wrong password fails immediately, and the error does not contain it", async () => {
  await using on = testSchema();
  await withRole(on, "", async (url) => {
    const error = await refused(changed(url, (it) => it.password = "wrong1234"), { connectTimeoutMs: 60_000 });
    assertEquals(error.code, "login_failed");
    assertStringIncludes(error.message, "check user and password");
    assert(!`${error.message}${error.stack}${error.cause}`.includes("wrong1234"));
  });
});

test("a missing database fails immediately", async () => {
  await using on = testSchema();
  const error = await refused(changed(on.url, (url) => url.pathname = "/nowhere"), { connectTimeoutMs: 60_000 });
  assertEquals(error.code, "no_database");
  assertStringIncludes(error.message, 'database "nowhere" does not exist; create it');
});

test("the error for a role that may not create a schema states what an administrator can do", async () => {
  await using on = testSchema();
  await withRole(on, "", async (url, role) => {
    const error = await refused(url, { schema: on.schema });
    assertEquals(error.code, "not_permitted");
    assertStringIncludes(error.message, `create schema "${on.schema}" authorization`);
    await on.sql.unsafe(`create schema "${on.schema}" authorization "${role}"`);
    const store = await openPostgresStore(url, { schema: on.schema });
    assertEquals((await store.counts()).pending, 0);
    await store.close();
  });
});

test("a read-only database is rejected", async () => {
  await using on = testSchema();
  await withRole(on, "", async (url, role) => {
    await on.sql.unsafe(`alter role "${role}" set default_transaction_read_only = on`);
    assertEquals((await refused(url, { schema: on.schema, connectTimeoutMs: 3_000 })).code, "read_only");
  });
});

test("the error for a login with too few connections states how many are needed", async () => {
  await using on = testSchema();
  await withRole(on, "connection limit 1", async (url) => {
    const error = await refused(url, { schema: on.schema, connectTimeoutMs: 300 });
    assertEquals(error.code, "cannot_connect");
    assertStringIncludes(error.message, "four of them free");
  });
});

test("a schema of a newer version is rejected", async () => {
  await using on = testSchema();
  await (await on.open()).close();
  await on.sql`update meta set value = '999' where key = 'sluice_schema'`;
  const error = await refused(on.url, { schema: on.schema });
  assertEquals(error.code, "newer_schema");
  assertStringIncludes(error.message, "use a newer Sluice");
});

test("a schema with tables of another application is rejected and not changed", async () => {
  await using on = testSchema();
  await on.sql.unsafe(`create schema "${on.schema}"`);
  await on.sql`create table runs (mine text)`;
  assertEquals((await refused(on.url, { schema: on.schema })).code, "foreign_tables");
  assertEquals((await on.sql`select mine from runs`).length, 0);
});

test("opening a store waits for a server that is down, and logs a line", async () => {
  await using on = testSchema();
  const { hostname, port } = new URL(on.url);
  await using proxy = await startProxy({ host: hostname, port: Number(port) });
  proxy.refuse();
  const url = changed(on.url, (it) => it.port = String(proxy.port));
  const lines: string[] = [];
  const told = Promise.withResolvers<void>();
  const warn = (line: string): void => {
    lines.push(line);
    told.resolve();
  };
  const logger = { debug() {}, info() {}, warn, error() {} };
  const opening = openPostgresStore(url, { schema: on.schema, logger });
  await told.promise;
  proxy.accept();
  const store = await opening;
  assertEquals((await store.counts()).pending, 0);
  await store.close();
  assertStringIncludes(lines[0]!, "Waiting for Postgres database");
  assert(!lines.join().includes(new URL(on.url).password + "@"));
});

/** The default time for which opening a store waits for a server that is down. */
const DEFAULT_PATIENCE_MS = 30_000;

test("opening a store fails after the configured time if the server stays down", async () => {
  const started = performance.now();
  const error = await refused("postgres://me:secret@127.0.0.1:1/none", { connectTimeoutMs: 150 });
  assertEquals(error.code, "cannot_connect");
  assert(performance.now() - started < DEFAULT_PATIENCE_MS);
  assertStringIncludes(error.message, "postgres://127.0.0.1:1/none");
});

test("opening a store fails after the configured time if the server accepts connections without responding, and logs a line", async () => {
  await using on = testSchema();
  const { hostname, port } = new URL(on.url);
  await using proxy = await startProxy({ host: hostname, port: Number(port) });
  proxy.hold();
  const lines: string[] = [];
  const logger = { ...silent, warn: (line: string) => void lines.push(line) };
  const url = changed(on.url, (it) => it.port = String(proxy.port));
  const started = performance.now();
  const error = await refused(`${url}?connect_timeout=1.5`, { logger });
  assertEquals(error.code, "cannot_connect");
  assertStringIncludes(error.message, "it does not respond");
  assert(performance.now() - started < 9_000);
  assertEquals(lines.length, 1);
  assertStringIncludes(lines[0]!, "it does not respond");
});

test("the URL may set for how many seconds opening a store waits for a server that is down", async () => {
  const url = "postgres://me:secret@127.0.0.1:1/none?connect_timeout=0.2";
  const started = performance.now();
  const error = await assertRejects(() => createRunner(url, { workflows: [], logger: silent }), StoreError);
  assertEquals(error.code, "cannot_connect");
  assert(performance.now() - started < DEFAULT_PATIENCE_MS);
});

test("opening a store advances sequences that are behind their tables, as after logical replication", async () => {
  await using on = testSchema();
  const early = await on.open();
  await commit(early, { starts: [newRun(), newRun(), newRun()] });
  await on.sql`update runs set seq = 999 + seq`;
  await on.sql`insert into events (seq, run, kind, at) values (2, 1000, 'pause', 0)`;
  await on.sql`select setval('runs_seq_seq', 1000 - 1)`;
  const { starts: [refusal] } = await commit(early, { starts: [newRun()] });
  assert(refusal?.kind === "refused");
  assertStringIncludes(refusal.error.message, "a sequence is behind: open the store again");
  await on.sql`select setval('runs_seq_seq', 7), setval('events_seq_seq', 1)`;
  const lines: string[] = [];
  const store = await on.open({ logger: { ...silent, warn: (line) => void lines.push(line) } });
  assertEquals(lines.map((line) => line.split(" ")[1]), ['"runs_seq_seq"', '"events_seq_seq"']);
  assertEquals((await commit(store, { starts: [newRun(), newRun()] })).starts.map(({ kind }) => kind), [
    "started",
    "started",
  ]);
  await on.sql`select setval('runs_seq_seq', 7)`;
  await withRole(on, "", async (url, role) => {
    await on.sql.unsafe(`
      grant usage on schema "${on.schema}" to "${role}";
      grant select, insert, update, delete on all tables in schema "${on.schema}" to "${role}";
      revoke insert, update, delete on meta from "${role}";
      grant usage, select on all sequences in schema "${on.schema}" to "${role}"`);
    const error = await refused(url, { schema: on.schema });
    assertEquals(error.code, "sequence_behind");
    assertStringIncludes(error.message, `setval('"${on.schema}".runs_seq_seq', 1004)`);
  });
});

test("twenty stores that are opened at once migrate the schema once", async () => {
  await using on = testSchema();
  await Promise.all(Array.from({ length: 20 }, () => on.open()));
  assertEquals((await on.sql`select value from meta where key = 'sluice_schema'`).map(({ value }) => value), [
    String(SCHEMA_VERSION),
  ]);
});

test("a schema that another session has just created is looked up again", async () => {
  await using on = testSchema();
  const session = on.session();
  let tries = 0;
  const version = await openSession(session, HANG_MS, async () => {
    const sql = ++tries < 5 ? `select 1 as one from "${on.schema}_unknown".meta` : "select 1 as one";
    return (await session.single("care", sql, []))[0]?.["one"];
  });
  assertEquals([version, tries], [1, 5]);
});

test("a table that stays missing is reported after a few attempts", async () => {
  await using on = testSchema();
  const session = on.session();
  const opening = openSession(session, HANG_MS, () => session.single("care", "select 1 from unknown_table", []));
  const error = await assertRejects(() => opening, StoreError);
  assertEquals(error.code, "schema_gone");
});

test("twenty processes that open a store at once all find the schema migrated", async () => {
  await using on = testSchema();
  const children = Array.from({ length: 20 }, () => spawn("store/fixtures/open_postgres.ts", [on.url, on.schema]));
  const exits = await Promise.all(children.map(({ exited }) => exited));
  assertEquals(exits.map(({ code, stdout, stderr }) => [code, stdout.trim(), stderr]), exits.map(() => [0, "1", ""]));
  assertEquals((await on.sql`select count(*) as n from runs`)[0]?.["n"], 20);
});

test("a runner continues while other stores are opened on its schema", async () => {
  await using on = testSchema();
  const store = await on.open();
  const work = Array.from({ length: 50 }, () => commit(store, { starts: [newRun()] }));
  await Promise.all([...work, on.open(), on.open()]);
  assertEquals((await store.counts()).pending, 50);
});

test("every statement names its schema", async () => {
  await using on = testSchema();
  await using decoy = testSchema();
  const store = await on.open();
  const other = await decoy.open();
  await commit(store, { starts: [newRun()] });
  assertEquals([(await store.counts()).pending, (await other.counts()).pending], [1, 0]);
});
