/** Requests cost no more with many runs than with a few. */
import { assert, assertEquals } from "@std/assert";
import type { RunsPage } from "../../lib/inspector/shapes.ts";
import { systemClock } from "../../lib/clock.ts";
import { silent } from "../../lib/logger.ts";
import { createInspection } from "../../lib/store/sql/inspection.ts";
import { createPersistence } from "../../lib/store/sqlite/busy.ts";
import { createDatabase } from "../../lib/store/sqlite/database.ts";
import { openConnection } from "../../lib/store/sqlite/driver.ts";
import { createSession } from "../../lib/store/sqlite/session.ts";
import { test } from "../harness.ts";
import { until } from "../within.ts";
import { ask, type Ground, ground, KINDS } from "./ground.ts";
import { fillHistory, QUESTIONS } from "./history.ts";

const RUNS = 120_000;
const PENDING = 15_000;

// Up to ten thousand each are read to find where a search stops, to search, to count all, what is due, and what is late;
// to go through the table but once would be more.
const MOST_ROWS = 80_000;

for (const kind of KINDS) {
  test(`${kind}: a long history is counted about, and searched bit by bit`, async () => {
    await using on = ground(kind);
    await (await on.open()).close();
    await fillHistory(on, kind, { runs: RUNS, pending: PENDING });
    const reader = await on.open({ readOnly: true });
    const asked = ask(reader);
    const get = async (query: string): Promise<RunsPage> => await (await asked(`/api/runs${query}`)).json();
    const { counts, runs } = await get("");
    assertEquals(runs.length, 50);
    assertEquals([counts.failed, counts.cancelled], [exactly(RUNS / 100), exactly(RUNS / 1_000)]);
    assertEquals([counts.completed.precision, counts.pending.precision], ["about", "about"]);
    assertNear(counts.completed.count, RUNS * 0.988);
    assertNear(counts.pending.count, PENDING);
    // The only one with this tag was the seventh: page by page it is found.
    let page = await get("?tag=rare");
    let pages = 1;
    for (; page.runs.length === 0; pages++) {
      assert(page.searchedBackTo !== undefined && page.cursor !== undefined);
      page = await get(`?tag=rare&cursor=${page.cursor}`);
    }
    assertEquals([page.runs.length, page.nextHref], [1, undefined]);
    assertEquals(pages, Math.ceil((RUNS + PENDING) / 10_000));
    // A time is found by halving, and not by going there.
    const [middle] = (await get(`?until=${page.runs[0]!.createdAt + RUNS / 2}`)).runs;
    assertEquals(middle!.createdAt, page.runs[0]!.createdAt + RUNS / 2 - 1);
    await reader.close();
    if (kind === "postgres") await assertFewRows(on);
    else await assertBoundedPlans(on);
  });
}

/** The server counts what a connection has read, and says so when that has ended. */
async function assertFewRows(on: Ground): Promise<void> {
  const store = await on.open({ readOnly: true });
  const [row] = await store.list({ ...ALL, states: ["failed"] });
  await store.close();
  const costs: [string, number][] = [];
  for (const question of QUESTIONS) {
    const before = await rowsRead(on);
    const reader = await on.open({ readOnly: true });
    const answer = await ask(reader)(asPath(question, row!.id));
    assertEquals([question, answer.status], [question, 200]);
    await answer.body?.cancel();
    await reader.close();
    costs.push([question, await rowsRead(on) - before]);
  }
  assertEquals(costs.filter(([, rows]) => rows <= 0 || rows > MOST_ROWS), []);
}

async function rowsRead(on: Ground): Promise<number> {
  const connections = `select count(*) as n from pg_stat_activity where application_name like 'sluice%${on.schema}'`;
  await until(async () => (await on.run(connections))[0]?.["n"] === 0);
  const [tables] = await on.run(`
    select sum(seq_tup_read) + (select sum(idx_tup_read) from pg_stat_user_indexes where schemaname = '${on.schema}') as n
      from pg_stat_user_tables
     where schemaname = '${on.schema}'`);
  return Number(tables?.["n"]);
}

/** SQLite says of each statement how it goes about it: whatever goes through a table must have a limit. */
async function assertBoundedPlans(on: Ground): Promise<void> {
  const store = await on.open({ readOnly: true });
  const [row] = await store.list({ ...ALL, states: ["failed"] });
  const connection = await openConnection(on.url.slice("sqlite://".length));
  const texts = new Set<string>();
  const prepare = (sql: string) => (texts.add(sql), connection.prepare(sql));
  const session = createSession({ ...connection, prepare }, createPersistence("history", silent), {
    name: "history",
    clock: systemClock,
    logger: silent,
    committed() {},
  });
  const inspection = createInspection(createDatabase(session), () => Promise.resolve("1"));
  const asked = ask({ ...store, inspection });
  for (const question of QUESTIONS) assertEquals((await asked(asPath(question, row!.id))).status, 200);
  const plans = [...texts].filter((sql) => sql.includes("select")).map((sql) => ({
    sql,
    steps: connection.prepare(`explain query plan ${sql}`).all().map(({ detail }) => String(detail)),
  }));
  connection.close();
  assert(plans.length > 20);
  const endless = plans.filter(({ sql, steps }) =>
    steps.some((step) => /^SCAN (runs|tasks|events|workflows)\b/.test(step)) && !/\blimit \$\d/.test(sql)
  );
  assertEquals(endless, []);
  const sorted = plans.filter(({ sql, steps }) =>
    // What is sorted may be a part that has a limit itself.
    steps.includes("USE TEMP B-TREE FOR ORDER BY") && /from runs|from tasks/.test(sql) &&
    !/\blimit \$\d+\) as/.test(sql)
  );
  assertEquals(sorted, []);
}

const ALL = {
  workflow: undefined,
  states: undefined,
  tags: undefined,
  since: undefined,
  until: undefined,
  limit: 1,
  before: undefined,
};

function asPath(question: string, run: string): string {
  return question.replaceAll("MIDDLE", String(Date.now() - RUNS / 2)).replaceAll("RUN", run);
}

function exactly(count: number): RunsPage["counts"]["failed"] {
  return { count, precision: "exact" };
}

function assertNear(count: number, wanted: number): void {
  assert(Math.abs(count / wanted - 1) < 0.25, `${count} is far from ${wanted}`);
}
