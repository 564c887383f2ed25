/** Connections: their hosts, logins, settings and encryption. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { chmodSync } from "node:fs";
import { createClient, createRunner, unchecked, workflow } from "../../mod.ts";
import { StoreError } from "../../lib/errors.ts";
import { silent } from "../../lib/logger.ts";
import { createPostgresPool, openPostgresStore, transaction } from "../../lib/store/postgres/mod.ts";
import { AUTHORITY, startEncryptedProxy } from "../encrypted_proxy.ts";
import { test } from "../harness.ts";
import { startPooler } from "../pooler.ts";
import { ownServer } from "../postgres_server.ts";
import { startProxy } from "../proxy.ts";
import { tempDir } from "../temp_dir.ts";
import { testSchema } from "./postgres_schema.ts";

/** Returns the URL with another port or other parameters. */
function changed(url: string, { port, host, ...parameters }: Record<string, string | number>): string {
  const { username, password, hostname, port: own, pathname } = new URL(url);
  const query = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return `postgres://${username}:${password}@${host ?? `${hostname}:${port ?? own}`}${pathname}?${query}`;
}

test("a pooler that rejects the settings of a connection is reported immediately, with the remedy", async () => {
  await using on = testSchema();
  await using pooler = await startPooler(on.url, "refuses");
  const since = performance.now();
  const error = await assertRejects(() => openPostgresStore(pooler.url, { schema: on.schema }), StoreError);
  assertEquals(error.code, "unsupported_pooler");
  for (const part of ["PgBouncer", "unsupported startup parameter", "prepare: false"]) {
    assertStringIncludes(error.message, part);
  }
  assert(performance.now() - since < 10_000);
  const store = await on.open({ url: pooler.url, prepare: false });
  assertEquals((await store.counts()).pending, 0);
});

test("logins that a pooler rejects with an internal error are retried, both while a runner is opened and afterwards", async () => {
  await using on = testSchema();
  await using pooler = await startPooler(on.url, "fails");
  const begun = Promise.withResolvers<void>();
  const slow = workflow("slow")
    .task("a", { run: () => begun.resolve() })
    .task("b", { after: ["a"], run: ({ ctx }) => ctx.attempt })
    .returns("b");
  await using runner = await createRunner(pooler.url, { schema: on.schema, workflows: [slow], logger: silent });
  const outcome = runner.execute(slow);
  await begun.promise;
  pooler.fail(8);
  const done = await outcome;
  assertEquals(done.status === "completed" && done.result, 1);
});

test("settings of the URL do not override those of the engine", async () => {
  await using on = testSchema();
  const hostile = { application_name: 'it\'s "mine"; ä', options: "-c application_name=x -c enable_seqscan=on" };
  await on.open({ url: changed(on.url, { ...hostile, statement_timeout: 1, search_path: "elsewhere" }) });
  const names = (await on.sql`
    select application_name as name from pg_stat_activity where application_name like ${`%${on.schema}%`}`)
    .map(({ name }) => String(name));
  assert(names.length >= 4 && new Set(names).size === names.length);
  for (const name of names) {
    assert(name.startsWith("sluice ") && name.includes(` ${on.schema} it_s _mi`) && name.length <= 63, name);
  }
});

test("the session of a lost connection is terminated, also if the login switches to another role", async () => {
  await using on = testSchema();
  const [role, group] = [`${on.schema}_role`, `${on.schema}_group`];
  await on.sql.unsafe(`
    create role "${group}";
    create role "${role}" login password 'hunter2' in role "${group}";
    alter role "${role}" set role "${group}";
    create schema "${on.schema}" authorization "${group}"`);
  try {
    const url = changed(on.url, { application_name: "mine" }).replace(/\/\/[^@]*@/, `//${role}:hunter2@`);
    const sleeping = Promise.withResolvers<void>();
    const flow = workflow("flow").task("sleep", {
      ...transaction,
      async run({ tx }) {
        const asleep = tx`select pg_sleep(120)`.then(() => {});
        sleeping.resolve();
        await asleep;
      },
    });
    const count = async (): Promise<number> =>
      (await on.sql`select count(*) as n from pg_stat_activity where usename = ${role} and query like '%pg_sleep%'`)[0]
        ?.["n"];
    await using runner = await createRunner(await on.open({ url }), { workflows: [flow], logger: silent });
    const run = await runner.start(flow);
    await sleeping.promise;
    while (await count() === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await run.cancel();
    // Without that the server would notice only after two minutes.
    for (const since = performance.now(); await count() > 0;) {
      assert(performance.now() - since < 20_000, "the backend is still there");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await on.sql.unsafe(`drop owned by "${role}", "${group}" cascade; drop role "${role}"; drop role "${group}"`);
  }
});

test("the first host that responds is used, and the next one once it is gone", async () => {
  await using on = testSchema();
  const { hostname, port, username, password, pathname } = new URL(on.url);
  await using first = await startProxy({ host: hostname, port: Number(port) });
  const hosts = `127.0.0.1:1,127.0.0.1:${first.port},${hostname}:${port}`;
  const store = await on.open({ url: `postgres://${username}:${password}@${hosts}${pathname}` });
  assertEquals(store.name, `postgres://${hosts}${pathname}`);
  assert(first.open > 0);
  first.refuse();
  first.cut();
  assertEquals((await store.counts()).pending, 0);
});

test("a server that does not have the target_session_attrs of the URL is skipped", async () => {
  await using on = testSchema();
  await using replica = await startPooler(on.url, "only reads");
  const { hostname, port, username, password, pathname } = new URL(on.url);
  const login = `postgres://${username}:${password}@`;
  const both = `${login}127.0.0.1:${new URL(replica.url).port},${hostname}:${port}${pathname}`;
  const store = await on.open({ url: `${both}?target_session_attrs=read-write` });
  assertEquals((await store.counts()).pending, 0);
  const flow = workflow("flow").task("write", {
    ...transaction,
    run: async ({ tx }) => String((await tx`show transaction_read_only`)[0]?.["transaction_read_only"]),
  }).returns("write");
  await using runner = await createRunner(store, { workflows: [flow] });
  assertEquals((await runner.execute(flow)).status, "completed");
  const alone = `${login}127.0.0.1:${new URL(replica.url).port}${pathname}?target_session_attrs=read-write`;
  const error = await assertRejects(
    () => openPostgresStore(alone, { schema: on.schema, connectTimeoutMs: 3_000 }),
    StoreError,
  );
  assertEquals(error.code, "read_only");
});

test("a server is reached through its Unix socket", async () => {
  using dir = tempDir();
  chmodSync(dir.path, 0o777);
  await using server = await ownServer([`unix_socket_directories=${dir.path}`]);
  const { port, username, password, pathname } = new URL(server.url);
  const login = `${username}:${password}@`;
  const ways = [
    `postgres://${login}${pathname}?host=${dir.path}&port=${port}&sslmode=verify-full`,
    `postgres://${login}${encodeURIComponent(dir.path)}:${port}${pathname}`,
    `postgres://${login}127.0.0.1:1,${encodeURIComponent(dir.path)}:${port}${pathname}`,
  ];
  for (const url of ways) {
    const store = await openPostgresStore(url);
    assertEquals((await store.counts()).pending, 0);
    await store.close();
  }
});

test("a password that is a function is called for each connection", async () => {
  await using on = testSchema();
  const role = `${on.schema}_role`;
  await on.sql.unsafe(
    `create role "${role}" login password 'first'; create schema "${on.schema}" authorization "${role}"`,
  );
  try {
    let password = "first";
    let calls = 0;
    const current = async (): Promise<string> => {
      await Promise.resolve();
      calls++;
      if (calls === 2) throw new Error("the vault is away");
      return password;
    };
    const url = changed(on.url, {}).replace(/\/\/[^@]*@/, `//${role}:stale@`);
    const store = await on.open({ url, password: current });
    assert(calls >= 4);
    await on.sql.unsafe(`alter role "${role}" password 'second'`);
    password = "second";
    await on.sql`select pg_terminate_backend(pid) from pg_stat_activity where usename = ${role}`;
    assertEquals((await store.counts()).pending, 0);
    await store.close();
    const wrong = { schema: on.schema, connectTimeoutMs: 300 };
    for (const bad of [() => Promise.reject(new Error("no vault")), () => 7 as unknown as string]) {
      const error = await assertRejects(() => openPostgresStore(url, { ...wrong, password: bad }), StoreError);
      assertEquals(error.code, "cannot_connect");
      assertStringIncludes(error.message, 'the option "password" failed');
    }
    await using pool = createPostgresPool(url, { password: () => "second" });
    assertEquals((await (await pool.store({ schema: on.schema })).counts()).pending, 0);
  } finally {
    await on.sql.unsafe(`drop owned by "${role}" cascade; drop role "${role}"`);
  }
});

test("a runner and a client use a rotating password, also for the bodies of transactions", async () => {
  await using on = testSchema();
  const role = `${on.schema}_role`;
  await on.sql.unsafe(
    `create role "${role}" login password 'first'; create schema "${on.schema}" authorization "${role}"`,
  );
  try {
    const url = changed(on.url, {}).replace(/\/\/[^@]*@/, `//${role}:stale@`);
    let current = "first";
    const calls = { runner: 0, client: 0 };
    const passwordOf = (opener: "runner" | "client") => async (): Promise<string> => {
      await Promise.resolve();
      calls[opener]++;
      return current;
    };
    const pay = workflow("pay", { input: unchecked<number>() })
      .task("charge", {
        ...transaction,
        run: async ({ tx, input }) => Number((await tx`select ${input}::int as n`)[0]?.["n"]),
      });
    const common = { schema: on.schema, workflows: [pay], logger: silent };
    const runner = await createRunner(url, { ...common, password: passwordOf("runner") });
    const client = await createClient(url, { ...common, password: passwordOf("client") });
    assertEquals((await client.execute(pay, 1)).outputs, { charge: 1 });
    const before = { ...calls };
    await on.sql.unsafe(`alter role "${role}" password 'second'`);
    current = "second";
    await on.sql`select pg_terminate_backend(pid) from pg_stat_activity where usename = ${role}`;
    assertEquals((await client.execute(pay, 2)).outputs, { charge: 2 });
    assert(calls.runner > before.runner && calls.client > before.client);
    await client.stop();
    await runner.stop();
  } finally {
    await on.sql.unsafe(`drop owned by "${role}" cascade; drop role "${role}"`);
  }
});

test("a password option is rejected with SQLite and with an open store, and one of a wrong type is not shown", async () => {
  await using on = testSchema();
  const store = await on.open();
  const password = () => "secret";
  const none = { workflows: [] };
  for (const create of [createRunner, createClient]) {
    await assertRejects(() => create("sqlite://./no.db", { ...none, password }), TypeError, "password is for Postgres");
    await assertRejects(() => create(store, { ...none, password }), TypeError, "with an open store");
    const wrong = { ...none, password: { password: "secret" } as never };
    const error = await assertRejects(() => create(on.url, wrong), TypeError);
    assertStringIncludes(error.message, "password must be text, or a function that returns the current one");
    assert(!/secret|115/.test(error.message), error.message);
  }
});

/** Encryption settings for a server whose certificate is for "localhost", and their outcomes. */
const ENCRYPTIONS: readonly (readonly [host: string, parameters: Record<string, string>, succeeds: boolean])[] = [
  ["127.0.0.1", { sslmode: "prefer" }, true],
  ["127.0.0.1", { sslmode: "allow" }, true],
  ["127.0.0.1", { sslmode: "require" }, true],
  ["127.0.0.1", { sslmode: "require", sslnegotiation: "direct" }, true],
  ["127.0.0.1", { sslmode: "require", sslrootcert: AUTHORITY }, true],
  ["127.0.0.1", { sslmode: "verify-ca", sslrootcert: AUTHORITY }, true],
  ["127.0.0.1", { sslmode: "verify-ca" }, false],
  ["127.0.0.1", { sslmode: "verify-full", sslrootcert: AUTHORITY }, false],
  ["localhost", { sslmode: "verify-full", sslrootcert: AUTHORITY }, true],
  ["localhost", { sslmode: "verify-full" }, false],
  ["localhost", { sslrootcert: "system" }, false],
  ["localhost", { sslmode: "verify-full", sslrootcert: "/no/such/file" }, false],
];

for (const [host, parameters, succeeds] of ENCRYPTIONS) {
  const named = Object.entries(parameters).map(([name, value]) => `${name}=${value === AUTHORITY ? "ours" : value}`);
  test(`a connection to ${host} with ${named.join(" and ")} ${succeeds ? "is encrypted" : "is rejected"}`, async () => {
    await using on = testSchema();
    await using server = await startEncryptedProxy(on.url);
    const url = changed(on.url, { host: `${host}:${server.port}`, ...parameters });
    if (succeeds) {
      const store = await on.open({ url });
      assertEquals((await store.counts()).pending, 0);
      assert(server.encrypted >= 4);
      await store.close();
    } else {
      const options = { schema: on.schema, connectTimeoutMs: 200 };
      await assertRejects(() => openPostgresStore(url, options), StoreError);
    }
  });
}

test("a body finds its tables through its own search path, and its settings last until the commit", async () => {
  await using on = testSchema();
  const url = changed(on.url, { options: `-c search_path=${on.schema}` });
  const store = await on.open({ url });
  await on.sql.unsafe(`
    create table ledger (entry text);
    create table audit (path text);
    create function check_ledger() returns trigger language plpgsql as $$
      begin insert into audit values (current_setting('search_path')); return null; end $$;
    create constraint trigger late after insert on ledger deferrable initially deferred
       for each row execute function check_ledger()`);
  const other = workflow("other", { input: unchecked<number>() }).task("end", { run: ({ input }) => input });
  await using client = await createClient(store, { workflows: [other] });
  const flow = workflow("flow", { input: unchecked<boolean>() }).task("pay", {
    ...transaction,
    async run({ tx, input, ctx }) {
      const path = async (): Promise<string> => String((await tx`show search_path`)[0]?.["search_path"]);
      const paths = [await path()];
      if (input) await tx.unsafe(`set local search_path = ${on.schema}, public`);
      const [, during] = await Promise.all([client.start(other, 1, { tx, key: `${ctx.runId}` }), path()]);
      await tx.savepoint(async () => {
        await client.start(other, 2, { tx });
        await tx`insert into ledger values ('x')`;
      });
      return [...paths, during, await path()];
    },
  }).returns("pay");
  await using runner = await createRunner(store, { workflows: [flow, other] });
  const longer = `${on.schema}, public`;
  assertEquals(await (await runner.start(flow, false)).result(), [on.schema, on.schema, on.schema]);
  assertEquals(await (await runner.start(flow, true)).result(), [on.schema, longer, longer]);
  assertEquals((await on.sql`select path from audit`).map(({ path }) => path), [on.schema, longer]);
});
