import { assertEquals } from "@std/assert";
import type { RecordWrite } from "../../../lib/store/port/batch.ts";
import type { Store } from "../../../lib/store/port/store.ts";
import {
  type Case,
  claimBy,
  ERROR,
  join,
  newRun,
  openRecord,
  record,
  start,
  startOwned,
  T0,
  write,
} from "./fixture.ts";

/** The items of a task. */
export function itemContract(test: Case): void {
  test("a task that expands stores its items once, and keeps them when it ends", async ({ store }) => {
    const { seq } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [expansion(3)]);
    assertEquals(await store.journal(seq), [openRecord("m", { items: 3 })]);
    const end = record("m", { output: undefined, reason: "collected" });
    await write(store, { seq, epoch: 1 }, [end]);
    assertEquals(await store.journal(seq), [{ ...end, items: 3 }]);
    assertEquals(await store.outputs([{ seq, task: "m", of: "input" }]), [
      { seq, task: "m", item: -1, step: "", output: "[0,1,2]" },
    ]);
  });

  test("items of every kind are written in one commit", async ({ store }) => {
    const { seq } = await startOwned(store);
    const alike = items(100);
    const mixed = items(150).slice(100).map((item, at) => ({ ...item, startedAt: T0 - at }));
    const retried = record("m", { item: 150, attempts: 2, failures: [failure(1)] });
    const failed = record("m", { item: 151, state: "failed", output: undefined, failures: [failure(1)] });
    const waiting = openRecord("m", { item: 152, state: "waiting", dueAt: T0 + 9, reason: "retry" });
    const all = [...alike, retried, ...mixed, failed, waiting].map((item) => ({ ...item, isNew: true }));
    assertEquals(await write(store, { seq, epoch: 1 }, [...all, record("n"), record("n", { item: 0 })]), "accepted");
    assertEquals(await store.items({ seq, task: "m", limit: 200 }), [...alike, ...mixed, retried, failed, waiting]);
    assertEquals(await store.items({ seq, task: "n", limit: 200 }), [record("n", { item: 0 })]);
    assertEquals(await store.journal(seq), [record("n")]);
  });

  test("an item that was recorded as running completes in its own row", async ({ store }) => {
    const { seq } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, items(40).map(({ task, item }) => openRecord(task, { item })));
    await write(store, { seq, epoch: 1 }, items(60).map((item) => ({ ...item, isNew: item.item >= 40 })));
    assertEquals(await store.items({ seq, task: "m", limit: 200 }), items(60));
  });

  test("items of a run that ends are written in the same commit, and those of another epoch are not", async ({ store }) => {
    const [one, two] = [await startOwned(store), await startOwned(store)];
    const end = { to: "completed", at: T0 } as const;
    assertEquals(await write(store, { seq: one.seq, epoch: 1 }, fresh(40), end), "accepted");
    assertEquals(await write(store, { seq: two.seq, epoch: 2 }, fresh(40), end), "fenced");
    assertEquals(await write(store, { seq: two.seq, epoch: 2 }, fresh(40)), "fenced");
    assertEquals([await countOf(store, one.seq), await countOf(store, two.seq)], [40, 0]);
    assertEquals([(await store.run(one.id))?.state, (await store.run(two.id))?.state], ["completed", "running"]);
  });

  test("a claim returns completed items as ranges, without their steps", async ({ store }) => {
    const { seq, runner } = await startOwned(store);
    const open = openRecord("m", { item: 5 });
    const step = record("m", { item: 7, step: "s" });
    await write(store, { seq, epoch: 1 }, [
      expansion(10),
      ...[0, 1, 2, 4, 6].map((item) => record("m", { item })),
      record("m", { item: 1, step: "s" }),
      open,
      step,
      record("m", { item: 8, state: "failed", output: undefined }),
      expansion(2, "z"),
      record("z", { item: 0 }),
    ], { to: "pending" });
    const { runs: [run] } = await store.claim(claimBy(runner));
    assertEquals(run?.journal.map(({ task, item, step, items }) => [task, item, step, items]), [
      ["m", -1, "", 10],
      ["m", 5, "", undefined],
      ["m", 7, "s", undefined],
      ["m", 8, "", undefined],
      ["z", -1, "", 2],
    ]);
    assertEquals(run?.completedItems, [
      { task: "m", first: 0, last: 2 },
      { task: "m", first: 4, last: 4 },
      { task: "m", first: 6, last: 6 },
      { task: "z", first: 0, last: 0 },
    ]);
  });

  test("a claim of a run with thousands of items reads them in ranges", async ({ store }) => {
    const { seq, runner } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [expansion(3_000), ...fresh(3_000)], { to: "pending" });
    const { runs: [run] } = await store.claim(claimBy(runner));
    assertEquals(run?.completedItems, [{ task: "m", first: 0, last: 2_999 }]);
    assertEquals(run?.journal.length, 1);
  });

  test("outputs() returns the errors of failed items, and the part of one item", async ({ store }) => {
    const { seq } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [
      record("m", { item: 0, output: "0" }),
      record("m", { item: 1, state: "failed", output: undefined, failures: [failure(1), failure(2)] }),
      record("m", { item: 2, output: undefined }),
      ...[0, 2].flatMap((item) => [1, 2].map((n) => record("m", { item, step: `s${n}`, output: `${item}${n}` }))),
    ]);
    assertEquals(await store.outputs([{ seq, task: "m", of: "results" }]), [
      { seq, task: "m", item: 0, step: "", output: "0" },
      { seq, task: "m", item: 1, step: "", output: undefined, error: failure(2).error },
    ]);
    assertEquals((await store.outputs([{ seq, task: "m", of: "results", item: 0 }])).length, 1);
    assertEquals(
      (await store.outputs([{ seq, task: "m", of: "steps", item: 2 }])).map(({ item, step }) => [item, step]),
      [[2, "s1"], [2, "s2"]],
    );
    assertEquals(await store.outputs([{ seq, task: "m", of: "input" }]), []);
  });

  test("a page of items ends with the item whose output exceeds the limit of characters", async ({ store }) => {
    const { seq } = await startOwned(store);
    const outputs = ["12345", undefined, "1234567890", "1", undefined, "12"];
    const rows = outputs.map((output, item) => ({ ...record("m", { item, output }), isNew: true }));
    await write(store, { seq, epoch: 1 }, [expansion(6), ...rows]);
    const page = async (characters: number, after = -1): Promise<number[]> =>
      (await store.items({ seq, task: "m", after, characters, limit: 5 })).map(({ item }) => item);
    assertEquals(await page(1), [0]);
    assertEquals(await page(5), [0]);
    assertEquals(await page(6), [0, 1, 2]);
    assertEquals(await page(16), [0, 1, 2, 3]);
    assertEquals(await page(17), [0, 1, 2, 3, 4]);
    assertEquals(await page(1, 2), [3]);
    const [third] = await store.items({ seq, task: "m", after: 1, characters: 1, limit: 5 });
    assertEquals([third?.item, third?.output, third?.state], [2, "1234567890", "completed"]);
  });

  test("items are counted by state and listed in pages", async ({ store }) => {
    const { seq } = await startOwned(store);
    const failed = record("m", { item: 50, state: "failed", output: undefined });
    await write(store, { seq, epoch: 1 }, [expansion(60), ...fresh(50), failed, record("m", { item: 3, step: "s" })]);
    const counts = (await store.itemCounts(seq)).toSorted((a, b) => b.count - a.count);
    assertEquals(counts, [{ task: "m", state: "completed", count: 50 }, { task: "m", state: "failed", count: 1 }]);
    const page = await store.items({ seq, task: "m", after: 46, limit: 3 });
    assertEquals(page.map(({ item }) => item), [47, 48, 49]);
    assertEquals(await store.items({ seq, task: "m", state: "failed", limit: 3 }), [failed]);
    assertEquals(await store.items({ seq, task: "none", limit: 3 }), []);
    assertEquals(await store.items({ seq, task: "m", after: -2, until: -1, limit: 3 }), [
      openRecord("m", { items: 60 }),
    ]);
    assertEquals((await store.items({ seq, task: "m", after: 3, until: 5, limit: 9 })).map(({ item }) => item), [4, 5]);
    const { heads } = await store.inspection.heads(seq, { rows: 10, characters: 5, bytes: 250 });
    assertEquals(heads.map(({ task, items }) => [task, items]), [["m", 60]]);
    assertEquals((await store.inspection.timings([seq], 100)).length, 1);
  });

  test("a restart keeps the items of an expanded task, and deletes the rows of those that did not complete", async ({ store }) => {
    const { seq, runner } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [
      { ...expansion(5), state: "failed", endedAt: T0, failures: [failure(1)] },
      ...fresh(2),
      record("m", { item: 2, state: "failed", output: undefined }),
      record("m", { item: 2, step: "s" }),
      openRecord("m", { item: 3 }),
    ], { to: "failed", at: T0, error: ERROR });
    assertEquals(await store.restart({ seq, epoch: 1 }, { retry: ["m"], forget: [] }), true);
    assertEquals(await store.journal(seq), [openRecord("m", { items: 5 })]);
    const { runs: [run] } = await store.claim(claimBy(runner));
    assertEquals(run?.journal.map(({ item, step, state }) => [item, step, state]), [
      [-1, "", "running"],
      [2, "s", "completed"],
    ]);
    assertEquals(run?.completedItems, [{ task: "m", first: 0, last: 1 }]);
    assertEquals((await store.outputs([{ seq, task: "m", of: "input" }])).length, 1);
  });

  test("a fork copies all rows of tasks that its origin completed", async ({ store }) => {
    const origin = await startOwned(store);
    await write(store, { seq: origin.seq, epoch: 1 }, [
      { ...expansion(40), ...record("m", { output: undefined, items: 40 }) },
      ...fresh(39),
      record("m", { item: 39, state: "failed", output: undefined, failures: [failure(1)] }),
      record("m", { item: 0, step: "s" }),
      record("a"),
      record("b"),
      openRecord("c"),
    ]);
    const fork = {
      from: origin.id,
      journal: [record("b", { output: "9" })],
      copy: { seq: origin.seq, tasks: ["m", "a", "c"] },
    };
    const [seq] = await start(store, newRun({ fork }));
    assertEquals(await store.journal(seq!), [
      record("a"),
      record("b", { output: "9" }),
      record("m", { output: undefined, items: 40 }),
    ]);
    assertEquals((await store.outputs([{ seq: seq!, task: "m", of: "results" }])).length, 40);
    assertEquals((await store.outputs([{ seq: seq!, task: "m", of: "input" }])).length, 1);
    const runner = await join(store);
    const { runs: [run] } = await store.claim(claimBy(runner));
    assertEquals(run?.completedItems, [{ task: "m", first: 0, last: 38 }]);
  });
}

/** The row of a task that has expanded into numbers. */
function expansion(total: number, task = "m"): RecordWrite {
  return { ...openRecord(task, { items: total }), input: JSON.stringify(Array.from({ length: total }, (_, at) => at)) };
}

function items(total: number): RecordWrite[] {
  return Array.from({ length: total }, (_, item) => record("m", { item, output: `${item}` }));
}

function fresh(total: number): RecordWrite[] {
  return items(total).map((item) => ({ ...item, isNew: true }));
}

function failure(attempt: number): { taskId: string; attempt: number; error: { name: string; message: string } } {
  return { taskId: "m", attempt, error: { name: "E", message: `${attempt}` } };
}

async function countOf(store: Store, seq: number): Promise<number> {
  return (await store.itemCounts(seq)).reduce((sum, { count }) => sum + count, 0);
}
