/** Runs that are started within a transaction of the caller, on each backend. */
import { assertEquals, assertRejects } from "@std/assert";
import postgres from "postgres";
import type { Tracing } from "../../lib/engine/telemetry/tracing.ts";
import {
  createClient,
  createRunner,
  KeyConflictError,
  RunNotFoundError,
  StoreError,
  unchecked,
  workflow,
} from "../../mod.ts";
import { openNative } from "../../lib/store/sqlite/driver.ts";
import { clockWithoutPolls } from "../crash/clock_without_polls.ts";
import { test } from "../harness.ts";
import { until, within } from "../within.ts";
import { databaseUrl } from "../postgres_server.ts";
import { DATABASES } from "./database.ts";
import { pay, type Tx } from "./place.ts";

const double = workflow("double", { input: unchecked<number>() })
  .task("double", { run: ({ input }) => input * 2 })
  .returns("double");
const sum = workflow("sum", { input: unchecked<{ of: string[] }>() })
  .task("count", { run: ({ input }) => input.of.length })
  .returns("count");

for (const kind of ["sqlite", "postgres"] as const) {
  test(`${kind}: a run that is started within a transaction is committed together with its other writes`, async () => {
    await using database = await DATABASES[kind]();
    const store = await database.open();
    await using runner = await createRunner(store, { workflows: [double], clock: clockWithoutPolls });
    const run = await database.begin(async (tx) => {
      await pay(tx, "ada");
      const run = await runner.start(double, 21, { tx });
      await assertRejects(() => run.status(), RunNotFoundError);
      return run;
    });
    // Claimed because of the notification: this clock suppresses polls.
    assertEquals(await within("the run", run.result()), 42);
    assertEquals(await database.payers(), ["ada"]);
    assertEquals(store.counters().retries, 0);
  });

  test(`${kind}: a run that is started within a transaction does not exist after a rollback`, async () => {
    await using database = await DATABASES[kind]();
    await using runner = await createRunner(await database.open(), { workflows: [double] });
    let runId = "";
    const broken = database.begin(async (tx) => {
      await pay(tx, "ada");
      runId = (await runner.start(double, 1, { tx, key: "k" })).id;
      throw new Error("changed my mind");
    });
    await assertRejects(() => broken, Error, "changed my mind");
    assertEquals(await database.count("runs"), 0);
    assertEquals(await database.payers(), []);
    await assertRejects(async () => await (await runner.get(runId)).status(), RunNotFoundError);
    assertEquals(await (await runner.start(double, 2, { key: "k" })).result(), 4);
  });

  test(`${kind}: a key identifies the same run inside and outside of transactions`, async () => {
    await using database = await DATABASES[kind]();
    await using runner = await createRunner(await database.open(), { workflows: [double] });
    const first = await runner.start(double, 1, { key: "k" });
    const [again, other, twin] = await database.begin(async (tx) => [
      await runner.start(double, 5, { tx, key: "k" }),
      await runner.start(double, 6, { tx, key: "new" }),
      await runner.start(double, 7, { tx, key: "new" }),
    ]);
    assertEquals([again!.id, twin!.id], [first.id, other!.id]);
    assertEquals((await runner.start(double, 8, { key: "new" })).id, other!.id);
    assertEquals(await Promise.all([first.result(), other!.result()]), [2, 12]);
    assertEquals(await database.count("runs"), 2);
  });

  test(`${kind}: an active key identifies a run until it ends, inside and outside of transactions`, async () => {
    await using database = await DATABASES[kind]();
    await using client = await createClient(await database.open(), { workflows: [double] });
    const active = { key: "k", keyScope: "active" } as const;
    const [first, twin] = await database.begin(async (tx) => [
      await client.start(double, 1, { tx, ...active }),
      await client.start(double, 2, { tx, ...active }),
    ]);
    assertEquals([twin!.id, twin!.isNew, (await client.start(double, 3, active)).id], [first!.id, false, first!.id]);
    await first!.cancel();
    await first!.outcome();
    const next = await database.begin((tx) => client.start(double, 4, { tx, ...active }));
    assertEquals([next.isNew, (await client.start(double, 5, active)).id], [true, next.id]);
  });

  test(`${kind}: a failed run is not retried while an open transaction has started a run with its active key`, async () => {
    await using database = await DATABASES[kind]();
    const broken = workflow("broken", { input: unchecked<number>() })
      .task("fail", { retry: 1, run: ({ input }) => Promise.reject(new Error(`${input}`)) });
    await using runner = await createRunner(await database.open(), { workflows: [broken], logger: false });
    const active = { key: "k", keyScope: "active" } as const;
    const failed = await runner.start(broken, 1, active);
    await failed.outcome();
    let retry = Promise.resolve();
    const other = await database.begin(async (tx) => {
      const other = await runner.start(broken, 2, { tx, ...active, delay: "1h" });
      retry = failed.retry();
      retry.catch(() => {});
      if (database.isWaiting !== undefined) await until(() => database.isWaiting!());
      return other;
    });
    const error = await assertRejects(() => within("the retry", retry), KeyConflictError);
    assertEquals([error.runId, (await failed.status()).state], [other.id, "failed"]);
  });

  test(`${kind}: startMany within a transaction inserts all of its runs or none`, async () => {
    await using database = await DATABASES[kind]();
    await using runner = await createRunner(await database.open(), { workflows: [sum] });
    const inputs = Array.from({ length: 300 }, (_, n) => ({ of: Array.from({ length: n % 7 }, String) }));
    const key = (_: unknown, n: number): string => `k${n % 250}`;
    await assertRejects(() =>
      database.begin(async (tx) => {
        await runner.startMany(sum, inputs, { tx, key });
        throw new Error("no");
      })
    );
    assertEquals(await database.count("runs"), 0);
    const runs = await database.begin((tx) => runner.startMany(sum, inputs, { tx, key, tags: ["t"], priority: 3 }));
    assertEquals(runs.length, 300);
    assertEquals(runs[299]!.id, runs[49]!.id);
    const results = await Promise.all(runs.map((run) => run.result()));
    assertEquals(results, inputs.map((_, n) => inputs[n % 250]!.of.length));
    assertEquals(await database.count("runs"), 250);
    const { runs: listed } = await runner.list({ tags: ["t"], limit: 1 });
    assertEquals([listed[0]?.tags, listed[0]?.priority], [["t"], 3]);
  });

  test(`${kind}: options of a start apply within a transaction too`, async () => {
    await using database = await DATABASES[kind]();
    await using client = await createClient(await database.open(), { workflows: [double] });
    const at = Date.now() + 3_600_000;
    const run = await database.begin((tx) =>
      client.start("double", 4, { tx, startAt: new Date(at), timeout: "1h", tags: ["a", "b"], priority: -2 })
    );
    const { state, tags, priority, dueAt } = await run.status();
    assertEquals({ state, tags, priority, dueAt }, { state: "pending", tags: ["a", "b"], priority: -2, dueAt: at });
  });

  test(`${kind}: a run that is started within a transaction keeps its trace context`, async () => {
    await using database = await DATABASES[kind]();
    const store = await database.open();
    const tracing: Tracing = {
      currentContext: () => "00-a-b-01",
      startRun: () => {
        throw new Error("nothing is executed");
      },
    };
    await using client = await createClient(store, { workflows: [double], tracing });
    const { id } = await database.begin((tx) => client.start("double", 4, { tx }));
    assertEquals((await store.run(id))?.trace, "00-a-b-01");
  });

  test(`${kind}: an invalid start throws before anything is written, and the transaction continues`, async () => {
    await using database = await DATABASES[kind]();
    await using runner = await createRunner(await database.open(), { workflows: [double], maxPayloadBytes: 1_024 });
    const long = "x".repeat(2_000) as unknown as number;
    await database.begin(async (tx) => {
      await assertRejects(() => runner.start("nowhere" as "double", 1, { tx }), Error, "no workflow of that name");
      await assertRejects(() => runner.start(double, long, { tx }), Error, "the limit is 1,024");
      const signal = new AbortController().signal;
      await assertRejects(
        () => runner.start(double, 1, { tx, signal } as never),
        TypeError,
        "signal and tx exclude each other",
      );
      // @ts-expect-error it does not compile
      await assertRejects(() => runner.execute(double, 1, { tx }), TypeError, "use start()");
      await pay(tx, "ada");
    });
    assertEquals(await database.payers(), ["ada"]);
    assertEquals(await database.count("runs"), 0);
  });

  for (const [what, tx] of Object.entries({ "a text": "tx", nothing: null, "an empty object": {}, "a number": 1 })) {
    test(`${kind}: ${what} is rejected as a transaction`, async () => {
      await using database = await DATABASES[kind]();
      await using client = await createClient(await database.open(), { workflows: [double] });
      await assertRefused(client.start(double, 1, { tx: tx as unknown as Tx }), "tx is not a ");
    });
  }

  test(`${kind}: a transaction of the other kind of database is rejected`, async () => {
    await using database = await DATABASES[kind]();
    await using other = await DATABASES[kind === "sqlite" ? "postgres" : "sqlite"]();
    await using client = await createClient(await database.open(), { workflows: [double] });
    await other.begin((tx) => assertRefused(client.start(double, 1, { tx }), "tx is not a "));
  });

  test(`${kind}: a transaction on another database is rejected, and nothing is written there`, async () => {
    await using database = await DATABASES[kind]();
    await using other = await DATABASES[kind]();
    await other.open();
    await using client = await createClient(await database.open(), { workflows: [double] });
    await using away = kind === "sqlite" ? undefined : await otherBase();
    const begin = away?.begin ?? other.begin;
    await begin((tx) => assertRefused(client.start(double, 1, { tx }), "tx is of another database"));
    assertEquals(await other.count("runs"), 0);
  });

  test(`${kind}: a transaction that has ended is rejected`, async () => {
    await using database = await DATABASES[kind]();
    await using client = await createClient(await database.open(), { workflows: [double] });
    let late: Tx | undefined;
    await database.begin((tx) => void (late = tx));
    await assertRejects(() => client.start(double, 1, { tx: late! }), StoreError);
    assertEquals(await database.count("runs"), 0);
  });
}

test("sqlite: a handle without an open transaction, or on a database in memory, is rejected", async () => {
  await using database = await DATABASES.sqlite();
  await using client = await createClient(await database.open(), { workflows: [double] });
  const path = database.place.url.replace("sqlite://", "");
  const [idle, memory] = [await openNative(path), await openNative(":memory:")] as unknown as [Handle, Handle];
  memory.exec("begin");
  await assertRefused(client.start(double, 1, { tx: idle }), "no transaction is open on tx; begin one first");
  await assertRefused(client.start(double, 1, { tx: memory }), "tx is a database in memory");
  await using inMemory = await createRunner("sqlite::memory:", { workflows: [double] });
  await assertRefused(inMemory.start(double, 1, { tx: memory }), "the store is in memory");
  idle.close();
  memory.close();
});

test("sqlite: a transaction that cannot write is rejected as a whole, and can be retried", async () => {
  await using database = await DATABASES.sqlite();
  await using client = await createClient(await database.open(), { workflows: [double] });
  const path = database.place.url.replace("sqlite://", "");
  const [reader, writer] = [await openNative(path), await openNative(path)] as unknown as [Handle, Handle];
  reader.exec("begin");
  reader.prepare("select count(*) from runs").get();
  writer.exec("insert into payments values ('first')");
  // Its snapshot is stale by now, so SQLite does not let it write.
  await assertRejects(() => client.start(double, 1, { tx: reader }), StoreError, "locked");
  reader.exec("rollback");
  reader.exec("begin immediate");
  await client.start(double, 1, { tx: reader });
  reader.exec("commit");
  assertEquals(await database.count("runs"), 1);
  reader.close();
  writer.close();
});

test("postgres: a pool and a connection without an open transaction are rejected", async () => {
  await using database = await DATABASES.postgres();
  await using client = await createClient(await database.open(), { workflows: [double] });
  const sql = postgres(await databaseUrl(), { max: 2, onnotice() {} });
  const one = await sql.reserve();
  await assertRefused(client.start(double, 1, { tx: sql as unknown as Tx }), "tx is a pool of connections");
  await assertRefused(client.start(double, 1, { tx: one as unknown as Tx }), "no transaction is open on tx");
  await one`begin`;
  await client.start(double, 1, { tx: one as unknown as Tx });
  await one`commit`;
  assertEquals(await database.count("runs"), 1);
  one.release();
  await sql.end();
});

test("postgres: a start needs only select and insert on the runs, independent of the types that the driver parses", async () => {
  await using database = await DATABASES.postgres();
  await using runner = await createRunner(await database.open(), { workflows: [double] });
  const { schema } = database.place;
  const admin = postgres(await databaseUrl(), { max: 1, onnotice() {} });
  await admin.unsafe(`create role "${schema}" login password 'x'`);
  await admin.unsafe(`grant usage on schema "${schema}" to "${schema}"`);
  await admin.unsafe(`grant select, insert on "${schema}".runs to "${schema}"`);
  const url = new URL(await databaseUrl());
  url.username = schema!;
  url.password = "x";
  const sql = postgres(url.href, {
    max: 1,
    types: { bigint: postgres.BigInt },
    transform: postgres.camel,
    onnotice() {},
  });
  const run = await sql.begin((tx) => runner.start(double, 3, { tx: tx as unknown as Tx, key: "k" }));
  assertEquals(await run.result(), 6);
  await sql.end();
  await admin.unsafe(`drop owned by "${schema}"`);
  await admin.unsafe(`drop role "${schema}"`);
  await admin.end();
});

test("postgres: a conflict throws the error of the driver, so that the caller can retry the transaction", async () => {
  await using database = await DATABASES.postgres();
  await using client = await createClient(await database.open(), { workflows: [double] });
  const sql = postgres(await databaseUrl(), { max: 1, onnotice() {} });
  const failure = await sql.begin("isolation level serializable", async (tx) => {
    await tx`select 1`;
    await client.start(double, 1, { key: "k" });
    await client.start(double, 2, { tx: tx as unknown as Tx, key: "k" });
  }).then(() => undefined, (error) => error);
  assertEquals([failure?.name, failure?.code], ["PostgresError", "40001"]);
  await sql.end();
});

test("postgres: an open transaction that started a run with a key delays starts with that key only", async () => {
  await using database = await DATABASES.postgres();
  await using runner = await createRunner(await database.open(), { workflows: [double] });
  const [begun, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const open = database.begin(async (tx) => {
    const run = await runner.start(double, 1, { tx, key: "k" });
    begun.resolve();
    await goOn.promise;
    return run;
  });
  await begun.promise;
  const started: number[] = [];
  const same = [2, 3, 4].map(async (input) => {
    const run = await runner.start(double, input, { key: "k" });
    started.push(input);
    return run;
  });
  const many = runner.startMany(double, [5, 6], { key: (n) => n === 5 ? "k" : "m" }).then((runs) => {
    started.push(5);
    return runs;
  });
  // Started in the same turn of the event loop, and therefore with the same statement.
  const others = Array.from({ length: 20 }, (_, n) => runner.start(double, n, { key: `k${n}` }));
  for (const [n, other] of others.entries()) assertEquals(await (await other).result(), n * 2);
  await until(database.isWaiting!);
  for (let n = 0; n < 3; n++) assertEquals(await (await runner.start(double, n)).result(), n * 2);
  assertEquals(await (await runner.start(double, 7, { key: "later" })).result(), 14);
  assertEquals(started, []);
  goOn.resolve();
  const [first, ...runs] = await Promise.all([open, ...same]);
  for (const run of runs) assertEquals([run.id, await run.result()], [first.id, 2]);
  const [five, six] = await many;
  assertEquals([five?.id, await six?.result()], [first.id, 12]);
});

interface Handle {
  prepare(sql: string): { get(): unknown };
  exec(sql: string): unknown;
  close(): void;
}

/** Creates another database on the same server, with the same tables. */
async function otherBase(): Promise<AsyncDisposable & { begin: <T>(work: (tx: Tx) => Promise<T>) => Promise<T> }> {
  const name = `test_${crypto.randomUUID().slice(0, 8)}`;
  const admin = postgres(await databaseUrl(), { max: 1, onnotice() {} });
  await admin.unsafe(`create database "${name}"`);
  const url = new URL(await databaseUrl());
  url.pathname = name;
  const sql = postgres(url.href, { max: 1, onnotice() {} });
  return {
    begin: async (work) => await sql.begin((tx) => work(tx as unknown as Tx)) as Awaited<ReturnType<typeof work>>,
    async [Symbol.asyncDispose]() {
      await sql.end();
      await admin.unsafe(`drop database "${name}"`);
      await admin.end();
    },
  };
}

async function assertRefused(starting: Promise<unknown>, message: string): Promise<void> {
  const error = await assertRejects(() => starting, StoreError, message);
  assertEquals(error.code, "invalid_transaction");
}
