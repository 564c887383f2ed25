/**
 * A claim reads only the rows that it takes, and a flush those that it writes, independent of backlog and statistics.
 */
import { assert, assertEquals } from "@std/assert";
import type { RunWrite } from "../../lib/store/port/batch.ts";
import { test } from "../harness.ts";
import { claimBy, join, newRun, record, start } from "./contract/fixture.ts";
import { explainClaim, explainFlush, fill } from "./postgres_backlog.ts";
import { testSchema } from "./postgres_schema.ts";

const MANY = { pending: 20_000, delayed: 20_000, finished: 20_000 };
const FEW = { pending: 5_000, delayed: 5_000, finished: 5_000 };
const LIMIT = 50;

// Twice as many runs as are taken are read from the index, and each that is taken twice by its number; the rest are the
// ends of the two groups, and the runner.
const MOST_ROWS = 5 * LIMIT + 10;
// A claimed run costs three index descents, and its new version in the table and in the indexes.
const MOST_BUFFERS = 16 * LIMIT;

/** When the server last analysed the tables: its plans depend on these statistics. */
const LOOKS = {
  "was counted": "after",
  "was never counted": "never",
  "was counted when it was empty": "before",
} as const;

for (const [state, look] of Object.entries(LOOKS)) {
  test(`postgres: a claim reads by index only what it takes from a backlog that ${state}`, async () => {
    await using on = testSchema();
    const store = await on.open();
    const runner = await join(store);
    // Otherwise the server may analyse the tables at any moment.
    await on.sql`alter table runs set (autovacuum_enabled = false)`;
    if (look === "before") await on.sql`analyze runs`;
    await fill(on.sql, on.schema, { workflow: "etl", version: "v1" }, MANY);
    await fill(on.sql, on.schema, { workflow: "another", version: "v1" }, FEW);
    if (look === "after") await on.sql`analyze runs`;
    const request = claimBy(runner, { limit: LIMIT });
    for (const prepare of [true, false]) {
      const { ways, rowsRead, buffers, written: claimed } = await explainClaim(on.url, on.schema, request, prepare);
      assertEquals(claimed, LIMIT);
      // A bitmap heap scan reads only rows that an index has found.
      const others = ways.filter((way) => !/^(Index Scan|Index Only Scan|Bitmap Heap Scan) /.test(way));
      assertEquals(others, []);
      assert(rowsRead <= MOST_ROWS, `${rowsRead} rows`);
      assert(buffers <= MOST_BUFFERS, `${buffers} buffers`);
    }
    const claim = await store.claim(request);
    assertEquals([claim.runs.length, claim.more], [LIMIT, true]);
  });
}

test("postgres: a claim that finds nothing due reads no rows that are delayed, finished or owned", async () => {
  await using on = testSchema();
  const store = await on.open();
  const request = claimBy(await join(store), { limit: LIMIT });
  await fill(on.sql, on.schema, { workflow: "etl", version: "v1" }, { ...MANY, pending: 0 });
  await fill(on.sql, on.schema, { workflow: "another", version: "v1" }, FEW);
  await on.sql`analyze runs`;
  const { rowsRead, buffers, written: claimed } = await explainClaim(on.url, on.schema, request, true);
  assertEquals(claimed, 0);
  assert(rowsRead <= 10, `${rowsRead} rows`);
  assert(buffers <= 60, `${buffers} buffers`);
});

test("postgres: a flush reads only the runs that it writes, even if many more are owned than when the tables were analysed", async () => {
  await using on = testSchema();
  const store = await on.open();
  const owned = (owner: number, count: number) =>
    start(store, ...Array.from({ length: count }, () => newRun({ id: crypto.randomUUID(), owner })));
  await on.sql`alter table runs set (autovacuum_enabled = false)`;
  await fill(on.sql, on.schema, { workflow: "etl", version: "v1" }, { pending: 0, delayed: 0, finished: 20_000 });
  await on.sql`analyze runs`;
  await owned(await join(store), 3_000);
  const seqs = await owned(await join(store), LIMIT);
  const completed = { to: "completed", at: 1 } as const;
  const batches: Readonly<Record<string, Pick<RunWrite, "records" | "move">>> = {
    "a result": { records: [{ ...record("a"), isNew: true }], move: undefined },
    "a row that may be there": { records: [record("a")], move: undefined },
    "an end with a result": { records: [{ ...record("a"), isNew: true }], move: completed },
    "an end": { records: [], move: completed },
    "a wait": { records: [], move: { to: "waiting", dueAt: 1, release: true } },
  };
  for (const [what, write] of Object.entries(batches)) {
    const writes = seqs.map((seq) => ({ seq, epoch: 1, ...write }));
    for (const prepare of [true, false]) {
      const { rowsRead, ways } = await explainFlush(on.url, on.schema, { starts: [], writes }, prepare);
      // Each run at most twice, for its lock and for its epoch; and the runners.
      assert(rowsRead <= 2 * LIMIT + 10, `${what}: ${rowsRead} rows by ${ways}`);
    }
  }
});
