import { assertEquals, assertRejects } from "@std/assert";
import type { JournalRecord } from "../../../lib/store/port/batch.ts";
import type { Store } from "../../../lib/store/port/store.ts";
import type { TransactionRequest } from "../../../lib/store/port/transactions.ts";
import { type Case, claimBy, claimed, join, newRun, openRecord, record, start, startOwned, write } from "./fixture.ts";

/** Bodies that run in a transaction. The database is responsible for the other effects of the transaction. */
export function transactionContract(test: Case): void {
  test("transact() records the result of its body like a commit", async ({ store }) => {
    const { runner, seq } = await startOwned(store);
    const failures = [{ taskId: "pay", attempt: 1, error: { name: "Error", message: "declined" } }];
    const paid = record("pay", { attempts: 2, output: '{"paid":1}', failures, progress: '{"done":1}' });
    const told: string[] = [];
    const before = store.counters();
    const verdict = await store.transact(request(seq, 1, {
      body: (tx) => {
        told.push(typeof tx === "undefined" ? "no tx" : "body");
        return Promise.resolve(paid);
      },
      committing: () => void told.push("committing"),
    }));
    assertEquals(verdict, { kind: "committed", output: '{"paid":1}' });
    assertEquals(await store.journal(seq), [paid]);
    assertEquals(told, ["body", "committing"]);
    const after = store.counters();
    assertEquals([after.commits - before.commits, after.rows - before.rows], [1, 1]);
    await store.leave(runner);
  });

  test("transact() replaces the row of a running task", async ({ store }) => {
    const { seq } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [openRecord("pay", { progress: "1" })]);
    await store.transact(request(seq, 1));
    assertEquals(await store.journal(seq), [record("pay")]);
  });

  test("transact() under another epoch, or for an unowned run, is fenced and does not call its body", async ({ store }) => {
    const { seq } = await startOwned(store);
    const [pending] = await start(store, newRun());
    const never = (): Promise<JournalRecord> => Promise.reject(new Error("it was called"));
    for (const [run, epoch] of [[seq, 2], [seq, 0], [pending!, 0], [pending! + 1, 1]] as const) {
      assertEquals(await store.transact(request(run, epoch, { body: never })), { kind: "fenced" });
    }
    assertEquals(await store.journal(seq), []);
  });

  test("transact() by a runner that is considered dead is fenced", async ({ store, another, clock }) => {
    const { seq } = await startOwned(store);
    clock.advance(31_000);
    const other = await another();
    await other.recover({ dead: [], recoveryLimit: 5, limit: 10 });
    assertEquals(await store.transact(request(seq, 1)), { kind: "fenced" });
    const heir = await join(other);
    assertEquals(await claimed(other, claimBy(heir)), [seq]);
    assertEquals(await store.transact(request(seq, 1)), { kind: "fenced" });
    assertEquals(await store.journal(seq), []);
  });

  test("transact() for a completed task returns the recorded output and does not call its body", async ({ store }) => {
    const { runner, seq } = await startOwned(store);
    await store.transact(request(seq, 1, { body: () => Promise.resolve(record("pay", { output: '"first"' })) }));
    const again = request(seq, 1, { body: () => Promise.reject(new Error("it was called")) });
    assertEquals(await store.transact(again), { kind: "committed", output: '"first"' });
    await store.leave(runner);
    const heir = await join(store);
    assertEquals(await claimed(store, claimBy(heir)), [seq]);
    assertEquals(await store.transact({ ...again, epoch: 2 }), { kind: "committed", output: '"first"' });
    assertEquals((await store.journal(seq)).map(({ output }) => output), ['"first"']);
  });

  test("transact() keeps an output that is undefined", async ({ store }) => {
    const { seq } = await startOwned(store);
    const nothing = request(seq, 1, { body: () => Promise.resolve(record("pay", { output: undefined })) });
    const verdicts = [await store.transact(nothing), await store.transact(nothing)];
    assertEquals(verdicts, [{ kind: "committed", output: undefined }, { kind: "committed", output: undefined }]);
  });

  test("transact() throws the error of its body, and records nothing", async ({ store }) => {
    const { seq } = await startOwned(store);
    for (const thrown of [new Error("declined"), undefined, "text"]) {
      const failing = request(seq, 1, { body: () => Promise.reject(thrown) });
      assertEquals(await store.transact(failing).then(() => "nothing", (error) => error), thrown);
    }
    assertEquals(await store.journal(seq), []);
    assertEquals((await store.transact(request(seq, 1))).kind, "committed");
  });

  test("transact() throws the reason of an abort before, during and after its body", async ({ store }) => {
    const { seq } = await startOwned(store);
    const reason = new Error("too late");
    const early = request(seq, 1, { signal: AbortSignal.abort(reason) });
    assertEquals(await assertRejects(() => store.transact(early)), reason);
    for (const settles of [false, true]) {
      const cause = new AbortController();
      const body = (): Promise<JournalRecord> => {
        cause.abort(reason);
        return settles ? Promise.resolve(record("pay")) : new Promise(() => {});
      };
      assertEquals(await assertRejects(() => store.transact(request(seq, 1, { body, signal: cause.signal }))), reason);
    }
    assertEquals(await store.journal(seq), []);
  });

  test("transact() records an item in its own row, once", async ({ store }) => {
    const { seq } = await startOwned(store);
    const verdicts: string[] = [];
    for (const item of [0, 1, 1]) {
      const body = (): Promise<JournalRecord> => Promise.resolve(record("pay", { item, output: `${item}` }));
      const { kind } = await store.transact(request(seq, 1, { item, body }));
      verdicts.push(kind);
    }
    assertEquals(verdicts, ["committed", "committed", "committed"]);
    const items = [record("pay", { item: 0, output: "0" }), record("pay", { item: 1, output: "1" })];
    assertEquals([await store.items({ seq, task: "pay", limit: 9 }), await store.journal(seq)], [items, []]);
  });

  test("transact() for many runs at once records each of them", async ({ store }) => {
    const runner = await join(store);
    const seqs = await start(store, ...Array.from({ length: 30 }, () => newRun({ owner: runner })));
    const verdicts = await Promise.all(seqs.map((seq) => store.transact(request(seq, 1))));
    assertEquals(new Set(verdicts.map(({ kind }) => kind)), new Set(["committed"]));
    assertEquals(await recorded(store, seqs), seqs.map(() => 1));
  });
}

/** The titles of all these tests. */
export const TRANSACTIONS: readonly string[] = namesOf(transactionContract);

function namesOf(contract: (test: Case) => void): readonly string[] {
  const names: string[] = [];
  contract((name) => void names.push(name));
  return names;
}

function request(seq: number, epoch: number, overrides: Partial<TransactionRequest> = {}): TransactionRequest {
  return {
    seq,
    epoch,
    task: "pay",
    item: -1,
    body: () => Promise.resolve(record("pay")),
    signal: new AbortController().signal,
    committing() {},
    ...overrides,
  };
}

async function recorded(store: Store, seqs: readonly number[]): Promise<number[]> {
  return await Promise.all(seqs.map(async (seq) => (await store.journal(seq)).length));
}
