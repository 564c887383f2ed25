/** No operation on SQLite, which executes in the thread of its caller, blocks the event loop for long. */
import { assert, assertEquals } from "@std/assert";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { longestTurn } from "../cpu.ts";
import { test } from "../harness.ts";
import { ALL, claimBy, commit, endedBefore, join, newRun, record, start, write } from "./contract/fixture.ts";

const MANY = 20_000;

async function fill(store: Store, seq: number, rows: (at: number) => ReturnType<typeof record>): Promise<void> {
  for (let from = 0; from < MANY; from += 1_000) {
    await write(store, { seq, epoch: 1 }, Array.from({ length: 1_000 }, (_, at) => rows(from + at)));
  }
}

async function inTurns<T>(what: string, work: () => Promise<T>): Promise<T> {
  const { result, ms } = await longestTurn(work);
  // Each takes less than 20 ms on an idle machine, and took 200 ms and more in one turn.
  assert(ms < 180, `${what}: ${ms} ms`);
  return result;
}

test("no turn of the event loop is long while a run with 20,000 steps and 20,000 items is read", async () => {
  const store = await openSqliteStore(":memory:");
  const runner = await join(store);
  const [seq] = await start(store, newRun({ owner: runner, dueAt: 0 }));
  await fill(store, seq!, (at) => record("walk", { step: `s${String(at).padStart(5, "0")}` }));
  await fill(
    store,
    seq!,
    (at) => record(at % 2 === 0 ? "even" : "odd", { item: at, state: at % 4 === 0 ? "failed" : "completed" }),
  );
  await write(store, { seq: seq!, epoch: 1 }, [
    record("last"),
    record("even", { items: MANY }),
    record("odd", { items: MANY }),
  ]);
  const journal = await inTurns("journal()", () => store.journal(seq!));
  assertEquals(journal.length, MANY + 3);
  assertEquals(new Set(journal.map(({ task, step }) => `${task} ${step}`)).size, MANY + 3);
  assertEquals([journal[0]?.task, journal.at(-1)?.step], ["even", `s${MANY - 1}`]);
  assertEquals(await inTurns("itemCounts()", () => store.itemCounts(seq!)), [
    { task: "even", state: "completed", count: MANY / 4 },
    { task: "even", state: "failed", count: MANY / 4 },
    { task: "odd", state: "completed", count: MANY / 2 },
  ]);
  await store.close();
});

test("no turn of the event loop is long while thousands of runs are listed, claimed, handed back and deleted", async () => {
  const store = await openSqliteStore(":memory:");
  const runner = await join(store);
  for (let from = 0; from < MANY; from += 1_000) {
    await start(store, ...Array.from({ length: 1_000 }, () => newRun({ dueAt: 0 })));
  }
  assertEquals((await inTurns("list()", () => store.list({ ...ALL, limit: 1_000 }))).length, 1_000);
  assertEquals(await inTurns("list()", () => store.list({ ...ALL, tags: ["none"] })), []);
  for (const filter of [{ error: "none" }, { failedTask: "none" }, { endedUntil: 0 }]) {
    assertEquals(await inTurns(`list(${Object.keys(filter)})`, () => store.list({ ...ALL, ...filter })), []);
  }
  assertEquals((await inTurns("numbers()", () => store.numbers({ ...ALL, limit: 2_000 }))).length, 2_000);
  assertEquals((await inTurns("tally()", () => store.inspection.tally(10_000))).states.pending.count, 10_000);
  const owned: { readonly seq: number; readonly epoch: number }[] = [];
  while (owned.length < 3_000) {
    const { runs, more } = await inTurns("claim()", () => store.claim(claimBy(runner, { limit: 1_000 })));
    assertEquals(more, true);
    owned.push(...runs);
  }
  for (let from = 0; from < 1_000; from += 100) {
    const ended = owned.slice(from, from + 100);
    await commit(store, {
      writes: ended.map(({ seq, epoch }) => ({ seq, epoch, records: [record("a")], move: { to: "completed", at: 0 } })),
    });
  }
  await inTurns("leave()", () => store.leave(runner));
  const { running, pending, completed } = await store.counts();
  assertEquals({ running, pending, completed }, { running: 0, pending: MANY - 1_000, completed: 1_000 });
  assertEquals(await store.runners(), []);
  assertEquals(await inTurns("prune()", () => store.prune(endedBefore(Number.MAX_SAFE_INTEGER), 1_000)), 1_000);
  await store.close();
});
