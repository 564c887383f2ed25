import { assertEquals } from "@std/assert";
import { type Case, claimBy, claimed, join, newRun, record, start, startOwned, T0, write } from "./fixture.ts";

/** Cancel, pause and resume, in every state. */
export function ordersContract(test: Case): void {
  test("cancel ends a run that nobody owns at once, under a new epoch", async ({ store }) => {
    const run = newRun();
    const [seq] = await start(store, run);
    const verdict = await store.order(run.id, { kind: "cancel", reason: "enough" });
    assertEquals(verdict, { kind: "done", state: "cancelled" });
    const row = await store.run(run.id);
    assertEquals(
      [row?.state, row?.reason, row?.endedAt, row?.epoch, row?.cancelling],
      ["cancelled", "enough", T0, 1, false],
    );
    assertEquals(await store.facts(seq!), [{ kind: "cancel", at: T0, detail: "enough" }]);
    assertEquals(await claimed(store, claimBy(await join(store))), []);
  });

  test("cancel of an owned run stands until its owner has carried it out", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    const verdict = await store.order(id, { kind: "cancel", reason: "enough" });
    assertEquals(verdict, { kind: "done", state: "running" });
    const row = await store.run(id);
    assertEquals([row?.state, row?.cancelling, row?.reason, row?.epoch], ["running", true, "enough", 1]);
    const standing = [{ seq, cancel: { reason: "enough" }, paused: false }];
    assertEquals(await store.orders(runner), standing);
    assertEquals(await store.renew(runner, 1_000), { alive: true, orders: standing });
    await write(store, { seq, epoch: 1 }, [], { to: "cancelled", at: T0, reason: "enough" });
    assertEquals(await store.orders(runner), []);
    assertEquals((await store.run(id))?.cancelling, false);
  });

  test("a second cancel changes nothing", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await store.order(id, { kind: "cancel", reason: "first" });
    assertEquals(await store.order(id, { kind: "cancel", reason: "second" }), { kind: "done", state: "running" });
    assertEquals(await store.orders(runner), [{ seq, cancel: { reason: "first" }, paused: false }]);
    assertEquals((await store.facts(seq)).length, 1);
  });

  test("cancel needs no reason", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await store.order(id, { kind: "cancel", reason: undefined });
    assertEquals(await store.orders(runner), [{ seq, cancel: { reason: undefined }, paused: false }]);
  });

  test("cancel ends the run of a runner whose lease is over at once", async ({ store, clock }) => {
    const { seq, id } = await startOwned(store);
    clock.advance(30_000);
    assertEquals(await store.order(id, { kind: "cancel", reason: "r" }), { kind: "done", state: "cancelled" });
    assertEquals((await store.run(id))?.epoch, 2);
    assertEquals(await write(store, { seq, epoch: 1 }, [record("a")]), "fenced");
  });

  test("a run that has ended takes no order", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [], { to: "completed", at: T0 });
    for (const kind of ["cancel", "pause", "resume"] as const) {
      assertEquals(await store.order(id, { kind, reason: undefined }), { kind: "ended", state: "completed" });
    }
    assertEquals(await store.facts(seq), []);
  });

  test("an order for a run that is not there is answered so", async ({ store }) => {
    assertEquals(await store.order("nobody", { kind: "cancel", reason: undefined }), { kind: "unknown" });
  });

  test("a run that completes before its owner has seen the order to cancel is completed", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    await store.order(id, { kind: "cancel", reason: "late" });
    assertEquals(await write(store, { seq, epoch: 1 }, [record("a")], { to: "completed", at: T0 }), "accepted");
    const row = await store.run(id);
    assertEquals([row?.state, row?.reason, row?.cancelling], ["completed", undefined, false]);
  });

  test("an owner that gives up a run with an order to cancel it ends it", async ({ store }) => {
    const moves = [
      { to: "pending" },
      { to: "waiting", dueAt: undefined, release: true },
      { to: "stranded", by: "v2", reason: "r" },
    ] as const;
    for (const move of moves) {
      const { seq, id } = await startOwned(store);
      await store.order(id, { kind: "cancel", reason: "enough" });
      assertEquals(await write(store, { seq, epoch: 1 }, [], move), "accepted");
      const row = await store.run(id);
      assertEquals([row?.state, row?.reason, row?.endedAt], ["cancelled", "enough", T0]);
    }
    assertEquals(await claimed(store, claimBy(await join(store))), []);
  });

  test("pause keeps a pending run from being claimed, resume lets it go on", async ({ store }) => {
    const run = newRun();
    const [seq] = await start(store, run);
    const runner = await join(store);
    assertEquals(await store.order(run.id, { kind: "pause", reason: "wait" }), { kind: "done", state: "paused" });
    assertEquals(await store.order(run.id, { kind: "pause", reason: "again" }), { kind: "done", state: "paused" });
    const paused = await store.run(run.id);
    assertEquals([paused?.state, paused?.reason], ["paused", "wait"]);
    assertEquals(await claimed(store, claimBy(runner)), []);
    assertEquals(await store.groups(), []);
    assertEquals(await store.order(run.id, { kind: "resume" }), { kind: "done", state: "pending" });
    assertEquals(await store.order(run.id, { kind: "resume" }), { kind: "done", state: "pending" });
    assertEquals((await store.run(run.id))?.reason, undefined);
    assertEquals(await claimed(store, claimBy(runner)), [seq!]);
    assertEquals((await store.facts(seq!)).map(({ kind }) => kind), ["pause", "resume"]);
  });

  test("the owner of a paused run hears of it and may still write", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await store.order(id, { kind: "pause", reason: undefined });
    assertEquals(await store.orders(runner), [{ seq, cancel: undefined, paused: true }]);
    assertEquals(await write(store, { seq, epoch: 1 }, [record("a")]), "accepted");
    assertEquals(await write(store, { seq, epoch: 1 }, [], { to: "running" }), "accepted");
    await write(store, { seq, epoch: 1 }, [], { to: "waiting", dueAt: T0, release: false });
    assertEquals((await store.run(id))?.state, "paused");
    assertEquals(await store.order(id, { kind: "resume" }), { kind: "done", state: "running" });
    assertEquals(await store.orders(runner), []);
    assertEquals((await store.run(id))?.owner, runner);
  });

  test("a paused run stays paused when its owner releases it", async ({ store }) => {
    const moves = [{ to: "pending" }, { to: "waiting", dueAt: T0, release: true }] as const;
    for (const move of moves) {
      const { seq, id, runner } = await startOwned(store);
      await store.order(id, { kind: "pause", reason: "wait" });
      assertEquals(await write(store, { seq, epoch: 1 }, [record("a")], move), "accepted");
      const row = await store.run(id);
      assertEquals([row?.state, row?.owner, row?.reason], ["paused", undefined, "wait"]);
      assertEquals(await claimed(store, claimBy(runner)), []);
      assertEquals(await store.order(id, { kind: "resume" }), { kind: "done", state: "pending" });
      assertEquals(await claimed(store, claimBy(runner)), [seq]);
    }
  });

  test("a run that waited goes on waiting when it is resumed", async ({ store, clock }) => {
    const { seq, id, runner } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [], { to: "waiting", dueAt: T0 + 100, release: true });
    await store.order(id, { kind: "pause", reason: undefined });
    clock.advance(50);
    assertEquals(await store.order(id, { kind: "resume" }), { kind: "done", state: "waiting" });
    assertEquals(await claimed(store, claimBy(runner)), []);
    await store.order(id, { kind: "pause", reason: undefined });
    clock.advance(50);
    assertEquals(await claimed(store, claimBy(runner)), []);
    await store.order(id, { kind: "resume" });
    assertEquals(await claimed(store, claimBy(runner)), [seq]);
  });

  test("a delayed run that was paused is pending when it is resumed, and due as before", async ({ store, clock }) => {
    const run = newRun({ dueAt: T0 + 100 });
    const [seq] = await start(store, run);
    await store.order(run.id, { kind: "pause", reason: undefined });
    assertEquals(await store.order(run.id, { kind: "resume" }), { kind: "done", state: "pending" });
    const runner = await join(store);
    assertEquals(await claimed(store, claimBy(runner)), []);
    clock.advance(100);
    assertEquals(await claimed(store, claimBy(runner)), [seq!]);
  });

  test("the deadline moves by the time that a run was paused", async ({ store, clock }) => {
    const { id } = await startOwned(store, { timeoutMs: 100 });
    clock.advance(30);
    await store.order(id, { kind: "pause", reason: undefined });
    clock.advance(1_000);
    await store.order(id, { kind: "resume" });
    assertEquals((await store.run(id))?.deadlineAt, T0 + 1_100);
  });

  test("a paused run can be cancelled, and can end", async ({ store }) => {
    const waiting = newRun();
    await start(store, waiting);
    await store.order(waiting.id, { kind: "pause", reason: "wait" });
    const verdict = await store.order(waiting.id, { kind: "cancel", reason: "enough" });
    assertEquals(verdict, { kind: "done", state: "cancelled" });
    assertEquals((await store.run(waiting.id))?.reason, "enough");

    const { seq, id, runner } = await startOwned(store);
    await store.order(id, { kind: "pause", reason: "wait" });
    assertEquals(await store.order(id, { kind: "cancel", reason: "enough" }), { kind: "done", state: "paused" });
    assertEquals(await store.orders(runner), [{ seq, cancel: { reason: "enough" }, paused: true }]);
    assertEquals(await write(store, { seq, epoch: 1 }, [], { to: "completed", at: T0 }), "accepted");
    assertEquals((await store.run(id))?.state, "completed");
    assertEquals(await store.orders(runner), []);
  });

  test("a runner is told of no order for another one's runs", async ({ store }) => {
    const { id } = await startOwned(store);
    const other = await join(store);
    await store.order(id, { kind: "cancel", reason: undefined });
    assertEquals(await store.orders(other), []);
    assertEquals((await store.claim(claimBy(other)))?.runs, []);
  });

  test("an order from another store is seen", async ({ store, another }) => {
    const { seq, id, runner } = await startOwned(store);
    await (await another()).order(id, { kind: "pause", reason: undefined });
    assertEquals(await store.orders(runner), [{ seq, cancel: undefined, paused: true }]);
  });
}
