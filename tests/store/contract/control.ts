import { assertEquals } from "@std/assert";
import type { RunState } from "../../../lib/store/port/batch.ts";
import type { ControlResult } from "../../../lib/store/port/control.ts";
import type { Store } from "../../../lib/store/port/store.ts";
import {
  type Case,
  claimBy,
  claimed,
  commit,
  ERROR,
  join,
  newRun,
  record,
  start,
  startOwned,
  T0,
  write,
} from "./fixture.ts";

/** Cancel, pause and resume, in every state. */
export function controlContract(test: Case): void {
  test("cancel ends an unowned run immediately, under a new epoch", async ({ store }) => {
    const run = newRun();
    const [seq] = await start(store, run);
    const verdict = await store.control(run.id, { kind: "cancel", reason: "enough" });
    assertEquals(verdict, { kind: "done", state: "cancelled", owner: undefined, attention: 0 });
    const row = await store.run(run.id);
    assertEquals(
      [row?.state, row?.reason, row?.endedAt, row?.epoch, row?.closing],
      ["cancelled", "enough", T0, 1, undefined],
    );
    assertEquals(await store.facts(seq!), [{ kind: "cancel", at: T0, detail: "enough" }]);
    assertEquals(await claimed(store, claimBy(await join(store))), []);
  });

  test("cancel of an owned run is in its owner's inbox until the owner acknowledges it", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    const result = await store.control(id, { kind: "cancel", reason: "enough" });
    assertEquals(result, { kind: "done", state: "running", owner: runner, attention: 1 });
    const row = await store.run(id);
    assertEquals([row?.state, row?.closing, row?.reason, row?.epoch], ["running", "cancel", "enough", 1]);
    const inbox = [{
      seq,
      attention: 1,
      cancel: { reason: "enough", compensate: true },
      paused: false,
      hasMessages: false,
    }];
    assertEquals(await store.inbox(runner), inbox);
    assertEquals(await store.renew(runner, 1_000), { alive: true, inbox, owned: [{ seq, epoch: 1 }] });
    assertEquals(await store.areAcknowledged([{ id, attention: 1 }]), false);
    assertEquals(await acknowledge(store, seq, 1), "accepted");
    assertEquals([await store.inbox(runner), await store.areAcknowledged([{ id, attention: 1 }])], [[], true]);
    await write(store, { seq, epoch: 1 }, [], { to: "cancelled", at: T0, reason: "enough" });
    assertEquals((await store.run(id))?.closing, "cancel");
  });

  test("a run that ends leaves its owner's inbox", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await store.control(id, { kind: "cancel", reason: "enough" });
    await write(store, { seq, epoch: 1 }, [], { to: "cancelled", at: T0, reason: "enough" });
    assertEquals([await store.inbox(runner), await store.areAcknowledged([{ id, attention: 1 }])], [[], true]);
  });

  test("a second cancel changes nothing", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await store.control(id, { kind: "cancel", reason: "first" });
    const second = await store.control(id, { kind: "cancel", reason: "second" });
    assertEquals(second, { kind: "done", state: "running", owner: runner, attention: 1 });
    assertEquals(await store.inbox(runner), [{
      seq,
      attention: 1,
      cancel: { reason: "first", compensate: true },
      paused: false,
      hasMessages: false,
    }]);
    assertEquals((await store.facts(seq)).length, 1);
  });

  test("cancel needs no reason", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await store.control(id, { kind: "cancel", reason: undefined });
    assertEquals(await store.inbox(runner), [{
      seq,
      attention: 1,
      cancel: { reason: undefined, compensate: true },
      paused: false,
      hasMessages: false,
    }]);
  });

  test("cancel does not end the run of a runner whose lease has expired, because the runner may continue", async ({ store, clock }) => {
    const { seq, id, runner } = await startOwned(store);
    clock.advance(30_000);
    const result = await store.control(id, { kind: "cancel", reason: "r" });
    assertEquals(result, { kind: "done", state: "running", owner: runner, attention: 1 });
    const { alive, inbox } = await store.renew(runner, 30_000);
    assertEquals([alive, inbox.map((entry) => entry.seq)], [true, [seq]]);
  });

  test("cancel ends the run of a runner that is silent for another lease, and marks the runner as dead", async ({ store, clock }) => {
    const { seq, id, runner } = await startOwned(store);
    const other = newRun({ owner: runner });
    await start(store, other);
    clock.advance(60_000);
    const result = await store.control(id, { kind: "cancel", reason: "r" });
    assertEquals(result, { kind: "done", state: "cancelled", owner: undefined, attention: 0 });
    assertEquals((await store.renew(runner, 30_000)).alive, false);
    assertEquals(await write(store, { seq, epoch: 1 }, [record("a")]), "fenced");
    const { released } = await store.recover({ dead: [], alive: [runner], recoveryLimit: 5, limit: 10 });
    assertEquals(released.map((run) => run.id), [other.id]);
  });

  test("after the clock was set ahead, cancel ends the run of an expired owner only when another lease has passed", async ({ store, clock }) => {
    const { seq, id, runner } = await startOwned(store);
    const other = newRun({ owner: runner });
    await start(store, other);
    clock.set(3_600_000);
    const result = await store.control(id, { kind: "cancel", reason: "r" });
    assertEquals(result, { kind: "done", state: "running", owner: runner, attention: 1 });
    const { alive, owned } = await store.renew(runner, 30_000);
    assertEquals([alive, owned.length], [true, 2]);
    assertEquals(await write(store, { seq, epoch: 1 }, [record("a")]), "accepted");
    clock.advance(60_000);
    const late = await store.control(other.id, { kind: "cancel", reason: "r" });
    assertEquals(late, { kind: "done", state: "cancelled", owner: undefined, attention: 0 });
  });

  test("a store that is opened after the clock was set ahead does not end the run of an expired owner", async ({ store, clock, another }) => {
    const { id, runner } = await startOwned(store);
    clock.set(3_600_000);
    const opened = await another();
    const result = await opened.control(id, { kind: "cancel", reason: "r" });
    assertEquals(result, { kind: "done", state: "running", owner: runner, attention: 1 });
    assertEquals((await store.renew(runner, 30_000)).alive, true);
  });

  test("cancel ends the run of a runner whose row is gone", async ({ store }) => {
    const { id, runner } = await startOwned(store);
    const other = newRun({ owner: runner });
    await start(store, other);
    await store.recover({ dead: [runner], recoveryLimit: 5, limit: 1 });
    const [still] = [await store.run(id), await store.run(other.id)].filter((run) => run?.owner !== undefined);
    const result = await store.control(still!.id, { kind: "cancel", reason: "r" });
    assertEquals(result.kind === "done" && result.state, "cancelled");
  });

  test("a run that has ended cannot be changed", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [], { to: "completed", at: T0 });
    for (const kind of ["cancel", "pause", "resume"] as const) {
      assertEquals(await store.control(id, { kind, reason: undefined }), { kind: "ended", state: "completed" });
    }
    assertEquals(await store.facts(seq), []);
  });

  test("a run that does not exist is unknown", async ({ store }) => {
    assertEquals(await store.control("nobody", { kind: "cancel", reason: undefined }), { kind: "unknown" });
  });

  test("a run with a recorded cancel cannot fail: it ends as cancelled, without an error", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    await store.control(id, { kind: "cancel", reason: "enough" });
    const failed = { to: "failed", at: T0 + 7, error: ERROR } as const;
    const verdict = await write(store, { seq, epoch: 1 }, [record("a")], failed);
    assertEquals(verdict, { cancelled: { reason: "enough" } });
    const row = await store.run(id);
    assertEquals([row?.state, row?.reason, row?.error, row?.endedAt], ["cancelled", "enough", undefined, T0 + 7]);
    assertEquals((await store.journal(seq)).length, 1);
  });

  test("a run with a recorded cancel cannot complete: it ends as cancelled, and keeps its results", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    await store.control(id, { kind: "cancel", reason: "late" });
    const verdict = await write(store, { seq, epoch: 1 }, [record("a")], { to: "completed", at: T0 + 5 });
    assertEquals(verdict, { cancelled: { reason: "late" } });
    const row = await store.run(id);
    assertEquals([row?.state, row?.reason, row?.endedAt, row?.owner], ["cancelled", "late", T0 + 5, undefined]);
    assertEquals((await store.journal(seq)).map(({ task, state }) => [task, state]), [["a", "completed"]]);
  });

  test("of many runs that complete in one commit, those with a recorded cancel end as cancelled", async ({ store }) => {
    const runner = await join(store);
    const runs = Array.from({ length: 40 }, () => newRun({ owner: runner }));
    const seqs = await start(store, ...runs);
    await store.control(runs[7]!.id, { kind: "cancel", reason: "late" });
    const writes = seqs.map((seq) => ({
      seq,
      epoch: 1,
      records: [record("a")],
      move: { to: "completed", at: T0 } as const,
    }));
    const receipt = await commit(store, { writes });
    const odd = receipt.writes.flatMap((verdict, at) => verdict === "accepted" ? [] : [[at, verdict]]);
    assertEquals(odd, [[7, { cancelled: { reason: "late" } }]]);
    assertEquals((await store.counts()).completed, 39);
  });

  test("a released run with a change that its owner has not received is due immediately", async ({ store }) => {
    const runner = await join(store);
    for (const seen of [1, 2]) {
      const run = newRun({ owner: runner });
      const [seq] = await start(store, run);
      for (const kind of ["pause", "resume"] as const) await store.control(run.id, { kind, reason: undefined });
      const move = { to: "waiting", dueAt: T0 + 1_000_000, release: true } as const;
      const { writes } = await commit(store, { writes: [{ seq: seq!, epoch: 1, records: [], move, seen }] });
      assertEquals(writes, ["accepted"]);
      const row = await store.run(run.id);
      assertEquals([row?.state, row?.dueAt], ["waiting", seen === 2 ? T0 + 1_000_000 : T0]);
      assertEquals(await claimed(store, claimBy(runner)), seen === 2 ? [] : [seq!]);
    }
    assertEquals(await store.inbox(runner), []);
  });

  test("a claim returns every earlier change", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    for (const kind of ["pause", "resume"] as const) await store.control(id, { kind, reason: undefined });
    await write(store, { seq, epoch: 1 }, [], { to: "pending" });
    const claim = await store.claim(claimBy(runner));
    assertEquals(claim?.runs.map((run) => run.attention), [2]);
    assertEquals(await store.inbox(runner), []);
    assertEquals(await store.areAcknowledged([{ id, attention: 2 }]), true);
  });

  test("releasing a run with a recorded cancel ends it", async ({ store }) => {
    const moves = [
      { to: "pending" },
      { to: "waiting", dueAt: undefined, release: true },
      { to: "stranded", by: "v2", reason: "r" },
    ] as const;
    for (const move of moves) {
      const { seq, id } = await startOwned(store);
      await store.control(id, { kind: "cancel", reason: "enough" });
      assertEquals(await write(store, { seq, epoch: 1 }, [], move), "accepted");
      const row = await store.run(id);
      assertEquals([row?.state, row?.reason, row?.endedAt], ["cancelled", "enough", T0]);
    }
    assertEquals(await claimed(store, claimBy(await join(store))), []);
  });

  test("a paused run is not claimed until it is resumed", async ({ store }) => {
    const run = newRun();
    const [seq] = await start(store, run);
    const runner = await join(store);
    assertEquals(await store.control(run.id, { kind: "pause", reason: "wait" }), done("paused"));
    assertEquals(await store.control(run.id, { kind: "pause", reason: "again" }), done("paused"));
    const paused = await store.run(run.id);
    assertEquals([paused?.state, paused?.reason], ["paused", "wait"]);
    assertEquals(await claimed(store, claimBy(runner)), []);
    assertEquals(await store.groups(), []);
    assertEquals(await store.control(run.id, { kind: "resume" }), done("pending"));
    assertEquals(await store.control(run.id, { kind: "resume" }), done("pending"));
    assertEquals((await store.run(run.id))?.reason, undefined);
    assertEquals(await claimed(store, claimBy(runner)), [seq!]);
    assertEquals((await store.facts(seq!)).map(({ kind }) => kind), ["pause", "resume"]);
  });

  test("the owner of a paused run finds it in its inbox and may still write", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await store.control(id, { kind: "pause", reason: undefined });
    assertEquals(await store.inbox(runner), [{
      seq,
      attention: 1,
      cancel: undefined,
      paused: true,
      hasMessages: false,
    }]);
    assertEquals(await write(store, { seq, epoch: 1 }, [record("a")]), "accepted");
    assertEquals(await write(store, { seq, epoch: 1 }, [], { to: "running" }), "accepted");
    await write(store, { seq, epoch: 1 }, [], { to: "waiting", dueAt: T0, release: false });
    assertEquals((await store.run(id))?.state, "paused");
    assertEquals(await store.control(id, { kind: "resume" }), done("running", runner, 2));
    assertEquals(await store.inbox(runner), [{
      seq,
      attention: 2,
      cancel: undefined,
      paused: false,
      hasMessages: false,
    }]);
    assertEquals((await store.run(id))?.owner, runner);
  });

  test("a paused run stays paused when its owner releases it", async ({ store }) => {
    const moves = [{ to: "pending" }, { to: "waiting", dueAt: T0, release: true }] as const;
    for (const move of moves) {
      const { seq, id, runner } = await startOwned(store);
      await store.control(id, { kind: "pause", reason: "wait" });
      assertEquals(await write(store, { seq, epoch: 1 }, [record("a")], move), "accepted");
      const row = await store.run(id);
      assertEquals([row?.state, row?.owner, row?.reason], ["paused", undefined, "wait"]);
      assertEquals(await claimed(store, claimBy(runner)), []);
      assertEquals(await store.control(id, { kind: "resume" }), done("pending", undefined, 1));
      assertEquals(await claimed(store, claimBy(runner)), [seq]);
    }
  });

  test("a run that waited before it was paused waits again after it is resumed", async ({ store, clock }) => {
    const { seq, id, runner } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [], { to: "waiting", dueAt: T0 + 100, release: true });
    await store.control(id, { kind: "pause", reason: undefined });
    clock.advance(50);
    assertEquals(await store.control(id, { kind: "resume" }), done("waiting"));
    assertEquals(await claimed(store, claimBy(runner)), []);
    await store.control(id, { kind: "pause", reason: undefined });
    clock.advance(50);
    assertEquals(await claimed(store, claimBy(runner)), []);
    await store.control(id, { kind: "resume" });
    assertEquals(await claimed(store, claimBy(runner)), [seq]);
  });

  test("a delayed run that was paused is pending when it is resumed, and due as before", async ({ store, clock }) => {
    const run = newRun({ dueAt: T0 + 100 });
    const [seq] = await start(store, run);
    await store.control(run.id, { kind: "pause", reason: undefined });
    assertEquals(await store.control(run.id, { kind: "resume" }), done("pending"));
    const runner = await join(store);
    assertEquals(await claimed(store, claimBy(runner)), []);
    clock.advance(100);
    assertEquals(await claimed(store, claimBy(runner)), [seq!]);
  });

  test("the deadline moves by the time that a run was paused", async ({ store, clock }) => {
    const { id } = await startOwned(store, { timeoutMs: 100 });
    clock.advance(30);
    await store.control(id, { kind: "pause", reason: undefined });
    clock.advance(1_000);
    await store.control(id, { kind: "resume" });
    assertEquals((await store.run(id))?.deadlineAt, T0 + 1_100);
  });

  test("a paused run can be cancelled, and can end", async ({ store }) => {
    const waiting = newRun();
    await start(store, waiting);
    await store.control(waiting.id, { kind: "pause", reason: "wait" });
    const verdict = await store.control(waiting.id, { kind: "cancel", reason: "enough" });
    assertEquals(verdict, done("cancelled"));
    assertEquals((await store.run(waiting.id))?.reason, "enough");

    const { seq, id, runner } = await startOwned(store);
    await store.control(id, { kind: "pause", reason: "wait" });
    assertEquals(await store.control(id, { kind: "cancel", reason: "enough" }), done("paused", runner, 2));
    assertEquals(await store.inbox(runner), [{
      seq,
      attention: 2,
      cancel: { reason: "enough", compensate: true },
      paused: true,
      hasMessages: false,
    }]);
    const failed = { to: "failed", at: T0, error: { name: "E", message: "no" } } as const;
    assertEquals(await write(store, { seq, epoch: 1 }, [], failed), { cancelled: { reason: "enough" } });
    assertEquals((await store.run(id))?.state, "cancelled");
    assertEquals(await store.inbox(runner), []);
  });

  test("the inbox of a runner contains only its own runs", async ({ store }) => {
    const { id } = await startOwned(store);
    const other = await join(store);
    await store.control(id, { kind: "cancel", reason: undefined });
    assertEquals(await store.inbox(other), []);
    assertEquals((await store.claim(claimBy(other))).runs, []);
  });

  test("a change by another store is visible", async ({ store, another }) => {
    const { seq, id, runner } = await startOwned(store);
    await (await another()).control(id, { kind: "pause", reason: undefined });
    assertEquals(await store.inbox(runner), [{
      seq,
      attention: 1,
      cancel: undefined,
      paused: true,
      hasMessages: false,
    }]);
  });
}

/** The result of a change that is recorded. */
function done(state: RunState, owner?: number, attention = 0): ControlResult {
  return { kind: "done", state, owner, attention };
}

/** Returns the write with which a runner acknowledges changes. */
async function acknowledge(store: Store, seq: number, seen: number): Promise<unknown> {
  const { writes } = await commit(store, { writes: [{ seq, epoch: 1, records: [], move: undefined, seen }] });
  return writes[0];
}
