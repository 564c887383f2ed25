import { assert, assertEquals } from "@std/assert";
import { until } from "../../within.ts";
import type { ListQuery } from "../../../lib/store/port/listing.ts";
import type { NewRun, RunMove } from "../../../lib/store/port/batch.ts";
import type { Change, Store } from "../../../lib/store/port/store.ts";
import {
  ALL,
  type Case,
  claimBy,
  claimed,
  commit,
  endedBefore,
  ERROR,
  join,
  newRun,
  oneOfEachState,
  record,
  start,
  startOwned,
  T0,
  write,
} from "./fixture.ts";

/** Reading, counting, pruning, definitions and wake-ups. */
export function readingContract(test: Case): void {
  test("texts that no row can contain match no row", async ({ store }) => {
    const { seq } = await startOwned(store);
    for (const text of ["a\0b", "\ud800"]) {
      assertEquals(await store.items({ seq, task: text, limit: 9 }), []);
      assertEquals(await store.definition({ workflow: text, version: "v1" }), undefined);
      assertEquals(await store.definition({ workflow: "etl", version: text }), undefined);
      const { inspection } = store;
      const bounds = { after: -2, until: -1, limit: 1, characters: 0, bytes: 0 };
      assertEquals(await inspection.items({ seq, task: text, ...bounds }), []);
      assertEquals(await inspection.taskChildren({ parent: seq, tasks: [text], items: [0] }), []);
      assertEquals(await inspection.payload(seq, { kind: "output", task: text, item: 0, step: text }), undefined);
      assertEquals(await inspection.definitionBytes({ workflow: text, version: text }), undefined);
      assertEquals([await inspection.versions(text, 1), await inspection.latest(text, 1, 1)], [[], []]);
      assertEquals([await inspection.find(text, 1), await inspection.pulses([text])], [[], new Map()]);
      assertEquals(await store.schedules.read({ names: [text] }), []);
      assertEquals(await store.limits.lanes({ limit: text, lanes: 1, permits: 1 }), []);
    }
  });

  test("a run that does not exist is undefined", async ({ store }) => {
    assertEquals(await store.run("nobody"), undefined);
    assertEquals(await store.journal(12), []);
    assertEquals(await store.facts(12), []);
  });

  test("ended() returns the runs that have ended or are gone", async ({ store }) => {
    const done = await startOwned(store);
    const live = await startOwned(store);
    await write(store, { seq: done.seq, epoch: 1 }, [], { to: "completed", at: T0 });
    const ended = await store.ended([live.id, "gone", done.id]);
    assertEquals([...ended].sort(), [done.id, "gone"].sort());
    assertEquals(await store.ended([]), []);
  });

  test("list() returns pages of runs, newest first", async ({ store }) => {
    const seqs = await start(store, ...Array.from({ length: 5 }, () => newRun()));
    const newest = [...seqs].reverse();
    assertEquals(await listed(store, { limit: 2 }), newest.slice(0, 2));
    assertEquals(await listed(store, { limit: 2, before: newest[1]! }), newest.slice(2, 4));
    assertEquals(await listed(store, { limit: 2, before: newest[3]! }), newest.slice(4));
    assertEquals(await listed(store, { before: newest[4]! }), []);
  });

  test("list() filters by workflow, tags and time", async ({ store, clock }) => {
    const first = await start(store, newRun({ tags: ["a", "b"] }), newRun({ workflow: "other", tags: ["a"] }));
    clock.advance(10);
    const second = await start(store, newRun({ tags: ["b'\"%"] }), newRun());
    const seqs = [...first, ...second];
    const at = (...indexes: number[]): number[] => indexes.map((i) => seqs[i]!);
    assertEquals(await listed(store, { workflow: "other" }), at(1));
    assertEquals(await listed(store, { tags: ["a"] }), at(1, 0));
    assertEquals(await listed(store, { tags: ["a", "b"] }), at(0));
    assertEquals(await listed(store, { tags: ["b'\"%"] }), at(2));
    assertEquals(await listed(store, { tags: [] }), at(3, 2, 1, 0));
    assertEquals(await listed(store, { since: T0 + 10 }), at(3, 2));
    assertEquals(await listed(store, { until: T0 + 10 }), at(1, 0));
    assertEquals(await listed(store, { since: T0 + 1, until: T0 + 10 }), []);
    assertEquals(await listed(store, { workflow: "etl", tags: ["a"], until: T0 + 1 }), at(0));
  });

  test("list() filters by a prefix of the key", async ({ store }) => {
    const keys = ["order-1", "order-2", "Order-3", "ö%der", undefined];
    const seqs: number[] = [];
    for (const key of keys) seqs.push(...await start(store, newRun({ key })));
    const found = async (keyPrefix: string): Promise<readonly (string | undefined)[]> =>
      (await store.list({ ...ALL, limit: 100, keyPrefix })).map(({ seq }) => keys[seqs.indexOf(seq)]);
    assertEquals(await found("order-"), ["order-2", "order-1"]);
    assertEquals(await found("order-1"), ["order-1"]);
    assertEquals(await found("ö%"), ["ö%der"]);
    for (const none of ["%", "o_der", "rder", "order-11", "\0", "\ud800"]) assertEquals(await found(none), []);
    assertEquals((await found("")).length, 5);
    const search = await store.inspection.search({ ...ALL, limit: 100, keyPrefix: "order", budget: 1_000 });
    assertEquals(search.runs.map(({ key }) => key), ["order-2", "order-1"]);
    const [other] = await start(store, newRun({ key: "order-1", workflow: "other" }));
    const active = await start(store, newRun({ key: "order-4", keyScope: "active" }));
    assertEquals(await listed(store, { keyPrefix: "order-" }), [...active, other!, seqs[1]!, seqs[0]!]);
    assertEquals(await listed(store, { keyPrefix: "order-", workflow: "other" }), [other!]);
    assertEquals(await listed(store, { keyPrefix: "order-", limit: 2, before: other! }), [seqs[1]!, seqs[0]!]);
    assertEquals(await listed(store, { keyPrefix: "order-", states: ["failed"] }), []);
  });

  test("list() finds keys by prefixes with any characters", async ({ store }) => {
    const last = "\u{10ffff}";
    const keys = ["a", `a${last}`, `a${last}${last}`, "b", "\ud7ff", "\ud7ffx", "\ue000", "z", last, `${last}a`];
    const seqs: number[] = [];
    for (const key of keys) seqs.push(...await start(store, newRun({ key })));
    for (const prefix of keys) {
      const expected = seqs.filter((_, at) => keys[at]!.startsWith(prefix)).reverse();
      assertEquals(await listed(store, { keyPrefix: prefix }), expected, JSON.stringify(prefix));
    }
  });

  test("list() filters by tags even if a run has a tag with a null character", async ({ store }) => {
    const [odd, plain] = await start(store, newRun({ tags: ["a", "\0"] }), newRun({ tags: ["a", 'é\\"'] }));
    assertEquals(await listed(store, { tags: ["a"] }), [plain!, odd!]);
    // Starts reject such tags, so that a filter with one matches no run.
    assertEquals(await listed(store, { tags: ["\0"] }), []);
    assertEquals(await listed(store, { tags: ['é\\"', "a"] }), [plain!]);
    assertEquals(await listed(store, { tags: ["b"] }), []);
  });

  test("list() finds live runs even if more are live than it sorts", async ({ store }) => {
    const [oldest] = await start(store, newRun({ workflow: "other" }));
    for (let i = 0; i < 11; i++) await start(store, ...Array.from({ length: 1_000 }, () => newRun({ dueAt: T0 + i })));
    const newest = await listed(store, { states: ["pending"], limit: 2 });
    assertEquals(newest[0]! - newest[1]!, 1);
    assertEquals(await listed(store, { states: ["pending"], workflow: "other" }), [oldest!]);
    assertEquals((await store.counts()).pending, 11_001);
  });

  test("list() filters by state, and counts() counts each", async ({ store }) => {
    const seqs = await oneOfEachState(store);
    for (const [state, seq] of Object.entries(seqs)) {
      const [run] = await store.list({ ...ALL, states: [state as keyof typeof seqs] });
      assertEquals([run?.seq, run?.state], [seq, state as keyof typeof seqs]);
    }
    const newest = (...states: (keyof typeof seqs)[]): number[] => states.map((s) => seqs[s]).sort((a, b) => b - a);
    assertEquals(await listed(store, { states: ["failed", "cancelled"] }), newest("failed", "cancelled"));
    assertEquals(await listed(store, { states: ["running", "paused"] }), newest("running", "paused"));
    assertEquals(await listed(store, { states: ["completed", "waiting"] }), newest("completed", "waiting"));
    assertEquals(await listed(store, { states: ["failed"], before: seqs.failed }), []);
    assertEquals(await listed(store, { states: [] }), []);
    assertEquals(await store.counts(), {
      pending: 1,
      running: 1,
      waiting: 1,
      paused: 1,
      compensating: 1,
      completed: 1,
      failed: 1,
      cancelled: 1,
    });
  });

  test("a definition is stored once per version", async ({ store, another }) => {
    const v1 = { workflow: "etl", version: "v1", structure: "s", graph: `{"tasks":[]}` };
    const other = await another();
    await Promise.all([store.define([v1, { ...v1, version: "v2", graph: "2" }]), other.define([v1])]);
    await other.define([{ ...v1, graph: "another" }]);
    assertEquals(await store.definition({ workflow: "etl", version: "v1" }), `{"tasks":[]}`);
    assertEquals(await store.definition({ workflow: "etl", version: "v2" }), "2");
    assertEquals(await store.definition({ workflow: "etl", version: "v3" }), undefined);
    const before = store.counters();
    await store.define([v1]);
    assertEquals(store.counters().commits, before.commits);
  });

  test("prune() deletes runs that ended before a time, with all their rows", async ({ store, clock }) => {
    const old = await startOwned(store);
    await store.control(old.id, { kind: "pause", reason: undefined });
    await write(store, { seq: old.seq, epoch: 1 }, [record("a")], { to: "completed", at: T0 + 1 });
    const live = await startOwned(store);
    const late = await startOwned(store);
    await write(store, { seq: late.seq, epoch: 1 }, [record("a")], { to: "failed", at: T0 + 9, error: ERROR });
    clock.advance(10);
    await start(store, newRun());
    assertEquals(await store.prune(endedBefore(T0 + 9), 10), 1);
    assertEquals(await store.run(old.id), undefined);
    assertEquals([await store.journal(old.seq), await store.facts(old.seq)], [[], []]);
    assertEquals([(await store.run(live.id))?.state, (await store.run(late.id))?.state], ["running", "failed"]);
    assertEquals(await store.prune(endedBefore(T0 + 10), 10), 1);
    assertEquals(await store.prune(endedBefore(T0 + 10), 10), 0);
  });

  test("deleteRun() deletes a run that has ended, with its descendants and all their rows", async ({ store }) => {
    const root = await startOwned(store, { key: "k" });
    const parent = { run: root.seq, task: "a", item: -1 };
    const child = await startOwned(store, { parent });
    const grandchild = await startOwned(store, { parent: { ...parent, run: child.seq } });
    const other = await startOwned(store);
    assertEquals(await store.deleteRun(root.id), { kind: "live", runId: root.id, state: "running" });
    await write(store, { seq: root.seq, epoch: 1 }, [record("a")], { to: "failed", at: T0, error: ERROR });
    // A cancel of its descendants is in progress.
    assertEquals(await store.deleteRun(root.id), { kind: "live", runId: child.id, state: "running" });
    for (const { seq } of [child, grandchild]) {
      await write(store, { seq, epoch: 1 }, [record("b"), record("b", { step: "s" })], {
        to: "cancelled",
        at: T0,
        reason: "x",
      });
    }
    assertEquals(await store.deleteRun(grandchild.id), { kind: "child", parentId: child.id });
    assertEquals(await store.deleteRun(root.id), { kind: "deleted", runs: 3 });
    for (const { id, seq } of [root, child, grandchild]) {
      assertEquals([await store.run(id), await store.journal(seq), await store.facts(seq)], [undefined, [], []]);
    }
    assertEquals((await store.run(other.id))?.state, "running");
    assertEquals([await store.deleteRun(root.id), await store.deleteRun("none")], [{ kind: "unknown" }, {
      kind: "unknown",
    }]);
    assertEquals((await start(store, newRun({ key: "k" }))).length, 1);
  });

  test("the number of a run that deleteRun() deletes is not used again", async ({ store }) => {
    const one = await startOwned(store);
    await write(store, { seq: one.seq, epoch: 1 }, [record("a")], { to: "completed", at: T0 });
    assertEquals(await store.deleteRun(one.id), { kind: "deleted", runs: 1 });
    assertEquals([await store.run(one.id), await store.deleteRun(one.id)], [undefined, { kind: "unknown" }]);
    const [next] = await start(store, newRun());
    assert(next! > one.seq, `${next} after ${one.seq}`);
  });

  test("each number is used once, independent of how runs are deleted and started", async ({ store, clock }) => {
    const runner = await join(store);
    const parent = await startOwned(store);
    const given = [parent.seq];
    const childOf = (item: number): NewRun => newRun({ parent: { run: parent.seq, task: "m", item } });
    let items = 0;
    const spawn = async (count: number): Promise<number[]> => {
      const children = Array.from({ length: count }, () => childOf(items++));
      const write = { seq: parent.seq, epoch: 1, records: [], move: undefined, children, hasChildren: true };
      await commit(store, { writes: [write] });
      return await Promise.all(children.map(async ({ id }) => (await store.run(id))!.seq));
    };
    const plain = (): NewRun => newRun({ owner: runner });
    const many = (count: number): Promise<number[]> => start(store, ...Array.from({ length: count }, plain));
    const ways = [
      () => start(store, newRun({ key: `${given.length}` })),
      () => many(1),
      () => many(40),
      () => spawn(1),
      () => spawn(40),
      // The mark of the deletion is lower than the numbers of runs that were started since.
      async () => [...await many(1), ...await spawn(40), ...await many(40)],
    ];
    for (const begin of ways) {
      given.push(...await begin());
      const doomed = await Promise.all([startOwned(store), startOwned(store)]);
      for (const { seq } of doomed) {
        await write(store, { seq, epoch: 1 }, [], { to: "failed", at: clock.now(), error: ERROR });
        given.push(seq);
      }
      clock.advance(1);
      // The newest run alone, then all others.
      if (given.length % 2 === 0) { for (const { id } of doomed.toReversed()) await store.deleteRun(id); }
      else assertEquals(await store.prune(endedBefore(clock.now()), 10), 2);
      for (const { id } of doomed) assertEquals(await store.run(id), undefined);
      given.push(...await begin());
    }
    assertEquals(new Set(given).size, given.length);
  });

  test("prune() deletes at most the allowed number of runs, and continues where it stopped", async ({ store, clock }) => {
    const runs = await Promise.all(Array.from({ length: 7 }, () => startOwned(store)));
    for (const { seq } of runs) await write(store, { seq, epoch: 1 }, [record("a")], { to: "completed", at: T0 });
    await start(store, newRun());
    clock.advance(10);
    const deleted: number[] = [];
    for (let i = 0; i < 4; i++) deleted.push(await store.prune(endedBefore(T0 + 5), 3));
    assertEquals(deleted, [3, 3, 1, 0]);
    assertEquals((await store.counts()).completed, 0);
  });

  test("prune() deletes long journals in bounded transactions", async ({ store, clock }) => {
    const names = Array.from({ length: 2_500 }, (_, i) => record(`t${i}`));
    for (let i = 0; i < 3; i++) {
      const { seq } = await startOwned(store);
      await write(store, { seq, epoch: 1 }, names, { to: "completed", at: T0 });
    }
    await start(store, newRun());
    clock.advance(10);
    const before = store.counters();
    assertEquals(await store.prune(endedBefore(T0 + 10), 200), 3);
    const { commits, rows } = store.counters();
    assertEquals(rows - before.rows, 3 * 2_501);
    assert(commits - before.commits >= 8, `${commits - before.commits} commits`);
  });

  test("prune() deletes definitions that no runner serves and with which no run was started", async ({ store, clock }) => {
    const v = (version: string) => ({ workflow: "etl", version, structure: "s", graph: `"${version}"` });
    await store.define([v("v1"), v("v2"), v("v3"), v("v4"), { ...v("v2"), workflow: "other" }]);
    // A runner serves v1.
    const runner = await join(store);
    await start(store, newRun({ version: "v2" }));
    const ended = await startOwned(store, { version: "v3", owner: runner });
    await write(store, { seq: ended.seq, epoch: 1 }, [], { to: "completed", at: T0 });
    await start(store, newRun({ version: "v2" }));
    const left = async (): Promise<string[]> =>
      (await store.inspection.definitions(10)).map(({ workflow, version }) => `${workflow} ${version}`);
    // No definition is younger than the time of the prune.
    await store.prune(endedBefore(T0), 10);
    assertEquals((await left()).length, 5);
    clock.advance(3_600_000);
    await store.define([v("v5")]);
    assertEquals(await store.prune(endedBefore(T0 + 3_600_000), 10), 1);
    assertEquals(await left(), ["etl v1", "etl v2", "etl v5"]);
    await store.define([v("v4")]);
    assertEquals(await store.definition(v("v4")), `"v4"`);
  });

  test("unstrand() frees many runs in bounded transactions", async ({ store }) => {
    const runner = await join(store);
    const seqs: number[] = [];
    for (let i = 0; i < 3; i++) {
      seqs.push(...await start(store, ...Array.from({ length: 500 }, () => newRun({ owner: runner }))));
    }
    const writes = seqs.map((seq, i) => {
      const by = i === 0 ? "v1" : "v2";
      return { seq, epoch: 1, records: [], move: { to: "stranded" as const, by, reason: "no" } };
    });
    await commit(store, { writes });
    const before = store.counters().commits;
    assertEquals(
      await store.unstrand([{ workflow: "etl", version: "v1" }, { workflow: "other", version: "v2" }]),
      1_499,
    );
    assertEquals(store.counters().commits - before, 2);
    assertEquals(await store.unstrand([{ workflow: "etl", version: "v2" }]), 1);
  });

  test("the number of a pruned run is not used again", async ({ store, clock }) => {
    const { seq, runner } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [], { to: "completed", at: T0 });
    clock.advance(10);
    await store.prune(endedBefore(T0 + 10), 10);
    const [next] = await start(store, newRun({ owner: runner }));
    assert(next! > seq);
  });

  test("watch() reports writes of other stores until it is stopped", async ({ store, another, clock }) => {
    const other = await another();
    let calls = 0;
    const end = store.watch(() => calls++);
    await start(other, newRun());
    await until(() => (clock.advance(50), calls > 0), "a call");
    end();
    const before = calls;
    await start(other, newRun());
    await moment(clock);
    assertEquals(calls, before);
  });

  test("watch() continues after a watcher has thrown", async ({ store, another, clock }) => {
    const other = await another();
    let calls = 0;
    const end = store.watch(() => {
      calls++;
      throw new Error("not mine");
    });
    await start(other, newRun());
    await until(() => (clock.advance(50), calls > 0), "a call");
    const before = calls;
    await start(other, newRun());
    await until(() => (clock.advance(50), calls > before), "another call");
    end();
  });

  test("watch() reports of which kind a change by another store is", async ({ store, another, clock }) => {
    const other = await another();
    const calls: Change[] = [];
    const end = store.watch((change) => calls.push(change));
    /** Returns the notifications of `store` for a change by `other`. */
    const reported = async (work: () => Promise<unknown>) => {
      calls.length = 0;
      await work();
      await until(() => (clock.advance(50), calls.length > 0), "a call");
      return { due: calls.some(({ due }) => due), attention: calls.map(({ attention }) => attention).flat() };
    };
    // The first calls may report that the watch has just begun.
    await reported(() => start(other, newRun()));
    await moment(clock);
    const mine = await join(store);
    const theirs = await join(other);
    const [cancelled, paused] = await start(store, ...[mine, mine].map((owner) => newRun({ owner })));
    const idOf = async (seq: number) => (await listedRows(store)).find((run) => run.seq === seq)!.id;
    const [completed, released, failed] = await start(
      other,
      ...Array(3).fill(theirs).map((owner) => newRun({ owner })),
    );
    await moment(clock);
    const move = (seq: number, move: RunMove) => () => write(other, { seq, epoch: 1 }, [], move);
    const none = { due: false, attention: [] };
    const runsDue = { due: true, attention: [] };
    assertEquals(await reported(() => start(other, newRun())), runsDue);
    assertEquals(await reported(move(completed!, { to: "completed", at: T0 })), none);
    assertEquals(await reported(move(failed!, { to: "failed", at: T0, error: ERROR })), none);
    assertEquals(await reported(move(released!, { to: "pending" })), runsDue);
    assertEquals(await reported(() => other.restart({ seq: failed!, epoch: 1 }, { retry: [], forget: [] })), runsDue);
    for (const [seq, kind] of [[cancelled!, "cancel"], [paused!, "pause"]] as const) {
      const id = await idOf(seq);
      const change = { kind, reason: undefined };
      assertEquals(await reported(() => other.control(id, change)), { due: false, attention: [mine] });
    }
    const [ours] = await start(other, newRun({ owner: theirs }));
    const id = await idOf(ours!);
    assertEquals(await reported(() => other.control(id, { kind: "cancel", reason: undefined })), {
      due: false,
      attention: [theirs],
    });
    assertEquals(await reported(() => other.leave(theirs)), runsDue);
    end();
  });

  test("runs that one store commits are read and claimed by another", async ({ store, another }) => {
    const other = await another();
    const { seq, id } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [record("a")], { to: "pending" });
    assertEquals((await other.run(id))?.state, "pending");
    assertEquals(await claimed(other, claimBy(await join(other))), [seq]);
    assertEquals(await write(store, { seq, epoch: 1 }, [record("b")]), "fenced");
  });

  test("a store may be closed twice", async ({ another }) => {
    const other = await another();
    await other.close();
    await other.close();
  });
}

function listedRows(store: Store): ReturnType<Store["list"]> {
  return store.list({ ...ALL, limit: 100 });
}

async function listed(store: Store, query: Partial<ListQuery>): Promise<number[]> {
  return (await store.list({ ...ALL, ...query })).map(({ seq }) => seq);
}

/** Advances the clock of the store by a second, and waits a little on the clock of the machine. */
async function moment(clock: { advance(ms: number): void }): Promise<void> {
  for (let i = 0; i < 20; i++) {
    clock.advance(50);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
