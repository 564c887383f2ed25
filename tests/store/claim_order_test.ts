/** The order of claims on each store: by priority and age, so that no run waits forever. */
import { assert, assertEquals } from "@std/assert";
import type { NewRun } from "../../lib/store/port/batch.ts";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import type { Random } from "../random.ts";
import { randomTest, test } from "../harness.ts";
import { claimBy, claimed, commit, join, manualClock, newRun, type Opened, start, T0 } from "./contract/fixture.ts";
import { explainClaim } from "./postgres_backlog.ts";
import { openOn, testSchema } from "./postgres_schema.ts";

const MINUTE = 60_000;

const STORES: Readonly<Record<string, () => Promise<Pick<Opened, "store" | "clock"> & AsyncDisposable>>> = {
  async sqlite() {
    const clock = manualClock();
    const store = await openSqliteStore(":memory:", { clock });
    return { store, clock, [Symbol.asyncDispose]: () => store.close() };
  },
  async postgres() {
    const schema = testSchema();
    const opened = await openOn(schema);
    return {
      ...opened,
      async [Symbol.asyncDispose]() {
        await opened[Symbol.asyncDispose]();
        await schema[Symbol.asyncDispose]();
      },
    };
  },
};

for (const [kind, open] of Object.entries(STORES)) {
  test(`${kind}: a run is claimed before more urgent ones that became due a minute later for each step`, async () => {
    await using opened = await open();
    const { store, clock } = opened;
    const runner = await join(store);
    const [low, before, equal, after, urgent] = await start(
      store,
      newRun({ priority: 3, dueAt: T0 }),
      newRun({ dueAt: T0 + 3 * MINUTE - 1 }),
      newRun({ dueAt: T0 + 3 * MINUTE }),
      newRun({ dueAt: T0 + 3 * MINUTE + 1 }),
      newRun({ dueAt: T0 + 4 * MINUTE, priority: -2 }),
    );
    clock.advance(5 * MINUTE);
    assertEquals(await claimed(store, claimBy(runner, { limit: 2 })), [urgent, before]);
    assertEquals(await claimed(store, claimBy(runner)), [equal, low, after]);
  });

  test(`${kind}: during a constant flood of urgent runs, a run of low priority is claimed after a minute for each step of priority`, async () => {
    await using opened = await open();
    const { store, clock } = opened;
    const runner = await join(store);
    const [low] = await start(store, newRun({ priority: 5 }));
    for (let second = 0;; second += 30) {
      await start(store, ...Array.from({ length: 8 }, () => newRun({ dueAt: clock.now() })));
      const seqs = await claimed(store, claimBy(runner, { limit: 8 }));
      assertEquals(seqs.length, 8);
      if (seqs.includes(low!)) {
        assertEquals(second, 5 * 60 + 30);
        break;
      }
      assert(second <= 5 * 60, `not claimed after ${second} s`);
      clock.advance(30_000);
    }
  });

  randomTest(
    `${kind}: claims take due runs, including parked ones, in the order of their ranks, independent of groups and limits`,
    async (random) => {
      await using opened = await open();
      const { store, clock } = opened;
      const runner = await join(store);
      const served = ["etl", "other"].map((workflow) => ({ workflow, version: "v1" }));
      const runs = Array.from({ length: 120 }, () => randomRun(random));
      const seqs = await start(store, ...runs);
      const waiting: Waiting[] = runs.flatMap(({ workflow, priority, dueAt, version }, at) =>
        workflow === "foreign" ? [] : [{ seq: seqs[at]!, priority, dueAt: dueAt!, version }]
      );
      for (let round = 0; waiting.length > 0; round++) {
        assert(round < 1_000, "the claims do not end");
        clock.advance(random.below(2 * MINUTE));
        const limit = 1 + random.below(9);
        const now = clock.now();
        const due = waiting.filter(({ dueAt }) => dueAt <= now).sort((a, b) =>
          a.dueAt + a.priority * MINUTE - (b.dueAt + b.priority * MINUTE) || a.priority - b.priority || a.seq - b.seq
        );
        const claim = await store.claim(claimBy(runner, { limit, served }));
        const expected = due.slice(0, limit);
        assertEquals(claim.runs.map(({ seq }) => seq), expected.map(({ seq }) => seq));
        const laterAt = Math.min(...waiting.map(({ dueAt }) => dueAt > now ? dueAt : Infinity));
        if (due.length < limit) assertEquals(claim.nextDueAt, laterAt === Infinity ? undefined : laterAt);
        for (const [at, one] of expected.entries()) {
          waiting.splice(waiting.indexOf(one), 1);
          // Some are parked, and due immediately for their own version.
          if (one.version !== "v1" || !random.chance(0.3)) continue;
          const { epoch } = claim.runs[at]!;
          const move = { to: "stranded", by: "v2", reason: "no" } as const;
          await commit(store, { writes: [{ seq: one.seq, epoch, records: [], move }] });
          waiting.push({ ...one, dueAt: now });
        }
      }
    },
  );

  test(`${kind}: unowned() lists the runs of a group in the order of claims`, async () => {
    await using opened = await open();
    const { store, clock } = opened;
    const runner = await join(store);
    const [low, high, later] = await start(
      store,
      newRun({ priority: 2, dueAt: T0 }),
      newRun({ dueAt: T0 + MINUTE }),
      newRun({ dueAt: T0 + 3 * MINUTE }),
    );
    clock.advance(5 * MINUTE);
    const order = [high, low, later];
    const listed = async (stranded: boolean): Promise<number[]> =>
      (await store.unowned({ workflow: "etl", version: "v1", stranded }, 9)).map(({ seq }) => seq);
    assertEquals(await listed(false), order);
    await store.claim(claimBy(runner));
    const move = { to: "stranded", by: "v2", reason: "no" } as const;
    await commit(store, { writes: order.map((seq) => ({ seq: seq!, epoch: 1, records: [], move })) });
    // All have been due since they were parked.
    assertEquals(await listed(true), [high, later, low]);
    assertEquals(await claimed(store, claimBy(runner)), [high, later, low]);
  });
}

function randomRun(random: Random): NewRun {
  return newRun({
    priority: random.pick([-7, -1, 0, 0, 0, 1, 2, 30]),
    dueAt: T0 + random.below(20 * MINUTE),
    workflow: random.pick(["etl", "etl", "other", "foreign"]),
    version: random.pick(["v0", "v1"]),
  });
}

/** A run that has not been claimed yet. */
interface Waiting {
  readonly seq: number;
  readonly priority: number;
  readonly dueAt: number;
  readonly version: string;
}

test("sqlite: a claim reads only the groups that it takes runs from, and executes one query for all others", async () => {
  await using opened = await STORES["sqlite"]!();
  const { store } = opened;
  const runner = await join(store);
  const runs = Array.from({ length: 200 }, (_, at) => newRun({ priority: at % 50, dueAt: T0 - at }));
  await start(store, ...runs);
  const before = store.counters().statements;
  assertEquals((await store.claim(claimBy(runner, { limit: 8 }))).runs.length, 8);
  // Three statements: two for the groups of the first eight runs, of 50, and one for when more runs of the first are
  // due. Five: the groups before and in the transaction, the runner, the bytes and the update.
  assertEquals(store.counters().statements - before, 3 + 5);
});

test("postgres: a claim reads a bounded number of rows of each priority", async () => {
  await using on = testSchema();
  const store = await on.open();
  const runner = await join(store);
  const now = Date.now();
  const runs = Array.from({ length: 4_000 }, (_, at) => newRun({ priority: at % 4, dueAt: now - at }));
  await start(store, ...runs);
  await on.sql`analyze runs`;
  const { rowsRead, written } = await explainClaim(on.url, on.schema, claimBy(runner, { limit: 10 }), true);
  assertEquals(written, 10);
  // Twice the limit for each priority, and each claimed run twice by its number.
  assert(rowsRead <= 4 * 20 + 4 * 10 + 20, `${rowsRead} rows`);
});
