import { assertEquals } from "@std/assert";
import type { RecordWrite } from "../../../lib/store/port/batch.ts";
import type { Store } from "../../../lib/store/port/store.ts";
import { type Case, claimBy, join, newRun, record, start, startOwned, T0, write } from "./fixture.ts";

const END = { to: "completed", at: T0 + 1 } as const;

function fresh(task: string, overrides: Partial<RecordWrite> = {}): RecordWrite {
  return { ...record(task), isNew: true, ...overrides };
}

/** Writes results with the end of a run; returns the run and how many rows were written. */
async function complete(
  store: Store,
  records: readonly RecordWrite[],
): Promise<{ readonly seq: number; readonly id: string; readonly rows: number }> {
  const { seq, id } = await startOwned(store);
  const before = store.counters().rows;
  assertEquals(await write(store, { seq, epoch: 1 }, records, END), "accepted");
  return { seq, id, rows: store.counters().rows - before };
}

/** The last result of a completed run, which a store may keep in the row of the run. */
export function lastResultContract(test: Case): void {
  test("a last result that is written with the end of its run is read like any other", async ({ store }) => {
    const steps = [fresh("a"), fresh("b", { step: "one" }), fresh("c", { output: `"${"x".repeat(50)}"` })];
    const { seq, rows } = await complete(store, [...steps, fresh("b", { output: `"bbbbbb"` })]);
    assertEquals(rows, 4);
    const b = record("b", { output: `"bbbbbb"` });
    const c = record("c", { output: `"${"x".repeat(50)}"` });
    const journal = [record("a"), b, record("b", { step: "one" }), c];
    assertEquals(await store.journal(seq), journal);
    const { heads, isTruncated } = await store.inspection.heads(seq, { rows: 4, characters: 4, bytes: 250 });
    assertEquals([heads.map(({ task, step }) => task + step), isTruncated], [["a", "b", "bone", "c"], false]);
    assertEquals(heads.map(({ output, outputBytes }) => [output, outputBytes])[1], [`"bbb`, 8]);
    const short = await store.inspection.heads(seq, { rows: 2, characters: 9, bytes: 0 });
    assertEquals([short.heads.map(({ task }) => task), short.isTruncated], [["a", "b"], true]);
    assertEquals(await store.inspection.payload(seq, { kind: "output", task: "b", item: -1, step: "" }), b.output);
    const timings = await store.inspection.timings([seq], 10);
    assertEquals(timings.map(({ task, startedAt, endedAt }) => [task, startedAt, endedAt]).sort(), [
      ["a", T0, T0 + 1],
      ["b", T0, T0 + 1],
      ["c", T0, T0 + 1],
    ]);
    const outputs = await store.outputs([{ seq, task: "b", of: "results" }, {
      seq,
      task: "b",
      of: "results",
      item: -1,
    }]);
    assertEquals(outputs.map(({ output }) => output), [b.output, b.output]);
    assertEquals((await store.outputs([{ seq, task: "b", of: "steps" }])).length, 1);
    assertEquals((await store.outputs([{ seq, task: "a", of: "results" }])).length, 1);
  });

  test("a last result without an output and a start is read like any other", async ({ store }) => {
    const { seq } = await complete(store, [fresh("a", { output: undefined, startedAt: undefined })]);
    assertEquals(await store.journal(seq), [record("a", { output: undefined, startedAt: undefined })]);
    assertEquals(await store.outputs([{ seq, task: "a", of: "results" }]), []);
  });

  test("a last result shares a row with the end of its run, unless it is large, ended earlier or may have a row already", async ({ store }) => {
    const large = `"${"x".repeat(10_000)}"`;
    const cases: readonly (readonly [last: RecordWrite, rows: number])[] = [
      [fresh("a"), 1],
      [fresh("a", { output: large }), 2],
      [fresh("a", { endedAt: T0 }), 2],
      [fresh("a", { isNew: false }), 2],
      [fresh("a", { attempts: 2 }), 2],
      [fresh("a", { state: "skipped", output: undefined, reason: "no" }), 2],
    ];
    for (const [last, wanted] of cases) {
      const { seq, rows } = await complete(store, [last]);
      const { isNew: _, ...expected } = last;
      assertEquals([rows, await store.journal(seq)], [wanted, [expected]]);
    }
  });

  test("the last results of many runs are written with their ends", async ({ store }) => {
    const runner = await join(store);
    const seqs = await start(store, ...Array.from({ length: 90 }, () => newRun({ owner: runner })));
    // Some are alike and some are not, so that statements for many rows and for one row are used.
    const lastOf = (seq: number, at: number) =>
      at % 9 === 8
        ? fresh(`t${at}`, { output: undefined })
        : fresh("t", { output: `${seq}`, startedAt: at < 50 ? T0 : T0 - at });
    const writes = seqs.map((seq, at) => ({ seq, epoch: 1, records: at === 60 ? [] : [lastOf(seq, at)], move: END }));
    const before = store.counters().rows;
    const { writes: verdicts } = await store.commit({ starts: [], writes });
    assertEquals([new Set(verdicts), store.counters().rows - before], [new Set(["accepted"]), 90]);
    for (const [at, seq] of seqs.entries()) {
      const { isNew: _, ...last } = lastOf(seq, at);
      assertEquals(await store.journal(seq), at === 60 ? [] : [last]);
    }
    const after = store.counters().rows;
    await store.commit({ starts: [], writes });
    assertEquals(store.counters().rows, after);
  });

  test("a run with a recorded cancel ends as cancelled, and keeps its last result", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    await store.control(id, { kind: "cancel", reason: "enough", compensate: false });
    assertEquals(await write(store, { seq, epoch: 1 }, [fresh("a")], END), { cancelled: { reason: "enough" } });
    assertEquals([(await store.run(id))?.state, await store.journal(seq)], ["cancelled", [record("a")]]);
  });

  test("a last result of a former owner is not written", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    assertEquals(await write(store, { seq, epoch: 7 }, [fresh("a")], END), "fenced");
    assertEquals([(await store.run(id))?.state, await store.journal(seq)], ["running", []]);
  });

  test("a fork copies the last result of a completed run", async ({ store }) => {
    const origin = await complete(store, [fresh("a"), fresh("b")]);
    const fork = { from: origin.id, journal: [], copy: { seq: origin.seq, tasks: ["b", "c"] } };
    const [seq] = await start(store, newRun({ fork }));
    assertEquals(await store.journal(seq!), [record("b")]);
    const { runs: [run] } = await store.claim(claimBy(await join(store)));
    assertEquals(run?.journal.map(({ task, isCopied }) => [task, isCopied]), [["b", true]]);
  });

  test("a completed child run that is compensated has its last result in its journal", async ({ store }) => {
    await store.define([{ workflow: "etl", version: "v1", structure: "s", graph: "{}", compensates: true }]);
    const { seq, runner } = await startOwned(store);
    const child = newRun({ owner: runner, parent: { run: seq, task: "ship", item: -1 } });
    const [childSeq] = await start(store, child);
    await write(store, { seq: childSeq!, epoch: 1 }, [fresh("a"), fresh("b")], END);
    await store.compensateChild({ parent: seq, task: "ship", item: -1, epoch: 1 }, "its parent failed");
    const { runs: [run] } = await store.claim(claimBy(runner));
    assertEquals([run?.seq, run?.journal.map(({ task }) => task)], [childSeq, ["a", "b"]]);
    assertEquals(await store.journal(childSeq!), [record("a"), record("b")]);
    await write(store, { seq: childSeq!, epoch: run!.epoch }, [], {
      to: "cancelled",
      at: T0,
      reason: "its parent failed",
    });
    assertEquals(await store.journal(childSeq!), [record("a"), record("b")]);
  });

  test("a run that is deleted leaves nothing of its last result", async ({ store }) => {
    const { seq, id } = await complete(store, [fresh("a")]);
    assertEquals((await store.deleteRun(id)).kind, "deleted");
    assertEquals([await store.journal(seq), await store.outputs([{ seq, task: "a", of: "results" }])], [[], []]);
  });
}
