/**
 * The cost of work for the database, in units that are the same on every machine: commits, statements, rows and bytes
 * of log. Each limit is slightly above the current cost, so that a change that raises the cost fails.
 *
 * The clock does not advance while runs execute, so that no timer adds to the counts, however slow the machine is.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { statSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { openPostgresStore } from "../lib/store/postgres/store.ts";
import type { Store, StoreCounters } from "../lib/store/port/store.ts";
import { openSqliteStore } from "../lib/store/sqlite/store.ts";
import { createFakeClock, type FakeClock } from "../lib/testing/mod.ts";
import {
  type AnyWorkflow,
  createClient,
  createRunner,
  type DynamicWorkflow,
  dynamicWorkflow,
  type Runner,
} from "../mod.ts";
import { cpuMsUntil } from "./cpu.ts";
import { test } from "./harness.ts";
import { ownServer } from "./postgres_server.ts";
import { testSchema } from "./store/postgres_schema.ts";
import { tempDir } from "./temp_dir.ts";

type Kind = "sqlite" | "postgres";

const chain = chainOf(3);
const fan = fanOf(100);
const ITEMS = 2_500;
const map = mapOf(ITEMS);
const CHILDREN = 1_000;
const family = familyOf(CHILDREN);

/** The limits per task. Rows are exact: two for each run, one of them with its last result, and one per other task. */
interface Limits {
  readonly commits: number;
  readonly statements: number;
}

const LIMITS: Readonly<Record<Kind, Readonly<Record<"chain" | "fan" | "map" | "family", Limits>>>> = {
  // One commit for the runs and one for each level of tasks, or two for a level that is too large for one.
  sqlite: {
    chain: { commits: 4 / 3_000, statements: 240 / 3_000 },
    fan: { commits: 8 / 10_200, statements: 370 / 10_200 },
    map: { commits: 13 / 10_000, statements: 380 / 10_000 },
    family: { commits: 6 / 1_000, statements: 225 / 1_000 },
  },
  // Three times as many, because three are in flight at once, and a third more, because their sizes depend on the load
  // of the machine. The result of a run that continues takes two statements.
  postgres: {
    chain: { commits: 18 / 3_000, statements: 27 / 3_000 },
    fan: { commits: 18 / 10_200, statements: 27 / 10_200 },
    map: { commits: 20 / 10_000, statements: 40 / 10_000 },
    family: { commits: 12 / 1_000, statements: 28 / 1_000 },
  },
};

for (const kind of ["sqlite", "postgres"] as const) {
  test(`${kind}: with 1000 chains of 3 in flight a task costs a small share of a commit`, async () => {
    await using site = await open(kind, chain);
    const cost = await costOf(site, chain, 1_000);
    assertEquals(cost.rows, 1_000 * 4);
    assertAtMost(cost.commits / 3_000, LIMITS[kind].chain.commits, "commits for each task");
    assertAtMost(cost.statements / 3_000, LIMITS[kind].chain.statements, "statements for each task");
  });

  test(`${kind}: with 100 fan-outs of 100 in flight a task costs a small share of a commit`, async () => {
    await using site = await open(kind, fan);
    const cost = await costOf(site, fan, 100);
    assertEquals(cost.rows, 100 * 103);
    assertAtMost(cost.commits / 10_200, LIMITS[kind].fan.commits, "commits for each task");
    assertAtMost(cost.statements / 10_200, LIMITS[kind].fan.statements, "statements for each task");
  });

  test(`${kind}: a run of n tasks writes n + 1 rows, in one commit for its start and one per task`, async () => {
    for (const tasks of [1, 3, 10]) {
      const workflow = chainOf(tasks);
      await using site = await open(kind, workflow);
      const { rows, commits } = await costOf(site, workflow, 1);
      // The last result shares a row with the end of the run.
      assertEquals({ rows, commits }, { rows: tasks + 1, commits: tasks + 1 });
    }
  });

  test(`${kind}: a map of m items writes m + 1 rows, and an item takes a small share of a commit`, async () => {
    await using site = await open(kind, map);
    const cost = await costOf(site, map, 4);
    // The row of the map is updated at its end; the run has rows for its start, and for its end with the join.
    assertEquals(cost.rows, 4 * (ITEMS + 2 + 2));
    assertAtMost(cost.commits / (4 * ITEMS), LIMITS[kind].map.commits, "commits for each item");
    assertAtMost(cost.statements / (4 * ITEMS), LIMITS[kind].map.statements, "statements for each item");
  });

  test(`${kind}: a map of 10,000 items, of which 64 run at once, takes one commit per thousand items`, async () => {
    const bounded = mapOf(10_000, 64);
    await using site = await open(kind, bounded);
    const cost = await costOf(site, bounded, 1);
    assertEquals(cost.rows, 10_000 + 2 + 2);
    assertAtMost(cost.commits, 14, "commits");
    assertAtMost(cost.statements, LIMITS[kind].map.statements * 10_000, "statements");
  });

  test(`${kind}: a child run of one task writes 3 rows, and shares commits with the others of its map`, async () => {
    await using site = await open(kind, family);
    const { rows, commits, statements } = await costOf(site, family, 1);
    // The insert, the end with the result, and the result of the item, whose wait is derived from the child. Rows of
    // the parent: its start and end, the array of the map and its end, and the waits of the run between commits.
    assertAtMost(rows / CHILDREN, 3.02, "rows for each child run");
    assertAtMost(commits / CHILDREN, LIMITS[kind].family.commits, "commits for each child run");
    assertAtMost(statements / CHILDREN, LIMITS[kind].family.statements, "statements for each child run");
  });

  test(`${kind}: a child run beyond the first 1,000 of a map costs no more than one of the first 1,000`, async () => {
    const large = familyOf(5 * CHILDREN);
    await using site = await open(kind, large);
    const { rows, commits, statements } = await costOf(site, large, 1);
    assertAtMost(rows / (5 * CHILDREN), 3.01, "rows for each child run");
    // Later child runs start when others end; how many do so in one turn depends on the speed of the machine.
    assertAtMost(commits / (5 * CHILDREN), 2 * LIMITS[kind].family.commits, "commits for each child run");
    assertAtMost(statements / (5 * CHILDREN), 2 * LIMITS[kind].family.statements, "statements for each child run");
  });

  test(`${kind}: a map of 100,000 items costs no more per item than one of 10,000`, async () => {
    const [small, large] = [mapOf(10_000), mapOf(100_000)];
    await using site = await open(kind, small);
    await costOf(site, small, 1);
    const one = await costOf(site, small, 1);
    const runner = await createRunner(site.store, {
      workflows: [large],
      clock: site.clock,
      maxPayloadBytes: 8_000_000,
    });
    const ten = await costOf({ ...site, runner }, large, 1);
    await site.clock.until(runner.stop());
    assertEquals(ten.rows - one.rows, 90_000);
    assertAtMost(ten.statements / one.statements, 12, "times the statements");
    // Ten times the items; with a read that restarts for each part it was twice that.
    assertAtMost(ten.ms / one.ms, 15, "times the CPU time");
  });

  test(`${kind}: an idle runner writes only its heartbeat`, async () => {
    await using site = await open(kind, chain);
    await costOf(site, chain, 1);
    const before = site.store.counters();
    // A manual clock executes every timer of this short time.
    for (let s = 0; s < 300; s += 20) await site.clock.advance("20s");
    const { rows, commits, statements } = since(before, site.store);
    // One heartbeat every ten seconds, a third of the lease.
    assertEquals({ rows, commits }, { rows: 30, commits: 30 });
    assertAtMost(statements / 300, 1, "statements each second");
  });
}

test("sqlite: a task of a chain of 3 adds at most 220 bytes to the write-ahead log", async () => {
  using dir = tempDir();
  const path = join(dir.path, "app.db");
  await using site = await open("sqlite", chain, path);
  const before = statSync(`${path}-wal`).size;
  await costOf(site, chain, 1_000);
  // Below the size that triggers a checkpoint, so that the file has grown by everything that was written.
  assertAtMost((statSync(`${path}-wal`).size - before) / 3_000, 220, "bytes for each task");
});

test("sqlite: a child run of a map adds at most 630 bytes to the write-ahead log", async () => {
  using dir = tempDir();
  const path = join(dir.path, "app.db");
  await using site = await open("sqlite", family, path);
  const before = statSync(`${path}-wal`).size;
  await costOf(site, family, 1);
  assertAtMost((statSync(`${path}-wal`).size - before) / CHILDREN, 630, "bytes for each child run");
});

test("sqlite: an item of a map adds at most 125 bytes to the write-ahead log", async () => {
  using dir = tempDir();
  const path = join(dir.path, "app.db");
  await using site = await open("sqlite", map, path);
  const before = statSync(`${path}-wal`).size;
  await costOf(site, map, 4);
  assertAtMost((statSync(`${path}-wal`).size - before) / (4 * ITEMS), 125, "bytes for each item");
});

test("postgres: a task adds at most 320 bytes to the log in a chain of 3, 270 in one of 10, 242 in a fan-out, 230 in a map, 850 for a child run", async () => {
  // On a separate server, whose whole log is counted, and on which only commits write.
  await using server = await ownServer(["full_page_writes=off", "autovacuum=off", "checkpoint_timeout=1h"]);
  const sql = postgres(server.url, { max: 1, max_lifetime: null, onnotice() {} });
  const position = async (): Promise<number> =>
    Number((await sql`select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text as at`)[0]!["at"]);
  const cases = [
    [chain, 1_000, 3, 320],
    [chainOf(10), 1_000, 10, 270],
    [fan, 100, 102, 242],
    [map, 4, ITEMS, 230],
    [family, 1, CHILDREN, 850],
  ] as const;
  for (const [workflow, runs, tasks, limit] of cases) {
    await using site = await open("postgres", workflow, server.url);
    await costOf(site, workflow, 1);
    const before = await position();
    await costOf(site, workflow, runs);
    assertAtMost((await position() - before) / (runs * tasks), limit, `bytes for each task of "${workflow.name}"`);
  }
  await sql.end();
});

test("postgres: a queued run of one task adds at most 990 bytes to the log, and its input once", async () => {
  await using server = await ownServer(["full_page_writes=off", "autovacuum=off", "checkpoint_timeout=1h"]);
  const sql = postgres(server.url, { max: 1, max_lifetime: null, onnotice() {} });
  const position = async (): Promise<number> =>
    Number((await sql`select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text as at`)[0]!["at"]);
  const workflow = dynamicWorkflow({ name: "queued", tasks: [{ id: "work", run: () => 12345678 }] });
  const store = await openPostgresStore(server.url);
  const bytesOf = async (input: string): Promise<number> => {
    const client = await createClient(store, { workflows: [workflow] });
    const before = await position();
    const handles = await client.startMany(workflow, Array.from({ length: 1_000 }, () => input));
    // As many slots as runs, so that a claim takes as many as possible.
    const runner = await createRunner(store, { workflows: [workflow], concurrency: 1_000 });
    await Promise.all(handles.map((handle) => handle.outcome()));
    const bytes = (await position() - before) / 1_000;
    await runner.stop();
    await client.stop();
    return bytes;
  };
  await bytesOf("12345678");
  const small = await bytesOf("12345678");
  assertAtMost(small, 990, "bytes for each run");
  const large = await bytesOf("x".repeat(1_008));
  assertAtMost(large - small, 1_050, "bytes more for each run with 1,000 bytes more of input");
  await store.close();
  await sql.end();
});

interface Cost extends Omit<StoreCounters, "retries"> {
  /** CPU time of this thread, in milliseconds. */
  readonly ms: number;
}

interface Site extends AsyncDisposable {
  readonly store: Store;
  readonly clock: FakeClock;
  readonly runner: Runner<AnyWorkflow>;
}

async function open(kind: Kind, workflow: AnyWorkflow, at?: string): Promise<Site> {
  const clock = createFakeClock();
  const schema = kind === "postgres" && at === undefined ? testSchema() : undefined;
  const store = kind === "sqlite"
    ? await openSqliteStore(at ?? ":memory:", { clock })
    : schema === undefined
    ? await openPostgresStore(at!, { clock })
    : await schema.open({ clock });
  const runner = await createRunner(store, { workflows: [workflow], clock });
  return {
    store,
    clock,
    runner,
    async [Symbol.asyncDispose]() {
      await runner.stop();
      await store.close();
      await schema?.[Symbol.asyncDispose]();
    },
  };
}

/** Executes the given number of runs, all of them at once. */
async function costOf(
  { store, clock, runner }: Site,
  workflow: DynamicWorkflow<string>,
  runs: number,
): Promise<Cost> {
  await clock.settle();
  const before = store.counters();
  // Ten bytes of JSON, which each task returns.
  const inputs = Array.from({ length: runs }, (_, at) => String(at).padStart(8, "0"));
  let outcomes: Awaited<ReturnType<typeof runner.execute>>[] = [];
  const ms = await cpuMsUntil(async () => {
    outcomes = await Promise.all(inputs.map((input) => runner.execute(workflow, input)));
  });
  const cost = { ...since(before, store), ms };
  const last = workflow.graph.leaves[0]!;
  assertEquals(outcomes.map((outcome) => outcome.status === "completed" && outcome.outputs[last]), inputs);
  return cost;
}

function since(before: StoreCounters, store: Store): Omit<StoreCounters, "retries"> {
  const after = store.counters();
  return {
    commits: after.commits - before.commits,
    statements: after.statements - before.statements,
    rows: after.rows - before.rows,
  };
}

function assertAtMost(actual: number, limit: number, what: string): void {
  assert(actual <= limit, `${actual} ${what}, and not at most ${limit}`);
}

function chainOf(length: number): DynamicWorkflow<string> {
  return dynamicWorkflow({
    name: `chain${length}`,
    tasks: Array.from({ length }, (_, at) => ({
      id: `t${at}`,
      after: at === 0 ? [] : [`t${at - 1}`],
      run: (args) => args[at === 0 ? "input" : `t${at - 1}`],
    })),
  });
}

function mapOf(items: number, concurrency?: number): DynamicWorkflow<string> {
  return dynamicWorkflow({
    name: "map",
    tasks: [
      {
        id: "items",
        kind: "map",
        over: ({ input }) => Array.from({ length: items }, () => input),
        ...(concurrency === undefined ? {} : { concurrency }),
        run: ({ item }) => item,
      },
      { id: "join", after: ["items"], run: ({ input }) => input },
    ],
  });
}

/** Returns a workflow with a map of child runs of one task. */
function familyOf(children: number): DynamicWorkflow<string> {
  const child = dynamicWorkflow({ name: "child", tasks: [{ id: "work", run: ({ input }) => input }], returns: "work" });
  return dynamicWorkflow({
    name: "family",
    tasks: [
      {
        id: "items",
        kind: "map",
        over: ({ input }) => Array.from({ length: children }, () => input),
        workflow: child,
        input: ({ item }) => item,
      },
      { id: "join", after: ["items"], run: ({ input }) => input },
    ],
  });
}

function fanOf(width: number): DynamicWorkflow<string> {
  const ids = Array.from({ length: width }, (_, at) => `item${at}`);
  return dynamicWorkflow({
    name: `fan${width}`,
    tasks: [
      { id: "split", run: ({ input }) => input },
      ...ids.map((id) => ({ id, after: ["split"], run: (args: Readonly<Record<string, unknown>>) => args["split"] })),
      { id: "join", after: ids, run: (args) => args["item0"] },
    ],
  });
}
