import { assertEquals } from "@std/assert";
import type { RunMove } from "../../../lib/store/port/batch.ts";
import { type Case, claimBy, commit, ERROR, join, newRun, start, startOwned, T0, write } from "./fixture.ts";

const ACTIVE = { key: "k", keyScope: "active" } as const;

/** Keys that a run holds until it ends. */
export function activeKeyContract(test: Case): void {
  const ends: readonly RunMove[] = [
    { to: "completed", at: T0 },
    { to: "failed", at: T0, error: ERROR },
    { to: "cancelled", at: T0, reason: undefined },
  ];
  for (const move of ends) {
    test(`a run holds its active key until it is ${move.to}, and each start after that is new`, async ({ store }) => {
      const { id, seq } = await startOwned(store, ACTIVE);
      const { starts } = await commit(store, { starts: [newRun(ACTIVE)] });
      assertEquals(starts, [{ kind: "existing", id }]);
      assertEquals(await write(store, { seq, epoch: 1 }, [], move), "accepted");
      const [next] = [newRun(ACTIVE)];
      await start(store, next!);
      assertEquals((await commit(store, { starts: [newRun(ACTIVE)] })).starts, [{ kind: "existing", id: next!.id }]);
      const row = await store.run(id);
      assertEquals([row?.key, row?.keyScope], ["k", "active"]);
    });
  }

  test("a run holds its active key while it is pending, waits, is paused or is compensated", async ({ store }) => {
    const runner = await join(store);
    const run = newRun(ACTIVE);
    const [seq] = await start(store, run);
    const held = async (): Promise<void> =>
      assertEquals((await commit(store, { starts: [newRun(ACTIVE)] })).starts, [{ kind: "existing", id: run.id }]);
    await held();
    await store.control(run.id, { kind: "pause", reason: undefined });
    await held();
    await store.control(run.id, { kind: "resume" });
    await store.claim(claimBy(runner));
    await write(store, { seq: seq!, epoch: 1 }, [], { to: "waiting", dueAt: T0 + 9, release: true });
    await held();
    await store.send(run.id, { task: "a", id: crypto.randomUUID(), payload: undefined });
    await store.claim(claimBy(runner));
    await write(store, { seq: seq!, epoch: 2 }, [], { to: "compensating", end: { state: "failed", error: ERROR } });
    assertEquals((await store.run(run.id))?.state, "compensating");
    await held();
  });

  test("if a batch contains many starts with one active key, the first one creates the run", async ({ store }) => {
    const owner = await join(store);
    const first = newRun({ ...ACTIVE, owner });
    const others = Array.from({ length: 40 }, () => newRun({ ...ACTIVE, owner }));
    const { starts } = await commit(store, { starts: [first, ...others] });
    assertEquals(starts.map(({ kind }) => kind), ["started", ...others.map(() => "existing")]);
  });

  test("if two stores start a run with one active key at once, exactly one of them creates it, each time", async ({ store, another }) => {
    const other = await another();
    const owner = await join(store);
    for (let round = 0; round < 20; round++) {
      const receipts = await Promise.all(
        [store, other, store, other].map((one) => commit(one, { starts: [newRun({ ...ACTIVE, owner })] })),
      );
      const verdicts = receipts.flatMap(({ starts }) => starts);
      const started = verdicts.filter((verdict) => verdict.kind === "started");
      assertEquals([started.length, verdicts.length], [1, 4]);
      await write(store, { seq: started[0]!.seq, epoch: 1 }, [], { to: "completed", at: T0 });
    }
  });

  test("starts with one active key all return while its holders end", async ({ store, another }) => {
    const other = await another();
    const owner = await join(store);
    let started = 0;
    const startAndEnd = async (one: typeof store): Promise<void> => {
      for (let round = 0; round < 30; round++) {
        const { starts: [verdict] } = await commit(one, { starts: [newRun({ ...ACTIVE, owner })] });
        if (verdict?.kind === "existing") continue;
        if (verdict?.kind !== "started") throw new Error(`neither: ${JSON.stringify(verdict)}`);
        started++;
        assertEquals(await write(one, { seq: verdict.seq, epoch: 1 }, [], { to: "completed", at: T0 }), "accepted");
      }
    };
    await Promise.all([store, other, store, other].map(startAndEnd));
    assertEquals(started > 0, true);
    await start(store, newRun(ACTIVE));
  });

  test("active keys and permanent keys are distinct", async ({ store }) => {
    await start(store, newRun({ key: "k" }), newRun(ACTIVE), newRun({ ...ACTIVE, workflow: "other" }));
  });

  test("a start that is repeated with the same id finds its run even if another run has the key by now", async ({ store }) => {
    const { id, seq } = await startOwned(store, ACTIVE);
    await write(store, { seq, epoch: 1 }, [], { to: "completed", at: T0 });
    await start(store, newRun(ACTIVE));
    const { starts: [verdict] } = await commit(store, { starts: [newRun({ ...ACTIVE, id })] });
    assertEquals(
      verdict?.kind === "existing" ? verdict.id : verdict?.kind === "started" && seq === verdict.seq && id,
      id,
    );
  });

  test("a failed run is not restarted while another run has its active key", async ({ store }) => {
    const { runner, seq } = await startOwned(store, ACTIVE);
    await write(store, { seq, epoch: 1 }, [], { to: "failed", at: T0, error: ERROR });
    const other = newRun({ ...ACTIVE, owner: runner });
    const [holder] = await start(store, other);
    const tasks = { retry: [], forget: [] };
    assertEquals(await store.restart({ seq, epoch: 1 }, tasks), { keyHeldBy: other.id });
    await write(store, { seq: holder!, epoch: 1 }, [], { to: "completed", at: T0 });
    assertEquals(await store.restart({ seq, epoch: 1 }, tasks), true);
    const { starts } = await commit(store, { starts: [newRun(ACTIVE)] });
    assertEquals(starts[0]?.kind, "existing");
  });

  test("if a restart and a start with the same active key happen at once, exactly one succeeds", async ({ store, another }) => {
    const other = await another();
    const runner = await join(store);
    for (let round = 0; round < 20; round++) {
      const [seq] = await start(store, newRun({ ...ACTIVE, key: `k${round}`, owner: runner }));
      await write(store, { seq: seq!, epoch: 1 }, [], { to: "failed", at: T0, error: ERROR });
      const [restarted, receipt] = await Promise.all([
        store.restart({ seq: seq!, epoch: 1 }, { retry: [], forget: [] }),
        commit(other, { starts: [newRun({ ...ACTIVE, key: `k${round}` })] }),
      ]);
      assertEquals(
        [restarted === true, receipt.starts[0]?.kind].join(),
        restarted === true ? "true,existing" : "false,started",
      );
    }
  });

  test("a run with an active key is found by a prefix of the key, also after its end", async ({ store }) => {
    const { seq } = await startOwned(store, { ...ACTIVE, key: "order-7" });
    await write(store, { seq, epoch: 1 }, [], { to: "completed", at: T0 });
    const [next] = await start(store, newRun({ ...ACTIVE, key: "order-7" }));
    await start(store, newRun({ ...ACTIVE, key: "other" }));
    const found = await store.inspection.find("order", 10);
    assertEquals(found.map((run) => run.seq).sort((a, b) => a - b), [seq, next]);
  });
}
