/** In tables with many other rows, reads access only the rows that they return, by index. */
import { assertEquals } from "@std/assert";
import { systemClock } from "../../lib/clock.ts";
import { silent } from "../../lib/logger.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { createInspection } from "../../lib/store/sql/inspection.ts";
import { createMethods } from "../../lib/store/sql/methods.ts";
import { createPersistence } from "../../lib/store/sqlite/busy.ts";
import { createDatabase } from "../../lib/store/sqlite/database.ts";
import { openConnection } from "../../lib/store/sqlite/driver.ts";
import { migrate } from "../../lib/store/sqlite/migrations.ts";
import { createSession } from "../../lib/store/sqlite/session.ts";
import { test } from "../harness.ts";
import { ALL, endedBefore, join } from "./contract/fixture.ts";
import { fill } from "./postgres_backlog.ts";
import { testSchema } from "./postgres_schema.ts";

type Reads = Pick<
  Store,
  "list" | "run" | "ended" | "journal" | "facts" | "groups" | "unowned" | "define" | "unstrand" | "prune" | "inspection"
>;

interface Live {
  readonly id: string;
  readonly seq: number;
}

const FAILURES = { workflow: undefined, endedSince: undefined, by: "error", budget: 9, limit: 9 } as const;
const FULL = { pending: 4_000, delayed: 4_000, finished: 12_000 };
const STRANDED = 500;
const OWNED = 100;

/** Each read, and how many rows of tables and indexes it may access according to Postgres. */
const READS: Readonly<Record<string, { readonly most: number; readonly read: (on: Reads, live: Live) => unknown }>> = {
  "the newest runs": { most: 12, read: (on) => on.list(ALL) },
  "pending runs": { most: 200, read: (on) => on.list({ ...ALL, states: ["pending"] }) },
  // The 80 newest runs have ended.
  "running runs": { most: 100, read: (on) => on.list({ ...ALL, states: ["running"] }) },
  // No match is among the newest runs.
  "paused runs": { most: 1_100, read: (on) => on.list({ ...ALL, states: ["paused"] }) },
  "failed runs": { most: 5, read: (on) => on.list({ ...ALL, states: ["failed", "cancelled"] }) },
  "runs of a time": { most: 200, read: (on) => on.list({ ...ALL, until: 2 }) },
  "a search": { most: 1_100, read: (on) => on.inspection.search({ ...ALL, workflow: "none", budget: 1_000 }) },
  // 111 runs, twice by an index of keys and once by number: all of them, or those of the page.
  "keys that begin with a text": { most: 340, read: (on) => on.list({ ...ALL, keyPrefix: "key-1" }) },
  "keys of a workflow": { most: 60, read: (on) => on.list({ ...ALL, workflow: "st1", keyPrefix: "key-1" }) },
  "no such key": { most: 20, read: (on) => on.list({ ...ALL, keyPrefix: "yek" }) },
  // 40 runs, 40 of them twice by the index.
  "child runs": { most: 140, read: (on, { id }) => on.list({ ...ALL, parent: id }) },
  "runs of a schedule": { most: 60, read: (on) => on.list({ ...ALL, schedule: "daily" }) },
  "a run": { most: 2, read: (on, { id }) => on.run(id) },
  "ended runs": { most: 2, read: (on, { id }) => on.ended([id]) },
  // Each task of a run is looked up.
  "a journal": { most: 8, read: (on, { seq }) => on.journal(seq) },
  "facts": { most: 1, read: (on, { seq }) => on.facts(seq) },
  "groups": { most: 20, read: (on) => on.groups() },
  "unowned runs": { most: 30, read: (on) => on.unowned({ workflow: "etl", version: "v1", stranded: false }, 10) },
  "stranded runs": { most: 30, read: (on) => on.unowned({ workflow: "st1", version: "v1", stranded: true }, 10) },
  "a definition that is stored": {
    most: 4,
    read: (on) => on.define([{ workflow: "w1", version: "v", structure: "s", graph: "{}" }]),
  },
  "runs to unstrand": { most: 3.5 * STRANDED, read: (on) => on.unstrand([{ workflow: "st1", version: "v1" }]) },
  // One slice, and the definitions.
  "nothing to prune": { most: 1_000, read: (on) => on.prune(endedBefore(1), 10) },
  "owners": { most: 2.2 * OWNED, read: (on) => on.inspection.owned(1_000) },
  "tasks of owned runs": { most: 6 * OWNED, read: (on) => on.inspection.heldTasks(1_000) },
  "times of tasks": { most: 12, read: (on, { seq }) => on.inspection.timings([seq, seq - 1], 10) },
  "items of a task": {
    most: 3,
    read: (on, { seq }) =>
      on.inspection.items({ seq, task: "t", after: 0, until: 9, limit: 10, characters: 9, bytes: 99 }),
  },
  "child runs of tasks": {
    most: 3,
    read: (on, { seq }) => on.inspection.taskChildren({ parent: seq, tasks: ["t", "u"], items: [1, 2, 3] }),
  },
  "a key": { most: 40, read: (on) => on.inspection.find("key-1", 10) },
  "groups of failures": { most: 10, read: (on) => on.inspection.failures(FAILURES) },
  // At most the runs of the stretches, in addition to those that a search for the span reads.
  "ends of runs": { most: 17_500, read: (on) => on.inspection.outcomes([{ since: 2, bucketMs: 1, buckets: 3 }]) },
  "a page of a run": { most: 10, read: (on, { id }) => on.inspection.pulses([id]) },
};

test("postgres: reads access only the rows that they return", async () => {
  await using on = testSchema();
  const first = await on.open();
  const runner = await join(first);
  for (const table of ["runs", "tasks", "workflows"]) {
    await on.sql.unsafe(`alter table ${table} set (autovacuum_enabled = false)`);
  }
  await fill(on.sql, on.schema, { workflow: "etl", version: "v1" }, FULL);
  await on.sql.unsafe(rowsOf("gen_random_uuid()", `generate_series(1, ${STRANDED}) as n`, "null"));
  await on.sql.unsafe(rowsOf("gen_random_uuid()", `generate_series(1, ${OWNED}) as n`, String(runner)));
  for (const statement of otherRows("generate_series(1, 300) as n", () => "gen_random_uuid()")) {
    await on.sql.unsafe(statement);
  }
  // As after a renewal: the runner has started the runs that it owns since then.
  await on.sql`update runners set started_after = (select max(seq) from runs) - ${OWNED}`;
  await on.sql`analyze`;
  const [live] = await on.sql.unsafe<[Live]>(
    "select id, seq from runs where owner is not null order by seq desc limit 1",
  );
  // Publishes the statistics of these connections before a read is measured. The pause makes each query use another
  // one.
  await Promise.all([1, 2].map(() => on.sql`select pg_stat_force_next_flush(), pg_sleep(0.2)`));
  await first.close();
  const costOf = async (read: (on: Store, live: Live) => unknown): Promise<number> => {
    const before = await rowsRead(on);
    const store = await on.open();
    await read(store, live);
    await store.close();
    return await rowsRead(on) - before;
  };
  const opening = await costOf(() => {});
  const costs: string[] = [];
  const reads = {
    ...READS,
    // SQLite has a separate query.
    "outputs": {
      most: 6,
      read: (store: Store, { seq }: Live) =>
        store.outputs([{ seq, task: "a", of: "results" }, { seq: seq - 1, task: "c", of: "results", item: -1 }]),
    },
  };
  for (const [name, { most, read }] of Object.entries(reads)) {
    const rows = await costOf(read) - opening;
    if (rows > most) costs.push(`${name}: ${rows} rows`);
  }
  assertEquals(costs, []);
});

test("sqlite: no read scans a table without a limit", async () => {
  const connection = await openConnection(":memory:");
  migrate(connection, "plans");
  const numbers = (most: number): string =>
    `(with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${most}) select n from numbers)`;
  const idOf = (digit: string): string => `'${digit}0000000-0000-0000-0000-' || printf('%012d', n)`;
  connection.exec(rowsOf(idOf("0"), numbers(STRANDED), "null"));
  connection.exec(rowsOf(idOf("1"), numbers(OWNED), "1"));
  for (const statement of otherRows(numbers(300), idOf)) connection.exec(statement);
  const texts = new Set<string>();
  const prepare = (text: string) => (texts.add(text), connection.prepare(text));
  const session = createSession({ ...connection, prepare }, createPersistence("plans", silent), {
    name: "plans",
    clock: systemClock,
    logger: silent,
    committed() {},
  });
  const database = createDatabase(session);
  const on = { ...createMethods(database), inspection: createInspection(database, () => Promise.resolve("")) };
  for (const { read } of Object.values(READS)) {
    await read(on, { id: "10000000-0000-0000-0000-000000000001", seq: STRANDED + 1 });
  }
  const endless = [...texts].filter((text) => /select|update|delete/.test(text)).flatMap((text) => {
    const steps = connection.prepare(`explain query plan ${text}`).all().map(({ detail }) => String(detail));
    return steps.filter((step) => /^SCAN (runs|tasks|events)\b/.test(step) && !/\blimit [$\d]/.test(text))
      .map((step) => [step, text]);
  });
  connection.close();
  assertEquals(texts.size > 20, true);
  assertEquals(endless, []);
});

/** Inserts stranded runs with keys or, with an owner, running ones. */
function rowsOf(id: string, numbers: string, owner: string): string {
  const isOwned = owner !== "null";
  return `
    insert into runs (id, epoch, state, owner, workflow, version, priority, due_at, created_at, stranded_by, key)
    select ${id}, 1, '${isOwned ? "running" : "pending"}', ${owner}, '${
    isOwned ? "etl" : "st"
  }' || (n % 5), 'v1', 0, 1, n,
           ${isOwned ? "null" : "'v2'"}, ${isOwned ? "null" : "'key-' || n"}
      from ${numbers}`;
}

/** Inserts tasks of running and ended runs, child runs of the newest owned run, scheduled runs and definitions. */
function otherRows(numbers: string, idOf: (digit: string) => string): readonly string[] {
  return [
    `insert into tasks (run, task, epoch, state, attempts)
     select seq, task, 1, 'completed', 1
       from runs,
            (select 'a' as task union all select 'b' union all select 'c') as names
      where state = 'completed' or state = 'running'`,
    `insert into runs (id, epoch, state, workflow, version, priority, created_at, ended_at, parent, parent_task, parent_item)
     select ${idOf("2")}, 1, 'completed', 'child', 'v1', 0, n, n,
            (select seq from runs where owner is not null order by seq desc limit 1), 'ship', n
       from ${numbers}
      where n <= 40`,
    `insert into runs (id, epoch, state, workflow, version, priority, created_at, ended_at, schedule, tick)
     select ${idOf("3")}, 1, 'completed', 'tick', 'v1', 0, n, n, 'daily', n
       from ${numbers}
      where n <= 40`,
    `insert into workflows (workflow, version, structure, graph, created_at)
     select 'w' || n, 'v', 's', '{}', 1 from ${numbers}`,
  ];
}

/** Returns the rows that connections have read, which the server publishes when a connection ends. */
async function rowsRead(on: ReturnType<typeof testSchema>): Promise<number> {
  const open = `select 1 from pg_stat_activity where application_name like 'sluice%${on.schema}'`;
  while ((await on.sql.unsafe(open)).length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const [tables] = await on.sql.unsafe(`
    select sum(seq_tup_read) + (select sum(idx_tup_read) from pg_stat_user_indexes where schemaname = '${on.schema}') as n
      from pg_stat_user_tables
     where schemaname = '${on.schema}'`);
  return Number(tables?.["n"]);
}
