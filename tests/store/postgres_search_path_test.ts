/** Statements of the engine use the functions, operators and types of the system, not ones that others have planted. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import postgres from "postgres";
import { createClient, createRunner, type Store, unchecked, workflow } from "../../mod.ts";
import { StoreError } from "../../lib/errors.ts";
import {
  createPostgresPool,
  createTenant,
  listTenants,
  openPostgresStore,
  removeTenant,
  transaction,
} from "../../lib/store/postgres/mod.ts";
import { type HostileDatabase, hostileDatabase } from "../hostile_database.ts";
import { test } from "../harness.ts";
import { ask, etl, greet } from "../inspector/ground.ts";
import { startPooler } from "../pooler.ts";
import { databaseUrl } from "../postgres_server.ts";
import { storeContract } from "./contract.ts";
import { openOn, type TestSchema, testSchema } from "./postgres_schema.ts";

const server = await databaseUrl();

// One database for all tests, because its creation takes seconds.
let made: Promise<HostileDatabase> | undefined;
let schema: TestSchema | undefined;

const hostile = (): Promise<HostileDatabase> => made ??= hostileDatabase(server);

const double = workflow("double", { input: unchecked<number>() })
  .task("work", { run: ({ input }) => input * 2 })
  .returns("work");

async function openBoth(open: () => Promise<Store>): Promise<AsyncDisposable & Record<"first" | "second", Store>> {
  const [first, second] = await Promise.all([open(), open()]);
  const close = async (): Promise<void> => void await Promise.all([first.close(), second.close()]);
  return { first, second, [Symbol.asyncDispose]: close };
}

/** Uses all features of a runner, a client and an inspector, with one store or a URL. */
async function useAll(open: () => Promise<Store>): Promise<void> {
  const workflows = [double, etl, greet];
  await using stores = await openBoth(open);
  await using first = await createRunner(stores.first, { workflows });
  await using client = await createClient(stores.second, { workflows });
  const failed = await client.execute(etl, { token: "x" }, { key: "a", tags: ["red"] });
  assertEquals(failed.status, "failed");
  await (await client.get(failed.runId))!.retry();
  const runs = await client.startMany(double, [1, 2, 3], { key: (input) => `k${input}` });
  assertEquals(await Promise.all(runs.map((run) => run.result())), [2, 4, 6]);
  const later = await client.start(double, 4, { delay: "1h", priority: 3 });
  await later.pause();
  await later.resume();
  await client.explain(later.id);
  await later.cancel("not needed");
  await Array.fromAsync(later.events());
  await client.stranded();
  await client.stats();
  const pages = ["/runs", "/runs?q=x&state=failed&tag=red", "/workflows", "/workflows/etl", "/runners", "/metrics"];
  for (const path of [...pages, `/runs/${failed.runId}`, "/api/runs", `/api/runs/${failed.runId}`, "/api/workflows"]) {
    assertEquals((await ask(first)(path)).status, 200, path);
  }
}

test("the hostile database is hostile: its search path finds the planted objects", async () => {
  const { url, planted, called } = await hostile();
  assert(planted.functions > 3_000 && planted.operators > 800 && planted.types > 5, JSON.stringify(planted));
  const sql = postgres(url, { max: 1, fetch_types: false });
  const attempts = {
    "select 1 = 1": "public.operator_",
    "select 'a'::text": "public.is_like_a_type",
    "select count(*) from pg_catalog.pg_class": "public.step_count(",
    "select pg_total_relation_size(1259::pg_catalog.oid)": "public.pg_total_relation_size(oid)",
    "select format('%I', 'a', 'b'::pg_catalog.name)": "public.format(text, text, name)",
    "select unnest('{1}'::pg_catalog.int8[])": "public.unnest(bigint[])",
  };
  for (const [statement, name] of Object.entries(attempts)) {
    await assertRejects(() => sql.unsafe(statement), Error, "a planted function was called");
    assert((await called())[0]?.startsWith(name), statement);
  }
  await sql.end({ timeout: 1 });
});

test("an administrator creates, lists and removes tenants without calling planted objects", async () => {
  const { url, called } = await hostile();
  const schema = `tenant_${crypto.randomUUID().slice(0, 8)}`;
  const tenant = { schema, role: schema, password: "hunter2" };
  try {
    assertEquals([await createTenant(url, tenant), await createTenant(url, tenant)], [true, false]);
    const listed = (await listTenants(url)).filter((one) => one.schema === schema);
    assertEquals(listed.map(({ roles, live }) => ({ roles, live })), [{ roles: [schema], live: 0 }]);
    const own = new URL(url);
    [own.username, own.password] = [schema, "hunter2"];
    const store = await openPostgresStore(own.href, { schema });
    assertEquals((await store.counts()).pending, 0);
    await store.close();
    assertEquals(
      (await assertRejects(() => createTenant(url, { schema: "x", role: "sluice" }), StoreError)).code,
      "role_taken",
    );
  } finally {
    assertEquals(await removeTenant(url, tenant), true);
  }
  assertEquals(await called(), []);
});

for (const prepare of [true, false]) {
  test(`a runner, a client and an inspector call no planted objects, with prepare: ${prepare}`, async () => {
    const { url, called } = await hostile();
    const schema = `test_${crypto.randomUUID().slice(0, 8)}`;
    await useAll(() => openPostgresStore(url, { schema, prepare }));
    assertEquals(await called(), []);
  });
}

test("stores on a pool call no planted objects", async () => {
  const { url, called } = await hostile();
  await using pool = createPostgresPool(url, { connections: 1 });
  await useAll(() => pool.store({ schema: "pooled" }));
  assertEquals(await called(), []);
});

test("stores behind a pooler that drops connection settings call no planted objects", async () => {
  const { url, called } = await hostile();
  await using pooler = await startPooler(url, "drops");
  await useAll(() => openPostgresStore(pooler.url, { schema: "behind" }));
  assertEquals(await called(), []);
});

test("neither the URL nor the role changes the search path of the engine's statements", async () => {
  const { url, called, sql } = await hostile();
  const role = `test_${crypto.randomUUID().slice(0, 8)}`;
  await sql.unsafe(`create role "${role}" superuser login password 'hunter2'`);
  try {
    await sql.unsafe(`alter role "${role}" set search_path = public, pg_catalog`);
    const own = new URL(`${url}?search_path=public,pg_catalog&options=-c%20search_path%3Dpublic,pg_catalog`);
    [own.username, own.password] = [role, "hunter2"];
    await useAll(() => openPostgresStore(own.href, { schema: "hijacked" }));
  } finally {
    await sql.unsafe(`drop owned by "${role}" cascade; drop role "${role}"`);
  }
  assertEquals(await called(), []);
});

test("in user transactions the engine calls no planted objects, and users find their own objects", async () => {
  const { url, called, sql, spareDriver } = await hostile();
  await spareDriver();
  await sql`create table public.ledger (entry pg_catalog.text)`;
  const pay = workflow("pay", { input: unchecked<string>() }).task("pay", {
    ...transaction,
    async run({ tx, input }) {
      // Without functions and operators, because the search path of the user finds the planted ones.
      await tx`insert into ledger values (${input})`;
      await client.start(double, 1, { tx, key: input });
      await tx`insert into ledger values (${"after"})`;
      return "paid";
    },
  }).returns("pay");
  await using stores = await openBoth(() => openPostgresStore(url, { schema: "payers" }));
  await using runner = await createRunner(stores.first, { workflows: [pay, double] });
  await using client = await createClient(stores.second, { workflows: [double] });
  assertEquals((await runner.execute(pay, "one")).status, "completed");
  const users = postgres(url, { max: 1, fetch_types: false });
  await users.begin(async (tx) => {
    await tx`insert into ledger values (${"two"})`;
    const [again] = await Promise.all([
      client.startMany(double, [2, 3], { key: (input) => input === 2 ? "one" : "two", tx }),
      tx`insert into ledger values (${"after"})`,
    ]);
    assertEquals(again.length, 2);
  });
  const [idle] = [await users.reserve()];
  await assertRejects(() => client.start(double, 1, { tx: idle as never }), StoreError);
  idle.release();
  await users.end({ timeout: 1 });
  assertEquals([...await sql`select entry from public.ledger`].map(({ entry }) => entry), [
    "one",
    "after",
    "two",
    "after",
  ]);
  assertEquals(await called(), []);
});

storeContract("postgres where others have planted functions", async () => {
  const { url, spareDriver } = await hostile();
  await spareDriver();
  // This is also the only contract run without prepared statements.
  return await openOn(schema ??= testSchema(url), { prepare: false });
});

test("the contract called no planted objects", async () => {
  if (made === undefined) return;
  const database = await made;
  const called = await database.called();
  await schema?.[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  assertEquals(called, []);
});
