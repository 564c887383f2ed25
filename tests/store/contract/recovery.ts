import { assert, assertEquals } from "@std/assert";
import type { Store } from "../../../lib/store/port/store.ts";
import type { Recovery } from "../../../lib/store/port/runners.ts";
import {
  type Case,
  claimBy,
  claimed,
  join,
  newRun,
  openRecord,
  record,
  start,
  startOwned,
  T0,
  write,
} from "./fixture.ts";

/** Runners and their leases, recovery of the runs of dead runners, and retried runs. */
export function recoveryContract(test: Case): void {
  test("a runner is known until it leaves, and no number is used twice", async ({ store, clock }) => {
    const first = await join(store, 100);
    assertEquals(await store.runners(), [{
      id: first,
      host: "host",
      pid: 7,
      pidStartedAt: "42",
      isolate: "",
      thread: undefined,
      served: [{ workflow: "etl", version: "v1" }],
      pinned: false,
      concurrency: 64,
      maxRuns: 1000,
      startedAt: T0,
      leaseUntil: T0 + 100,
      leaseMs: 100,
    }]);
    clock.advance(50);
    assertEquals(await store.renew(first, 100), { alive: true, inbox: [], owned: [] });
    assertEquals((await store.runners())[0]?.leaseUntil, T0 + 150);
    await store.leave(first);
    assertEquals(await store.runners(), []);
    assert(await join(store) > first);
    assertEquals(await store.renew(first, 100), { alive: false, inbox: [], owned: [] });
  });

  test("recovery finds all runs of a runner, independent of how it acquired them and how often it renewed its lease", async ({ store }) => {
    const runner = await join(store);
    const other = await join(store);
    await start(store, newRun(), newRun(), newRun());
    const early = await claimed(store, claimBy(runner, { limit: 2 }));
    const others = await claimed(store, claimBy(other));
    const kept = await start(store, newRun({ owner: runner }), newRun({ owner: runner }));
    await write(store, { seq: kept[0]!, epoch: 1 }, [], { to: "completed", at: T0 });
    for (let i = 0; i < 3; i++) await store.renew(runner, 30_000);
    const late = await start(store, newRun(), newRun({ owner: runner }));
    await claimed(store, claimBy(runner));
    const all = [...early, kept[1]!, ...late].sort((a, b) => a - b);
    const { owned } = await store.renew(runner, 30_000);
    assertEquals(owned.map(({ seq }) => seq).sort((a, b) => a - b), all);
    assertEquals((await store.counts()).running, all.length + others.length);
    for (const more of [true, true, false]) {
      assertEquals((await store.recover({ dead: [runner], recoveryLimit: 5, limit: 2 })).more, more);
    }
    const unowned = await store.unowned({ workflow: "etl", version: "v1", stranded: false }, 10);
    assertEquals(unowned.map(({ seq }) => seq), all);
    assertEquals((await store.renew(other, 30_000)).owned.map(({ seq }) => seq), others);
  });

  test("a runner that leaves hands back its runs, and no crash is counted", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    const paused = newRun({ owner: runner });
    const cancelled = newRun({ owner: runner });
    await start(store, paused, cancelled);
    await store.control(paused.id, { kind: "pause", reason: undefined });
    await store.control(cancelled.id, { kind: "cancel", reason: "enough" });
    await store.leave(runner);
    const row = await store.run(id);
    assertEquals([row?.state, row?.owner, row?.crashes, row?.dueAt], ["pending", undefined, 0, T0]);
    assertEquals((await store.run(paused.id))?.state, "paused");
    assertEquals((await store.run(cancelled.id))?.state, "cancelled");
    assertEquals(await write(store, { seq, epoch: 1 }, [record("a")]), "fenced");
    assertEquals(await claimed(store, claimBy(await join(store))), [seq]);
  });

  test("runs that were started without a delay while the clock was ahead are due after it was set back, and delayed runs are not", async ({ store, clock }) => {
    clock.advance(3_600_000);
    const { seq: woken, id, runner } = await startOwned(store);
    await write(store, { seq: woken, epoch: 1 }, [], { to: "waiting", dueAt: undefined, release: true });
    await store.send(id, { id: crypto.randomUUID(), task: "go", payload: "1" });
    const handedBack = await startOwned(store);
    await write(store, { seq: handedBack.seq, epoch: 1 }, [], { to: "pending" });
    const [started] = await start(store, newRun({ dueAt: undefined }));
    const waiting = await startOwned(store);
    const later = T0 + 7_200_000;
    await write(store, { seq: waiting.seq, epoch: 1 }, [], { to: "waiting", dueAt: later, release: true });
    await start(store, newRun({ dueAt: later }));
    clock.advance(-3_600_000);
    assertEquals(await claimed(store, claimBy(runner)), []);
    await store.recover({ dead: [], recoveryLimit: 9, limit: 10, wasClockSetBack: true });
    assertEquals((await claimed(store, claimBy(runner))).sort(), [woken, handedBack.seq, started]);
    clock.advance(7_200_000);
    assertEquals((await claimed(store, claimBy(runner))).length, 2);
  });

  test("a runner that died while the clock was ahead is considered dead one lease after the clock was set back", async ({ store, clock }) => {
    clock.set(3_600_000);
    const { id } = await startOwned(store);
    const other = await join(store, 30_000);
    clock.set(-3_600_000);
    const recovered = async (): Promise<string[]> =>
      (await store.recover({ dead: [], alive: [other], recoveryLimit: 9, limit: 10 })).released.map(({ id }) => id);
    assertEquals(await recovered(), []);
    clock.advance(29_000);
    assertEquals(await recovered(), []);
    clock.advance(2_000);
    assertEquals(await recovered(), [id]);
  });

  test("a store reports once that its clock was set back, however short the step was", async ({ store, clock }) => {
    assertEquals(store.clockWasSetBack?.(), false);
    clock.set(3_600_000);
    const started = newRun({ dueAt: undefined });
    await start(store, started);
    assertEquals(store.clockWasSetBack?.(), false);
    clock.set(-3_600_000);
    await start(store, newRun());
    assertEquals([store.clockWasSetBack?.(), store.clockWasSetBack?.()], [true, false]);
    clock.advance(60_000);
    await start(store, newRun());
    assertEquals(store.clockWasSetBack?.(), false);
  });

  test("the history contains hand-backs, recoveries and the claims that follow them", async ({ store, clock }) => {
    const { seq, id, runner: first } = await startOwned(store);
    const facts = async (): Promise<string[]> =>
      (await store.facts(seq)).map(({ kind, at, detail }) => `${at - T0} ${kind} ${detail}`);
    clock.advance(1);
    await write(store, { seq, epoch: 1 }, [], { to: "pending" });
    clock.advance(1);
    const second = await join(store);
    assertEquals(await claimed(store, claimBy(second)), [seq]);
    assertEquals(await facts(), [`1 handBack ${first}`, `2 claim ${second}`]);
    clock.advance(1);
    await store.leave(second);
    assertEquals(await claimed(store, claimBy(first)), [seq]);
    assertEquals((await facts()).slice(2), [`3 handBack ${second}`, `3 claim ${first}`]);
    await recover(store, { dead: [first] });
    const third = await join(store);
    assertEquals(await claimed(store, claimBy(third)), [seq]);
    await store.control(id, { kind: "pause", reason: undefined });
    await write(store, { seq, epoch: 5 }, [], { to: "pending" });
    await store.control(id, { kind: "resume" });
    assertEquals(await claimed(store, claimBy(third)), [seq]);
    assertEquals((await facts()).slice(4).map((fact) => fact.split(" ")[1]), [
      "recovery",
      "claim",
      "pause",
      "resume",
      "claim",
    ]);
  });

  test("first claims and those of runs that have waited add nothing to the history", async ({ store, clock }) => {
    const runner = await join(store);
    const [first] = await start(store, newRun());
    const before = store.counters().rows;
    assertEquals(await claimed(store, claimBy(runner)), [first]);
    assertEquals(store.counters().rows - before, 1);
    await write(store, { seq: first!, epoch: 1 }, [], { to: "waiting", dueAt: T0 + 5, release: true });
    const { seq } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [], { to: "compensating", end: { state: "cancelled", reason: "enough" } });
    assertEquals(await claimed(store, claimBy(runner)), [seq]);
    clock.advance(5);
    assertEquals(await claimed(store, claimBy(runner)), [first]);
    assertEquals([await store.facts(first!), await store.facts(seq)], [[], []]);
  });

  test("no run is taken from a runner whose lease is valid", async ({ store, clock }) => {
    const { id } = await startOwned(store);
    clock.advance(29_999);
    assertEquals(await recover(store), { released: [], failed: [], more: false });
    assertEquals((await store.run(id))?.state, "running");
  });

  test("the runs of a runner whose lease has expired are pending again, under a new epoch", async ({ store, clock }) => {
    const { seq, id, runner } = await startOwned(store);
    clock.advance(30_000);
    assertEquals(await recover(store), { released: [{ id, workflow: "etl", crashes: 1 }], failed: [], more: false });
    const row = await store.run(id);
    assertEquals(
      [row?.state, row?.owner, row?.epoch, row?.dueAt, row?.crashes],
      ["pending", undefined, 2, T0 + 30_000, 1],
    );
    assertEquals((await store.facts(seq)).map(({ kind }) => kind), ["recovery"]);
    assertEquals(await store.runners(), []);
    assertEquals(await store.renew(runner, 1_000), { alive: false, inbox: [], owned: [] });
    assertEquals(await recover(store), { released: [], failed: [], more: false });
  });

  test("the runs of a runner that is reported as dead are recovered immediately", async ({ store }) => {
    const { id, runner } = await startOwned(store);
    const other = await startOwned(store);
    const { released } = await recover(store, { dead: [runner] });
    assertEquals(released.map((run) => run.id), [id]);
    assertEquals((await store.runners()).map((row) => row.id), [other.runner]);
  });

  test("a runner that is reported as alive keeps its runs although its lease has expired", async ({ store, clock }) => {
    const { id, runner } = await startOwned(store);
    const other = await startOwned(store);
    clock.advance(30_000);
    const { released } = await recover(store, { alive: [runner] });
    assertEquals(released.map((run) => run.id), [other.id]);
    assertEquals((await store.run(id))?.owner, runner);
    assertEquals((await store.renew(runner, 1_000)).alive, true);
  });

  test("a run that waits in memory is recovered too", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [], { to: "waiting", dueAt: T0 + 1_000_000, release: false });
    await recover(store, { dead: [runner] });
    const row = await store.run(id);
    assertEquals([row?.state, row?.dueAt], ["pending", T0]);
  });

  test("at most the requested number of runs is recovered, and the rest is left for another call", async ({ store }) => {
    const { runner } = await startOwned(store);
    await start(store, newRun({ owner: runner }), newRun({ owner: runner }));
    const first = await recover(store, { dead: [runner], limit: 2 });
    assertEquals([first.released.length, first.more, (await store.runners()).length], [2, true, 1]);
    const second = await recover(store, { dead: [runner], limit: 2 });
    assertEquals([second.released.length, second.more, (await store.runners()).length], [1, false, 0]);
  });

  test("crashes are counted until the run makes progress", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await recover(store, { dead: [runner] });
    const second = await claimAnew(store);
    await write(store, { seq, epoch: second.epoch }, [openRecord("a")]);
    await recover(store, { dead: [second.runner] });
    assertEquals((await store.run(id))?.crashes, 2);
    const third = await claimAnew(store);
    await write(store, { seq, epoch: third.epoch }, [record("a")]);
    await recover(store, { dead: [third.runner] });
    assertEquals((await store.run(id))?.crashes, 1);
    const fourth = await claimAnew(store);
    await recover(store, { dead: [fourth.runner] });
    assertEquals((await store.run(id))?.crashes, 2);
  });

  test("progress that was made before a hand-back resets the count of crashes", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await recover(store, { dead: [runner] });
    const second = await claimAnew(store);
    await write(store, { seq, epoch: second.epoch }, [record("a")], { to: "pending" });
    const third = await claimAnew(store);
    await recover(store, { dead: [third.runner] });
    assertEquals((await store.run(id))?.crashes, 1);
  });

  test("a run that crashed too many runners fails", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await recover(store, { dead: [runner], recoveryLimit: 2 });
    const second = await claimAnew(store);
    const recovery = await recover(store, { dead: [second.runner], recoveryLimit: 2 });
    assertEquals(recovery, { released: [], failed: [{ id, workflow: "etl", crashes: 2 }], more: false });
    const row = await store.run(id);
    assertEquals([row?.state, row?.endedAt, row?.error?.name, row?.error?.code], [
      "failed",
      T0,
      "RecoveryLimitError",
      "recovery_limit",
    ]);
    assertEquals(await write(store, { seq, epoch: second.epoch }, [record("a")]), "fenced");
    assertEquals((await store.facts(seq)).map(({ kind }) => kind), ["recovery", "claim", "recovery"]);
  });

  test("a paused run stays paused when its owner dies, and can then be resumed", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await store.control(id, { kind: "pause", reason: "wait" });
    await recover(store, { dead: [runner] });
    const row = await store.run(id);
    assertEquals([row?.state, row?.owner, row?.epoch, row?.reason], ["paused", undefined, 2, "wait"]);
    const next = await join(store);
    assertEquals(await claimed(store, claimBy(next)), []);
    await store.control(id, { kind: "resume" });
    assertEquals(await claimed(store, claimBy(next)), [seq]);
  });

  test("a recorded cancel is executed when the owner dies", async ({ store }) => {
    const { id, runner } = await startOwned(store);
    await store.control(id, { kind: "cancel", reason: "enough" });
    assertEquals(await recover(store, { dead: [runner] }), { released: [], failed: [], more: false });
    const row = await store.run(id);
    assertEquals([row?.state, row?.reason, row?.epoch, row?.endedAt], ["cancelled", "enough", 2, T0]);
  });

  test("a failed run can be restarted, and keeps its completed tasks", async ({ store, clock }) => {
    const { seq, id, runner } = await startOwned(store, { timeoutMs: 100 });
    const records = [
      record("a"),
      record("b", { state: "failed" }),
      record("b", { step: "one" }),
      record("b", { item: 0 }),
      record("b", { item: 1, state: "failed" }),
      record("b", { item: 1, step: "one" }),
      record("c", { state: "skipped" }),
      record("c", { step: "two" }),
      record("c", { item: 0 }),
    ];
    await write(store, { seq, epoch: 1 }, records, { to: "failed", at: T0, error: { name: "E", message: "no" } });
    clock.advance(1_000);
    const tasks = { retry: ["b"], forget: ["c"] };
    assertEquals(await store.restart({ seq, epoch: 1 }, tasks), true);
    assertEquals(await store.restart({ seq, epoch: 1 }, tasks), false);
    const row = await store.run(id);
    assertEquals(
      [row?.state, row?.epoch, row?.dueAt, row?.error, row?.endedAt],
      ["pending", 2, T0 + 1_000, undefined, undefined],
    );
    const claim = await store.claim(claimBy(runner));
    const [run] = claim.runs;
    assertEquals([run?.epoch, run?.deadlineAt], [3, T0 + 1_100]);
    const kept = run?.journal.map(({ task, item, step }) => `${task} ${item} ${step}`);
    assertEquals(kept, ["a -1 ", "b -1 one", "b 1 one"]);
    assertEquals((await store.facts(seq)).map(({ kind }) => kind), ["retry", "claim"]);
  });

  test("the history of a restarted run contains the failures that were passed to the restart", async ({ store }) => {
    const { seq } = await startOwned(store);
    const move = { to: "failed", at: T0, error: { name: "E", message: "no" } } as const;
    await write(store, { seq, epoch: 1 }, [record("a", { state: "failed" })], move);
    const failures = [{
      taskId: "a",
      item: 3,
      attempt: 2,
      error: { name: "E", message: "no\0" },
      startedAt: 1,
      endedAt: 2,
    }];
    assertEquals(await store.restart({ seq, epoch: 1 }, { retry: ["a"], forget: [], failures }), true);
    assertEquals(await store.facts(seq), [{ kind: "retry", at: T0, detail: undefined, failures }]);
  });

  test("only a failed run can be restarted", async ({ store }) => {
    const { seq } = await startOwned(store);
    assertEquals(await store.restart({ seq, epoch: 1 }, { retry: [], forget: [] }), false);
    await write(store, { seq, epoch: 1 }, [record("a")], { to: "completed", at: T0 });
    assertEquals(await store.restart({ seq, epoch: 1 }, { retry: ["a"], forget: ["a"] }), false);
    assertEquals((await store.journal(seq)).length, 1);
  });

  test("a restarted run has no crashes", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [record("a")]);
    await recover(store, { dead: [runner], recoveryLimit: 1 });
    assertEquals((await store.run(id))?.state, "failed");
    assertEquals(await store.restart({ seq, epoch: 2 }, { retry: [], forget: [] }), true);
    assertEquals((await store.run(id))?.crashes, 0);
    const { runner: next } = await claimAnew(store);
    await recover(store, { dead: [next] });
    assertEquals((await store.run(id))?.crashes, 1);
  });

  test("a fork begins with the journal that is passed to it", async ({ store }) => {
    const runner = await join(store);
    const fork = { from: "origin", journal: [record("a"), record("a", { step: "one" }), record("b")] };
    const run = newRun({ fork, owner: runner });
    await start(store, run);
    const row = await store.run(run.id);
    assertEquals([row?.state, row?.epoch, row?.forkedFrom, row?.owner], ["pending", 1, "origin", undefined]);
    const claim = await store.claim(claimBy(runner));
    assertEquals(claim.runs[0]?.epoch, 2);
    assertEquals(await store.journal(claim.runs[0]!.seq), fork.journal);
  });

  test("the rows that are passed to a fork do not count as its progress", async ({ store }) => {
    const run = newRun({ fork: { from: "origin", journal: [record("a")] } });
    await start(store, run);
    for (const crashes of [1, 2, 3]) {
      const { runner } = await claimAnew(store);
      await recover(store, { dead: [runner] });
      assertEquals((await store.run(run.id))?.crashes, crashes);
    }
  });
}

function recover(store: Store, request: Partial<Parameters<Store["recover"]>[0]> = {}): Promise<Recovery> {
  return store.recover({ dead: [], recoveryLimit: 5, limit: 100, ...request });
}

async function claimAnew(store: Store): Promise<{ readonly runner: number; readonly epoch: number }> {
  const runner = await join(store);
  const claim = await store.claim(claimBy(runner));
  return { runner, epoch: claim.runs[0]!.epoch };
}
