import { assert, assertEquals } from "@std/assert";
import type { RunState } from "../../../lib/store/port/batch.ts";
import type { ItemHeadsQuery, Search, SearchQuery } from "../../../lib/store/port/inspection.ts";
import type { Store } from "../../../lib/store/port/store.ts";
import {
  ALL,
  type Case,
  commit,
  ERROR,
  join,
  newRun,
  oneOfEachState,
  openRecord,
  record,
  start,
  startOwned,
  T0,
  write,
} from "./fixture.ts";

/** Queries of the inspector: each does a bounded amount of work, and reports how far it went. */
export function inspectionContract(test: Case): void {
  test("search() finds the same runs as list()", async ({ store, clock }) => {
    const seqs = await oneOfEachState(store);
    clock.advance(600_000);
    await start(store, newRun({ workflow: "other", tags: ["a"] }), newRun({ tags: ["a", "b"] }));
    const queries: Partial<SearchQuery>[] = [
      {},
      { limit: 2 },
      { before: seqs.failed },
      { workflow: "other" },
      { tags: ["a"] },
      { tags: ["a", "b"] },
      { tags: ["a'\"\\{}%"] },
      { since: T0 + 1 },
      { until: T0 + 1 },
      { states: [] },
      ...Object.keys(seqs).map((state) => ({ states: [state as RunState] })),
      { states: ["failed", "cancelled"] },
      { states: ["pending", "waiting", "paused"], limit: 2 },
      { states: ["completed", "running"], workflow: "etl" },
    ];
    for (const query of queries) {
      const { runs, stoppedAt } = await search(store, query);
      const listed = await store.list({ ...ALL, ...query });
      assertEquals([runs.map(({ seq }) => seq), stoppedAt], [listed.map(({ seq }) => seq), undefined]);
    }
    assertEquals((await search(store, { workflow: "\0" })).runs, []);
    assertEquals((await search(store, { tags: ["\ud800", "\0"] })).runs, []);
  });

  test("search() reads at most the allowed number of runs, and returns where it stopped", async ({ store }) => {
    const seqs = await start(store, ...Array.from({ length: 9 }, (_, i) => newRun({ tags: i === 0 ? ["old"] : [] })));
    const first = await search(store, { tags: ["old"], budget: 4 });
    assertEquals(first, { runs: [], stoppedAt: { seq: seqs[5]!, createdAt: T0 } });
    const second = await search(store, { tags: ["old"], budget: 4, before: first.stoppedAt!.seq });
    assertEquals([second.runs.length, second.stoppedAt?.seq], [0, seqs[1]]);
    const third = await search(store, { tags: ["old"], budget: 4, before: second.stoppedAt!.seq });
    assertEquals([third.runs.map(({ seq }) => seq), third.stoppedAt], [[seqs[0]], undefined]);
  });

  test("search() finds the oldest live run, unless too many are live", async ({ store }) => {
    const [oldest] = await start(store, newRun({ priority: 7 }));
    const runner = await join(store);
    const ended = await start(store, ...Array.from({ length: 5 }, () => newRun({ owner: runner })));
    for (const seq of ended) await write(store, { seq, epoch: 1 }, [], { to: "completed", at: T0 });
    const few = await search(store, { states: ["pending"], budget: 3 });
    assertEquals([few.runs.map(({ seq }) => seq), few.stoppedAt], [[oldest], undefined]);
    const many = await start(store, ...Array.from({ length: 4 }, () => newRun()));
    const walked = await search(store, { states: ["pending"], budget: 3 });
    assertEquals([walked.runs.length, walked.stoppedAt?.seq], [3, many[1]]);
  });

  test("search() reads failed and cancelled runs separately", async ({ store }) => {
    const runner = await join(store);
    const seqs = await start(store, ...Array.from({ length: 8 }, () => newRun({ owner: runner })));
    for (const [at, seq] of seqs.entries()) {
      await write(
        store,
        { seq, epoch: 1 },
        [],
        at % 4 === 0 ? { to: "failed", at: T0, error: ERROR } : { to: "completed", at: T0 },
      );
    }
    await store.control((await cancelled(store)).id, { kind: "cancel", reason: undefined });
    const { runs, stoppedAt } = await search(store, { states: ["failed"], workflow: "other", budget: 1 });
    assertEquals([runs, stoppedAt?.seq], [[], seqs[4]]);
    const both = await search(store, { states: ["failed", "cancelled"] });
    assertEquals(both.runs.map(({ state }) => state), ["cancelled", "failed", "failed"]);
  });

  test("find() finds runs by a prefix of their id or key", async ({ store }) => {
    const run = newRun({ key: "order-1" });
    const other = newRun({ key: "order-2", workflow: "other" });
    await start(store, run, other, newRun({ key: "invoice" }), newRun());
    const ids = async (text: string, limit = 10): Promise<string[]> =>
      (await store.inspection.find(text, limit)).map(({ id }) => id).sort();
    assertEquals(await ids(run.id), [run.id]);
    assertEquals((await ids(run.id.toUpperCase().slice(0, 30))).includes(run.id), true);
    assertEquals(await ids("order-"), [run.id, other.id].sort());
    assertEquals(await ids("order-2"), [other.id]);
    assertEquals((await ids("o", 1)).length, 1);
    for (const none of ["order-3", "zzzz", "0000", "%", "'", "\0", "\ud800", "a-b-c-d-e-f"]) {
      assertEquals(await ids(none), []);
    }
  });

  test("forks() finds the forks of a run", async ({ store }) => {
    const fork = (from: string): { readonly from: string; readonly journal: [] } => ({ from, journal: [] });
    const forks = [newRun({ fork: fork("r") }), newRun({ fork: fork("r") }), newRun({ fork: fork("s") })];
    await start(store, newRun(), ...forks);
    assertEquals((await store.inspection.forks("r", 10)).map(({ id }) => id), [forks[1]!.id, forks[0]!.id]);
    assertEquals((await store.inspection.forks("r", 1)).length, 1);
    assertEquals(await store.inspection.forks("'", 10), []);
  });

  test("heads() truncates outputs, and payload() returns them completely", async ({ store }) => {
    const { seq } = await startOwned(store, { input: `"in"` });
    const long = JSON.stringify("ä".repeat(100));
    const failures = Array.from({ length: 100 }, (_, i) => ({
      taskId: "b",
      attempt: i + 1,
      error: { name: "E", message: "m".repeat(1_000) },
    }));
    await write(store, { seq, epoch: 1 }, [
      record("a", { output: long }),
      record("b", { output: undefined, state: "failed", failures }),
      record("c", { step: "one", output: long }),
    ]);
    const { heads, isTruncated } = await store.inspection.heads(seq, { rows: 10, characters: 5, bytes: 250 });
    assertEquals(isTruncated, false);
    assertEquals(heads.map(({ task, output, outputBytes }) => [task, output, outputBytes]), [
      ["a", `"ääää`, 202],
      ["b", undefined, undefined],
      ["c", undefined, 202],
    ]);
    assertEquals(heads[1]?.failures.map(({ attempt }) => attempt), [100]);
    assertEquals((await store.inspection.heads(seq, { rows: 2, characters: 5, bytes: 0 })).isTruncated, true);
    const payload = store.inspection.payload;
    assertEquals(await payload(seq, { kind: "output", task: "c", item: -1, step: "one" }), long);
    assertEquals(await payload(seq, { kind: "output", task: "c", item: -1, step: "\0" }), undefined);
    assertEquals(await payload(seq, { kind: "input" }), `"in"`);
    assertEquals(await payload(seq + 1, { kind: "input" }), undefined);
  });

  test("items() returns items in order, by state and range, with the beginnings of their outputs", async ({ store }) => {
    const { seq } = await startOwned(store);
    const long = JSON.stringify("ä".repeat(100));
    const failures = Array.from({ length: 100 }, (_, i) => ({
      taskId: "m",
      attempt: i + 1,
      error: { name: "E", message: "m".repeat(1_000) },
    }));
    await write(store, { seq, epoch: 1 }, [
      openRecord("m", { items: 9 }),
      record("m", { item: 4, output: "4" }),
      record("m", { item: 0, output: long }),
      record("m", { item: 0, step: "one", output: long }),
      record("m", { item: 2, output: undefined, state: "failed", failures }),
      record("n", { item: 1 }),
    ]);
    const read = async (query: Partial<ItemHeadsQuery> = {}): Promise<readonly unknown[]> => {
      const all = { seq, task: "m", after: -1, until: 8, limit: 10, characters: 5, bytes: 250 };
      const heads = await store.inspection.items({ ...all, ...query });
      return heads.map(({ item, output, outputBytes, failures: { length } }) => [item, output, outputBytes, length]);
    };
    const [first, second, third] = [[0, `"ääää`, 202, 0], [2, undefined, undefined, 1], [4, "4", 1, 0]];
    assertEquals(await read(), [first, second, third]);
    assertEquals(await read({ limit: 2 }), [first, second]);
    assertEquals(await read({ after: 0, until: 3 }), [second]);
    assertEquals(await read({ state: "completed", bytes: 0 }), [[0, undefined, 202, 0], third]);
    assertEquals(await read({ task: "none" }), []);
  });

  test("taskChildren() returns the child runs of tasks and items, including those of retried ones", async ({ store }) => {
    const { seq } = await startOwned(store);
    const place = (task: string, item: number) => ({ run: seq, task, item });
    const children = [place("m", 2), place("m", 0), place("n", 0), place("n", -1), place("o", -1)];
    const runs = children.map((parent) => newRun({ parent }));
    for (const run of runs) await start(store, run);
    const read = async (
      tasks: readonly string[],
      items: readonly number[],
      parent = seq,
    ): Promise<readonly number[]> => {
      const found = await store.inspection.taskChildren({ parent, tasks, items });
      return found.map(({ id }) => runs.findIndex((run) => run.id === id));
    };
    assertEquals(await read(["m"], [0, 1, 2, 5]), [0, 1]);
    assertEquals(await read(["m"], [1, 0]), [1]);
    assertEquals(await read(["o", "n", "m"], [-1]), [3, 4]);
    assertEquals([await read(["m"], []), await read([], [0]), await read(["m"], [0], seq + 1)], [[], [], []]);
    await write(store, { seq, epoch: 1 }, [], { to: "failed", at: T0, error: ERROR });
    assertEquals(await store.restart({ seq, epoch: 1 }, { retry: ["o"], forget: [] }), true);
    const again = newRun({ parent: place("o", -1) });
    runs.push(again);
    await start(store, again);
    assertEquals(await read(["o"], [-1]), [4, 5]);
  });

  test("heads() reads failures whose messages have null characters", async ({ store }) => {
    const { seq } = await startOwned(store);
    const failures = Array.from({ length: 50 }, (_, i) => ({
      taskId: "a",
      attempt: i + 1,
      error: { name: "E", message: `\0${"m".repeat(1_000)}` },
    }));
    await write(store, { seq, epoch: 1 }, [record("a", { output: undefined, state: "failed", failures })]);
    const { heads } = await store.inspection.heads(seq, { rows: 10, characters: 5, bytes: 250 });
    assertEquals(heads.map((head) => head.failures.map(({ attempt }) => attempt)), [[50]]);
  });

  test("definitions() and versions() return what is stored", async ({ store, clock }) => {
    const define = (workflow: string, version: string): Promise<void> =>
      store.define([{ workflow, version, structure: `s${version}`, graph: "{}" }]);
    await define("b", "2");
    clock.advance(1);
    await define("b", "1");
    await define("a", "1");
    const rows = await store.inspection.definitions(10);
    assertEquals(rows.map(({ workflow, version }) => `${workflow}${version}`), ["a1", "b1", "b2"]);
    assertEquals((await store.inspection.definitions(2)).length, 2);
    assertEquals(await store.inspection.versions("b", 10), [
      { workflow: "b", version: "1", structure: "s1", createdAt: T0 + 1 },
      { workflow: "b", version: "2", structure: "s2", createdAt: T0 },
    ]);
    assertEquals(await store.inspection.versions("\0'", 10), []);
  });

  test("latest() and timings() return times without payloads", async ({ store }) => {
    const { seq, runner } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [record("a", { attempts: 2 }), record("a", { step: "x" })], {
      to: "completed",
      at: T0 + 2,
    });
    const [other] = await start(store, newRun({ workflow: "other", owner: runner }));
    const { latest, timings, owned } = store.inspection;
    assertEquals((await latest(undefined, 10, 10)).map((run) => run.seq), [other, seq]);
    assertEquals(await latest("etl", 10, 1), []);
    const [outline] = await latest("etl", 10, 10);
    assertEquals(outline, {
      seq,
      workflow: "etl",
      version: "v1",
      state: "completed",
      createdAt: T0,
      startedAt: T0,
      endedAt: T0 + 2,
    });
    assertEquals(await timings([seq, other!], 10), [
      { task: "a", state: "completed", attempts: 2, startedAt: T0, endedAt: T0 + 1 },
    ]);
    assertEquals(await owned(10), { counts: new Map([[runner, 1]]), isCapped: false });
    await write(store, { seq: other!, epoch: 1 }, [openRecord("a"), record("b"), record("b", { step: "x" })]);
    assertEquals(Object.fromEntries(await store.inspection.heldTasks(10)), { running: 1, completed: 1 });
  });

  test("tally() counts each state, and the due runs, up to a limit", async ({ store, clock }) => {
    assertEquals((await store.inspection.tally(9)).oldestDueAt, undefined);
    const seqs = await oneOfEachState(store);
    await start(store, newRun({ dueAt: T0 + 99, priority: 3 }), newRun({ dueAt: T0 - 5, priority: 2 }));
    clock.advance(50);
    const tally = await store.inspection.tally(20);
    const one = { count: 1, isCapped: false };
    assertEquals(tally, {
      states: {
        pending: { count: 3, isCapped: false },
        running: one,
        waiting: one,
        paused: one,
        compensating: one,
        failed: one,
        cancelled: one,
      },
      backlog: { count: 3, isCapped: false },
      oldestDueAt: T0 - 5,
      total: Object.keys(seqs).length + 2,
      sample: {},
    });
    const capped = await store.inspection.tally(2);
    assertEquals([capped.states.pending.isCapped, capped.backlog], [true, { count: 2, isCapped: true }]);
    assertEquals([capped.states.failed.isCapped, capped.total, capped.sample], [false, 10, {}]);
  });

  test("pulse() and pulses() differ after a change", async ({ store, another }) => {
    const other = await another();
    const seen = new Set<string>();
    const look = async (): Promise<number> => seen.add(await store.inspection.pulse()).size;
    assertEquals(await look(), 1);
    const { seq, id } = await startOwned(other);
    assertEquals(await look(), 2);
    const texts = new Set<string>();
    const pulse = async (): Promise<number> =>
      texts.add((await store.inspection.pulses([id, "nobody"])).get(id)!.text).size;
    assertEquals(await pulse(), 1);
    assertEquals(await pulse(), 1);
    await write(other, { seq, epoch: 1 }, [openRecord("a", { progress: "1" })]);
    assertEquals(await pulse(), 2);
    await write(other, { seq, epoch: 1 }, [openRecord("a", { progress: "2" })]);
    assertEquals(await pulse(), 3);
    await write(other, { seq, epoch: 1 }, [openRecord("a", { state: "blocked", progress: "2" })]);
    assertEquals(await pulse(), 4);
    await commit(other, { writes: [{ seq, epoch: 1, records: [record("a")], move: { to: "completed", at: T0 } }] });
    assertEquals([await pulse(), await look()], [5, 3]);
    assertEquals((await store.inspection.pulses([id])).get(id)?.isOver, true);
  });

  test("the queries of the inspector write nothing", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    const { commits, rows } = store.counters();
    const { inspection } = store;
    await inspection.tally(10);
    await search(store, {});
    await inspection.find("a", 10);
    await inspection.forks(id, 10);
    await inspection.heads(seq, { rows: 10, characters: 10, bytes: 10 });
    await inspection.pulse();
    await inspection.pulses([id]);
    const after = store.counters();
    assertEquals([after.commits, after.rows], [commits, rows]);
    assert(after.statements > 0);
  });
}

function search(store: Store, query: Partial<SearchQuery>): Promise<Search> {
  return store.inspection.search({ ...ALL, budget: 1_000, ...query });
}

async function cancelled(store: Store): Promise<{ readonly id: string }> {
  const run = newRun();
  await start(store, run);
  return run;
}
