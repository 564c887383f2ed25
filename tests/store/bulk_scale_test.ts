/** Operations on 20,000 runs take few statements, no long transaction and no long turn of the event loop. */
import { assert, assertEquals } from "@std/assert";
import { createClient } from "../../mod.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import { longestTurn } from "../cpu.ts";
import { test } from "../harness.ts";
import { commit, ERROR, join, newRun, record, start } from "./contract/fixture.ts";
import { testSchema } from "./postgres_schema.ts";

const MANY = 20_000;

/** On Postgres each batch takes a fixed number of round trips, so that fewer runs suffice. */
const MANY_ON_POSTGRES = 5_000;

/** How many runs are retried. Each takes a few statements. */
const RETRIED = 200;

test("sqlite: operations on 20,000 runs take few statements, and block the event loop for milliseconds", async () => {
  const store = await openSqliteStore(":memory:");
  await check(store, MANY);
  await store.close();
});

test("postgres: operations on 5,000 runs take few statements, and block the event loop for milliseconds", async () => {
  await using on = testSchema();
  const store = await on.open();
  await check(store, MANY_ON_POSTGRES);
  await store.close();
});

async function check(store: Store, many: number): Promise<void> {
  await fill(store, many);
  await using client = await createClient(store);
  const cost = async (name: string, most: number, work: () => Promise<number>, runs = many): Promise<void> => {
    const before = store.counters();
    const { result, ms } = await longestTurn(work);
    const { statements, commits } = store.counters();
    assertEquals(result, runs, name);
    const perRun = (statements - before.statements) / runs;
    assert(perRun <= most, `${name}: ${perRun} statements for each run`);
    assert(commits - before.commits >= runs / 250, `${name}: ${commits - before.commits} commits`);
    // Each takes less than 20 ms on a quiet machine.
    assert(ms < 180, `${name}: a turn of ${ms} ms`);
  };
  // A retry reads the journal and the child runs of each run, and changes its rows one by one.
  await cost("retryMany", 16, () => client.retryMany({ keyPrefix: "retried" }), RETRIED);
  await cost("pauseMany", 0.15, () => client.pauseMany({ state: "pending" }));
  await cost("resumeMany", 0.15, () => client.resumeMany({ state: "paused" }));
  await cost("tagMany", 0.1, () => client.tagMany({ all: true }, ["a"]));
  await cost("cancelMany", 0.2, () => client.cancelMany({ tags: ["a"] }));
  await cost("deleteMany", 0.15, () => client.deleteMany({ all: true }));
  assertEquals(await store.list({ ...NOTHING, limit: 1 }), []);
}

const NOTHING = {
  workflow: undefined,
  states: undefined,
  tags: undefined,
  since: undefined,
  until: undefined,
  before: undefined,
};

/** Pending runs, and some that have failed. */
async function fill(store: Store, many: number): Promise<void> {
  const runner = await join(store);
  for (let left = many - RETRIED; left > 0; left -= 1_000) {
    await start(store, ...Array.from({ length: Math.min(left, 1_000) }, () => newRun()));
  }
  const failing = Array.from({ length: RETRIED }, (_, at) => newRun({ owner: runner, key: `retried-${at}` }));
  const seqs = await start(store, ...failing);
  const records = [record("a", { state: "failed", output: undefined })];
  await commit(store, {
    writes: seqs.map((seq) => ({ seq, epoch: 1, records, move: { to: "failed", at: 0, error: ERROR } })),
  });
}
