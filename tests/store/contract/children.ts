import { assertEquals } from "@std/assert";
import type { JournalRecord, NewRun, RunMove, RunWrite } from "../../../lib/store/port/batch.ts";
import type { ChildWait } from "../../../lib/store/port/children.ts";
import type { ItemsQuery, Store } from "../../../lib/store/port/store.ts";
import {
  type Case,
  claimBy,
  commit,
  endedBefore,
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

const WAITING: RunMove = { to: "waiting", dueAt: undefined, release: true };

/** Child runs: starts that the epoch of the parent fences, waking the parent, control of descendants, and deletion. */
export function childContract(test: Case): void {
  test("a child is inserted with the row of its task, pending, and its parent waits for it", async ({ store }) => {
    const { seq, child } = await startFamily(store);
    const [row] = await store.children(seq);
    assertEquals([row?.id, row?.state, row?.owner, row?.parent], [
      child.id,
      "pending",
      undefined,
      { run: seq, task: "ship", item: -1 },
    ]);
    assertEquals(await store.childEnds([shipOf(seq)]), []);
  });

  test("a fenced parent inserts no child", async ({ store }) => {
    const { seq } = await startOwned(store);
    const write = { seq, epoch: 7, records: [waiting("ship")], move: undefined, children: [childOf(seq)] };
    assertEquals((await commit(store, { writes: [write] })).writes, ["fenced"]);
    assertEquals(await store.children(seq), []);
  });

  test("a repeated commit inserts one child", async ({ store }) => {
    const { seq } = await startOwned(store);
    const write = { seq, epoch: 1, records: [waiting("ship")], move: undefined, children: [childOf(seq)] };
    for (let time = 0; time < 2; time++) assertEquals((await commit(store, { writes: [write] })).writes, ["accepted"]);
    assertEquals((await store.children(seq)).length, 1);
  });

  test("a child of its parent's owner is inserted as owned, and its number is returned", async ({ store }) => {
    const { seq, runner } = await startOwned(store);
    const child = childOf(seq, { owner: runner, timeoutMs: 5_000, priority: 3, tags: ["a"] });
    const { writes, children } = await commit(store, { writes: [spawning(seq, 1, [child])] });
    const row = await store.run(child.id);
    assertEquals([writes, children], [["accepted"], [{ id: child.id, seq: row!.seq, at: T0 }]]);
    assertEquals([row?.state, row?.owner, row?.epoch, row?.startedAt, row?.deadlineAt, row?.dueAt, row?.tags], [
      ...["running", runner, 1, T0, T0 + 5_000, T0],
      ["a"],
    ]);
    assertEquals(row?.parent, { run: seq, task: "ship", item: -1 });
    assertEquals(await store.claim(claimBy(runner)), { runs: [], more: false, nextDueAt: undefined });
    assertEquals(await write(store, { seq: row!.seq, epoch: 1 }, [record("a")]), "accepted");
  });

  test("a shared child is owned while its owner is the only runner, and pending once another has joined", async ({ store }) => {
    const { seq, runner } = await startOwned(store);
    const children = [0, 1, 2, 3].map((item) =>
      childOf(seq, { owner: runner, isShared: item % 2 === 0, parent: { run: seq, task: "ship", item } })
    );
    const spawn = async (items: readonly number[]): Promise<readonly (string | undefined)[]> => {
      const started = items.map((item) => children[item]!);
      await commit(store, { writes: [spawning(seq, 1, started)] });
      return await Promise.all(started.map(async ({ id }) => (await store.run(id))?.state));
    };
    assertEquals(await spawn([0, 1]), ["running", "running"]);
    const other = await join(store);
    assertEquals(await spawn([2, 3]), ["pending", "running"]);
    assertEquals((await store.claim(claimBy(other))).runs.map(({ id }) => id), [children[2]!.id]);
  });

  test("a child is not owned by another runner than its parent, under a paused or cancelled parent, nor twice", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    const other = await join(store);
    const child = async (owner: number, item: number) => {
      const run = childOf(seq, { owner, parent: { run: seq, task: "ship", item } });
      const { children } = await commit(store, { writes: [spawning(seq, 1, [run])] });
      const row = await store.run(run.id);
      return [children?.length ?? 0, row?.state, row?.owner];
    };
    assertEquals(await child(other, 0), [0, "pending", undefined]);
    assertEquals(await child(runner, 0), [0, undefined, undefined]);
    await store.control(id, { kind: "pause", reason: undefined });
    assertEquals(await child(runner, 1), [0, "paused", undefined]);
    await store.control(id, { kind: "cancel", reason: undefined });
    assertEquals(await child(runner, 2), [0, undefined, undefined]);
  });

  test("of many children those that exist already are unchanged, and the others are owned", async ({ store }) => {
    const { seq, runner } = await startOwned(store);
    const ofItem = (item: number): NewRun =>
      childOf(seq, { owner: runner, input: String(item), parent: { run: seq, task: "ship", item } });
    const existing = ofItem(20);
    await commit(store, { writes: [spawning(seq, 1, [existing])] });
    const children = Array.from({ length: 50 }, (_, item) => ofItem(item));
    const { children: inserted } = await commit(store, { writes: [spawning(seq, 1, children)] });
    assertEquals(inserted?.map(({ id }) => id).sort(), children.flatMap(({ id }, at) => at === 20 ? [] : [id]).sort());
    for (const child of inserted!) assertEquals((await store.run(child.id))?.seq, child.seq);
    const rows = await store.children(seq);
    assertEquals(rows.map(({ parent }) => parent?.item).sort((a, b) => a! - b!), children.map((_, item) => item));
    assertEquals(rows.every(({ owner }) => owner === runner), true);
  });

  test("owned children of a dead runner are recovered, and those of a fenced parent are not inserted", async ({ store }) => {
    const { seq, runner } = await startOwned(store);
    const child = childOf(seq, { owner: runner });
    await commit(store, { writes: [spawning(seq, 1, [child])] });
    const { released } = await store.recover({ dead: [runner], recoveryLimit: 9, limit: 10 });
    assertEquals(released.length, 2);
    assertEquals((await store.run(child.id))?.state, "pending");
    const late = childOf(seq, { owner: runner, parent: { run: seq, task: "ship", item: 1 } });
    const { writes, children = [] } = await commit(store, { writes: [spawning(seq, 1, [late])] });
    assertEquals([writes, children, await store.run(late.id)], [["fenced"], [], undefined]);
  });

  test("an item whose child run is inserted without a row of the item waits for it while its task runs", async ({ store }) => {
    const { seq, runner } = await startOwned(store);
    const map = openRecord("ship", { items: 6 });
    const children = [0, 1, 2, 4, 5].map((item) => childOf(seq, { parent: { run: seq, task: "ship", item } }));
    assertEquals(await write(store, { seq, epoch: 1 }, [map]), "accepted");
    const spawning = { seq, records: [], move: undefined, children, hasChildren: true };
    assertEquals((await commit(store, { writes: [{ ...spawning, epoch: 7 }] })).writes, ["fenced"]);
    assertEquals(await store.items({ seq, task: "ship", limit: 9 }), []);
    assertEquals((await commit(store, { writes: [{ ...spawning, epoch: 1 }] })).writes, ["accepted"]);
    const ended = [record("ship", { item: 1 }), record("ship", { item: 3 }), failedItem(4)];
    assertEquals(await write(store, { seq, epoch: 1 }, ended), "accepted");

    const itemsOf = async (query: Partial<ItemsQuery> = {}): Promise<readonly (readonly (number | string)[])[]> =>
      (await store.items({ seq, task: "ship", limit: 9, ...query })).map(({ item, state }) => [item, state]);
    const all = [[0, "waiting"], [1, "completed"], [2, "waiting"], [3, "completed"], [4, "failed"], [5, "waiting"]];
    assertEquals(await itemsOf(), all);
    assertEquals(await itemsOf({ limit: 3 }), all.slice(0, 3));
    assertEquals(await itemsOf({ after: 1, until: 4 }), all.slice(2, 5));
    assertEquals(await itemsOf({ state: "waiting", after: 0 }), [[2, "waiting"], [5, "waiting"]]);
    assertEquals(await itemsOf({ state: "failed" }), [[4, "failed"]]);
    // The output of item 1 exceeds the bound, so that item 3 and the items after it are omitted.
    assertEquals(await itemsOf({ characters: 3 }), all.slice(0, 2));
    const counts = (await store.itemCounts(seq)).map(({ task, state, count }) => `${task} ${state} ${count}`);
    assertEquals(counts.sort(), ["ship completed 2", "ship failed 1", "ship waiting 3"]);

    await commit(store, { writes: [{ seq, epoch: 1, records: [], move: { to: "pending" }, hasChildren: true }] });
    const { runs } = await store.claim(claimBy(runner));
    const { journal, completedItems } = runs.find((run) => run.seq === seq)!;
    const waits = journal.filter(({ state }) => state === "waiting");
    assertEquals(waits.map(({ item, reason, attempts, startedAt }) => [item, reason, attempts, startedAt]), [
      [0, "child", 1, T0],
      [2, "child", 1, T0],
      [5, "child", 1, T0],
    ]);
    assertEquals(completedItems, [{ task: "ship", first: 1, last: 1 }, { task: "ship", first: 3, last: 3 }]);

    // The items of a task that has ended do not wait.
    await write(store, { seq, epoch: 2 }, [record("ship", { state: "failed", output: undefined })]);
    assertEquals(await itemsOf(), [[1, "completed"], [3, "completed"], [4, "failed"]]);
    assertEquals((await store.itemCounts(seq)).some(({ state }) => state === "waiting"), false);
  });

  test("a row of a task that expands and ends in one write keeps its number of items and its array", async ({ store }) => {
    const { seq } = await startOwned(store);
    const failures = [{ taskId: "ship", attempt: 1, error: ERROR }];
    const records = [
      { ...openRecord("ship", { items: 2 }), input: "[7,8]", isNew: true },
      { ...record("ship", { item: 0 }), isNew: true },
      record("ship", { state: "failed", output: undefined, failures }),
    ];
    const { writes } = await commit(store, { writes: [{ seq, epoch: 1, records, move: undefined }] });
    assertEquals(writes, ["accepted"]);
    const [row] = await store.items({ seq, task: "ship", after: -2, until: -1, limit: 1 });
    assertEquals([row?.state, row?.items], ["failed", 2]);
    const [array] = await store.outputs([{ seq, task: "ship", of: "input" }]);
    assertEquals(array?.output, "[7,8]");
  });

  test("the number of child runs for which a claim returns waits is bounded", async ({ store }) => {
    const { runner } = await startOwned(store);
    for (let parent = 0; parent < 2; parent++) {
      const [seq] = await start(store, newRun({ owner: runner }));
      const children = Array.from(
        { length: 9_000 },
        (_, item) => childOf(seq!, { dueAt: T0 + 1e6, parent: { run: seq!, task: "ship", item } }),
      );
      const records = [openRecord("ship", { items: children.length })];
      const move = { to: "pending" } as const;
      await commit(store, { writes: [{ seq: seq!, epoch: 1, records, move, children, hasChildren: true }] });
    }
    const { runs, more } = await store.claim(claimBy(runner));
    assertEquals([runs.length, runs[0]?.journal.length, more], [1, 9_001, true]);
  });

  test("a run with a recorded cancel starts no child, and the child of a paused run is paused", async ({ store }) => {
    const cancelled = await startOwned(store);
    await store.control(cancelled.id, { kind: "cancel", reason: undefined });
    await spawn(store, cancelled.seq, 1);
    assertEquals(await store.children(cancelled.seq), []);
    const paused = await startOwned(store);
    await store.control(paused.id, { kind: "pause", reason: undefined });
    await spawn(store, paused.seq, 1);
    assertEquals((await store.children(paused.seq)).map(({ state }) => state), ["paused"]);
  });

  test("each kind of end of a child wakes a parent without an owner", async ({ store }) => {
    const ends: readonly RunMove[] = [
      { to: "completed", at: T0 },
      { to: "failed", at: T0, error: ERROR },
      { to: "cancelled", at: T0, reason: "no" },
    ];
    for (const move of ends) {
      const { seq, id, runner, child } = await startFamily(store, WAITING);
      const { runs: [claimed] } = await store.claim(claimBy(runner));
      assertEquals(claimed?.id, child.id);
      await end(store, claimed!.seq, seq, move);
      assertEquals((await store.run(id))?.dueAt, T0);
      const { runs: [parent] } = await store.claim(claimBy(runner));
      assertEquals(parent?.id, id);
      const [found] = await store.childEnds([shipOf(seq)]);
      assertEquals([found?.task, found?.item, found?.child?.state], ["ship", -1, move.to]);
    }
  });

  test("the end of a child is in the inbox of the parent's owner until it is acknowledged", async ({ store }) => {
    const { seq, runner, child } = await startFamily(store);
    const other = await join(store);
    const { runs: [claimed] } = await store.claim(claimBy(other));
    assertEquals(claimed?.id, child.id);
    await end(store, claimed!.seq, seq, { to: "completed", at: T0 });
    assertEquals((await store.inbox(runner)).map(({ attention }) => attention), [1]);
    await commit(store, { writes: [{ seq, epoch: 1, records: [], move: undefined, seen: 1 }] });
    assertEquals(await store.inbox(runner), []);
  });

  test("the ends of children are read in the order of the waits, at most 200 at once", async ({ store }) => {
    const { seq } = await startOwned(store);
    const items = Array.from({ length: 250 }, (_, item) => item);
    const children = items.map((item) => childOf(seq, { parent: { run: seq, task: "ship", item } }));
    const records = items.map((item) => ({ ...waiting("ship"), item }));
    await commit(store, { writes: [{ seq, epoch: 1, records, move: undefined, children, hasChildren: true }] });
    for (const { id } of children.slice(0, 240)) await store.control(id, { kind: "cancel", reason: undefined });
    const waits = items.toReversed().map((item) => ({ parent: seq, task: "ship", item }));
    const first = await store.childEnds(waits);
    assertEquals([first.length, first[0]?.at, first[0]?.item, first.at(-1)?.at], [200, 10, 239, 209]);
    const rest = await store.childEnds(waits.slice(210));
    assertEquals([rest.length, rest.at(-1)?.item, rest.at(-1)?.child?.state], [40, 0, "cancelled"]);
    assertEquals(await store.childEnds([{ parent: seq, task: "ship", item: 300 }]), [
      { parent: seq, task: "ship", item: 300, at: 0, child: undefined },
    ]);
  });

  test("a child that is cancelled without an owner wakes its parent", async ({ store }) => {
    const { seq, id, child } = await startFamily(store, WAITING);
    await store.control(child.id, { kind: "cancel", reason: "no" });
    assertEquals((await store.run(id))?.dueAt, T0);
    assertEquals((await store.childEnds([shipOf(seq)]))[0]?.child?.reason, "no");
  });

  test("a child that fails because its runners crash wakes its parent", async ({ store }) => {
    const { id } = await startFamily(store, WAITING);
    const dying = await join(store);
    await store.claim(claimBy(dying));
    const recovery = await store.recover({ dead: [dying], recoveryLimit: 1, limit: 10 });
    assertEquals(recovery.failed.length, 1);
    assertEquals((await store.run(id))?.dueAt, T0);
  });

  test("the end of a run without a parent wakes no run", async ({ store }) => {
    const { seq, runner } = await startOwned(store);
    const before = store.counters().rows;
    await commit(store, { writes: [{ seq, epoch: 1, records: [record("a")], move: { to: "completed", at: T0 } }] });
    assertEquals([store.counters().rows - before, await store.inbox(runner)], [2, []]);
  });

  test("cancel applies to descendants with and without owners", async ({ store }) => {
    const { id, child, grandchild, other } = await startGenerations(store);
    await store.control(id, { kind: "cancel", reason: "enough" });
    const rows = await Promise.all([id, child.id, grandchild.id].map((run) => store.run(run)));
    assertEquals(rows.map((row) => [row?.state, row?.closing]), [
      ["cancelled", undefined],
      ["running", "cancel"],
      ["cancelled", undefined],
    ]);
    assertEquals((await store.inbox(other)).map(({ cancel }) => cancel?.reason), ["enough"]);
  });

  test("pause and resume apply to descendants, and may be repeated", async ({ store }) => {
    const { seq, id, child, grandchild } = await startGenerations(store);
    const states = async (): Promise<unknown[]> =>
      await Promise.all([id, child.id, grandchild.id].map(async (run) => (await store.run(run))?.state));
    await store.control(id, { kind: "pause", reason: undefined });
    await store.controlChildren(seq, { kind: "pause", reason: undefined });
    assertEquals(await states(), ["paused", "paused", "paused"]);
    await store.control(id, { kind: "resume" });
    await store.controlChildren(seq, { kind: "resume" });
    assertEquals(await states(), ["waiting", "running", "pending"]);
  });

  test("thousands of children are changed in parts, with one commit for each", async ({ store }) => {
    const { seq } = await startOwned(store);
    const children = Array.from(
      { length: 1_200 },
      (_, item) => childOf(seq, { parent: { run: seq, task: "ship", item } }),
    );
    await commit(store, {
      writes: [{ seq, epoch: 1, records: [waiting("ship")], move: undefined, children, hasChildren: true }],
    });
    const states = async (): Promise<[paused: number, others: number]> => {
      const { paused, pending, cancelled } = await store.counts();
      return [paused, pending + cancelled];
    };
    const { commits } = store.counters();
    await store.controlChildren(seq, { kind: "pause", reason: "slow down" });
    assertEquals([await states(), store.counters().commits - commits], [[1_200, 0], 2]);
    await store.controlChildren(seq, { kind: "pause", reason: "again" });
    assertEquals(store.counters().commits - commits, 2);
    await store.controlChildren(seq, { kind: "cancel", reason: undefined });
    assertEquals(await states(), [0, 1_200]);
  });

  test("thousands of descendants of an unowned run are changed in parts, too", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    const children = Array.from(
      { length: 1_200 },
      (_, item) => childOf(seq, { parent: { run: seq, task: "ship", item } }),
    );
    await commit(store, {
      writes: [{ seq, epoch: 1, records: [waiting("ship")], move: WAITING, children, hasChildren: true }],
    });
    const log: string[] = [];
    for (const kind of ["pause", "pause", "resume", "cancel", "cancel"] as const) {
      const { commits } = store.counters();
      const result = await store.control(id, { kind, reason: "enough" });
      const { paused, pending, waiting, cancelled } = await store.counts();
      const counts = `${paused} paused, ${pending + waiting} open, ${cancelled} cancelled`;
      log.push(`${kind} ${result.kind}, ${counts}, ${store.counters().commits - commits} commits`);
    }
    assertEquals(log, [
      "pause done, 1201 paused, 0 open, 0 cancelled, 3 commits",
      "pause done, 1201 paused, 0 open, 0 cancelled, 0 commits",
      "resume done, 0 paused, 1201 open, 0 cancelled, 3 commits",
      "cancel done, 0 paused, 0 open, 1201 cancelled, 4 commits",
      "cancel ended, 0 paused, 0 open, 1201 cancelled, 0 commits",
    ]);
  });

  test("a run that exceeds its recovery limit ends after its thousands of descendants, and stays owned by its dead runner until then", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    const children = Array.from(
      { length: 1_200 },
      (_, item) => childOf(seq, { parent: { run: seq, task: "ship", item } }),
    );
    await commit(store, {
      writes: [{ seq, epoch: 1, records: [waiting("ship")], move: undefined, children, hasChildren: true }],
    });
    const request = { dead: [runner], recoveryLimit: 1, limit: 100 };
    const states = async () => [(await store.run(id))?.state, (await store.counts()).cancelled];
    const { commits } = store.counters();
    assertEquals(await store.recover(request), { released: [], failed: [], more: true });
    assertEquals([await states(), store.counters().commits - commits], [["running", 1_200], 3]);
    const failed = [{ id, workflow: "etl", crashes: 1 }];
    assertEquals(await store.recover(request), { released: [], failed, more: false });
    assertEquals([await states(), store.counters().commits - commits], [["failed", 1_200], 4]);
  });

  test("a restart lets a task start another child, and keeps the previous one", async ({ store }) => {
    const { seq, runner } = await startFamily(store);
    await commit(store, {
      writes: [{
        seq,
        epoch: 1,
        records: [record("ship", { state: "failed", output: undefined })],
        move: { to: "failed", at: T0, error: ERROR },
      }],
    });
    assertEquals(await store.restart({ seq, epoch: 1 }, { retry: ["ship"], forget: [] }), true);
    const { runs } = await store.claim(claimBy(runner));
    const parent = runs.find((run) => run.seq === seq);
    await spawn(store, seq, parent!.epoch);
    assertEquals((await store.children(seq)).length, 2);
  });

  test("a child is not deleted before its parent, and a parent with its children", async ({ store, clock }) => {
    const { seq, id, runner, child } = await startFamily(store, WAITING);
    const { runs: [claimed] } = await store.claim(claimBy(runner));
    await end(store, claimed!.seq, seq, { to: "completed", at: T0 });
    await startOwned(store);
    clock.advance(1_000);
    assertEquals(await store.prune(endedBefore(T0 + 500), 10), 0);
    await store.control(id, { kind: "cancel", reason: undefined });
    clock.advance(1_000);
    assertEquals(await store.prune(endedBefore(T0 + 1_500), 10), 2);
    assertEquals([await store.run(id), await store.run(child.id)], [undefined, undefined]);
  });
}

/** Returns the write of a task that starts children and waits for them. */
function spawning(seq: number, epoch: number, children: readonly NewRun[]): RunWrite {
  return { seq, epoch, records: [waiting("ship")], move: undefined, children, hasChildren: true };
}

function failedItem(item: number): JournalRecord {
  return record("ship", {
    item,
    state: "failed",
    output: undefined,
    failures: [{ taskId: "ship", attempt: 1, error: ERROR }],
  });
}

/** Returns the wait of the task that started the child. */
function shipOf(parent: number): ChildWait {
  return { parent, task: "ship", item: -1 };
}

function waiting(task: string) {
  return openRecord(task, { state: "waiting", reason: "child" });
}

function childOf(run: number, overrides: Partial<NewRun> = {}): NewRun {
  return newRun({ parent: { run, task: "ship", item: -1 }, depth: 1, ...overrides });
}

async function spawn(store: Store, seq: number, epoch: number, move?: RunMove): Promise<NewRun> {
  const child = childOf(seq);
  const write = { seq, epoch, records: [waiting("ship")], move, children: [child], hasChildren: true };
  const { writes } = await commit(store, { writes: [write] });
  assertEquals(writes, ["accepted"]);
  return child;
}

/** Inserts a parent whose task "ship" waits for a pending child. */
async function startFamily(store: Store, move?: RunMove) {
  const parent = await startOwned(store);
  return { ...parent, child: await spawn(store, parent.seq, 1, move) };
}

/** Inserts a parent without an owner, a child of another runner, and a pending child of that child. */
async function startGenerations(store: Store) {
  const family = await startFamily(store, WAITING);
  const other = await join(store);
  const { runs: [claimed] } = await store.claim(claimBy(other));
  return { ...family, other, grandchild: await spawn(store, claimed!.seq, claimed!.epoch) };
}

async function end(store: Store, seq: number, parent: number, move: RunMove): Promise<void> {
  const { writes } = await commit(store, { writes: [{ seq, epoch: 1, records: [], move, parent }] });
  assertEquals(writes, ["accepted"]);
}
