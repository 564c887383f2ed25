import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createClient, createRunner, RunNotFoundError, StoreError, workflow } from "../../mod.ts";
import { createPostgresPool, createTenant, removeTenant, transaction } from "../../lib/store/postgres/mod.ts";
import { test } from "../harness.ts";
import { commit, newRun } from "../store/contract/fixture.ts";
import { tempDir } from "../temp_dir.ts";
import { until } from "../within.ts";
import { openSite } from "./site.ts";

test("runners of fifty tenants on one pool execute only their own runs, over few connections", async () => {
  await using site = openSite();
  const url = await site.admin();
  const pool = createPostgresPool(url, { connections: 1 });
  const seen: string[] = [];
  const tenants = await Promise.all(Array.from({ length: 50 }, async (_, n) => {
    const schema = site.name();
    const flow = workflow("flow", { version: "1" })
      .task("mine", { run: ({ ctx }) => void seen.push(`${n} ${ctx.runId}`) })
      .task("next", { after: ["mine"], run: () => n })
      .returns("next");
    const store = await pool.store({ schema });
    const client = await createClient(store, { workflows: [flow] });
    // Started before the runner opens, so that it has to claim them.
    const runs = await client.startMany(flow, Array.from({ length: 5 }, () => undefined));
    return { n, store, flow, client, runs };
  }));
  const runners = await Promise.all(tenants.map(({ store, flow }) => createRunner(store, { workflows: [flow] })));
  const results = await Promise.all(tenants.map(({ runs }) => Promise.all(runs.map((run) => run.result()))));
  assertEquals(results, tenants.map(({ n }) => [n, n, n, n, n]));
  const own = tenants.flatMap(({ n, runs }) => runs.map(({ id }) => `${n} ${id}`));
  assertEquals(seen.toSorted(), own.toSorted());
  // A server ends a session some time after its client has closed the connection.
  await until(async () => await site.connections(url) === 5, "5 connections");
  await Promise.all([...runners, ...tenants.map(({ client }) => client)].map((one) => one.stop()));
  await pool.close();
  await until(async () => await site.connections(url) === 0, "no connection");
});

test("settings that a transaction makes on a connection of a pool do not reach the next transaction of any tenant", async () => {
  await using site = openSite();
  await using pool = createPostgresPool(site.url, { connections: 1, transactionConnections: 1 });
  const settings = async (set: boolean): Promise<unknown> => {
    const flow = workflow("flow").task("look", {
      ...transaction,
      async run({ tx }) {
        if (set) await tx.unsafe("set search_path = elsewhere; set enable_seqscan = on");
        const [row] = await tx`
          select current_setting('search_path') as path, current_setting('enable_seqscan') as planning`;
        return { ...row };
      },
    });
    await using runner = await createRunner(await pool.store({ schema: site.name() }), { workflows: [flow] });
    return await (await runner.start(flow)).result();
  };
  const before = await settings(false);
  await settings(true);
  assertEquals(await settings(false), before);
});

/** Session state that a body may leave behind, and a query that detects it. */
const LEFT_BEHIND: Readonly<Record<string, readonly [leave: string, find: string]>> = {
  "a temporary table": [
    "create temporary table secrets as select 'other tenant' as secret",
    "select 1 from pg_class where relname = 'secrets'",
  ],
  "a temporary function": [
    "create function pg_temp.spy() returns int language sql as 'select 1'",
    "select 1 from pg_proc where proname = 'spy'",
  ],
  "a lock": [
    "select pg_advisory_lock(7, 8)",
    "select 1 from pg_locks where locktype = 'advisory' and classid = 7 and pid = pg_backend_pid()",
  ],
  "a channel": ["listen gossip", "select pg_listening_channels()"],
  "a cursor": [
    "declare secrets cursor with hold for select 'other tenant' as secret",
    "select 1 from pg_cursors where name = 'secrets'",
  ],
  "a prepared statement": [
    "prepare secrets as select 'other tenant' as secret",
    "select 1 from pg_prepared_statements where name = 'secrets'",
  ],
  "a setting of its own": [
    "select set_config('app.secret', 'other tenant', false)",
    "select 1 where current_setting('app.secret', true) <> ''",
  ],
  "a value of a sequence": [
    "create temporary sequence numbers; select nextval('numbers')",
    "do $$ begin perform lastval(); raise exception 'there is one'; exception when object_not_in_prerequisite_state then null; end $$",
  ],
};

for (const [what, [leave, find]] of Object.entries(LEFT_BEHIND)) {
  test(`if the body of a transaction leaves ${what} in its session, the next one, of another tenant, does not see it`, async () => {
    await using site = openSite();
    await using pool = createPostgresPool(site.url, { connections: 1, transactionConnections: 1 });
    const rowsIn = async (sql: string): Promise<number> => {
      const flow = workflow("flow").task("run", {
        ...transaction,
        retry: 1,
        run: async ({ tx }) => (await tx.unsafe(sql)).length,
      }).returns("run");
      await using runner = await createRunner(await pool.store({ schema: site.name() }), { workflows: [flow] });
      return await (await runner.start(flow)).result();
    };
    await rowsIn(leave);
    assertEquals(await rowsIn(find), 0);
  });
}

test("a store on a pool receives notifications of its own tenant only", async () => {
  await using site = openSite();
  await using pool = createPostgresPool(site.url, { connections: 1 });
  const [first, second] = [site.name(), site.name()];
  const [mine, other] = [await pool.store({ schema: first }), await pool.store({ schema: second })];
  let heard = Promise.withResolvers<void>();
  let others = 0;
  mine.watch(() => heard.resolve());
  other.watch(() => others++);
  // A store reports a change when it begins to listen, because it may have missed some.
  await heard.promise;
  const [quiet] = [others];
  heard = Promise.withResolvers();
  const sender = await pool.store({ schema: first });
  await commit(sender, { starts: [newRun({ dueAt: 0 })] });
  await heard.promise;
  assert(others <= Math.max(quiet, 1), "the other was told nothing but that it listens");
});

test("the methods of a handle to a run of another tenant report that there is no such run", async () => {
  await using site = openSite();
  await using pool = createPostgresPool(site.url);
  const flow = workflow("flow", { version: "1" }).task("a", { run: () => 1 });
  const clients = await Promise.all(
    [site.name(), site.name()].map(async (schema) =>
      await createClient(await pool.store({ schema }), { workflows: [flow] })
    ),
  );
  const [mine, other] = clients as [typeof clients[0], typeof clients[0]];
  const { id } = await mine!.start(flow, undefined, { key: "k", tags: ["t"] });
  const handle = other!.get(id);
  const asked = [
    () => handle.status(),
    () => handle.outcome(),
    () => handle.result(),
    () => handle.tasks(),
    () => handle.cancel(),
    () => handle.pause(),
    () => handle.resume(),
    () => handle.retry(),
    () => handle.fork(),
    () => handle.events()[Symbol.asyncIterator]().next(),
    () => other!.explain(id),
  ];
  for (const ask of asked) await assertRejects(ask, RunNotFoundError);
  assertEquals((await other!.list()).runs, []);
  assertEquals((await other!.list({ workflow: "flow", tags: ["t"], state: "pending" })).runs, []);
  assertEquals(await other!.stranded(), []);
  assertEquals((await other!.stats()).runs.pending, 0);
  const same = await other!.start(flow, undefined, { key: "k" });
  assert(same.id !== id, "the key is the tenant's own");
  assertEquals((await mine!.get(id).status()).state, "pending");
  await Promise.all(clients.map((client) => client.stop()));
});

test("closing a store on a pool leaves the others open, and closing the pool closes them", async () => {
  await using site = openSite();
  const pool = createPostgresPool(site.url);
  const [first, second] = [await pool.store({ schema: site.name() }), await pool.store({ schema: site.name() })];
  first.watch(() => {});
  second.watch(() => {});
  await first.close();
  await assertRejects(() => first.counts(), StoreError, "was closed");
  assertEquals((await second.counts()).pending, 0);
  await pool.close();
  const error = await assertRejects(() => second.counts(), StoreError);
  assertEquals(error.code, "store_closed");
  await assertRejects(() => pool.store({ schema: site.name() }), StoreError, "was closed");
});

test("stores on a pool continue when all its connections are terminated", async () => {
  await using site = openSite();
  const url = await site.admin();
  await using pool = createPostgresPool(url);
  const stores = await Promise.all([1, 2, 3].map(() => pool.store({ schema: site.name() })));
  for (let round = 0; round < 3; round++) {
    const work = stores.flatMap((store) => Array.from({ length: 20 }, () => commit(store, { starts: [newRun()] })));
    await site.sql`select pg_terminate_backend(pid) from pg_stat_activity where usename = ${new URL(url).username}`;
    await Promise.all(work);
  }
  for (const store of stores) assertEquals((await store.counts()).pending, 60);
  // A lost connection is reopened when it is needed, once.
  await until(async () => await site.connections(url) <= 6, "at most 6 connections");
});

test("a tenant that was removed and created again works on a pool that had used it before", async () => {
  await using site = openSite();
  await using pool = createPostgresPool(site.url, { connections: 1 });
  const schema = site.name();
  for (let round = 0; round < 2; round++) {
    await createTenant(site.url, { schema });
    const store = await pool.store({ schema });
    await commit(store, { starts: [newRun()] });
    assertEquals((await store.counts()).pending, 1);
    await store.close();
    await removeTenant(site.url, { schema });
  }
});

test("a pool rejects invalid options, and the errors do not contain the password", async () => {
  assertThrows(() => createPostgresPool("postgres://me@localhost/app", { connections: 0 }), TypeError, "connections");
  assertThrows(() => createPostgresPool("sqlite::memory:"), StoreError, "it is not a Postgres URL");
  const pool = createPostgresPool("postgres://me:secret@127.0.0.1:1/none");
  assertEquals(pool.name, "postgres://127.0.0.1:1/none");
  await assertRejects(() => pool.store({ schema: "a; b" }), StoreError, "for the name of a schema");
  await assertRejects(() => pool.store({ connectTimeoutMs: 100 }), StoreError, "postgres://127.0.0.1:1/none");
  await pool.close();
});

test("the option schema is rejected with SQLite, and with a store that has a schema", async () => {
  using dir = tempDir();
  const flow = workflow("flow").task("a", { run: () => 1 });
  const options = { workflows: [flow], schema: "acme" };
  const file = `sqlite://${dir.path}/app.db`;
  for (const url of ["sqlite::memory:", file]) {
    await assertRejects(() => createRunner(url, options), TypeError, "schema is for Postgres");
  }
  await assertRejects(() => createClient(file, options), TypeError, "schema is for Postgres");
  await using site = openSite();
  await using pool = createPostgresPool(site.url);
  const store = await pool.store({ schema: site.name() });
  await assertRejects(() => createRunner(store, options), TypeError, "was opened with its own");
});
