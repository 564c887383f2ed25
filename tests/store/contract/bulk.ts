import { assertEquals } from "@std/assert";
import type { ControlRequest } from "../../../lib/store/port/control.ts";
import type { RunQuery } from "../../../lib/store/port/listing.ts";
import type { Store } from "../../../lib/store/port/store.ts";
import {
  ALL,
  type Case,
  commit,
  ERROR,
  newRun,
  oneOfEachState,
  openRecord,
  record,
  start,
  startOwned,
} from "./fixture.ts";
import { T0, write } from "./fixture.ts";

const CANCEL: ControlRequest = { kind: "cancel", reason: "enough" };
const PAUSE: ControlRequest = { kind: "pause", reason: "lunch" };

/** Changes of many runs at once. */
export function bulkContract(test: Case): void {
  test("controlMany() changes the selected runs that match and have not ended, once", async ({ store }) => {
    const seqs = await oneOfEachState(store);
    const all = Object.values(seqs);
    const [left] = await start(store, newRun());
    const changed = await many(store, all, PAUSE);
    assertEquals(changed.length, 4);
    assertEquals(await states(store, [seqs.pending, seqs.running, seqs.waiting, seqs.compensating]), [
      ...["paused", "paused", "paused", "paused"],
    ]);
    assertEquals(await states(store, [seqs.completed, seqs.failed, seqs.cancelled, left!]), [
      ...["completed", "failed", "cancelled", "pending"],
    ]);
    assertEquals(await many(store, all, PAUSE), []);
    assertEquals((await many(store, all, CANCEL, { states: ["completed"] })).length, 0);
    assertEquals((await many(store, [seqs.pending], CANCEL, { workflow: "other" })).length, 0);
    assertEquals((await many(store, [seqs.pending, left!], CANCEL, { states: ["paused"] })).length, 1);
    assertEquals(await states(store, [seqs.pending, left!]), ["cancelled", "pending"]);
    assertEquals((await many(store, all, { kind: "resume" })).length, 4);
    assertEquals((await store.list({ ...ALL, seqs: [seqs.running] }))[0]?.state, "running");
    assertEquals(await many(store, all, { kind: "resume" }), []);
    assertEquals(await many(store, [], CANCEL), []);
    assertEquals(await many(store, all, CANCEL, { workflow: "\0" }), []);
  });

  test("controlMany() leaves owned runs to their owners", async ({ store }) => {
    const [first, second] = [await startOwned(store), await startOwned(store)];
    const changed = await store.controlMany({ ...ALL, seqs: [first.seq, second.seq] }, CANCEL);
    assertEquals(
      changed.map(({ id, owner, attention, state }) => [id, owner, attention, state]).sort(),
      [[first.id, first.runner, 1, "running"], [second.id, second.runner, 1, "running"]].sort(),
    );
    assertEquals((await store.inbox(first.runner)).map(({ cancel }) => cancel), [
      { reason: "enough", compensate: true },
    ]);
    assertEquals(await store.areAcknowledged(changed), false);
    for (const { seq } of [first, second]) {
      await commit(store, { writes: [{ seq, epoch: 1, records: [], move: { to: "cancelled", at: T0, reason: "x" } }] });
    }
    assertEquals([await store.areAcknowledged(changed), await store.areAcknowledged([])], [true, true]);
  });

  test("controlMany() releases the runs of dead owners first", async ({ store, clock }) => {
    const owned = [await startOwned(store), await startOwned(store)];
    clock.advance(120_000);
    const seqs = owned.map(({ seq }) => seq);
    assertEquals((await many(store, seqs, CANCEL)).length, 2);
    assertEquals(await states(store, seqs), ["cancelled", "cancelled"]);
  });

  test("controlMany() changes the descendants of runs, and does not count them", async ({ store }) => {
    const family = await tree(store, 3);
    assertEquals((await many(store, family, PAUSE)).length, 1);
    assertEquals(await states(store, family), ["paused", "paused", "paused", "paused"]);
    assertEquals((await many(store, family.slice(0, 1), { kind: "resume" })).length, 1);
    assertEquals(await states(store, family), ["pending", "pending", "pending", "pending"]);
    const alone = await tree(store, 1);
    assertEquals((await many(store, [...family, alone[1]!], CANCEL)).length, 2);
    assertEquals(await states(store, [...family, ...alone]), [
      ...["cancelled", "cancelled", "cancelled", "cancelled"],
      ...["pending", "cancelled"],
    ]);
  });

  test("controlMany() changes runs with many descendants in parts", async ({ store }) => {
    const [large, small] = [await tree(store, 1_100), await tree(store, 1)];
    assertEquals((await many(store, [large[0]!, small[0]!], CANCEL)).length, 2);
    assertEquals((await store.counts()).cancelled, 1_103);
    assertEquals(await many(store, [large[0]!, small[0]!], CANCEL), []);
  });

  test("deleteMany() deletes the selected runs that match and have ended, with their child runs", async ({ store }) => {
    const [root, child] = [await startOwned(store), newRun()];
    const [ofRoot] = await start(store, { ...child, parent: { run: root.seq, task: "a", item: -1 }, depth: 1 });
    const done = await startOwned(store, { workflow: "other" });
    const live = await startOwned(store);
    await write(store, { seq: root.seq, epoch: 1 }, [record("a")], { to: "completed", at: T0 });
    await write(store, { seq: done.seq, epoch: 1 }, [record("a")], { to: "completed", at: T0 });
    const all = { ...ALL, seqs: [root.seq, ofRoot!, done.seq, live.seq] };
    assertEquals(await store.deleteMany({ ...all, seqs: [root.seq, ofRoot!, live.seq] }), 0);
    await store.control(child.id, CANCEL);
    // Not deleted, because it belongs to its parent.
    assertEquals(await store.deleteMany({ ...all, states: ["cancelled"] }), 0);
    assertEquals(await store.deleteMany({ ...all, workflow: "none" }), 0);
    assertEquals(await store.deleteMany({ ...all, workflow: "other" }), 1);
    assertEquals([await store.run(done.id), await store.journal(done.seq)], [undefined, []]);
    assertEquals(await store.deleteMany(all), 1);
    assertEquals([await store.run(root.id), await store.run(child.id)], [undefined, undefined]);
    assertEquals((await store.run(live.id))?.state, "running");
    assertEquals([await store.deleteMany(all), await store.deleteMany({ ...ALL, seqs: [] })], [0, 0]);
  });

  test("tagMany() adds and removes tags of the selected runs that match", async ({ store }) => {
    const seqs = await start(store, newRun({ tags: ["a", "b"] }), newRun({ workflow: "other" }), newRun());
    const owned = await startOwned(store, { tags: ["a"] });
    const all = { ...ALL, seqs: [...seqs, owned.seq] };
    const tags = async (): Promise<unknown> => (await store.list(all)).toReversed().map((run) => run.tags);
    assertEquals(await store.tagMany({ ...all, workflow: "etl" }, { add: ["a", 'c"\u{1f600}'], remove: ["b"] }), {
      changed: 3,
      full: undefined,
    });
    assertEquals(await tags(), [["a", 'c"\u{1f600}'], [], ["a", 'c"\u{1f600}'], ["a", 'c"\u{1f600}']]);
    assertEquals((await store.tagMany({ ...all, workflow: "etl" }, { add: ["a"], remove: ["b"] })).changed, 0);
    assertEquals((await store.tagMany(all, { add: [], remove: ["a", 'c"\u{1f600}'] })).changed, 3);
    assertEquals(await tags(), [[], [], [], []]);
    const many = Array.from({ length: 100 }, (_, at) => `t${at}`);
    assertEquals((await store.tagMany({ ...ALL, seqs: seqs.slice(0, 1) }, { add: many, remove: [] })).changed, 1);
    const [full] = (await store.list(all)).slice(-1);
    assertEquals(await store.tagMany(all, { add: ["more"], remove: [] }), { changed: 0, full: full!.id });
    assertEquals((await store.tagMany(all, { add: ["more"], remove: ["t0"] })).changed, 4);
    assertEquals(await write(store, { seq: owned.seq, epoch: 1 }, [record("a")]), "accepted");
  });

  test("restartMany() restarts failed runs, except child runs that their parents replace", async ({ store }) => {
    const parent = await startOwned(store);
    const child = newRun({ parent: { run: parent.seq, task: "ship", item: -1 }, depth: 1 });
    const [ofParent] = await start(store, child);
    await commit(store, {
      writes: [{
        seq: parent.seq,
        epoch: 1,
        records: [openRecord("ship")],
        move: { to: "waiting", release: true, dueAt: 1 },
      }],
    });
    const other = await startOwned(store);
    const live = await startOwned(store);
    const runs = await store.claim({ runner: other.runner, limit: 9, served: [ETL], pinned: false });
    for (const { seq, epoch } of [...runs.runs, { seq: other.seq, epoch: 1 }]) {
      const failed = record("ship", { state: "failed", output: undefined });
      await write(store, { seq, epoch }, seq === ofParent ? [] : [failed], { to: "failed", at: T0, error: ERROR });
    }
    const requests = [parent.seq, ofParent!, other.seq, live.seq].map((seq) => ({
      seq,
      epoch: runs.runs.find((run) => run.seq === seq)?.epoch ?? 1,
      retry: ["ship"],
      forget: [],
    }));
    assertEquals(await store.restartMany(requests), [true, "superseded", true, false]);
    assertEquals(await states(store, [parent.seq, ofParent!, other.seq, live.seq]), [
      ...["pending", "failed", "pending", "running"],
    ]);
    assertEquals(await store.restartMany([]), []);
  });

  test("prune() deletes runs by the state in which they ended", async ({ store }) => {
    const { seq: completed } = await startOwned(store);
    const { seq: failed } = await startOwned(store);
    const { seq: cancelled } = await startOwned(store);
    await write(store, { seq: completed, epoch: 1 }, [], { to: "completed", at: T0 });
    await write(store, { seq: failed, epoch: 1 }, [], { to: "failed", at: T0, error: ERROR });
    await write(store, { seq: cancelled, epoch: 1 }, [], { to: "cancelled", at: T0, reason: undefined });
    const left = async (): Promise<unknown> => (await store.list(ALL)).map(({ state }) => state);
    assertEquals(await store.prune({}, 10), 0);
    assertEquals(await store.prune({ completed: T0 + 1, failed: T0 }, 10), 1);
    assertEquals(await left(), ["cancelled", "failed"]);
    assertEquals(await store.prune({ completed: T0 + 1, cancelled: T0 + 1 }, 10), 1);
    assertEquals(await left(), ["failed"]);
    assertEquals(await store.prune({ failed: T0 + 1 }, 10), 1);
  });
}

const ETL = { workflow: "etl", version: "v1" };

function many(
  store: Store,
  seqs: readonly number[],
  request: ControlRequest,
  query: Partial<RunQuery> = {},
): Promise<readonly unknown[]> {
  return store.controlMany({ ...ALL, ...query, seqs }, request);
}

async function states(store: Store, seqs: readonly number[]): Promise<readonly string[]> {
  const runs = await store.list({ ...ALL, seqs, limit: 100, withInput: false });
  return seqs.map((seq) => runs.find((run) => run.seq === seq)?.state ?? "gone");
}

/** A pending run with pending child runs; returns their numbers. */
async function tree(store: Store, children: number): Promise<readonly number[]> {
  const [root] = await start(store, newRun());
  const runs = Array.from(
    { length: children },
    (_, item) => newRun({ parent: { run: root!, task: "t", item }, depth: 1 }),
  );
  return [root!, ...await start(store, ...runs)];
}
