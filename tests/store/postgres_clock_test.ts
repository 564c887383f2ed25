/** The clock of the server, which may be set while runners work. */
import { assert, assertEquals } from "@std/assert";
import postgres from "postgres";
import { createClient, createRunner, workflow } from "../../mod.ts";
import { createServerClock } from "../../lib/store/postgres/connect/clock.ts";
import { openPostgresStore } from "../../lib/store/postgres/mod.ts";
import { test } from "../harness.ts";
import { ownServer } from "../postgres_server.ts";
import { testSchema } from "./postgres_schema.ts";
import { until } from "../within.ts";

const HOUR_MS = 3_600_000;

test("the estimate of the server's clock follows a clock that is set forward and back", () => {
  let local = 1_000;
  const clock = createServerClock(() => local);
  const learn = (serverMs: number, tookMs: number): void => {
    local += tookMs;
    clock.learn(serverMs, local - tookMs);
  };
  learn(500_000, 10);
  assertEquals(clock.now(), 500_005);
  local += 1_000;
  // Less precise readings that agree with the first one do not replace it.
  learn(501_400, 800);
  assertEquals(clock.now(), 501_805);
  learn(501_810 + HOUR_MS, 10);
  assertEquals(clock.now(), 501_815 + HOUR_MS);
  local += 6_000;
  // An imprecise response also shows that the clock was set back.
  learn(508_000, 200);
  assertEquals(clock.now(), 508_100);
  // After a step back of less than a second the estimate does not advance for some time.
  learn(507_600, 0);
  assertEquals(clock.now(), 508_100);
  local += 600;
  assertEquals(clock.now(), 508_200);
});

test("the estimate of the server's clock is never behind a time that the server has returned", () => {
  let local = 1_000;
  const clock = createServerClock(() => local);
  clock.learn(500_000, 990);
  local += 100;
  // The server read its clock at the end of the request, and the estimate supposes the middle.
  clock.learn(500_140, 1_020);
  assertEquals(clock.now(), 500_140);
  local += 100;
  assertEquals(clock.now(), 500_205);
});

test("a response of unknown age does not set the estimate", () => {
  let local = 0;
  const clock = createServerClock(() => local);
  clock.learn(100_000, 0);
  local = 20_000;
  // The server may have read its clock at any moment of these twenty seconds.
  clock.learn(100_500, 100);
  assert(clock.now() >= 110_000);
});

/** Shifts the clock of the server for every session. */
async function falsifyClock(sql: postgres.Sql): Promise<(ms: number) => Promise<void>> {
  await sql.unsafe(`
    set allow_system_table_mods = on;
    create table public.clock_error (ms bigint not null);
    insert into public.clock_error values (0);
    alter function pg_catalog.clock_timestamp() rename to right_timestamp;
    create function pg_catalog.clock_timestamp() returns timestamptz language sql volatile as
      $$ select timeofday()::timestamptz + (select ms from public.clock_error) * interval '1 millisecond' $$`);
  return async (ms) => void await sql`update public.clock_error set ms = ${ms}`;
}

test("postgres: runs time out and wait correctly after the server's clock was an hour ahead for some time", async () => {
  await using server = await ownServer();
  const sql = postgres(server.url, { max: 1, onnotice() {} });
  const setAhead = await falsifyClock(sql);
  const store = await openPostgresStore(server.url);
  const quick = workflow("quick").task("run", { run: () => 7 }).returns("run");
  const retried = workflow("retried").task("run", {
    retry: { attempts: 2, delay: 50, jitter: false },
    run({ ctx }) {
      if (ctx.attempt === 1) throw new Error("not yet");
      return ctx.attempt;
    },
  }).returns("run");
  const runner = await createRunner(store, { workflows: [quick, retried], lease: "3s" });
  const real = (): boolean => Math.abs(store.now() - Date.now()) < HOUR_MS / 2;
  assert(real());
  await setAhead(HOUR_MS);
  await until(() => !real(), "the hour is noticed");
  assertEquals(await (await runner.start(quick, undefined, { timeout: "5m" })).result(), 7);
  await setAhead(0);
  await until(real, "the right time is noticed");
  assertEquals(await (await runner.start(quick, undefined, { timeout: "5m" })).result(), 7);
  assertEquals(await (await runner.start(retried)).result(), 2);
  const delayed = await runner.start(quick, undefined, { delay: 50 });
  assertEquals(await delayed.result(), 7);
  await runner.stop();
  await store.close();
  await sql.end();
});

test("postgres: a runner that died while the server's clock was ahead is recovered when its lease has passed", async () => {
  await using on = testSchema();
  const flow = workflow("flow").task("run", { run: () => 7 }).returns("run");
  await using runner = await createRunner(await on.open(), { workflows: [flow], lease: "3s" });
  await using client = await createClient(await on.open(), { workflows: [flow] });
  const run = await client.start(flow, undefined, { delay: "1h" });
  const [dead] = await on.sql`
    insert into runners (host, pid, served, pinned, concurrency, max_runs, started_at, lease_ms, lease_until)
    select 'elsewhere', 1, '[]', 0, 1, 1, 0, 1000, ${Date.now() + HOUR_MS} returning id`;
  await on.sql`update runs set owner = ${dead?.["id"]}, epoch = 1, state = 'running'`;
  assertEquals(await (await runner.get(run.id)).result(), 7);
});
