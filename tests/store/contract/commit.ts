import { assert, assertEquals } from "@std/assert";
import type { RunMove } from "../../../lib/store/port/batch.ts";
import {
  ALL,
  type Case,
  claimBy,
  claimed,
  commit,
  join,
  newRun,
  openRecord,
  record,
  start,
  startOwned,
  T0,
  unstorable,
  write,
} from "./fixture.ts";

/** Starts and writes of `commit()`. */
export function commitContract(test: Case): void {
  test("a started run is pending and keeps all of its options", async ({ store }) => {
    const options = { key: "k", priority: 3, dueAt: T0 + 5, tags: ["a", "ü"], timeoutMs: 70, trace: "00-a-b-01" };
    const parent = { run: 7, task: "spawn", item: -1 };
    const run = newRun({ ...options, parent, input: `{"n":1}` });
    const { starts } = await commit(store, { starts: [run] });
    const row = await store.run(run.id);
    assertEquals(starts, [{ kind: "started", seq: row!.seq, owned: false, at: T0 }]);
    assertEquals(row, {
      id: run.id,
      seq: row!.seq,
      workflow: "etl",
      version: "v1",
      state: "pending",
      epoch: 0,
      owner: undefined,
      key: "k",
      keyScope: undefined,
      debounce: undefined,
      priority: 3,
      tags: ["a", "ü"],
      input: `{"n":1}`,
      timeoutMs: 70,
      deadlineAt: undefined,
      createdAt: T0,
      startedAt: undefined,
      endedAt: undefined,
      dueAt: T0 + 5,
      gateAt: undefined,
      error: undefined,
      reason: undefined,
      closing: undefined,
      strandedBy: undefined,
      crashes: 0,
      forkedFrom: undefined,
      schedule: undefined,
      tick: undefined,
      trace: "00-a-b-01",
      parent,
    });
  });

  test("each run of a batch that its starter keeps has its own trace context, or none", async ({ store }) => {
    const owner = await join(store);
    const runs = Array.from({ length: 40 }, (_, at) => newRun({ owner, trace: at === 20 ? "00-a-b-01" : undefined }));
    await start(store, ...runs);
    const traces = await Promise.all(runs.map(async ({ id }) => (await store.run(id))?.trace));
    assertEquals(traces.map((trace, at) => [at, trace]).filter(([, trace]) => trace !== undefined), [[
      20,
      "00-a-b-01",
    ]]);
  });

  test("a run that its starter keeps is running under epoch 1, with its deadline set", async ({ store }) => {
    const { runner, id } = await startOwned(store, { timeoutMs: 500 });
    const row = await store.run(id);
    assertEquals(
      [row?.state, row?.epoch, row?.owner, row?.startedAt, row?.deadlineAt],
      ["running", 1, runner, T0, T0 + 500],
    );
  });

  test("a run with a key may be kept by its starter too", async ({ store }) => {
    const { runner, id } = await startOwned(store, { key: "k", timeoutMs: 500 });
    const row = await store.run(id);
    assertEquals([row?.state, row?.owner, row?.key, row?.deadlineAt], ["running", runner, "k", T0 + 500]);
  });

  test("a run stays pending if its starter is considered dead", async ({ store, clock }) => {
    const runner = await join(store, 10);
    clock.advance(10);
    await store.recover({ dead: [], recoveryLimit: 5, limit: 10 });
    const run = newRun({ owner: runner });
    const { starts } = await commit(store, { starts: [run] });
    const row = await store.run(run.id);
    assertEquals(starts, [{ kind: "started", seq: row!.seq, owned: false, at: T0 + 10 }]);
    assertEquals([row?.state, row?.epoch, row?.owner, row?.startedAt], ["pending", 0, undefined, undefined]);
  });

  test("a second start of the same workflow and key returns the first run", async ({ store }) => {
    const first = newRun({ key: "k" });
    await start(store, first);
    const other = newRun({ key: "k", workflow: "other" });
    const { starts } = await commit(store, { starts: [newRun({ key: "k" }), other] });
    assertEquals(starts[0], { kind: "existing", id: first.id });
    assertEquals(starts[1]?.kind, "started");
  });

  test("if a batch contains two starts with one key, the first one creates the run", async ({ store }) => {
    const runner = await join(store);
    const first = newRun({ key: "k", owner: runner });
    const { starts } = await commit(store, { starts: [first, newRun({ key: "k", owner: runner })] });
    assertEquals(starts.map(({ kind }) => kind), ["started", "existing"]);
    assertEquals(starts[1], { kind: "existing", id: first.id });
    assertEquals((await store.counts()).running, 1);
  });

  test("if two stores start a run with one key at once, exactly one of them creates it", async ({ store, another }) => {
    const stores = [store, await another()];
    const receipts = await Promise.all(stores.map((one) => commit(one, { starts: [newRun({ key: "k" })] })));
    const kinds = receipts.map(({ starts }) => starts[0]!.kind);
    assertEquals(kinds.sort(), ["existing", "started"]);
  });

  test("the key of a run that has ended still identifies it", async ({ store }) => {
    const { id, seq } = await startOwned(store, { key: "k" });
    await write(store, { seq, epoch: 1 }, [], { to: "completed", at: T0 });
    const { starts } = await commit(store, { starts: [newRun({ key: "k" })] });
    assertEquals(starts, [{ kind: "existing", id }]);
  });

  test("a task starts one child for itself and one for each item, however often it starts them", async ({ store }) => {
    const owner = await join(store);
    const parent = { run: 7, task: "spawn", item: -1 };
    const child = newRun({ parent, owner });
    const items = [newRun({ parent: { ...parent, item: 0 } }), newRun({ parent: { ...parent, item: 1 } })];
    const others = [newRun({ parent: { ...parent, run: 8 } }), newRun({ parent: { ...parent, task: "other" } })];
    await start(store, child, items[1]!);
    const repeated = [newRun({ parent }), newRun({ parent: { ...parent, item: 1 } })];
    const { starts } = await commit(store, { starts: [...repeated, items[0]!, ...others] });
    assertEquals(starts.slice(0, 2), [{ kind: "existing", id: child.id }, { kind: "existing", id: items[1]!.id }]);
    assertEquals(starts.slice(2).map(({ kind }) => kind), ["started", "started", "started"]);
    const all = [child, ...items, ...others];
    const rows = await Promise.all(all.map(({ id }) => store.run(id)));
    assertEquals(rows.map((row) => row?.parent), all.map((run) => run.parent));
    assertEquals((await store.list(ALL)).length, all.length);
  });

  test("if a batch contains two children of one task, the first one is inserted", async ({ store }) => {
    const parent = { run: 7, task: "spawn", item: 2 };
    const first = newRun({ parent });
    const { starts } = await commit(store, { starts: [first, newRun({ parent })] });
    assertEquals(starts.map(({ kind }) => kind), ["started", "existing"]);
    assertEquals(starts[1], { kind: "existing", id: first.id });
  });

  test("records are read back unchanged", async ({ store }) => {
    const { seq } = await startOwned(store);
    const failures = [{
      taskId: "b",
      attempt: 1,
      error: { name: "TypeError", message: "no", cause: { name: "E", message: "c" } },
    }];
    const records = [
      record("a", { output: undefined }),
      record("b", { state: "failed", attempts: 2, output: undefined, failures, reason: "because" }),
      openRecord("c", { state: "waiting", dueAt: T0 + 9, progress: `{"done":1}` }),
      record("c", { step: "one", output: `"ü\u2028"` }),
      record("c", { item: 0 }),
      record("c", { item: 2, state: "failed", failures }),
      record("c", { item: 2, step: "one", output: "2" }),
      record("c", { item: 10 }),
    ];
    assertEquals(await write(store, { seq, epoch: 1 }, records), "accepted");
    assertEquals(await store.journal(seq), records.filter(({ item }) => item === -1));
    const items = await store.items({ seq, task: "c", limit: 10 });
    assertEquals(items, records.filter(({ item, step }) => item >= 0 && step === ""));
  });

  test("a row that is not terminal is replaced completely", async ({ store }) => {
    const { seq } = await startOwned(store);
    const failures = [{ taskId: "a", attempt: 1, error: { name: "E", message: "no" } }];
    const waiting = openRecord("a", { state: "waiting", failures, dueAt: T0 + 9, progress: "1", reason: "retry" });
    await write(store, { seq, epoch: 1 }, [waiting]);
    await write(store, { seq, epoch: 1 }, [openRecord("a", { attempts: 2, failures })]);
    assertEquals(await store.journal(seq), [openRecord("a", { attempts: 2, failures })]);
    await write(store, { seq, epoch: 1 }, [record("a")]);
    assertEquals(await store.journal(seq), [record("a")]);
  });

  test("the first recorded result is kept, and a second one is accepted without effect", async ({ store }) => {
    const { seq } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [record("a", { output: "1" })]);
    assertEquals(await write(store, { seq, epoch: 1 }, [record("a", { output: "2" })]), "accepted");
    const late = openRecord("a", { attempts: 2, progress: "3" });
    assertEquals(await write(store, { seq, epoch: 1 }, [late, record("b")]), "accepted");
    const journal = await store.journal(seq);
    assertEquals(journal.find(({ task }) => task === "a"), record("a", { output: "1" }));
    assertEquals(journal.length, 2);
  });

  test("a skipped, failed or cancelled result is kept as well", async ({ store }) => {
    const { seq } = await startOwned(store);
    for (const state of ["skipped", "failed", "cancelled"] as const) {
      await write(store, { seq, epoch: 1 }, [record(state, { state, output: undefined })]);
      assertEquals(await write(store, { seq, epoch: 1 }, [record(state)]), "accepted");
    }
    assertEquals((await store.journal(seq)).map(({ state }) => state).sort(), ["cancelled", "failed", "skipped"]);
  });

  test("nothing of a write under an older epoch is stored", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await store.recover({ dead: [runner], recoveryLimit: 5, limit: 10 });
    const next = await join(store);
    assertEquals(await claimed(store, claimBy(next)), [seq]);
    const verdict = await write(store, { seq, epoch: 1 }, [record("a"), record("b")], { to: "completed", at: T0 });
    assertEquals(verdict, "fenced");
    assertEquals(await write(store, { seq, epoch: 1 }, []), "fenced");
    assertEquals(await store.journal(seq), []);
    const row = await store.run(id);
    assertEquals([row?.state, row?.epoch, row?.owner], ["running", 3, next]);
  });

  test("a write under an epoch that does not exist yet is fenced", async ({ store }) => {
    const { seq } = await startOwned(store);
    assertEquals(await write(store, { seq, epoch: 2 }, [record("a")]), "fenced");
    assertEquals(await write(store, { seq: seq + 1, epoch: 1 }, [record("a")]), "fenced");
    assertEquals(await store.journal(seq), []);
  });

  test("a run that has ended accepts no more writes, and does not change", async ({ store }) => {
    const ends: readonly RunMove[] = [
      { to: "completed", at: T0 + 1 },
      { to: "failed", at: T0 + 2, error: { name: "E", message: "no", code: "x" } },
      { to: "cancelled", at: T0 + 3, reason: "why" },
    ];
    for (const end of ends) {
      const { seq, id } = await startOwned(store);
      assertEquals(await write(store, { seq, epoch: 1 }, [record("a")], end), "accepted");
      const ended = await store.run(id);
      for (const again of ends) assertEquals(await write(store, { seq, epoch: 1 }, [record("b")], again), "fenced");
      assertEquals(await store.run(id), ended);
      assertEquals(
        [ended?.state, ended?.endedAt, ended?.owner, ended?.error, ended?.reason],
        [
          end.to,
          "at" in end ? end.at : undefined,
          undefined,
          "error" in end ? end.error : undefined,
          "reason" in end ? end.reason : undefined,
        ],
      );
      assertEquals((await store.journal(seq)).length, 1);
    }
  });

  test("two writes of one run in a batch are applied in order", async ({ store }) => {
    const { seq } = await startOwned(store);
    const { writes } = await commit(store, {
      writes: [
        { seq, epoch: 1, records: [record("a")], move: { to: "completed", at: T0 } },
        { seq, epoch: 1, records: [record("b")], move: undefined },
      ],
    });
    assertEquals(writes, ["accepted", "fenced"]);
  });

  test("a row that the database rejects does not affect other runs", async ({ store }) => {
    const good = await startOwned(store);
    const bad = await startOwned(store);
    const fenced = await startOwned(store);
    const unborn = newRun({ priority: 0.5 });
    const born = newRun();
    const { starts, writes } = await commit(store, {
      starts: [unborn, born],
      writes: [
        { seq: bad.seq, epoch: 1, records: [record("a"), unstorable("b")], move: { to: "completed", at: T0 } },
        { seq: good.seq, epoch: 1, records: [record("a")], move: { to: "completed", at: T0 } },
        { seq: fenced.seq, epoch: 9, records: [record("a")], move: undefined },
      ],
    });
    const claim = await store.claim(claimBy(good.runner));
    assertEquals(starts.map(({ kind }) => kind), ["refused", "started"]);
    assert(starts[0]?.kind === "refused" && starts[0].error instanceof Error);
    assert(typeof writes[0] === "object" && "refused" in writes[0] && writes[0].refused instanceof Error);
    assertEquals(writes.slice(1), ["accepted", "fenced"]);
    assertEquals(claim.runs.map(({ id }) => id), [born.id]);
    assertEquals(await store.run(unborn.id), undefined);
    assertEquals([(await store.run(good.id))?.state, (await store.run(bad.id))?.state], ["completed", "running"]);
    assertEquals([(await store.journal(good.seq)).length, (await store.journal(bad.seq)).length], [1, 0]);
  });

  test("the run of a rejected write can continue", async ({ store }) => {
    const { seq } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [unstorable("a")]);
    assertEquals(await write(store, { seq, epoch: 1 }, [record("a", { state: "failed" })]), "accepted");
  });

  test("a run of n tasks that ends apart from its last result writes n + 2 rows", async ({ store }) => {
    const runner = await join(store);
    const before = store.counters();
    const [seq] = await start(store, newRun({ owner: runner }));
    for (const task of ["a", "b", "c"]) await write(store, { seq: seq!, epoch: 1 }, [record(task)]);
    await write(store, { seq: seq!, epoch: 1 }, [], { to: "completed", at: T0 });
    const after = store.counters();
    assertEquals([after.rows - before.rows, after.commits - before.commits], [5, 5]);
  });

  test("a batch is one commit, whatever it contains", async ({ store }) => {
    const runs = await Promise.all(Array.from({ length: 20 }, () => startOwned(store)));
    const before = store.counters();
    await commit(store, {
      starts: [newRun(), newRun()],
      writes: runs.map(({ seq }) => ({ seq, epoch: 1, records: [record("a")], move: { to: "completed", at: T0 } })),
    });
    const after = store.counters();
    assertEquals([after.commits - before.commits, after.rows - before.rows], [1, 2 + 20 * 2]);
  });

  test("a batch that stores nothing causes no commit", async ({ store }) => {
    const { seq, runner } = await startOwned(store);
    const before = store.counters();
    await write(store, { seq, epoch: 9 }, [record("a")]);
    await claimed(store, claimBy(runner));
    const after = store.counters();
    assertEquals([after.commits, after.rows], [before.commits, before.rows]);
  });

  test("a run that waits in memory keeps its owner", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [], { to: "waiting", dueAt: T0 + 5, release: false });
    const waiting = await store.run(id);
    assertEquals([waiting?.state, waiting?.dueAt, waiting?.owner], ["waiting", T0 + 5, runner]);
    assertEquals(await write(store, { seq, epoch: 1 }, [], { to: "running" }), "accepted");
    assertEquals((await store.run(id))?.state, "running");
  });

  test("a released run has no owner, and its late owner cannot write", async ({ store, clock }) => {
    const { seq, id, runner } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [record("a")], { to: "waiting", dueAt: T0 + 5, release: true });
    const waiting = await store.run(id);
    assertEquals([waiting?.state, waiting?.dueAt, waiting?.owner], ["waiting", T0 + 5, undefined]);
    assertEquals(await write(store, { seq, epoch: 1 }, [record("b")]), "fenced");
    assertEquals(await claimed(store, claimBy(runner)), []);
    clock.advance(5);
    assertEquals(await claimed(store, claimBy(runner)), [seq]);
    assertEquals((await store.run(id))?.state, "running");
  });

  test("a run that is handed back is due immediately, and no crash is counted", async ({ store, clock }) => {
    const { seq, id, runner } = await startOwned(store, { dueAt: T0 });
    clock.advance(7);
    await write(store, { seq, epoch: 1 }, [record("a")], { to: "pending" });
    const row = await store.run(id);
    assertEquals([row?.state, row?.dueAt, row?.owner, row?.crashes], ["pending", T0 + 7, undefined, 0]);
    assertEquals(await claimed(store, claimBy(runner)), [seq]);
  });

  test("a large payload is stored whole", async ({ store }) => {
    const { seq } = await startOwned(store);
    const output = JSON.stringify("ü".repeat(1_000_000));
    await write(store, { seq, epoch: 1 }, [record("a", { output })]);
    assertEquals((await store.journal(seq))[0]?.output === output, true);
  });

  for (const first of [2 ** 31 - 1, 2 ** 53 - 10]) {
    test(`runs may be numbered beyond ${first}`, async ({ store, numberFrom }) => {
      await numberFrom(first);
      const { seq, id, runner } = await startOwned(store);
      const [next] = await start(store, newRun());
      assertEquals([seq, next], [first, first + 1]);
      assertEquals(await write(store, { seq, epoch: 1 }, [record("a")], { to: "pending" }), "accepted");
      assertEquals((await claimed(store, claimBy(runner))).sort(), [first, first + 1]);
      assertEquals((await store.run(id))?.seq, first);
      assertEquals((await store.journal(seq)).length, 1);
      const listed = await store.list({ ...ALL, workflow: "etl", before: first + 1 });
      assertEquals(listed.map((row) => row.seq), [first]);
    });
  }
}

/** A list of everything. */
