import { assert, assertEquals } from "@std/assert";
import type { NewRun } from "../../../lib/store/port/batch.ts";
import type { Store } from "../../../lib/store/port/store.ts";
import type { ScheduleVerdict, ScheduleWrite } from "../../../lib/store/port/schedules.ts";
import { type Case, claimBy, claimed, commit, endedBefore, join, newRun, start, T0 } from "./fixture.ts";

/** Rows of schedules and polls, and the runs that are inserted with them. */
export function scheduleContract(test: Case): void {
  test("the row of a schedule is read as it was written", async ({ store, clock }) => {
    assertEquals(await store.schedules.read({ names: ["s"] }), []);
    await written(store, scheduleWrite());
    clock.advance(5);
    const next = scheduleWrite({
      revision: 1,
      kind: "poll",
      workflow: "other",
      state: "paused",
      pausedBy: "user",
      nextAt: undefined,
      definition: '{"é":"\\"x\\" \\\\"}',
      progress: "{}",
    });
    await written(store, next);
    const { runs: _, ...record } = next;
    assertEquals(await store.schedules.read({ names: ["s", "t"] }), [
      { ...record, revision: 2, lastRun: undefined, isLastRunLive: false, createdAt: T0 },
    ]);
  });

  test("schedules are counted by state, with those that are overdue and the next", async ({ store, clock }) => {
    assertEquals(await store.schedules.counts(10_000), { active: 0, paused: 0, overdue: 0, nextAt: undefined });
    await written(
      store,
      scheduleWrite(),
      scheduleWrite({ name: "late", nextAt: T0 + 500 }),
      scheduleWrite({ name: "over", nextAt: undefined }),
      scheduleWrite({ name: "off", state: "paused", nextAt: undefined }),
    );
    assertEquals(await store.schedules.counts(10_000), { active: 3, paused: 1, overdue: 0, nextAt: T0 + 500 });
    clock.advance(10_800);
    assertEquals(await store.schedules.counts(10_000), { active: 3, paused: 1, overdue: 1, nextAt: T0 + 500 });
  });

  test("a schedule advances, and its runs are inserted, once for each revision", async ({ store, another }) => {
    await written(store, scheduleWrite());
    const runs = [tickRun(T0), tickRun(T0 + 1)];
    const other = await another();
    const verdicts = await Promise.all([
      store.schedules.write([scheduleWrite({ revision: 1, runs: [runs[0]!] })]),
      other.schedules.write([scheduleWrite({ revision: 1, runs: [runs[1]!] })]),
    ]);
    const winner = verdicts.findIndex(([verdict]) => verdict?.kind === "written");
    assertEquals(verdicts[1 - winner], [{ kind: "conflict" }]);
    assertEquals(verdicts[winner], [{ kind: "written", inserted: new Set([runs[winner]!.id]) }]);
    assertEquals((await store.schedules.runs("s", 10)).map(({ id }) => id), [runs[winner]!.id]);
  });

  test("a conflict of one schedule does not affect others of the same write", async ({ store }) => {
    const names = ["c", "a", "b"];
    await written(store, ...names.map((name) => scheduleWrite({ name })));
    await written(store, scheduleWrite({ name: "a", revision: 1 }));
    const runs = names.map((name) => tickRun(T0, name));
    const verdicts = await store.schedules.write(
      names.map((name, at) => scheduleWrite({ name, revision: 1, runs: [runs[at]!] })),
    );
    assertEquals(verdicts, [
      { kind: "written", inserted: new Set([runs[0]!.id]) },
      { kind: "conflict" },
      { kind: "written", inserted: new Set([runs[2]!.id]) },
    ]);
    assertEquals(await store.run(runs[1]!.id), undefined);
  });

  test("a schedule that exists already is not registered again", async ({ store }) => {
    await written(store, scheduleWrite());
    assertEquals(await store.schedules.write([scheduleWrite({ definition: "{}" })]), [{ kind: "conflict" }]);
    assertEquals((await store.schedules.read({ names: ["s"] }))[0]?.definition, '{"a":1}');
  });

  test("a tick has one run, however many runners insert it", async ({ store }) => {
    await written(store, scheduleWrite());
    const [first, second, later] = [tickRun(T0), tickRun(T0), tickRun(T0 + 1)];
    assertEquals(await store.schedules.insert([first]), new Set([first.id]));
    assertEquals(await store.schedules.insert([second, later]), new Set([later.id]));
    const [verdict] = await store.schedules.write([scheduleWrite({ revision: 1, runs: [tickRun(T0)] })]);
    assertEquals(verdict, { kind: "written", inserted: new Set<string>() });
    // A run of another schedule, and one without a tick, as triggered runs are.
    const others = [tickRun(T0, "other"), tickRun(undefined), tickRun(undefined)];
    assertEquals(await store.schedules.insert(others), new Set(others.map(({ id }) => id)));
  });

  test("a run with a key that exists is not inserted", async ({ store }) => {
    const known = newRun({ key: "k" });
    await start(store, known);
    const again = newRun({ key: "k", schedule: { name: "s", tick: undefined } });
    assertEquals(await store.schedules.insert([again]), new Set());
  });

  test("runs of a schedule have all options of starts, and are claimed", async ({ store }) => {
    const runner = await join(store);
    const run = newRun({
      key: "k",
      priority: -3,
      dueAt: T0 - 5,
      tags: ["a", "b"],
      input: '{"x":"é"}',
      timeoutMs: 70,
      trace: "t",
      schedule: { name: "s", tick: T0 - 5 },
    });
    await store.schedules.insert([run, newRun({ schedule: { name: "s", tick: 0 } })]);
    const row = await store.run(run.id);
    const { key, priority, dueAt, tags, input, timeoutMs, trace, schedule, tick, state, epoch } = row!;
    assertEquals({ key, priority, dueAt, tags, input, timeoutMs, trace, schedule, tick, state, epoch }, {
      key: "k",
      priority: -3,
      dueAt: T0 - 5,
      tags: ["a", "b"],
      input: '{"x":"é"}',
      timeoutMs: 70,
      trace: "t",
      schedule: "s",
      tick: T0 - 5,
      state: "pending",
      epoch: 0,
    });
    assertEquals((await claimed(store, claimBy(runner))).length, 2);
    const [latest] = await store.schedules.runs("s", 1);
    assertEquals([latest?.tick, latest?.key, latest?.tags], [0, undefined, []]);
  });

  test("a row contains whether the latest run of its schedule has ended", async ({ store }) => {
    const runner = await join(store);
    await written(store, scheduleWrite());
    const run = tickRun(T0);
    await written(store, scheduleWrite({ revision: 1, lastRun: run.id, runs: [run] }));
    const isLive = async () => (await store.schedules.read({ names: ["s"] })).map(({ isLastRunLive }) => isLastRunLive);
    assertEquals(await isLive(), [true]);
    const { runs: [claim] } = await store.claim(claimBy(runner));
    assertEquals(await isLive(), [true]);
    await commit(store, {
      writes: [{ seq: claim!.seq, epoch: claim!.epoch, records: [], move: { to: "completed", at: T0 } }],
    });
    assertEquals(await isLive(), [false]);
  });

  test("rows are read in pages, optionally only those that were changed since a time", async ({ store, clock }) => {
    await written(store, ...["c", "a", "b"].map((name) => scheduleWrite({ name })));
    clock.advance(10);
    await written(store, scheduleWrite({ name: "a", revision: 1 }));
    await written(store, scheduleWrite({ name: "b", revision: 1, isChange: true }));
    const names = async (query: Parameters<Store["schedules"]["read"]>[0]) =>
      (await store.schedules.read(query)).map(({ name }) => name);
    assertEquals(await names({ after: "", limit: 2 }), ["a", "b"]);
    assertEquals(await names({ after: "b", limit: 2 }), ["c"]);
    assertEquals(await names({ changedSince: T0 + 10 }), ["b"]);
    assertEquals(await names({ changedSince: T0 }), ["a", "b", "c"]);
  });

  test("the schedules of runners are held until their leases expire", async ({ store, clock }) => {
    const card = { host: "h", pid: 1, pidStartedAt: "1", served: [], pinned: false, concurrency: 1, maxRuns: 1 };
    await store.join({ ...card, schedules: ["a", "b"] }, 1_000);
    const runner = await store.join({ ...card, schedules: ["b", "c"] }, 2_000);
    await join(store);
    assertEquals([...await store.schedules.held()].sort(), ["a", "b", "c"]);
    clock.advance(1_500);
    assertEquals([...await store.schedules.held()].sort(), ["b", "c"]);
    await store.leave(runner);
    assertEquals([...await store.schedules.held()], []);
  });

  test("prune() keeps the definitions with which schedules start runs", async ({ store, clock }) => {
    const definitions = ["v1", "v2"].map((version) => ({ workflow: "etl", version, structure: "s", graph: "{}" }));
    await store.define(definitions);
    await written(store, scheduleWrite({ definition: JSON.stringify({ workflow: "etl", version: "v2" }) }));
    clock.advance(DAY_MS);
    await store.prune(endedBefore(clock.now()), 10);
    assertEquals(await Promise.all(definitions.map((of) => store.definition(of))), [undefined, "{}"]);
  });

  test("many schedules advance in one transaction of few statements", async ({ store }) => {
    const names = Array.from({ length: 100 }, (_, at) => `s${at}`);
    await written(store, ...names.map((name) => scheduleWrite({ name })));
    const before = store.counters();
    const verdicts = await store.schedules.write(
      names.map((name) => scheduleWrite({ name, revision: 1, runs: [tickRun(T0, name)] })),
    );
    const after = store.counters();
    assert(verdicts.every((verdict) => verdict.kind === "written" && verdict.inserted.size === 1));
    assertEquals(after.commits - before.commits, 1);
    assert(after.statements - before.statements <= 4, `${after.statements - before.statements} statements`);
    assertEquals(after.rows - before.rows, 200);
  });
}

const DAY_MS = 86_400_000;

function tickRun(tick: number | undefined, name = "s"): NewRun {
  return newRun({ schedule: { name, tick } });
}

function scheduleWrite(overrides: Partial<ScheduleWrite> = {}): ScheduleWrite {
  return {
    name: "s",
    kind: "schedule",
    workflow: "etl",
    state: "active",
    pausedBy: undefined,
    nextAt: T0 + 1_000,
    lastRun: undefined,
    definition: '{"a":1}',
    progress: '{"b":2}',
    revision: 0,
    runs: [],
    ...overrides,
  };
}

async function written(store: Store, ...writes: readonly ScheduleWrite[]): Promise<void> {
  const verdicts: readonly ScheduleVerdict[] = await store.schedules.write(writes);
  assert(verdicts.every(({ kind }) => kind === "written"));
}
