/** The permissions of the login of a tenant, checked by direct queries. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createClient, createRunner, unchecked, workflow } from "../../mod.ts";
import { openPostgresStore } from "../../lib/store/postgres/mod.ts";
import { TABLES } from "../../lib/store/postgres/schema/schema.ts";
import { test } from "../harness.ts";
import { commit, endedBefore, newRun } from "../store/contract/fixture.ts";
import { connect, openSite } from "./site.ts";

/** Returns the error code of the server for each statement; `undefined` for a statement that it executes. */
async function denials(url: string, statements: readonly string[]): Promise<(string | undefined)[]> {
  const sql = connect(url);
  try {
    const denials: (string | undefined)[] = [];
    for (const statement of statements) {
      denials.push(await sql.unsafe(statement).then(() => undefined, ({ code }) => String(code)));
    }
    return denials;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

test("the login of a tenant can neither read nor write any table of another tenant", async () => {
  await using site = openSite();
  const [mine, other] = [await site.create(), await site.create()];
  for (const table of TABLES) {
    const at = `"${other.schema}"."${table}"`;
    const statements = [
      `select * from ${at}`,
      `insert into ${at} default values`,
      `delete from ${at}`,
      `truncate ${at}`,
      `do $$ begin lock table ${at}; end $$`,
      `drop table ${at}`,
      `alter table ${at} add column mine int`,
      `grant select on ${at} to "${mine.schema}"`,
    ];
    assertEquals(await denials(mine.url, statements), statements.map(() => "42501"), table);
  }
  const more = [
    `select nextval('"${other.schema}".runs_seq_seq')`,
    `create table "${other.schema}".mine (x int)`,
    `drop schema "${other.schema}" cascade`,
    `set role "${other.schema}"`,
    `alter role "${other.schema}" password 'mine'`,
    `drop role "${other.schema}"`,
  ];
  assertEquals(await denials(mine.url, more), more.map(() => "42501"));
});

test("the login of a tenant can create no objects, not even in its own schema, and alter no table", async () => {
  await using site = openSite();
  const { schema, url } = await site.create();
  const statements = [
    `create table "${schema}".mine (x int)`,
    `create view "${schema}".mine as select 1`,
    `create sequence "${schema}".mine`,
    `create type "${schema}".mine as enum ('x')`,
    `create function "${schema}".mine() returns int language sql as 'select 1'`,
    `create index on "${schema}".runs (reason)`,
    `create trigger mine after insert on "${schema}".runs execute function suppress_redundant_updates_trigger()`,
    `alter table "${schema}".runs add column mine int`,
    `drop table "${schema}".runs`,
    `truncate "${schema}".runs`,
    `drop schema "${schema}" cascade`,
    `create schema mine`,
    `create role mine`,
    `create database mine`,
    `create extension pg_stat_statements`,
    `alter role "${schema}" superuser`,
    `alter system set work_mem = '1GB'`,
    `copy (select 1) to program 'true'`,
    `insert into "${schema}".meta values ('x', 'y')`,
    `update "${schema}".meta set value = '0'`,
    `delete from "${schema}".meta`,
  ];
  const denied = await denials(url, statements);
  assertEquals(statements.filter((_, at) => denied[at] !== "42501"), []);
  // Before version 15 every role may create objects in the schema public.
  const [server] = await site.sql`select current_setting('server_version_num')::int >= 150000 as strict`;
  if (server?.["strict"]) assertEquals(await denials(url, ["create table public.mine (x int)"]), ["42501"]);
});

test("the login of a tenant can neither open another tenant nor create one", async () => {
  await using site = openSite();
  const [mine, other] = [await site.create(), await site.create()];
  for (const schema of [other.schema, site.name()]) {
    const error = await assertRejects(() => openPostgresStore(mine.url, { schema }));
    assertEquals((error as { code?: string }).code, "not_permitted");
  }
});

test("the login of a tenant has all permissions that a runner needs", async () => {
  await using site = openSite();
  const { schema, url } = await site.create();
  const flow = workflow("flow").task("a", { run: () => 1 }).task("b", { after: ["a"], run: ({ a }) => a + 1 })
    .task("c", { retry: 1, run: () => Promise.reject(new Error("no")) });
  const warnings: string[] = [];
  const note = (message: string): void => void warnings.push(message);
  const logger = { debug() {}, info() {}, warn: note, error: note };
  await using runner = await createRunner(url, { schema, workflows: [flow], retention: "1ms", logger });
  const run = await runner.start(flow);
  assertEquals((await run.outcome()).status, "failed");
  await run.retry();
  assertEquals((await run.outcome()).status, "failed");
  const later = await runner.start(flow, undefined, { delay: "1h", key: "later" });
  await later.pause();
  await later.resume();
  await later.cancel();
  assertEquals((await runner.stats()).runs.cancelled, 1);
  await runner.stop();
  const store = await openPostgresStore(url, { schema });
  await commit(store, { starts: [newRun()] });
  await store.recover({ dead: [99], recoveryLimit: 5, limit: 10 });
  assertEquals(await store.prune(endedBefore(Number.MAX_SAFE_INTEGER), 10), 2);
  await store.close();
  assertEquals(warnings, []);
});

test("a login sees no statement and no column statistics of another tenant, and cannot end its connections", async () => {
  await using site = openSite();
  const [mine, other] = [await site.create(), await site.create()];
  const store = await openPostgresStore(other.url, { schema: other.schema });
  await commit(store, { starts: [newRun({ input: '"secret"' })] });
  await site.sql.unsafe(`analyze "${other.schema}".runs`);
  const sql = connect(mine.url);
  const values = await sql`select * from pg_stats where schemaname = ${other.schema}`;
  assertEquals(values.length, 0);
  const backends = await sql`
    select pid, query, client_addr from pg_stat_activity where usename = ${other.schema} and application_name <> ''`;
  assert(backends.length > 0);
  const hidden = { query: "<insufficient privilege>", client_addr: null };
  assertEquals(backends.map(({ query, client_addr }) => ({ query, client_addr })), backends.map(() => hidden));
  await sql.end({ timeout: 1 });
  const ends = backends.flatMap(({ pid }) => [
    `select pg_cancel_backend(${pid})`,
    `select pg_terminate_backend(${pid})`,
  ]);
  assertEquals(await denials(mine.url, ends), ends.map(() => "42501"));
  assertEquals((await store.counts()).pending, 1);
  await store.close();
});

test("a login that listens to another tenant learns that there is activity, but not what it is", async () => {
  await using site = openSite();
  const [mine, other] = [await site.create(), await site.create()];
  const heard: string[] = [];
  const sql = connect(mine.url);
  await sql.listen(`sluice_${other.schema}`, (payload) => void heard.push(payload));
  const flow = workflow("payroll", { input: unchecked<string>() }).task("a", { run: () => 1 });
  const client = await createClient(other.url, { schema: other.schema, workflows: [flow] });
  const run = await client.start(flow, "secret", { key: "secret", tags: ["secret"] });
  await run.cancel("secret");
  await sql.notify(`sluice_${other.schema}`, "mark");
  while (!heard.includes("mark")) await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(heard.map((payload) => payload.replace(/^[0-9a-f]{8} /, "")), ["due", "end", "mark"]);
  await sql.end({ timeout: 1 });
  await client.stop();
});

test("forged notifications of another tenant's login change nothing, and cause few statements", async () => {
  await using site = openSite();
  const [mine, other] = [await site.create(), await site.create()];
  const store = await openPostgresStore(other.url, { schema: other.schema });
  let hints = 0;
  store.watch(() => hints++);
  while (hints === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const begun = performance.now();
  const sql = connect(mine.url);
  for (let n = 0; n < 10; n++) {
    await sql`select pg_notify(${`sluice_${other.schema}`}, 'made up ' || ${n} || ' ' || x)
                from generate_series(1, 1000) as x`;
  }
  await sql.end({ timeout: 1 });
  while (hints < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  // Notifications within ten milliseconds are combined, and a timer may fire up to two milliseconds early.
  const ms = performance.now() - begun;
  assert(hints <= 2 + ms / 8, `${hints} in ${ms} ms`);
  assertEquals(store.counters().commits, 0);
  await store.close();
});
