/** Transactions on Postgres whose connection, server or runner fails. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import process from "node:process";
import postgres from "postgres";
import { createRunner, StoreError, unchecked, workflow } from "../../mod.ts";
import { silent } from "../../lib/logger.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { type PostgresTransaction, transaction } from "../../lib/store/postgres/mod.ts";
import { test } from "../harness.ts";
import { ownServer } from "../postgres_server.ts";
import { type Proxy, startProxy } from "../proxy.ts";
import { DATABASES } from "./database.ts";
import { openAt, pay } from "./place.ts";

const retry = { attempts: 2, delay: 1, jitter: false } as const;

test("postgres: a connection lost during a body consumes no attempt: the body runs again on another connection", async () => {
  await using database = await DATABASES.postgres();
  let calls = 0;
  const flow = workflow("payment").task("pay", {
    retry: 1,
    ...transaction,
    async run({ tx, ctx }) {
      await pay(tx, `call ${++calls}`);
      if (calls === 1) await tx`select pg_terminate_backend(pg_backend_pid())`;
      return ctx.attempt;
    },
  });
  await using runner = await createRunner(await database.open(), { workflows: [flow] });
  assertEquals(await (await runner.start(flow)).result(), { pay: 1 });
  assertEquals(await database.payers(), ["call 2"]);
});

test("postgres: a connection lost without an error in the body consumes no attempt", async () => {
  await using database = await DATABASES.postgres();
  let calls = 0;
  const flow = workflow("payment").task("pay", {
    retry: 1,
    ...transaction,
    async run({ tx, ctx }) {
      await pay(tx, `call ${++calls}`);
      if (calls === 1) await tx`select pg_terminate_backend(pg_backend_pid())`.catch(() => {});
      return ctx.attempt;
    },
  });
  await using runner = await createRunner(await database.open(), { workflows: [flow] });
  assertEquals(await (await runner.start(flow)).result(), { pay: 1 });
  assertEquals(await database.payers(), ["call 2"]);
});

for (const lost of ["the response to a commit", "the response to the record"] as const) {
  test(`postgres: if ${lost} is lost, effects happen once, in the first attempt`, async () => {
    await using database = await DATABASES.postgres();
    let calls = 0;
    let proxy: Proxy | undefined;
    const flow = workflow("payment").task("pay", {
      retry: 1,
      ...transaction,
      async run({ tx, ctx }) {
        await pay(tx, `call ${++calls}`);
        if (calls === 1 && lost === "the response to a commit") proxy!.muteOn("commit", /sluice transaction/);
        return { call: calls, attempt: ctx.attempt };
      },
    });
    const url = new URL(database.place.url);
    await using made = proxy = await startProxy({ host: url.hostname, port: Number(url.port) });
    url.port = String(made.port);
    const store = await openAt({ ...database.place, url: url.href });
    const runner = await createRunner(store, { workflows: [flow] });
    const recording = made.asked("'5000', true) as idle");
    const run = await runner.start(flow);
    await recording;
    if (lost === "the response to the record") made.hold();
    else while ((await database.payers()).length === 0);
    made.cut();
    made.flow();
    const { pay: result } = await run.result();
    assertEquals(result.attempt, 1);
    assertEquals(await database.payers(), [`call ${result.call}`]);
    assertEquals(calls, lost === "the response to a commit" ? 1 : 2);
    await runner.stop();
    await store.close();
  });
}

test("postgres: a connection that is cut while the driver reads the types of the database does not crash the process", async () => {
  await using database = await DATABASES.postgres();
  const url = new URL(database.place.url);
  await using proxy = await startProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", note);
  const flow = workflow("payment", { input: unchecked<number>() }).task("pay", {
    retry: 1,
    ...transaction,
    run: async ({ tx, input }) =>
      (await tx`select array[${input}::int, 7] as numbers`)[0]?.["numbers"] as (number | null)[],
  }).returns("pay");
  const store = await openAt({ ...database.place, url: url.href });
  const runner = await createRunner(store, { workflows: [flow] });
  for (let n = 0; n < 5; n++) {
    const asked = proxy.asked("typarray");
    const run = await runner.start(flow, n);
    await asked;
    proxy.cut();
    assertEquals(await run.result(), [n, 7]);
    proxy.cut();
  }
  await runner.stop();
  await store.close();
  process.off("unhandledRejection", note);
  assertEquals(unhandled, []);
});

/** Settings that limit a session, each with a body that exceeds the limit. */
const LIMITS = {
  idle_in_transaction_session_timeout: () => new Promise(() => {}),
  transaction_timeout: (tx: PostgresTransaction) => tx`select pg_sleep(2)`.then(() => {}),
} satisfies Record<string, (tx: PostgresTransaction) => Promise<unknown>>;

for (const [setting, exceed] of Object.entries(LIMITS)) {
  test(`postgres: a body that exceeds ${setting} fails its attempt, and the error names the setting`, async () => {
    await using database = await DATABASES.postgres();
    if (setting === "transaction_timeout" && await database.version() < 17) return;
    let calls = 0;
    const flow = workflow("payment").task("pay", {
      retry,
      ...transaction,
      async run({ tx, ctx }) {
        await pay(tx, `call ${++calls}`);
        if (ctx.attempt === 1) await exceed(tx);
        return ctx.attempt;
      },
    });
    const url = `${database.place.url}&options=-c%20${setting}%3D300ms`;
    const store = await openAt({ ...database.place, url });
    const runner = await createRunner(store, { workflows: [flow] });
    const run = await runner.start(flow);
    assertEquals(await run.result(), { pay: 2 });
    const [{ failures } = { failures: [] }] = await run.tasks();
    assertEquals(failures.length, 1);
    assertStringIncludes(failures[0]!.error.message, setting);
    assertEquals([calls, await database.payers()], [2, ["call 2"]]);
    await runner.stop();
    await store.close();
  });
}

test("postgres: an attempt fails if its body ends its own connection every time, and the error states the reason", async () => {
  await using database = await DATABASES.postgres();
  let calls = 0;
  const flow = workflow("payment").task("pay", {
    retry: 1,
    ...transaction,
    async run({ tx }) {
      calls++;
      await tx`select pg_terminate_backend(pg_backend_pid())`;
    },
  });
  await using runner = await createRunner(await database.open(), { workflows: [flow], logger: silent });
  const outcome = await runner.execute(flow);
  assertEquals(outcome.status, "failed");
  if (outcome.status === "failed") assertStringIncludes(outcome.error.message, "its connection ended 20 times");
  assertEquals(calls, 20);
});

for (const code of ["53100", "53200", "53400", "58030"]) {
  test(`postgres: a body is retried while the server is out of resources (${code}), without consuming an attempt`, async () => {
    await using database = await DATABASES.postgres();
    let calls = 0;
    const flow = workflow("payment").task("pay", {
      retry: 1,
      ...transaction,
      async run({ tx, ctx }) {
        await pay(tx, `call ${++calls}`);
        if (calls < 4) await tx.unsafe(`do $$ begin raise exception 'full' using errcode = '${code}'; end $$`);
        return ctx.attempt;
      },
    });
    await using runner = await createRunner(await database.open(), { workflows: [flow], logger: silent });
    assertEquals(await (await runner.start(flow)).result(), { pay: 1 });
    assertEquals(await database.payers(), ["call 4"]);
  });
}

test("postgres: a runner whose run is taken over during a body writes nothing, and the new owner writes once", async () => {
  await using database = await DATABASES.postgres();
  const [begun, goOn, aborted] = [0, 1, 2].map(() => Promise.withResolvers<unknown>());
  const flow = workflow("payment", { version: "1" }).task("pay", {
    retry: 1,
    ...transaction,
    async run({ tx, ctx }) {
      begun!.resolve(undefined);
      const isFirst = !isTaken;
      await pay(tx, isFirst ? "stale" : "heir");
      ctx.signal.addEventListener("abort", () => aborted!.resolve(ctx.signal.reason));
      if (isFirst) await goOn!.promise;
      return isFirst ? "stale" : "heir";
    },
  });
  let isTaken = false;
  const stale = await createRunner(await database.open(), { workflows: [flow] });
  const run = await stale.start(flow);
  await begun!.promise;
  isTaken = true;
  const other = await database.open();
  const [member] = await other.runners();
  assertEquals((await other.recover({ dead: [member!.id], recoveryLimit: 5, limit: 10 })).released.length, 1);
  await using heir = await createRunner(other, { workflows: [flow] });
  assertEquals(await (await heir.get(run.id)).result(), { pay: "heir" });
  goOn!.resolve(undefined);
  assertEquals((await aborted!.promise as Error).name, "LeaseLostError");
  await stale.stop();
  assertEquals(await database.payers(), ["heir"]);
});

test("postgres: an attempt whose commit the server rejects fails, and its writes are rolled back", async () => {
  await using database = await DATABASES.postgres();
  const flow = workflow("payment").task("pay", {
    retry,
    timeout: "5s",
    ...transaction,
    async run({ tx, ctx }) {
      await tx.unsafe("create table if not exists once (n integer unique deferrable initially deferred)");
      await tx`insert into once values (1)`;
      if (ctx.attempt === 1) await tx`insert into once values (1)`;
      return ctx.attempt;
    },
  });
  await using runner = await createRunner(await database.open(), { workflows: [flow] });
  const run = await runner.start(flow);
  assertEquals(await run.result(), { pay: 2 });
  const [failure] = (await run.tasks())[0]!.failures;
  assert(failure?.error.message.includes("duplicate key"), failure?.error.message);
});

test("postgres: a body that catches an error of the server still fails, because the server rolls the transaction back", async () => {
  await using database = await DATABASES.postgres();
  const flow = workflow("payment").task("pay", {
    retry: 1,
    ...transaction,
    async run({ tx }) {
      await pay(tx, "ada");
      await tx`select 1 / 0`.catch(() => {});
      return "paid";
    },
  }).task("tidy", {
    ...transaction,
    async run({ tx }) {
      await pay(tx, "eve");
      await tx.savepoint((point) => point`select 1 / 0`).catch(() => {});
      return "tidied";
    },
  });
  await using runner = await createRunner(await database.open(), { workflows: [flow] });
  const run = await runner.start(flow);
  const outcome = await run.outcome();
  assert(outcome.status === "failed" && outcome.error.message.includes("division by zero"));
  assertEquals(outcome.outputs, { tidy: "tidied" });
  assertEquals(await database.payers(), ["eve"]);
});

test("postgres: transactions continue after a restart of the server, and each is committed once", async () => {
  await using server = await ownServer();
  const sql = postgres(server.url, { max: 1, onnotice() {}, max_lifetime: null });
  await sql`create table payments (payer text not null)`;
  const flow = workflow("payment", { input: unchecked<number>() }).task("pay", {
    retry: 1,
    ...transaction,
    async run({ tx, input, ctx }) {
      await pay(tx, `${input}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
      return ctx.attempt;
    },
  });
  const runner = await createRunner(server.url, { workflows: [flow] });
  const runs = await runner.startMany(flow, Array.from({ length: 400 }, (_, n) => n));
  await runs[50]!.result();
  await server.restart();
  const attempts = await Promise.all(runs.map((run) => run.result().then(({ pay }) => pay)));
  assertEquals(new Set(attempts), new Set([1]));
  const payers = await sql<{ payer: string }[]>`select payer from payments`.catch(() =>
    sql`select payer from payments`
  );
  assertEquals(payers.map(({ payer }) => Number(payer)).sort((a, b) => a - b), runs.map((_, n) => n));
  await runner.stop();
  await sql.end();
});

test("postgres: a closed store rejects transactions", async () => {
  await using database = await DATABASES.postgres();
  const store = await openAt(database.place);
  await store.close();
  const signal = new AbortController().signal;
  const body = () => Promise.reject(new Error("it was called"));
  const closed = store.transact({ seq: 1, epoch: 1, task: "pay", item: -1, body, signal, committing() {} });
  await assertRejects(() => closed, StoreError, "the store was closed");
});

test("postgres: a fake clock does not advance while the server executes a statement of a transaction", async () => {
  await using database = await DATABASES.postgres();
  const clock = createFakeClock();
  const startedAt = clock.now();
  const flow = workflow("payment")
    .task("pay", { ...transaction, run: ({ tx }) => tx`select pg_sleep(0.2)`.then(() => pay(tx, "first")) })
    .task("again", { after: ["pay"], ...transaction, run: ({ tx }) => pay(tx, "second") });
  await using runner = await createRunner(await database.open({ clock }), { workflows: [flow], clock });
  const ended = runner.start(flow).then((run) => run.result()).then(() => clock.now());
  assertEquals(await clock.until(ended), startedAt);
  assertEquals(await database.payers(), ["first", "second"]);
  await clock.until(runner.stop());
});

test("postgres: a fake clock advances while a transaction is blocked by a body that waits for the clock", async () => {
  await using database = await DATABASES.postgres();
  const clock = createFakeClock();
  const holds = Promise.withResolvers<void>();
  const lock = (tx: PostgresTransaction) => tx`select pg_advisory_xact_lock(1)`;
  const flow = workflow("payments")
    .task("holder", {
      ...transaction,
      async run({ tx }) {
        await lock(tx);
        holds.resolve();
        await new Promise<void>((resolve) => void clock.after(5_000, resolve));
      },
    })
    .task("blocked", {
      ...transaction,
      async run({ tx }) {
        await holds.promise;
        await lock(tx);
      },
    });
  await using runner = await createRunner(await database.open({ clock }), { workflows: [flow], clock });
  const ended = runner.start(flow).then((run) => run.result());
  assertEquals(await clock.until(ended), { holder: undefined, blocked: undefined });
  await clock.until(runner.stop());
});
