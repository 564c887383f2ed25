/** Connections are cut, as in a failover, while a large tree is cancelled in parts and while ticks are caught up. */
import { assert, assertEquals } from "@std/assert";
import { createClient } from "../../mod.ts";
import { silent } from "../../lib/logger.ts";
import { type Child, ended, spawn } from "../child.ts";
import { randomTest } from "../harness.ts";
import { passes } from "../passes.ts";
import { databaseUrl } from "../postgres_server.ts";
import { type Proxy, startProxy } from "../proxy.ts";
import { testSchema } from "../store/postgres_schema.ts";
import { until, within } from "../within.ts";
import { CHILDREN, EVERY_MS, SCHEDULES, tree, treeWorkflows } from "./tree.ts";

// Started before any test, so that the leak sanitizer does not attribute the server to one.
const url = await databaseUrl();

async function proxied(): Promise<{ proxy: Proxy; way: string }> {
  const way = new URL(url);
  const proxy = await startProxy({ host: way.hostname, port: Number(way.port || 5432) });
  way.hostname = "127.0.0.1";
  way.port = String(proxy.port);
  return { proxy, way: way.href };
}

/** Cuts all connections after each pause, and sometimes refuses new ones, until `isOver` or at most `most` times. */
async function cutting(
  proxy: Proxy,
  pauseMs: (cuts: number) => number,
  isOver: () => boolean,
  most: number,
): Promise<number> {
  let cuts = 0;
  for (; cuts < most && !isOver(); cuts++) {
    await passes(pauseMs(cuts));
    if (isOver()) break;
    if (cuts % 3 === 2) proxy.refuse();
    proxy.cut();
    await passes(100);
    proxy.accept();
  }
  return cuts;
}

async function end(child: Child): Promise<void> {
  await child[Symbol.asyncDispose]();
}

async function stop(child: Child): Promise<void> {
  child.kill("SIGTERM");
  const { code, stderr } = await ended(child);
  assertEquals([code, stderr], [0, ""]);
}

// The owner of a run cancels its descendants; in a tree without owners the client does, while a runner joins.
for (const [whose, isOwned] of [["a runner has in memory", true], ["has no owner", false]] as const) {
  randomTest(
    `postgres: a large tree that ${whose} ends as cancelled if connections are cut during the cancel`,
    async (random) => {
      await using on = testSchema();
      const { proxy, way } = await proxied();
      await using _ = proxy;
      const start = (): Child => spawn("./faults/tree_process.ts", [way, on.schema]);
      const runners = [start()];
      await using _runners = { [Symbol.asyncDispose]: async () => void await Promise.all(runners.map(end)) };
      await runners[0]!.until("ready");
      await using client = await createClient(way, { schema: on.schema, workflows: treeWorkflows, logger: silent });
      const run = await client.start(tree);
      await until(async () => (await on.sql`select 1 from runs where workflow = 'grandchild'`).length === CHILDREN);
      if (!isOwned) {
        await stop(runners.pop()!);
        assertEquals([...await on.sql`select 1 from runs where owner is not null`], []);
        runners.push(start());
      }
      let isOver = false;
      const cancel = run.cancel("enough").finally(() => isOver = true);
      const cuts = await cutting(proxy, (cuts) => random.next() * Math.min(300, 10 * 2 ** cuts), () => isOver, 12);
      await within("the cancel", cancel);
      await until(async () => (await on.sql`select 1 from runs where ended_at is null limit 1`).length === 0);
      const rows = await on.sql`select state, count(*)::int as n from runs group by state`;
      assertEquals(rows.map((row) => ({ ...row })), [{ state: "cancelled", n: 1 + 2 * CHILDREN }]);
      assert(cuts > 0, "no connection was cut");
      assertEquals((await run.status()).reason, "enough");
      if (!isOwned) await runners[0]!.until("ready");
      await stop(runners[0]!);
    },
  );
}

randomTest(
  "postgres: each caught-up tick has one run if connections are cut meanwhile",
  async (random) => {
    await using on = testSchema();
    const { proxy, way } = await proxied();
    await using _ = proxy;
    const args = [way, on.schema, "schedules"];
    {
      await using first = spawn("./faults/tree_process.ts", args);
      await first.until("ready");
      await until(async () => (await on.sql`select 1 from runs`).length > SCHEDULES);
      first.kill("SIGKILL");
      await first.exited;
    }
    const before = Number((await on.sql`select count(*)::int as n from runs where tick is not null`)[0]!["n"]);
    // The time to catch up.
    await passes(5_000);
    const missed = SCHEDULES * 5_000 / EVERY_MS;
    let isOver = false;
    const cutter = cutting(proxy, () => 50 + random.next() * 400, () => isOver, 25);
    const runners = [1, 2].map(() => spawn("./faults/tree_process.ts", args));
    try {
      for (const runner of runners) await runner.until("ready");
      await until(async () =>
        Number((await on.sql`select count(*)::int as n from runs where tick is not null`)[0]!["n"]) >= before + missed
      );
      isOver = true;
      assert(await cutter > 0, "no connection was cut");
      await using client = await createClient(url, { schema: on.schema, workflows: treeWorkflows });
      for (let at = 0; at < SCHEDULES; at++) await client.schedules.pause(`s${at}`);
      await until(async () => (await on.sql`select 1 from runs where ended_at is null limit 1`).length === 0);
      const rows = await on.sql`
      select schedule, count(*)::int as n, count(distinct tick)::int as ticks, min(tick) as first, max(tick) as last
        from runs
       where tick is not null
       group by schedule`;
      assertEquals(rows.length, SCHEDULES);
      const wrong = rows.filter(({ n, ticks, first, last }) => n !== ticks || n !== 1 + (last - first) / EVERY_MS);
      assertEquals(wrong.map((row) => ({ ...row })), []);
      for (const { schedule, n } of rows) {
        const { counts } = await client.schedules.get(schedule);
        assertEquals(counts, { started: n, overlapped: 0, missed: 0, failed: 0 }, schedule);
      }
      assertEquals([...await on.sql`select state from runs where state <> 'completed' limit 1`], []);
      for (const runner of runners) await stop(runner);
    } finally {
      isOver = true;
      await cutter;
      for (const runner of runners) await runner[Symbol.asyncDispose]();
    }
  },
);
