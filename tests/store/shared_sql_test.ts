/** Operations that both databases share: how long they block the event loop and other operations. */
import { assertEquals } from "@std/assert";
import { join as joinPath } from "node:path";
import { systemClock } from "../../lib/clock.ts";
import { silent } from "../../lib/logger.ts";
import { control } from "../../lib/store/sql/control.ts";
import { listRuns, searchRuns } from "../../lib/store/sql/listing.ts";
import { all, type Database, type Op, pause, type Step } from "../../lib/store/sql/operation.ts";
import { createPrune } from "../../lib/store/sql/prune.ts";
import { giveUp } from "../../lib/store/sql/recovery.ts";
import { render, sql } from "../../lib/store/sql/statement.ts";
import { createPersistence } from "../../lib/store/sqlite/busy.ts";
import { createDatabase } from "../../lib/store/sqlite/database.ts";
import { openConnection } from "../../lib/store/sqlite/driver.ts";
import { migrate } from "../../lib/store/sqlite/migrations.ts";
import { createSession } from "../../lib/store/sqlite/session.ts";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import { cpuMsUntil } from "../cpu.ts";
import { test } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";
import { ALL, endedBefore, newRun, start } from "./contract/fixture.ts";
import { testSchema } from "./postgres_schema.ts";

const MOST_ROWS = 2_500;

test("a statement numbers its parameters and keeps its text whatever the values are", () => {
  const one = (name: string, seqs: readonly number[]) =>
    render(sql`select ${sql`a, ${1} as one`} from t where name = ${name} and seq = any(${seqs})`);
  assertEquals(one("x", [1]), {
    text: "select a, $1 as one from t where name = $2 and seq = any($3)",
    values: [1, "x", [1]],
  });
  assertEquals(one("'; drop table t", []).text, one("x", [1, 2]).text);
});

test("sqlite: list() and search() offer a pause after each stride of rows", async () => {
  await using on = await sqliteWith(30_000);
  const none = { ...ALL, workflow: "none" };
  const operations: readonly Op<unknown>[] = [
    listRuns(on.database.dialect, none),
    listRuns(on.database.dialect, { ...none, states: ["completed"] }),
    searchRuns(on.database.dialect, { ...none, budget: 30_000 }),
  ];
  for (const operation of operations) {
    const stretches = await stretchesOf(on.database, operation);
    assertEquals(stretches.length >= 30_000 / MOST_ROWS, true);
    const rows = stretches.map((steps) => steps.map((step) => on.rowsOf(step)).reduce((sum, n) => sum + n, 0));
    // Once to read runs, and once to find the end of the stretch.
    assertEquals(rows.filter((n) => n > 2 * MOST_ROWS), []);
  }
});

test("sqlite: the cost of a list per skipped run does not depend on the number of runs", async () => {
  await using few = await sqliteWith(10_000);
  await using many = await sqliteWith(80_000);
  const costOf = ({ database }: Sqlite): Promise<number> =>
    cpuMsUntil(async () => {
      for (let i = 0; i < 100; i++) await database.execute(listRuns(database.dialect, { ...ALL, workflow: "none" }));
    });
  await costOf(few);
  const [ofFew, ofMany] = [await costOf(few), await costOf(many)];
  // Eight times the cost for eight times the runs; reading the rest of the table in each stride would cost sixty times.
  assertEquals(ofMany < 24 * ofFew, true, `${ofMany} ms and ${ofFew} ms`);
});

test("sqlite: an operation that has blocked the event loop lets it turn at a pause", async () => {
  await using on = await sqliteWith(1);
  const events: string[] = [];
  setTimeout(() => events.push("timer"), 0);
  await on.database.execute((function* () {
    yield* all(sql`select 1`);
    const until = performance.now() + 20;
    while (performance.now() < until);
    yield* pause();
    events.push("operation");
  })());
  assertEquals(events, ["timer", "operation"]);
});

test("sqlite: if a cancel of a run with thousands of descendants ends after any part, none is orphaned, and another cancel ends all", async () => {
  const cancel = ({ database }: Sqlite) => control(database.dialect, FAMILY_ID, { kind: "cancel", reason: undefined });
  const parts = await interruptions(cancel, "null");
  assertEquals(parts, [[0, 0, 0], [0, 0, 0], [1_000, 0, 0], [2_000, 0, 0], [2_500, 0, 0]]);
});

test("sqlite: failing a run with invalid rows may also end after any part of its descendants", async () => {
  const end = ({ database }: Sqlite) => giveUp(database.dialect, { seq: 1, epoch: 1, error: "{}" });
  const parts = await interruptions(end, "1");
  assertEquals(parts, [[0, 0, 0], [0, 0, 0], [1_000, 0, 0], [2_000, 0, 0], [2_500, 0, 0]]);
});

test("sqlite: a run whose journal is deleted in parts is not visible after the first part", async () => {
  await using on = await sqliteWith(3);
  on.exec("insert into tasks (run, task, epoch, state, attempts) values (1, 'x', 1, 'completed', 1)");
  on.exec(`insert into tasks (run, task, epoch, state, attempts)
           select 1, 't' || seq, 1, 'completed', 1 from (${numbersTo(3_000)})`);
  const seen: number[][] = [];
  await on.database.execute(watched(createPrune(on.database.dialect)(endedBefore(10 ** 15), 10), (step) => {
    if (step.kind === "pause") seen.push([on.count("runs"), on.count("tasks")]);
  }));
  assertEquals(seen.slice(0, 3), [[0, 2_001], [0, 1_001], [0, 1]]);
  assertEquals([on.count("runs"), on.count("tasks")], [0, 0]);
});

for (const kind of ["sqlite", "postgres"] as const) {
  test(`${kind}: prune() deletes the rest of a journal whose deletion a dead process had begun`, async () => {
    await using on = await ground(kind);
    await start(on.store, newRun(), newRun(), newRun());
    await on.run("update runs set seq = seq + 10");
    await on.run(`insert into tasks (run, task, epoch, state, attempts)
                  values (3, 'a', 1, 'completed', 1), (3, 'b', 1, 'completed', 1), (7, 'a', 1, 'completed', 1),
                         (11, 'a', 1, 'completed', 1)`);
    assertEquals(await on.store.prune(endedBefore(0), 10), 0);
    const [left] = await on.run("select count(*) as n, min(run) as run from tasks");
    assertEquals([left?.["n"], left?.["run"]], [1, 11]);
  });
}

interface Ground extends AsyncDisposable {
  readonly store: Awaited<ReturnType<typeof openSqliteStore>>;
  run(statement: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

async function ground(kind: "sqlite" | "postgres"): Promise<Ground> {
  if (kind === "postgres") {
    const on = testSchema();
    return {
      store: await on.open(),
      run: async (statement) => [...await on.sql.unsafe(statement)],
      [Symbol.asyncDispose]: () => on[Symbol.asyncDispose](),
    };
  }
  const dir = tempDir();
  const path = joinPath(dir.path, "app.db");
  const store = await openSqliteStore(path, { durability: "process" });
  const connection = await openConnection(path);
  return {
    store,
    run: (statement) => Promise.resolve(connection.prepare(statement).all()),
    async [Symbol.asyncDispose]() {
      connection.close();
      await store.close();
      dir[Symbol.dispose]();
    },
  };
}

interface Sqlite extends AsyncDisposable {
  readonly database: Database;
  exec(statement: string): void;
  count(table: string): number;
  /** The maximum number of rows that a step reads, by its limits. */
  rowsOf(step: Step): number;
}

/** Opens a database in memory with completed runs. */
async function sqliteWith(runs: number): Promise<Sqlite> {
  const connection = await openConnection(":memory:");
  migrate(connection, "test");
  connection.exec(`
    insert into runs (seq, epoch, state, id, workflow, version, priority, created_at, ended_at)
    select seq, 1, 'completed', 'id ' || seq, 'etl', 'v1', 0, seq, seq from (${numbersTo(runs)})`);
  const session = createSession(connection, createPersistence("test", silent), {
    name: "test",
    clock: systemClock,
    logger: silent,
    committed() {},
  });
  return {
    database: createDatabase(session),
    exec: connection.exec,
    count: (table) => Number(connection.prepare(`select count(*) as n from ${table}`).get()?.["n"]),
    rowsOf(step) {
      if (step.kind !== "read") return 0;
      const { text, values } = render(step.statement);
      // A stretch has as many numbers as stand in its lower bound.
      const span = /\(select max\(seq\) from @runs where seq < \$\d+\) - \$(\d+)/.exec(text)?.[1];
      if (span !== undefined) return Number(values[Number(span) - 1]) + 1;
      return /\blimit 1\b/.test(text) ? 1 : Infinity;
    },
    [Symbol.asyncDispose]() {
      connection.close();
      return Promise.resolve();
    },
  };
}

function numbersTo(most: number): string {
  return `with recursive numbers (seq) as (select 1 union all select seq + 1 from numbers where seq < ${most})
          select seq from numbers`;
}

const FAMILY_ID = "00000000-0000-7000-8000-000000000001";

/**
 * Interrupts an operation on a run, its 1,250 children and a child of each of them after each of its parts, and then
 * executes it again completely. Returns how many runs had ended after each part, how many of the others were orphans,
 * and how many a runner could have started: the run itself, and the ancestors of a run that had ended.
 */
async function interruptions(
  operate: (on: Sqlite) => Op<unknown>,
  owner: "null" | "1",
): Promise<(readonly number[])[]> {
  const parts: (readonly number[])[] = [];
  for (let part = 1;; part++) {
    await using on = await sqliteWith(0);
    on.exec("delete from runs");
    on.exec(`
with recursive family (seq, parent) as (
  select 1, null
   union all
  select seq + 1, case when seq <= 1250 then 1 else seq - 1249 end from family where seq < 2501
)
insert into runs (seq, epoch, state, id, workflow, version, priority, created_at, due_at, owner, parent, parent_task, parent_item)
select seq, 1, 'waiting', '00000000-0000-7000-8000-' || printf('%012d', seq), 'etl', 'v1', 0, seq, 1,
       case when parent is null then ${owner} end, parent, case when parent is null then null else 't' end, seq
  from family`);
    let pauses = 0;
    const interrupted = watched(operate(on), (step) => {
      if (step.kind === "pause" && ++pauses === part) throw new Error("the process has died");
    });
    if (await on.database.execute(interrupted).then(() => true, () => false)) return parts;
    const orphans = "runs as c join runs as p on p.seq = c.parent where c.ended_at is null and p.ended_at is not null";
    const startable = `runs as p
 where owner is null and state <> 'paused' and ended_at is null
   and (seq = 1 or exists (select 1 from runs as c where c.parent = p.seq and c.ended_at is not null))`;
    parts.push([on.count("runs where ended_at is not null"), on.count(orphans), on.count(startable)]);
    await on.database.execute(operate(on));
    assertEquals(on.count("runs where ended_at is not null"), 2_501);
  }
}

/** The steps of an operation between its pauses. */
async function stretchesOf(database: Database, operation: Op<unknown>): Promise<readonly (readonly Step[])[]> {
  const stretches: Step[][] = [[]];
  await database.execute(watched(operation, (step) => {
    if (step.kind === "pause") stretches.push([]);
    else stretches.at(-1)?.push(step);
  }));
  return stretches;
}

function* watched<T>(operation: Op<T>, see: (step: Step) => void): Op<T> {
  let state = operation.next([]);
  while (state.done !== true) {
    see(state.value);
    state = operation.next(yield state.value);
  }
  return state.value;
}
