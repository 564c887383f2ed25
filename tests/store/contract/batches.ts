import { assert, assertEquals } from "@std/assert";
import type { RunMove } from "../../../lib/store/port/batch.ts";
import type { Store } from "../../../lib/store/port/store.ts";
import { type Case, commit, join, newRun, openRecord, record, start, T0, unstorable, write } from "./fixture.ts";

const COMPLETED: RunMove = { to: "completed", at: T0 + 1 };

/** A run or a write in a batch is handled as if it were alone, however a backend groups them. */
export function batchContract(test: Case): void {
  test("runs without keys are numbered in the order of their batch", async ({ store }) => {
    const owner = await join(store);
    const runs = Array.from({ length: 40 }, (_, at) => newRun({ owner, workflow: `w${at % 3}`, input: `${at}` }));
    runs.splice(22, 1, newRun({ tags: ["pending"] }));
    const { starts } = await commit(store, { starts: runs });
    const seqs = starts.map((verdict) => verdict.kind === "started" ? verdict.seq : 0);
    const rows = await Promise.all(runs.map(({ id }) => store.run(id)));
    assertEquals(rows.map((row) => row?.seq), seqs);
    assertEquals(seqs, [...seqs].sort((a, b) => a - b));
    assertEquals(rows.map((row) => [row?.workflow, row?.input]), runs.map(({ workflow, input }) => [workflow, input]));
    assertEquals(starts.map((verdict) => verdict.kind === "started" && verdict.owned), runs.map((run) => !!run.owner));
  });

  test("of many writes only the late ones are fenced", async ({ store }) => {
    const seqs = await startMany(store, 20);
    await write(store, { seq: seqs[11]!, epoch: 1 }, [], { to: "completed", at: T0 });
    const writes = seqs.map((seq, at) => ({ seq, epoch: at === 3 ? 2 : 1, records: [record("a")], move: COMPLETED }));
    const receipt = await commit(store, { writes });
    assertEquals(receipt.writes, seqs.map((_, at) => at === 3 || at === 11 ? "fenced" : "accepted"));
    const journals = await Promise.all(seqs.map((seq) => store.journal(seq)));
    assertEquals(journals, seqs.map((_, at) => at === 3 || at === 11 ? [] : [record("a")]));
    const counts = await store.counts();
    assertEquals([counts.completed, counts.running], [19, 1]);
  });

  test("of many ends only the late ones are fenced", async ({ store }) => {
    const seqs = await startMany(store, 20);
    await write(store, { seq: seqs[5]!, epoch: 1 }, [], { to: "cancelled", at: T0, reason: "why" });
    const receipt = await commit(store, {
      writes: seqs.map((seq) => ({ seq, epoch: 1, records: [], move: COMPLETED })),
    });
    assertEquals(receipt.writes, seqs.map((_, at) => at === 5 ? "fenced" : "accepted"));
    const counts = await store.counts();
    assertEquals([counts.completed, counts.cancelled], [19, 1]);
  });

  test("the first recorded result is kept, also among many writes", async ({ store }) => {
    const seqs = await startMany(store, 20);
    await write(store, { seq: seqs[2]!, epoch: 1 }, [record("a", { output: "1" })]);
    await write(store, { seq: seqs[4]!, epoch: 1 }, [openRecord("a", { progress: "1" })]);
    const writes = seqs.map((seq) => ({ seq, epoch: 1, records: [record("a", { output: "2" })], move: undefined }));
    assertEquals((await commit(store, { writes })).writes, seqs.map(() => "accepted"));
    const journals = await Promise.all(seqs.map((seq) => store.journal(seq)));
    assertEquals(journals, seqs.map((_, at) => [record("a", { output: at === 2 ? "1" : "2" })]));
  });

  test("two writes of one run in a batch of many are applied in order", async ({ store }) => {
    const seqs = await startMany(store, 20);
    const writes = seqs.map((seq) => ({ seq, epoch: 1, records: [record("a")], move: COMPLETED }));
    const late = { seq: seqs[0]!, epoch: 1, records: [record("b")], move: undefined };
    const receipt = await commit(store, { writes: [...writes, late] });
    assertEquals(receipt.writes, [...seqs, 0].map((seq) => seq === 0 ? "fenced" : "accepted"));
    assertEquals(await store.journal(seqs[0]!), [record("a")]);
  });

  test("a write that the database rejects does not affect the others of its batch", async ({ store }) => {
    const seqs = await startMany(store, 20);
    const owner = await join(store);
    const starts = Array.from({ length: 20 }, (_, at) => newRun({ owner, priority: at === 7 ? 0.5 : 0 }));
    const receipt = await commit(store, {
      starts,
      writes: seqs.map((seq, at) => ({
        seq,
        epoch: 1,
        records: [record("a"), at === 9 ? unstorable("b") : record("b")],
        move: COMPLETED,
      })),
    });
    assertEquals(receipt.starts.map(({ kind }) => kind), starts.map((_, at) => at === 7 ? "refused" : "started"));
    assert(typeof receipt.writes[9] === "object");
    assertEquals(receipt.writes.filter((verdict) => verdict === "accepted").length, 19);
    const journals = await Promise.all(seqs.map((seq) => store.journal(seq)));
    assertEquals(journals.map((rows) => rows.length), seqs.map((_, at) => at === 9 ? 0 : 2));
  });
}

async function startMany(store: Store, runs: number): Promise<number[]> {
  const owner = await join(store);
  return await start(store, ...Array.from({ length: runs }, () => newRun({ owner })));
}
