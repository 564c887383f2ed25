import { assertEquals } from "@std/assert";
import type { RunEnding } from "../../../lib/store/port/batch.ts";
import type { Store } from "../../../lib/store/port/store.ts";
import { COMPENSATIONS_MARK, undoRowOf } from "../../../lib/store/shared/undo_rows.ts";
import {
  ALL,
  type Case,
  claimBy,
  claimed,
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

const FAILED: RunEnding = { state: "failed", error: ERROR };

/** Returns the state of a run. */
async function look(store: Store, id: string): Promise<readonly unknown[]> {
  const row = await store.run(id);
  return [row?.state, row?.closing, row?.owner, row?.endedAt];
}

function defineUndo(store: Store): Promise<void> {
  return store.define([{ workflow: "etl", version: "v1", structure: "s", graph: "{}", compensates: true }]);
}

/** The compensation of runs. */
export function compensationContract(test: Case): void {
  test("a run whose compensation begins is due immediately, and its final state is recorded", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    const move = { to: "compensating", end: FAILED } as const;
    assertEquals(await write(store, { seq, epoch: 1 }, [record("a")], move), "accepted");
    assertEquals(await look(store, id), ["compensating", "undoFailed", undefined, undefined]);
    assertEquals((await store.run(id))?.error, ERROR);
    const { runs: [run] } = await store.claim(claimBy(runner));
    assertEquals([run?.seq, run?.epoch, run?.ending, run?.journal.length], [seq, 2, FAILED, 1]);
    assertEquals(await look(store, id), ["compensating", "undoFailed", runner, undefined]);
    await write(store, { seq, epoch: 2 }, [record(undoRowOf("a"))], { to: "failed", at: T0, error: ERROR });
    assertEquals(await look(store, id), ["failed", "undoFailed", undefined, T0]);
  });

  test("a run that is compensated waits, is handed back and is recovered like any other run", async ({ store, clock }) => {
    const { seq, id, runner } = await startOwned(store);
    const end = { state: "cancelled", reason: "enough" } as const;
    await write(store, { seq, epoch: 1 }, [], { to: "compensating", end });
    await store.claim(claimBy(runner));
    await write(store, { seq, epoch: 2 }, [openRecord("a")], { to: "waiting", dueAt: T0 + 5, release: true });
    assertEquals([(await look(store, id))[0], await claimed(store, claimBy(runner))], ["compensating", []]);
    clock.advance(5);
    assertEquals(await claimed(store, claimBy(runner)), [seq]);
    await write(store, { seq, epoch: 3 }, [], { to: "pending" });
    assertEquals(await look(store, id), ["compensating", "undoCancelled", undefined, undefined]);
    await store.claim(claimBy(runner));
    await store.recover({ dead: [runner], recoveryLimit: 5, limit: 10 });
    assertEquals(await look(store, id), ["compensating", "undoCancelled", undefined, undefined]);
    const { runs: [run] } = await store.claim(claimBy(await join(store)));
    assertEquals([run?.ending, run?.crashes], [end, 1]);
  });

  test("a compensation can be paused and resumed, and not cancelled", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [], { to: "compensating", end: FAILED });
    await store.control(id, { kind: "pause", reason: undefined });
    assertEquals([(await look(store, id))[0], await claimed(store, claimBy(runner))], ["paused", []]);
    assertEquals((await store.control(id, { kind: "cancel", reason: "no" })).kind, "done");
    await store.control(id, { kind: "resume" });
    assertEquals(await look(store, id), ["compensating", "undoFailed", undefined, undefined]);
    const { runs: [run] } = await store.claim(claimBy(runner));
    assertEquals(run?.ending, FAILED);
    await store.control(id, { kind: "cancel", reason: "no" });
    assertEquals(await look(store, id), ["compensating", "undoFailed", runner, undefined]);
    assertEquals(await store.inbox(runner), []);
  });

  test("a cancel compensates an unowned run whose workflow has an undo, unless a runner never owned it", async ({ store }) => {
    await defineUndo(store);
    const { seq, id } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [record("a")], { to: "waiting", dueAt: undefined, release: true });
    const fresh = newRun();
    await start(store, fresh);
    for (const run of [id, fresh.id]) await store.control(run, { kind: "cancel", reason: "enough" });
    assertEquals(await look(store, id), ["compensating", "undoCancelled", undefined, undefined]);
    assertEquals(await look(store, fresh.id), ["cancelled", undefined, undefined, T0]);
    const { runs: [run] } = await store.claim(claimBy(await join(store)));
    assertEquals([run?.seq, run?.ending], [seq, { state: "cancelled", reason: "enough" }]);
  });

  test("a cancel ends an unowned run immediately, without a claim, if none of its tasks has completed", async ({ store }) => {
    await defineUndo(store);
    const rows = [
      openRecord("event", { state: "waiting", reason: "message" }),
      openRecord("later", { state: "waiting", reason: "retry", failures: [] }),
      record("skipped", { state: "skipped" }),
      record("broken", { state: "failed", output: undefined }),
      record("broken", { step: "a step" }),
    ];
    const fork = newRun({ fork: { from: newRun().id, journal: [record("given")] } });
    await start(store, fork);
    const { id, seq, runner } = await startOwned(store);
    assertEquals(await claimed(store, claimBy(runner)), [(await store.run(fork.id))!.seq]);
    await write(store, { seq, epoch: 1 }, rows, { to: "waiting", dueAt: undefined, release: true });
    await store.leave(runner);
    for (const run of [id, fork.id]) {
      const { kind } = await store.control(run, { kind: "cancel", reason: "enough" });
      assertEquals([kind, await look(store, run)], ["done", ["cancelled", undefined, undefined, T0]]);
    }
    const next = await join(store);
    assertEquals(await claimed(store, claimBy(next)), []);
    const effects = [
      record("a"),
      record("m", { item: 3 }),
      openRecord("m", { items: 5 }),
      openRecord("child", { state: "waiting", reason: "child" }),
    ];
    for (const effect of effects) {
      const run = await startOwned(store);
      await write(store, { seq: run.seq, epoch: 1 }, [effect], { to: "waiting", dueAt: undefined, release: true });
      await store.control(run.id, { kind: "cancel", reason: "enough" });
      assertEquals([(await look(store, run.id))[0], await claimed(store, claimBy(next))], ["compensating", [run.seq]]);
    }
  });

  test("a cancel without compensation ends an unowned run immediately", async ({ store }) => {
    await defineUndo(store);
    const { seq, id } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [record("a")], { to: "waiting", dueAt: undefined, release: true });
    await store.control(id, { kind: "cancel", reason: "enough", compensate: false });
    assertEquals(await look(store, id), ["cancelled", undefined, undefined, T0]);
  });

  test("an owner learns whether a cancel compensates", async ({ store }) => {
    const { id, runner } = await startOwned(store);
    await store.control(id, { kind: "cancel", reason: "enough", compensate: false });
    assertEquals((await store.inbox(runner))[0]?.cancel, { reason: "enough", compensate: false });
  });

  test("a recorded cancel compensates a run that its owner releases or completes", async ({ store }) => {
    await defineUndo(store);
    const released = await startOwned(store);
    await store.control(released.id, { kind: "cancel", reason: "enough" });
    assertEquals(await write(store, { seq: released.seq, epoch: 1 }, [], { to: "pending" }), "accepted");
    assertEquals(await look(store, released.id), ["compensating", "undoCancelled", undefined, undefined]);
    const completed = await startOwned(store);
    await store.control(completed.id, { kind: "cancel", reason: "enough" });
    const verdict = await write(store, { seq: completed.seq, epoch: 1 }, [record("a")], { to: "completed", at: T0 });
    assertEquals(verdict, { cancelled: { reason: "enough", isCompensating: true } });
    assertEquals(await look(store, completed.id), ["compensating", "undoCancelled", undefined, undefined]);
    assertEquals((await store.journal(completed.seq)).map(({ task }) => task), ["a"]);
    const lost = await startOwned(store);
    await store.control(lost.id, { kind: "cancel", reason: "enough" });
    await store.recover({ dead: [lost.runner], recoveryLimit: 5, limit: 10 });
    assertEquals(await look(store, lost.id), ["compensating", "undoCancelled", undefined, undefined]);
  });

  test("a recorded cancel compensates a run that would fail, and the run ends as cancelled", async ({ store }) => {
    await defineUndo(store);
    const failing = await startOwned(store);
    await store.control(failing.id, { kind: "cancel", reason: "enough" });
    const failed = { to: "failed", at: T0, error: ERROR } as const;
    assertEquals(await write(store, { seq: failing.seq, epoch: 1 }, [record("a")], failed), {
      cancelled: { reason: "enough", isCompensating: true },
    });
    const undoing = await startOwned(store);
    await store.control(undoing.id, { kind: "cancel", reason: "enough" });
    await write(store, { seq: undoing.seq, epoch: 1 }, [record("a")], { to: "compensating", end: FAILED });
    for (const { id } of [failing, undoing]) {
      assertEquals(await look(store, id), ["compensating", "undoCancelled", undefined, undefined]);
      assertEquals([(await store.run(id))?.reason, (await store.run(id))?.error], ["enough", undefined]);
    }
  });

  test("a recorded cancel without compensation ends a run that is released, completed, failed or to be compensated", async ({ store }) => {
    await defineUndo(store);
    const moves = [
      { to: "pending" },
      { to: "completed", at: T0 },
      { to: "failed", at: T0, error: ERROR },
      { to: "compensating", end: FAILED },
    ] as const;
    for (const move of moves) {
      const { seq, id } = await startOwned(store);
      await store.control(id, { kind: "cancel", reason: "enough", compensate: false });
      await write(store, { seq, epoch: 1 }, [], move);
      assertEquals([move.to, await look(store, id)], [move.to, ["cancelled", "cancelOnly", undefined, T0]]);
      assertEquals((await store.run(id))?.reason, "enough");
    }
  });

  test("a paused run with a recorded cancel is compensated", async ({ store }) => {
    await defineUndo(store);
    const { seq, id } = await startOwned(store);
    await store.control(id, { kind: "pause", reason: undefined });
    await store.control(id, { kind: "cancel", reason: "enough" });
    await write(store, { seq, epoch: 1 }, [], { to: "pending" });
    assertEquals(await look(store, id), ["compensating", "undoCancelled", undefined, undefined]);
  });

  test("a run that exceeds its recovery limit is compensated, and fails if it exceeds the limit again", async ({ store }) => {
    await defineUndo(store);
    const { id, runner } = await startOwned(store);
    const first = await store.recover({ dead: [runner], recoveryLimit: 1, limit: 10 });
    assertEquals([first.released.length, first.failed.length], [1, 0]);
    assertEquals(await look(store, id), ["compensating", "undoFailed", undefined, undefined]);
    assertEquals((await store.run(id))?.error?.code, "recovery_limit");
    const next = await join(store);
    await store.claim(claimBy(next));
    const second = await store.recover({ dead: [next], recoveryLimit: 1, limit: 10 });
    assertEquals([second.released.length, second.failed.length], [0, 1]);
    assertEquals((await look(store, id))[0], "failed");
  });

  test("a completed child run is compensated once, under the fence of its parent", async ({ store }) => {
    await defineUndo(store);
    const { seq, runner } = await startOwned(store);
    const child = newRun({ owner: runner, parent: { run: seq, task: "ship", item: -1 } });
    const [childSeq] = await start(store, child);
    const wait = { parent: seq, task: "ship", item: -1, epoch: 1 };
    await store.compensateChild(wait, "its parent failed");
    assertEquals(await look(store, child.id), ["running", undefined, runner, undefined]);
    await write(store, { seq: childSeq!, epoch: 1 }, [record("a")], { to: "completed", at: T0 });
    await store.compensateChild({ ...wait, epoch: 7 }, "its parent failed");
    assertEquals(await look(store, child.id), ["completed", undefined, undefined, T0]);
    for (let time = 0; time < 2; time++) await store.compensateChild(wait, "its parent failed");
    assertEquals(await look(store, child.id), ["compensating", "undoCancelled", undefined, undefined]);
    const { runs: [run] } = await store.claim(claimBy(runner));
    assertEquals([run?.seq, run?.epoch, run?.journal.length], [childSeq, 3, 1]);
    await write(store, { seq: childSeq!, epoch: 3 }, [], { to: "cancelled", at: T0, reason: "its parent failed" });
    await store.compensateChild(wait, "its parent failed");
    assertEquals((await look(store, child.id))[0], "cancelled");
  });

  test("a completed child run without an undo stays completed", async ({ store }) => {
    const { seq, runner } = await startOwned(store);
    const child = newRun({ owner: runner, parent: { run: seq, task: "ship", item: -1 } });
    const [childSeq] = await start(store, child);
    await write(store, { seq: childSeq!, epoch: 1 }, [record("a")], { to: "completed", at: T0 });
    await store.compensateChild({ parent: seq, task: "ship", item: -1, epoch: 1 }, "its parent failed");
    assertEquals(await look(store, child.id), ["completed", undefined, undefined, T0]);
  });

  test("a cancel of a parent does not reach a child run whose compensation has begun", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    const child = await startOwned(store, { parent: { run: seq, task: "ship", item: -1 } });
    await write(store, { seq: child.seq, epoch: 1 }, [], { to: "compensating", end: FAILED });
    await store.control(id, { kind: "cancel", reason: "enough" });
    assertEquals(await look(store, child.id), ["compensating", "undoFailed", undefined, undefined]);
  });

  test("a restart deletes the rows of undos and counts the tasks that were compensated", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    const rows = [record("a"), record("b"), record(undoRowOf("a")), record(undoRowOf("b"), { item: 3 })];
    await write(store, { seq, epoch: 1 }, rows, { to: "failed", at: T0, error: ERROR });
    const tasks = { retry: [], forget: ["a"], compensated: ["a"] };
    assertEquals(await store.restart({ seq, epoch: 1 }, tasks), true);
    assertEquals((await store.journal(seq)).map(({ task, attempts }) => [task, attempts]), [
      [`${COMPENSATIONS_MARK}a`, 1],
      ["b", 1],
    ]);
    assertEquals(await look(store, id), ["pending", undefined, undefined, undefined]);
    const { runs: [run] } = await store.claim(claimBy(runner));
    await write(store, { seq, epoch: run!.epoch }, [record(undoRowOf("a"))], { to: "failed", at: T0, error: ERROR });
    await store.restart({ seq, epoch: run!.epoch }, tasks);
    assertEquals((await store.journal(seq)).map(({ attempts }) => attempts), [2, 1]);
    const retries = (await store.facts(seq)).filter(({ kind }) => kind === "retry");
    assertEquals(retries.map(({ detail }) => detail), [`["a"]`, `["a"]`]);
  });

  test("the first claim of a fork marks the rows that were copied from its origin", async ({ store }) => {
    const { seq, runner } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [record("a")], { to: "failed", at: T0, error: ERROR });
    const fork = { from: "x", journal: [record("b")], copy: { seq, tasks: ["a"] } };
    await start(store, newRun({ fork }));
    const { runs: [run] } = await store.claim(claimBy(runner));
    assertEquals(run?.journal.map(({ task, isCopied }) => [task, isCopied]), [["a", true], ["b", true]]);
  });

  test("list() and counts() report a compensation, whether it is owned, due or waits", async ({ store }) => {
    const seqs: number[] = [];
    for (const next of ["due", "waiting", "owned"]) {
      const { seq, runner } = await startOwned(store);
      await write(store, { seq, epoch: 1 }, [], { to: "compensating", end: FAILED });
      seqs.unshift(seq);
      if (next === "due") {
        await store.control((await store.list({ ...ALL, limit: 1 }))[0]!.id, { kind: "pause", reason: undefined });
        continue;
      }
      await store.claim(claimBy(runner));
      const move = { to: "waiting", dueAt: undefined, release: true } as const;
      if (next === "waiting") await write(store, { seq, epoch: 2 }, [], move);
    }
    const [last] = await store.list({ ...ALL, states: ["paused"] });
    await store.control(last!.id, { kind: "resume" });
    assertEquals((await store.list({ ...ALL, states: ["compensating"] })).map(({ seq }) => seq), seqs);
    assertEquals(await store.list({ ...ALL, states: ["pending", "waiting", "running", "paused"] }), []);
    const { compensating, pending, waiting, running } = await store.counts();
    assertEquals([compensating, pending, waiting, running], [3, 0, 0, 0]);
    assertEquals((await store.inspection.tally(9)).states.compensating, { count: 3, isCapped: false });
  });
}
