import { assertEquals } from "@std/assert";
import type { NewRun, StartVerdict } from "../../../lib/store/port/batch.ts";
import type { Store } from "../../../lib/store/port/store.ts";
import { ALL, type Case, claimBy, claimed, commit, ERROR, join, newRun, start, T0, write } from "./fixture.ts";

/** A run that is debounced by one second, ten at most. */
function debounced(input: string, overrides: Partial<NewRun> = {}): NewRun {
  const debounce = { key: "d", delayMs: 1_000, maxDelayMs: 10_000 };
  return newRun({ input, dueAt: T0 + 1_000, debounce, ...overrides });
}

async function startOne(store: Store, run: NewRun): Promise<StartVerdict> {
  return (await commit(store, { starts: [run] })).starts[0]!;
}

/** Debounced runs: while they are pending, the next start replaces their input. */
export function debounceContract(test: Case): void {
  test("a debounced start replaces the pending run with its debounce key, and restarts its delay", async ({ store, clock }) => {
    const first = debounced("1", { tags: ["a"], priority: 3 });
    const [seq] = await start(store, first);
    clock.advance(400);
    const second = debounced("2", { tags: ["b"], version: "v2", timeoutMs: 70, trace: "00-a-b-01" });
    assertEquals(await startOne(store, second), { kind: "replaced", id: first.id, dueAt: T0 + 1_400 });
    const row = await store.run(first.id);
    assertEquals([row?.seq, row?.input, row?.tags, row?.priority], [seq, "2", ["b"], 0]);
    assertEquals([row?.version, row?.timeoutMs, row?.trace, row?.dueAt], ["v2", 70, "00-a-b-01", T0 + 1_400]);
    assertEquals(row?.createdAt, T0);
    assertEquals(row?.debounce, { key: "d", delayMs: 1_000, maxDelayMs: 10_000, replaced: 1 });
    assertEquals((await store.list(ALL)).length, 1);
  });

  test("the delay of a debounced run ends at most maxDelayMs after its first start", async ({ store, clock }) => {
    const first = debounced("0");
    await start(store, first);
    const due: number[] = [];
    for (let at = 1; at <= 12; at++) {
      clock.advance(900);
      const verdict = await startOne(store, debounced(`${at}`));
      due.push(verdict.kind === "replaced" ? verdict.dueAt - T0 : NaN);
    }
    assertEquals(due.slice(0, 3), [1_900, 2_800, 3_700]);
    assertEquals(due.slice(9), [10_000, 10_000, 10_000]);
    const unlimited = { key: "d", delayMs: 5, maxDelayMs: undefined };
    const verdict = await startOne(store, debounced("last", { debounce: unlimited }));
    assertEquals(verdict, { kind: "replaced", id: first.id, dueAt: clock.now() + 5 });
  });

  test("a debounced run that was claimed or has ended does not change, and the next start creates a new run", async ({ store, clock }) => {
    const runner = await join(store);
    const first = debounced("1");
    const [seq] = await start(store, first);
    clock.advance(1_000);
    assertEquals(await claimed(store, claimBy(runner)), [seq!]);
    const second = debounced("2");
    const [next] = await start(store, second);
    // After it is handed back it is pending again, but it has been claimed before.
    await write(store, { seq: seq!, epoch: 1 }, [], { to: "pending" });
    assertEquals(await startOne(store, debounced("3")), {
      kind: "replaced",
      id: second.id,
      dueAt: clock.now() + 1_000,
    });
    assertEquals((await store.run(first.id))?.input, "1");
    await store.control(second.id, { kind: "cancel", reason: undefined });
    await start(store, debounced("4", { dueAt: clock.now() + 1_000 }));
    assertEquals(next === seq, false);
    await store.claim(claimBy(runner));
    await write(store, { seq: seq!, epoch: 2 }, [], { to: "failed", at: T0, error: ERROR });
    assertEquals(await store.restart({ seq: seq!, epoch: 2 }, { retry: [], forget: [] }), true);
    assertEquals((await startOne(store, debounced("5"))).kind, "replaced");
  });

  test("a paused debounced run is replaced and stays paused", async ({ store, clock }) => {
    const first = debounced("1");
    await start(store, first);
    await store.control(first.id, { kind: "pause", reason: undefined });
    clock.advance(500);
    assertEquals(await startOne(store, debounced("2")), { kind: "replaced", id: first.id, dueAt: T0 + 1_500 });
    assertEquals((await store.run(first.id))?.state, "paused");
    await store.control(first.id, { kind: "resume" });
    const row = await store.run(first.id);
    assertEquals([row?.state, row?.input, row?.dueAt], ["pending", "2", T0 + 1_500]);
  });

  test("debounced starts in one batch create one run for each workflow and key, with the last input", async ({ store }) => {
    const other = { key: "e", delayMs: 7, maxDelayMs: undefined };
    const runs = [
      debounced("1"),
      newRun({ input: "plain" }),
      debounced("2", { debounce: other }),
      debounced("3"),
      debounced("4", { workflow: "other" }),
      debounced("5"),
      newRun({ input: "keyed", key: "d" }),
    ];
    const { starts } = await commit(store, { starts: runs });
    assertEquals(starts.map(({ kind }) => kind), [
      ...["started", "started", "started", "replaced", "started", "replaced", "started"],
    ]);
    assertEquals(starts.map((verdict) => verdict.kind === "replaced" ? verdict.id : ""), [
      ...["", "", "", runs[0]!.id, "", runs[0]!.id, ""],
    ]);
    const row = await store.run(runs[0]!.id);
    assertEquals([row?.input, row?.debounce?.replaced, row?.seq], [
      "5",
      2,
      starts[0]?.kind === "started" ? starts[0].seq : NaN,
    ]);
    const again = await commit(store, { starts: [debounced("6"), debounced("7")] });
    assertEquals(again.starts.map((verdict) => verdict.kind === "replaced" && verdict.id), [runs[0]!.id, runs[0]!.id]);
    const last = await store.run(runs[0]!.id);
    assertEquals([last?.input, last?.debounce?.replaced, (await store.list(ALL)).length], ["7", 4, 5]);
  });

  test("many stores that debounce concurrently create one run, with the input of one of the last starts", async ({ store, another }) => {
    const stores = [store, await another(), await another()];
    for (let round = 0; round < 10; round++) {
      const debounce = { key: `d${round}`, delayMs: 1_000, maxDelayMs: undefined };
      const verdicts = await Promise.all(
        stores.flatMap((one, at) => [0, 1, 2, 3].map((n) => startOne(one, debounced(`${10 * at + n}`, { debounce })))),
      );
      assertEquals(verdicts.filter(({ kind }) => kind === "started").length, 1);
      const ids = new Set(verdicts.flatMap((verdict) => verdict.kind === "replaced" ? [verdict.id] : []));
      const [id] = ids;
      assertEquals([ids.size, (await store.run(id!))?.debounce?.replaced], [1, 11]);
    }
  });

  test("a concurrent claim and debounced start are serialized: no input is lost", async ({ store, another, clock }) => {
    const other = await another();
    const runner = await join(store);
    for (let round = 0; round < 20; round++) {
      const debounce = { key: `d${round}`, delayMs: 1, maxDelayMs: undefined };
      const first = debounced("1", { debounce, dueAt: clock.now() + 1 });
      await start(store, first);
      clock.advance(1);
      const second = debounced("2", { debounce, dueAt: clock.now() + 1 });
      const [claim, verdict] = await Promise.all([store.claim(claimBy(runner)), startOne(other, second)]);
      const inputs = claim.runs.map(({ input }) => input);
      // The claim came first, or the start made the run due later.
      assertEquals([inputs, verdict.kind], verdict.kind === "started" ? [["1"], "started"] : [[], "replaced"]);
      clock.advance(1);
      assertEquals((await store.claim(claimBy(runner))).runs.map(({ input }) => input), ["2"]);
    }
  });
}
