/** Servers and connections that fail while work is in progress. */
import { assert, assertEquals } from "@std/assert";
import { silent } from "../../lib/logger.ts";
import { createHostOrder } from "../../lib/store/postgres/connect/hosts.ts";
import { lineFor } from "../../lib/store/postgres/connect/connections.ts";
import { createListener } from "../../lib/store/postgres/connect/listener.ts";
import { openPostgresStore } from "../../lib/store/postgres/store.ts";
import { parsePostgresUrl } from "../../lib/store/postgres/connect/url.ts";
import { ANY_CHANGE, type Store } from "../../lib/store/port/store.ts";
import { test } from "../harness.ts";
import { ownServer } from "../postgres_server.ts";
import { startProxy } from "../proxy.ts";
import { until } from "../within.ts";
import { JOURNAL } from "../journal.ts";
import { claimBy, join, newRun as newRunOfTests, record, start, write } from "./contract/fixture.ts";
import { type TestSchema, testSchema } from "./postgres_schema.ts";

const newRun = (owner?: number) => newRunOfTests({ dueAt: 0, owner });

/** Starts and ends runs until it is stopped; returns the ids of the runs whose end was confirmed. */
function work(store: Store, runner: number): { stop(): Promise<string[]>; readonly done: string[] } {
  const done: string[] = [];
  let isOver = false;
  const workers = Array.from({ length: 20 }, async () => {
    while (!isOver) {
      const run = newRun(runner);
      const [seq] = await start(store, run);
      assertEquals(await write(store, { seq: seq!, epoch: 1 }, [record("a")]), "accepted");
      assertEquals(await write(store, { seq: seq!, epoch: 1 }, [], { to: "completed", at: store.now() }), "accepted");
      done.push(run.id);
    }
  });
  const all = Promise.all(workers);
  all.catch(() => {});
  return {
    done,
    async stop() {
      isOver = true;
      await all;
      return done;
    },
  };
}

async function terminateAll({ sql, schema }: TestSchema): Promise<number> {
  const ended = await sql`
    select pg_terminate_backend(pid) from pg_stat_activity where application_name like ${`sluice%${schema}`}`;
  return ended.length;
}

test("postgres: terminating connections under load loses no write and repeats none", async () => {
  await using on = testSchema();
  const store = await on.open();
  const runner = await join(store);
  const unwatch = store.watch(() => {});
  const load = work(store, runner);
  for (let round = 1; round <= 8; round++) {
    // More than can be in progress at once, so that new connections have executed some of them.
    const before = load.done.length;
    await until(() => load.done.length >= before + 40);
    assert(await terminateAll(on) >= 1);
  }
  const done = await load.stop();
  unwatch();
  assert(store.counters().retries > 0);
  const rows = await on.sql`select id, state, epoch from runs order by seq`;
  assertEquals(new Set(rows.map(({ state, epoch }) => `${state} ${epoch}`)), new Set(["completed 1"]));
  assertEquals(rows.map(({ id }) => id).sort(), done.sort());
  assertEquals((await on.sql.unsafe(`select count(*) as n from ${JOURNAL}`))[0]?.["n"], done.length);
});

test("postgres: a hanging renewal of a short lease is sent again before the usual deadline", async () => {
  await using on = testSchema();
  const url = new URL(on.url);
  await using proxy = await startProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  const store = await on.open({ url: url.href });
  const runner = await join(store, 1_500);
  proxy.muteOn("lease_until = now");
  const began = performance.now();
  const renewal = store.renew(runner, 1_500);
  const retries = store.counters().retries;
  await until(() => store.counters().retries > retries);
  const waitedMs = performance.now() - began;
  proxy.flow();
  assertEquals((await renewal).alive, true);
  // After a third of the lease; otherwise the deadline of a renewal is five seconds.
  assert(waitedMs < 5_000, `given up after ${waitedMs} ms`);
});

test("postgres: a watcher receives notifications again after its connection was terminated", async () => {
  await using on = testSchema();
  const store = await on.open();
  const other = await on.open();
  let heard = 0;
  const unwatch = store.watch(() => heard++);
  // Notified when it begins to listen, because changes may have happened before.
  await until(() => heard > 0);
  heard = 0;
  await terminateAll(on);
  await until(() => heard > 0);
  heard = 0;
  await start(other, newRun());
  await until(() => heard > 0);
  unwatch();
});

test("postgres: a watcher is not notified of writes of its own store", async () => {
  await using on = testSchema();
  const store = await on.open();
  const other = await on.open();
  let heard = 0;
  const unwatch = store.watch(() => heard++);
  await until(() => heard > 0);
  heard = 0;
  for (let i = 0; i < 5; i++) await start(store, newRun());
  assertEquals(heard, 0);
  await start(other, newRun());
  await until(() => heard > 0);
  unwatch();
});

test("postgres: a listener that no longer receives data reconnects", async () => {
  await using on = testSchema();
  const url = new URL(on.url);
  await using proxy = await startProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  const warnings: string[] = [];
  const [address, hosts] = [parsePostgresUrl(url.href), createHostOrder(1)];
  const direct = { address: parsePostgresUrl(on.url), hosts, prepare: true, label: "test", logger: silent };
  const sender = lineFor("heartbeat", direct);
  const listener = createListener({
    address,
    hosts,
    sender,
    applicationName: "sluice test listener",
    logger: { ...silent, warn: (line) => void warnings.push(line) },
    selfTestMs: 20,
    // Long enough for a slow machine to connect.
    echoMs: 1_000,
  });
  let heard = 0;
  listener.watch(`sluice_${on.schema}`, () => ANY_CHANGE, () => heard++);
  await until(() => heard > 0);
  proxy.hold();
  await until(() => warnings.length > 0);
  heard = 0;
  proxy.flow();
  await until(() => heard > 0);
  await listener.close();
  await sender.close();
});

test("postgres: killing and restarting the server repeatedly under load loses no write", async () => {
  await using server = await ownServer();
  const store = await openPostgresStore(server.url, { schema: "restarts" });
  const runner = await join(store, 600_000);
  const load = work(store, runner);
  for (let round = 1; round <= 3; round++) {
    await until(() => load.done.length >= round * 100);
    await server.restart();
  }
  await until(() => load.done.length >= 400);
  const done = await load.stop();
  const counts = await store.counts();
  assertEquals([counts.completed, counts.running], [done.length, 0]);
  await start(store, newRun());
  const claim = await store.claim(claimBy(runner));
  assertEquals(claim.runs.length, 1);
  await store.close();
});

/** In milliseconds: far less than an hour, and more than a slow machine needs between two reads of the clock. */
const MINUTE_MS = 60_000;

test("postgres: a process whose wall clock is an hour off uses the clock of the server", async () => {
  await using on = testSchema();
  const real = Date.now;
  Date.now = () => real() + 3_600_000;
  try {
    const store = await on.open();
    const runner = await join(store, 600_000);
    const run = newRun(runner);
    const [seq] = await start(store, run);
    const [server] = await on.sql`select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now`;
    const now = Number(server?.["now"]);
    assert(Math.abs(store.now() - now) < MINUTE_MS);
    const [row] = await store.runners();
    assert(Math.abs(row!.leaseUntil - now - 600_000) < MINUTE_MS);
    assertEquals(await store.recover({ dead: [], recoveryLimit: 5, limit: 10 }), {
      released: [],
      failed: [],
      more: false,
    });
    await write(store, { seq: seq!, epoch: 1 }, [], { to: "waiting", dueAt: store.now() + 60_000, release: true });
    const claim = await store.claim(claimBy(runner));
    assertEquals(claim.runs, []);
    assert(Math.abs(claim.nextDueAt! - now - 60_000) < MINUTE_MS);
  } finally {
    Date.now = real;
  }
});
