import { assert, assertEquals } from "@std/assert";
import type { FailuresQuery, OutcomesQuery } from "../../../lib/store/port/inspection.ts";
import type { Store } from "../../../lib/store/port/store.ts";
import { type Case, join, newRun, start, T0, write } from "./fixture.ts";

const MINUTE = 60_000;

/** Summaries of the ends of runs, for the inspector. */
export function outcomesContract(test: Case): void {
  test("failures() groups failed runs by the first line of their error, the largest group first", async ({ store }) => {
    await fail(store, [
      { message: "connect ECONNREFUSED 10.0.0.7:443\nafter 3 tries", at: 1 },
      { message: "connect ECONNREFUSED 10.0.0.7:443\nafter 5 tries", at: 9, workflow: "other" },
      { message: "no such user", at: 4 },
      { message: "connect ECONNREFUSED 10.0.0.7:443", at: 5 },
      { message: `\0 "\ud800' \u{1F600}`, at: 6 },
      { message: "x".repeat(5_000), at: 7 },
    ]);
    const { groups, ...counts } = await store.inspection.failures(ALL_FAILURES);
    assertEquals(counts, { groupCount: 4, runs: 6, isCapped: false });
    const [first, ...others] = groups;
    assertEquals({ ...first, latestId: "" }, {
      error: "E: connect ECONNREFUSED 10.0.0.7:443",
      runs: 3,
      workflows: ["etl", "other"],
      latestId: "",
      firstEndedAt: T0 + 1,
      lastEndedAt: T0 + 9,
    });
    assertEquals((await store.run(first!.latestId))?.endedAt, T0 + 5);
    assertEquals(others.map(({ runs, error }) => [runs, error?.length]), [
      [1, 300],
      [1, others[1]!.error!.length],
      [1, 15],
    ]);
    assert(others[1]!.error!.endsWith("' \u{1F600}"));
  });

  test("failures() filters by workflow and time, groups by workflow, and reads at most the allowed number of runs", async ({ store }) => {
    await fail(store, [
      { message: "old", at: 1 },
      { message: "a", at: 5 },
      { message: "b", at: 6, workflow: "other" },
      { message: "c", at: 7 },
    ]);
    const read = async (query: Partial<FailuresQuery>): Promise<readonly unknown[]> => {
      const { groups, groupCount, isCapped } = await store.inspection.failures({ ...ALL_FAILURES, ...query });
      return [groups.map(({ error, workflows, runs }) => [error ?? workflows.join(), runs]), groupCount, isCapped];
    };
    assertEquals(await read({ workflow: "other" }), [[["E: b", 1]], 1, false]);
    assertEquals(await read({ endedSince: T0 + 6 }), [[["E: c", 1], ["E: b", 1]], 2, false]);
    assertEquals(await read({ by: "workflow" }), [[["etl", 3], ["other", 1]], 2, false]);
    assertEquals(await read({ budget: 2 }), [[["E: c", 1], ["E: b", 1]], 2, true]);
    assertEquals(await read({ limit: 1 }), [[["E: c", 1]], 4, false]);
    assertEquals(await read({ workflow: "\0" }), [[], 0, false]);
  });

  test("outcomes() counts the runs that ended in each part of a time span", async ({ store }) => {
    assertEquals(await store.inspection.outcomes([HOUR]), [{ ...nothing(3), isEstimated: false }]);
    const runner = await join(store);
    const runs = await start(store, ...Array.from({ length: 600 }, () => newRun({ owner: runner })));
    for (const [at, seq] of runs.slice(0, 500).entries()) {
      await write(store, { seq, epoch: 1 }, [], { to: "completed", at: T0 + (at % 5) * MINUTE });
    }
    await fail(store, [{ message: "a", at: 2 * MINUTE }, { message: "b", at: 2 * MINUTE + 1 }, {
      message: "c",
      at: 3 * MINUTE,
    }]);
    const cancelled = newRun();
    await start(store, cancelled);
    await store.control(cancelled.id, { kind: "cancel", reason: undefined });
    const [few, all] = await store.inspection.outcomes([HOUR, { since: T0, bucketMs: 10 * MINUTE, buckets: 1 }]);
    assertEquals(few, { completed: [100, 100, 100], failed: [0, 2, 1], cancelled: [0, 0, 0], isEstimated: false });
    assertEquals(all, { completed: [500], failed: [3], cancelled: [1], isEstimated: false });
  });
}

const ALL_FAILURES: FailuresQuery = { workflow: undefined, endedSince: undefined, by: "error", budget: 100, limit: 10 };

/** Three minutes from the second one. */
const HOUR: OutcomesQuery = { since: T0 + MINUTE, bucketMs: MINUTE, buckets: 3 };

function nothing(buckets: number) {
  const none = Array.from({ length: buckets }, () => 0);
  return { completed: none, failed: none, cancelled: none };
}

async function fail(
  store: Store,
  runs: readonly { readonly message: string; readonly at: number; readonly workflow?: string }[],
): Promise<void> {
  const runner = await join(store);
  for (const { message, at, workflow = "etl" } of runs) {
    const [seq] = await start(store, newRun({ owner: runner, workflow }));
    await write(store, { seq: seq!, epoch: 1 }, [], { to: "failed", at: T0 + at, error: { name: "E", message } });
  }
}
