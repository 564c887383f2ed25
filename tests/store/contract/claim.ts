import { assertEquals } from "@std/assert";
import type { ClaimedRun } from "../../../lib/store/port/batch.ts";
import { type Case, claimBy, claimed, commit, join, newRun, record, start, startOwned, T0, write } from "./fixture.ts";

/** The runs that a claim takes, and their order. */
export function claimContract(test: Case): void {
  test("a claim returns all data of a run that its owner needs", async ({ store }) => {
    const runner = await join(store);
    const run = newRun({ tags: ["a"], input: "1", timeoutMs: 50, trace: "00-a-b-01" });
    const [seq] = await start(store, run);
    const claim = await store.claim(claimBy(runner));
    const expected: ClaimedRun = {
      id: run.id,
      seq: seq!,
      epoch: 1,
      workflow: "etl",
      version: "v1",
      input: "1",
      tags: ["a"],
      ending: undefined,
      startedAt: T0,
      deadlineAt: T0 + 50,
      timeoutMs: 50,
      attention: 0,
      hasMessages: false,
      parent: undefined,
      depth: 0,
      priority: 0,
      crashes: 0,
      trace: "00-a-b-01",
      journal: [],
      completedItems: [],
    };
    assertEquals(claim, { runs: [expected], more: false, nextDueAt: undefined });
    const row = await store.run(run.id);
    assertEquals([row?.state, row?.owner, row?.epoch, row?.startedAt], ["running", runner, 1, T0]);
  });

  test("a run that had an owner before is claimed under a higher epoch and with its journal", async ({ store, clock }) => {
    const { seq, runner } = await startOwned(store, { timeoutMs: 50 });
    await write(store, { seq, epoch: 1 }, [record("a")], { to: "pending" });
    clock.advance(5);
    const claim = await store.claim(claimBy(runner));
    const [run] = claim.runs;
    assertEquals([run?.epoch, run?.startedAt, run?.deadlineAt], [2, T0, T0 + 50]);
    const { output: _, ...head } = record("a");
    assertEquals(run?.journal, [head]);
  });

  test("runs are taken by priority, then due time, then age", async ({ store, clock }) => {
    const runner = await join(store);
    const served = [{ workflow: "etl", version: "v1" }, { workflow: "other", version: "v1" }];
    const seqs = await start(
      store,
      newRun({ priority: 1, dueAt: T0 }),
      newRun({ priority: 0, dueAt: T0 + 2 }),
      newRun({ priority: 0, dueAt: T0 + 1, workflow: "other" }),
      newRun({ priority: -1, dueAt: T0 + 3 }),
      newRun({ priority: 0, dueAt: T0 + 1, version: "v0" }),
      newRun({ priority: 0, dueAt: T0 + 1 }),
    );
    clock.advance(10);
    const order = [3, 2, 4, 5, 1, 0].map((i) => seqs[i]!);
    assertEquals(await claimed(store, claimBy(runner, { limit: 4, served })), order.slice(0, 4));
    assertEquals(await claimed(store, claimBy(runner, { limit: 4, served })), order.slice(4));
  });

  test("a claim takes no more than its limit and says whether more may be due", async ({ store }) => {
    const runner = await join(store);
    await start(store, newRun(), newRun(), newRun());
    const first = await store.claim(claimBy(runner, { limit: 2 }));
    const second = await store.claim(claimBy(runner, { limit: 2 }));
    assertEquals([first?.runs.length, first?.more], [2, true]);
    assertEquals([second?.runs.length, second?.more], [1, false]);
  });

  test("runs of workflows that the runner does not serve are not claimed", async ({ store }) => {
    const runner = await join(store);
    const foreign = newRun({ workflow: "foreign", priority: -5 });
    const [, own] = await start(store, foreign, newRun());
    assertEquals(await claimed(store, claimBy(runner, { limit: 1 })), [own!]);
    assertEquals(await claimed(store, claimBy(runner)), []);
    assertEquals((await store.run(foreign.id))?.state, "pending");
  });

  test("runs of older versions are claimed unless the request is for exactly one version", async ({ store }) => {
    const runner = await join(store);
    const [old, current] = await start(store, newRun({ version: "v0" }), newRun());
    assertEquals(await claimed(store, claimBy(runner, { pinned: true })), [current!]);
    assertEquals(await claimed(store, claimBy(runner)), [old!]);
  });

  test("a delayed run is not claimed before it is due, and a claim returns when that is", async ({ store, clock }) => {
    const runner = await join(store);
    const [late, soon] = await start(store, newRun({ dueAt: T0 + 50 }), newRun({ dueAt: T0 + 20, priority: 9 }));
    await start(store, newRun({ dueAt: T0 + 1, workflow: "foreign" }));
    const claim = await store.claim(claimBy(runner));
    assertEquals(claim, { runs: [], more: false, nextDueAt: T0 + 20 });
    clock.advance(20);
    const next = await store.claim(claimBy(runner));
    assertEquals([next?.runs.map(({ seq }) => seq), next?.nextDueAt], [[soon], T0 + 50]);
    clock.advance(30);
    assertEquals(await claimed(store, claimBy(runner)), [late!]);
  });

  test("a run that waits for an external event is not claimed", async ({ store, clock }) => {
    const { seq, runner } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [], { to: "waiting", dueAt: undefined, release: true });
    clock.advance(1_000_000);
    const claim = await store.claim(claimBy(await join(store)));
    assertEquals(claim, { runs: [], more: false, nextDueAt: undefined });
    assertEquals(await store.inbox(runner), []);
  });

  test("a claim takes no more than about two megabytes, but at least one run", async ({ store }) => {
    const runner = await join(store);
    const input = JSON.stringify("x".repeat(1024 * 1024));
    const seqs = await start(
      store,
      ...[1, 2, 3, 4, 5].map(() => newRun({ input })),
      newRun({ input: input.repeat(3) }),
    );
    const sizes: [number, boolean][] = [];
    for (let left = seqs.length; left > 0;) {
      const { runs, more } = await store.claim(claimBy(runner));
      assertEquals(runs.map(({ seq }) => seq), seqs.slice(-left).slice(0, runs.length));
      sizes.push([runs.length, more]);
      left -= runs.length;
    }
    assertEquals(sizes, [[2, true], [2, true], [2, false]]);
  });

  test("journals count as bytes of a claim", async ({ store }) => {
    const runner = await join(store);
    const seqs = await start(store, ...Array.from({ length: 20 }, () => newRun({ owner: runner })));
    const records = Array.from({ length: 1_000 }, (_, at) => record("a", { step: `${at}`.padStart(3, "0") }));
    await commit(store, { writes: seqs.map((seq) => ({ seq, epoch: 1, records, move: { to: "pending" } })) });
    const { runs, more } = await store.claim(claimBy(runner, { limit: 100 }));
    assertEquals([runs.length, more], [9, true]);
    assertEquals(
      runs.map(({ journal }) => journal.map(({ step }) => Number(step))),
      runs.map(() => records.map((_, at) => at)),
    );
    assertEquals((await store.claim(claimBy(runner, { limit: 100 }))).runs.length, 9);
    assertEquals((await store.claim(claimBy(runner, { limit: 100 }))).runs.length, 2);
  });

  test("outputs() reads only the requested outputs", async ({ store }) => {
    const [one, two] = [await startOwned(store), await startOwned(store)];
    const records = [
      record("a", { output: "1" }),
      record("a", { step: "s", output: "2" }),
      record("b", { output: undefined }),
      ...Array.from({ length: 700 }, (_, item) => record("m", { item, output: `${item}` })),
      record("m", { item: 3, step: "s", output: `"step"` }),
    ];
    await write(store, { seq: one.seq, epoch: 1 }, records);
    await write(store, { seq: two.seq, epoch: 1 }, [record("a", { output: `"other"` })]);
    const outputs = async (seq: number, task: string, of: "results" | "steps") =>
      (await store.outputs([{ seq, task, of }])).map(({ item, step, output }) => [item, step, output]);
    assertEquals(await outputs(one.seq, "a", "results"), [[-1, "", "1"]]);
    assertEquals(await outputs(one.seq, "a", "steps"), [[-1, "s", "2"]]);
    assertEquals(await outputs(one.seq, "b", "results"), []);
    assertEquals(await outputs(one.seq, "m", "steps"), [[3, "s", `"step"`]]);
    const items = Array.from({ length: 700 }, (_, item) => [item, "", `${item}`]);
    assertEquals(await outputs(one.seq, "m", "results"), items);
    assertEquals(await outputs(two.seq, "m", "results"), []);
    assertEquals(
      await store.outputs([
        { seq: one.seq, task: "a", of: "steps" },
        { seq: two.seq, task: "a", of: "results" },
      ]),
      [
        { seq: one.seq, task: "a", item: -1, step: "s", output: "2" },
        { seq: two.seq, task: "a", item: -1, step: "", output: `"other"` },
      ],
    );
    assertEquals(await store.outputs([]), []);
  });

  test("two stores that claim at once never get the same run", async ({ store, another }) => {
    const stores = [store, await another()];
    const runners = await Promise.all(stores.map((one) => join(one)));
    const seqs = await start(store, ...Array.from({ length: 60 }, () => newRun()));
    const taken = await Promise.all(
      [0, 1, 0, 1, 0, 1, 0, 1].map((i) => claimed(stores[i]!, claimBy(runners[i]!, { limit: 10 }))),
    );
    const rounds = taken.flat();
    assertEquals(new Set(rounds).size, rounds.length);
    assertEquals(rounds.sort((a, b) => a - b), seqs);
  });

  test("a runner that is considered dead claims nothing", async ({ store, clock }) => {
    const runner = await join(store, 10);
    await start(store, newRun());
    clock.advance(10);
    await store.recover({ dead: [], recoveryLimit: 5, limit: 10 });
    assertEquals(await claimed(store, claimBy(runner)), []);
    assertEquals((await store.counts()).pending, 1);
  });

  test("a stranded run is claimed only by a runner of its own version", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store, { version: "v0" });
    const move = { to: "stranded", by: "v1", reason: 'task "a" is gone' } as const;
    assertEquals(await write(store, { seq, epoch: 1 }, [], move), "accepted");
    const row = await store.run(id);
    assertEquals(
      [row?.state, row?.owner, row?.strandedBy, row?.reason],
      ["pending", undefined, "v1", 'task "a" is gone'],
    );
    assertEquals((await store.facts(seq)).map(({ kind, detail }) => [kind, detail]), [["stranded", move.reason]]);
    for (const version of ["v1", "v2"]) {
      assertEquals(await claimed(store, claimBy(runner, { served: [{ workflow: "etl", version }] })), []);
    }
    assertEquals(await claimed(store, claimBy(runner, { served: [{ workflow: "etl", version: "v0" }] })), [seq]);
    const again = await store.run(id);
    assertEquals([again?.strandedBy, again?.reason, again?.epoch], [undefined, undefined, 2]);
  });

  test("stranded runs of the version of a runner are claimed in order with the others", async ({ store, clock }) => {
    const { seq, runner } = await startOwned(store, { priority: 1 });
    await write(store, { seq, epoch: 1 }, [], { to: "stranded", by: "v2", reason: "r" });
    clock.advance(1);
    const [first, , last] = await start(
      store,
      newRun({ priority: 0 }),
      newRun({ priority: 1, workflow: "foreign" }),
      newRun({ priority: 1, dueAt: T0 + 1 }),
    );
    assertEquals(await claimed(store, claimBy(runner, { limit: 2 })), [first!, seq]);
    assertEquals(await claimed(store, claimBy(runner, { limit: 2 })), [last!]);
  });

  test("unstrand() makes runs claimable that another version had parked", async ({ store }) => {
    const runs = await Promise.all([0, 1, 2].map(() => startOwned(store, { version: "v0" })));
    for (const [i, by] of ["v1", "v2", "v2"].entries()) {
      await write(store, { seq: runs[i]!.seq, epoch: 1 }, [], { to: "stranded", by, reason: "r" });
    }
    assertEquals(await store.unstrand([{ workflow: "other", version: "v3" }]), 0);
    assertEquals(await store.unstrand([{ workflow: "etl", version: "v2" }]), 1);
    const served = [{ workflow: "etl", version: "v2" }];
    assertEquals(await claimed(store, claimBy(runs[0]!.runner, { served })), [runs[0]!.seq]);
    assertEquals(await store.unstrand([{ workflow: "etl", version: "v3" }]), 2);
  });

  test("groups() and unowned() show live unowned runs", async ({ store }) => {
    const { runner } = await startOwned(store);
    const second = newRun({ dueAt: T0 + 9 });
    const first = newRun({ dueAt: T0 + 1 });
    const urgent = newRun({ priority: -1, dueAt: T0 + 99 });
    const old = newRun({ version: "v0" });
    await start(store, second, first, urgent, old);
    const stranded = newRun({ version: "v00", owner: runner });
    const [seq] = await start(store, stranded);
    await write(store, { seq: seq!, epoch: 1 }, [], { to: "stranded", by: "v1", reason: "r" });
    const groups = [...await store.groups()].sort((a, b) => a.version < b.version ? -1 : 1);
    assertEquals(groups, [
      { workflow: "etl", version: "v0", stranded: false },
      { workflow: "etl", version: "v00", stranded: true },
      { workflow: "etl", version: "v1", stranded: false },
    ]);
    const ids = (rows: readonly { readonly id: string }[]): string[] => rows.map(({ id }) => id);
    assertEquals(ids(await store.unowned(groups[2]!, 10)), [urgent.id, first.id, second.id]);
    assertEquals(ids(await store.unowned(groups[2]!, 2)), [urgent.id, first.id]);
    assertEquals(ids(await store.unowned(groups[0]!, 10)), [old.id]);
    assertEquals(ids(await store.unowned(groups[1]!, 10)), [stranded.id]);
  });
}
