/** Rows, tables and schemas that an idle session of another application keeps locked. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createClient, createRunner, RunStateError, unchecked, workflow } from "../../mod.ts";
import type { Logger } from "../../lib/logger.ts";
import { StoreError } from "../../lib/errors.ts";
import { migrate } from "../../lib/store/postgres/schema/migrations.ts";
import { createTenant, removeTenant } from "../../lib/store/postgres/mod.ts";
import { openSession } from "../../lib/store/postgres/schema/open.ts";
import { MIGRATIONS } from "../../lib/store/postgres/schema/schema.ts";
import { test } from "../harness.ts";
import { startProxy } from "../proxy.ts";
import { type TestSchema, testSchema } from "../store/postgres_schema.ts";
import { HANG_MS, until, within } from "../within.ts";

function recorder(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  return { lines, logger: { debug() {}, info() {}, warn: log, error: log } };
}

/** A session with an open transaction that has executed a statement; it ends with the scope. */
async function forgotten({ sql }: TestSchema, statement: string): Promise<AsyncDisposable> {
  const session = await sql.reserve();
  await session.unsafe("begin");
  await session.unsafe(statement);
  return {
    async [Symbol.asyncDispose]() {
      await session.unsafe("rollback");
      session.release();
    },
  };
}

for (const prepare of [true, false]) {
  test(`postgres: two runs whose rows an idle session keeps locked do not delay other runs, with prepare: ${prepare}`, async () => {
    await using on = testSchema();
    const { logger, lines } = recorder();
    const store = await on.open({ logger, prepare });
    const [begun, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let waiting = 0;
    const flow = workflow("flow", { input: unchecked<boolean>() })
      .task("a", {
        run: async ({ input }) => {
          if (input && ++waiting === 2) begun.resolve();
          if (input) await goOn.promise;
          return 1;
        },
      })
      .task("b", { after: ["a"], run: ({ a }) => a + 1 })
      .returns("b");
    const endless = workflow("endless").task("wait", {
      run: ({ ctx }) => new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve())),
    });
    await using runner = await createRunner(store, { workflows: [flow, endless], logger });
    const held = [await runner.start(flow, true), await runner.start(flow, true)];
    const other = await runner.start(endless);
    await begun.promise;
    {
      const ids = held.map(({ id }) => `'${id}'`).join();
      await using _locks = await forgotten(on, `select 1 from runs where id in (${ids}) for update`);
      goOn.resolve();
      await until(() => lines.some((line) => line.includes("locked")), "the locks are noticed");
      for (let n = 0; n < 20; n++) {
        assertEquals(await within("another run", (await runner.start(flow, false)).result()), 2);
      }
      await within("a cancel of another run", other.cancel());
      assertEquals((await within("its end", other.outcome())).status, "cancelled");
      // Waiting for the locks takes few statements.
      const before = store.counters().statements;
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      const statements = store.counters().statements - before;
      assert(statements < 30, `${statements} statements`);
    }
    assertEquals(await Promise.all(held.map((run) => run.result())), [2, 2]);
    assertEquals(lines.filter((line) => /locked/i.test(line)).length, 2, lines.join("\n"));
    assertStringIncludes(lines.at(-1)!, "are free again");
  });
}

test("postgres: a cancel of a run whose row is locked does not delay cancels of other runs", async () => {
  await using on = testSchema();
  const flow = workflow("flow").task("a", { run: () => 1 });
  await using client = await createClient(await on.open(), { workflows: [flow] });
  const [locked, other] = [await client.start(flow), await client.start(flow)];
  let cancelled: Promise<void>;
  {
    await using _lock = await forgotten(on, `select 1 from runs where id = '${locked.id}' for update`);
    cancelled = locked.cancel();
    await within("a cancel of another run", other.cancel());
    assertEquals((await locked.status()).state, "pending");
  }
  await within("the cancel", cancelled);
  assertEquals((await locked.status()).state, "cancelled");
});

test("postgres: a client that is suspended during a cancel, with the row of the run locked, does not delay the run", async () => {
  await using on = testSchema();
  const goOn = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const flow = workflow("flow").task("a", {
    async run() {
      begun.resolve();
      await goOn.promise;
      return 1;
    },
  }).returns("a");
  const url = new URL(on.url);
  await using proxy = await startProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  await using runner = await createRunner(await on.open(), { workflows: [flow] });
  await using client = await createClient(await on.open({ url: url.href }), { workflows: [flow] });
  const run = await runner.start(flow);
  await begun.promise;
  const handle = await client.get(run.id);
  const locked = proxy.asked("select dead, lease_ms");
  proxy.holdAfter("select dead, lease_ms");
  const cancelled = handle.cancel();
  await locked;
  goOn.resolve();
  assertEquals(await within("the result", run.result()), 1);
  proxy.flow();
  await assertRejects(() => cancelled, RunStateError);
});

for (const prepare of [true, false]) {
  test(`postgres: a runner that is suspended during an exchange of limits does not delay others, with prepare: ${prepare}`, async () => {
    await using on = testSchema();
    const url = new URL(on.url);
    await using proxy = await startProxy({ host: url.hostname, port: Number(url.port) });
    url.port = String(proxy.port);
    let active = 0;
    let most = 0;
    const flow = workflow("flow", { version: "1", limits: [{ name: "runs", max: 50 }] }).task("a", {
      limits: [{ name: "two", max: 2 }],
      async run() {
        most = Math.max(most, ++active);
        await new Promise((resolve) => setTimeout(resolve, 20));
        active--;
        return 1;
      },
    }).returns("a");
    const { logger } = recorder();
    const store = await on.open({ url: url.href, logger, prepare });
    // Its first exchange takes the lock of all exchanges, in a transaction that stays open from then on.
    const text = ", -1)::text as locked";
    const locked = proxy.asked(text);
    proxy.holdAfter(text);
    const opening = createRunner(store, { workflows: [flow], logger });
    await within("an exchange of the runner", locked);
    await using other = await createRunner(await on.open(), { workflows: [flow] });
    const runs = await other.startMany(flow, Array.from({ length: 20 }, () => undefined));
    assertEquals(await within("the other runs", Promise.all(runs.map((run) => run.result()))), runs.map(() => 1));
    proxy.flow();
    const stopped = await within("the runner that was stopped", opening);
    assertEquals(await within("a run of it", (await stopped.start(flow)).result()), 1);
    assertEquals(most, 2);
    await within("the stop", stopped.stop());
    await until(async () => (await other.limits()).length === 0, "no place is taken");
  });
}

/** In milliseconds: far less than the timeout of a statement, and more than a slow machine needs for a run. */
const LONGEST_RUN_MS = 12_000;

test("postgres: a migration that a dump blocks does not delay runners, and is executed after the dump", async () => {
  await using on = testSchema();
  const { logger, lines } = recorder();
  const flow = workflow("flow").task("a", { run: () => 1 }).returns("a");
  await using runner = await createRunner(await on.open(), { workflows: [flow] });
  const session = on.session(logger);
  const newer = [...MIGRATIONS, ["alter table @runs add column extra text"]];
  let opening: Promise<void>;
  {
    await using _dump = await forgotten(on, "lock table runs, tasks in access share mode");
    opening = openSession(session, HANG_MS, (one) => migrate(one, newer));
    await until(() => lines.length > 0, "a line in the log");
    for (let n = 0; n < 20; n++) {
      const since = performance.now();
      assertEquals(await (await runner.start(flow)).result(), 1);
      assert(performance.now() - since < LONGEST_RUN_MS);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assertEquals(
      (await on.sql`select value from meta where key = 'sluice_schema'`)[0]?.["value"],
      String(MIGRATIONS.length),
    );
  }
  await opening;
  assertEquals(
    (await on.sql`select value from meta where key = 'sluice_schema'`)[0]?.["value"],
    String(MIGRATIONS.length + 1),
  );
  assertEquals(lines.length, 1);
  assertStringIncludes(lines[0]!, "another session holds a lock");
});

test("postgres: a migration that a lock blocks for too long fails, and the error states the remedy", async () => {
  await using on = testSchema();
  await (await on.open()).close();
  await on.sql`update meta set value = '0' where key = 'sluice_schema'`;
  await using _lock = await forgotten(on, "lock table meta in access exclusive mode");
  const error = await assertRejects(() => on.open({ connectTimeoutMs: 3_000 }), StoreError);
  assertEquals(error.code, "schema_locked");
  assertStringIncludes(error.message, "pg_locks");
});

test("postgres: advisory locks that another role holds do not prevent the creation or removal of a tenant", async () => {
  await using on = testSchema();
  const role = `${on.schema}_role`;
  const locks = [["sluice", on.schema], ["sluice role", role]].map(([one, two]) =>
    `pg_advisory_lock(hashtext('${one}'), hashtext('${two}'))`
  );
  const holder = await on.sql.reserve();
  await holder.unsafe(`select ${locks.join(", ")}`);
  const options = { schema: on.schema, role, connectTimeoutMs: 20_000 };
  assertEquals(await createTenant(on.url, options), true);
  assertEquals(await removeTenant(on.url, options), true);
  await holder.unsafe("select pg_advisory_unlock_all()");
  holder.release();
});

test("postgres: advisory locks on keys that are derived from schema names delay no result and no recovery", async () => {
  await using on = testSchema();
  const flow = workflow("flow").task("a", { run: () => 1 }).task("b", { after: ["a"], run: () => 2 }).returns("b");
  const store = await on.open();
  const holder = await on.sql.reserve();
  await holder.unsafe(`
    select pg_advisory_lock(hashtext('sluice ${on.schema}'), n), pg_advisory_lock(hashtext('${on.schema}'), n)
      from generate_series(1, 100) as n`);
  const runner = await createRunner(store, { workflows: [flow] });
  assertEquals(await within("a result", (await runner.start(flow)).result()), 2);
  const other = await on.open();
  const [row] = await other.runners();
  const { more } = await other.recover({ dead: [row!.id], recoveryLimit: 5, limit: 10 });
  assertEquals([more, (await other.runners()).length], [false, 0]);
  await runner.stop();
  await holder.unsafe("select pg_advisory_unlock_all()");
  holder.release();
});
