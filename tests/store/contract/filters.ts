import { assertEquals } from "@std/assert";
import type { RunMove } from "../../../lib/store/port/batch.ts";
import type { RunQuery } from "../../../lib/store/port/listing.ts";
import type { Store } from "../../../lib/store/port/store.ts";
import type { ErrorRecord } from "../../../lib/errors.ts";
import { ALL, type Case, commit, newRun, openRecord, record, start, startOwned, T0, write } from "./fixture.ts";

/** The filters of runs, which apply to lists, searches and lists of numbers. */
export function filtersContract(test: Case): void {
  test("runs are found by version, schedule and parent", async ({ store }) => {
    const [first, second] = await start(store, newRun({ version: "v2" }), newRun({ workflow: "other" }));
    const scheduled = await start(
      store,
      newRun({ schedule: { name: "daily", tick: T0 } }),
      newRun({ schedule: { name: "daily", tick: undefined } }),
      newRun({ schedule: { name: "hourly", tick: T0 } }),
    );
    const parent = await startOwned(store);
    const children = [
      ...await start(store, newRun({ parent: { run: parent.seq, task: "ship", item: -1 }, depth: 1 })),
      ...await start(store, newRun({ parent: { run: parent.seq, task: "pack", item: 3 }, depth: 1, version: "v2" })),
    ];
    assertEquals(await found(store, { version: "v2" }), [children[1], first]);
    assertEquals(await found(store, { version: "v1", workflow: "other" }), [second]);
    assertEquals(await found(store, { schedule: "daily" }), [scheduled[1], scheduled[0]]);
    assertEquals(await found(store, { schedule: "daily", since: T0 + 1 }), []);
    assertEquals(await found(store, { schedule: "weekly" }), []);
    assertEquals(await found(store, { parent: parent.id }), [children[1], children[0]]);
    assertEquals(await found(store, { parent: parent.id, version: "v2" }), [children[1]]);
    const [childless] = await store.list({ ...ALL, version: "v2", before: children[0] });
    for (const none of [childless!.id, "0199b26c-0000-7000-8000-000000000000", "none", ""]) {
      assertEquals(await found(store, { parent: none }), []);
    }
    const page = await store.list({ ...ALL, schedule: "daily", limit: 1, before: scheduled[1] });
    assertEquals(page.map(({ seq }) => seq), [scheduled[0]]);
  });

  test("runs are found by end time", async ({ store }) => {
    const done = await ended(store, { to: "completed", at: T0 + 10 });
    const failed = await ended(store, { to: "failed", at: T0 + 20, error: { name: "E", message: "no" } });
    const live = await startOwned(store);
    assertEquals(await found(store, { endedSince: T0 + 10 }), [failed, done]);
    assertEquals(await found(store, { endedSince: T0 + 11 }), [failed]);
    assertEquals(await found(store, { endedUntil: T0 + 20 }), [done]);
    assertEquals(await found(store, { endedUntil: T0 + 20, states: ["failed"] }), []);
    assertEquals(await found(store, { endedSince: 0, endedUntil: T0 + 100 }), [failed, done]);
    assertEquals(await found(store, {}), [live.seq, failed, done]);
  });

  test("runs are found by a text in their error", async ({ store }) => {
    const errors: readonly ErrorRecord[] = [
      { name: "TypeError", message: 'no "price"\nof 5%', stack: "at main (app.ts:1)" },
      { name: "Error", message: "fetch failed", cause: { name: "Error", message: "refused", code: "ECONNREFUSED" } },
      { name: "Error", message: "nul \0 and \\ \ud800ü\u{1f600}", fields: { hint: "hidden" } },
    ];
    const seqs: number[] = [];
    for (const error of errors) seqs.push(await ended(store, { to: "failed", at: T0, error }));
    await ended(store, { to: "cancelled", at: T0, reason: "fetch failed" });
    await startOwned(store);
    const at = (...indexes: number[]): (number | undefined)[] => indexes.map((i) => seqs[i]);
    const cases: readonly (readonly [string, readonly (number | undefined)[]])[] = [
      ["TypeError: no", at(0)],
      ['"price"\nof', at(0)],
      ["5%", at(0)],
      ["5_", []],
      ["fetch failed", at(1)],
      ["Fetch", []],
      ["ECONNREFUSED", at(1)],
      ["Error: refused", at(1)],
      ["ü\u{1f600}", at(2)],
      ["and \\ ", at(2)],
      ["Error", at(2, 1, 0)],
      // Names of fields, stacks and other fields are not searched.
      ["message", []],
      ["app.ts", []],
      ["x\0", []],
      ["\ud800", []],
    ];
    for (const [error, expected] of cases) {
      assertEquals(await found(store, { error }), expected, JSON.stringify(error));
      assertEquals(await found(store, { error, states: ["failed"] }), expected, JSON.stringify(error));
    }
    assertEquals((await found(store, { error: "" })).length, 5);
    assertEquals(await found(store, { error: "fetch", states: ["completed"] }), []);
  });

  test("runs are found by a failed task", async ({ store }) => {
    const failed = record("call", { state: "failed", output: undefined });
    const unhandled = await startOwned(store);
    const handled = await startOwned(store);
    const retried = await startOwned(store);
    const ofItem = await startOwned(store);
    await write(store, { seq: unhandled.seq, epoch: 1 }, [failed], { to: "failed", at: T0, error: ERROR_OF_CALL });
    await write(store, { seq: handled.seq, epoch: 1 }, [failed, record("mend")], { to: "completed", at: T0 });
    await write(store, { seq: retried.seq, epoch: 1 }, [openRecord("call", { state: "waiting", dueAt: T0 + 1 })]);
    await write(store, { seq: ofItem.seq, epoch: 1 }, [record("call", { item: 2, state: "failed" })]);
    assertEquals(await found(store, { failedTask: "call" }), [handled.seq, unhandled.seq]);
    assertEquals(await found(store, { failedTask: "call", states: ["failed"] }), [unhandled.seq]);
    assertEquals([await found(store, { failedTask: "mend" }), await found(store, { failedTask: "x\0" })], [[], []]);
  });

  test("runs that no live runner can continue are found, and so are all others", async ({ store }) => {
    const [one, two, three] = await start(
      store,
      newRun({ workflow: "lost" }),
      newRun({ workflow: "lost", version: "v2" }),
      newRun(),
    );
    const parked = [await strand(store, "v9"), await strand(store, "v1")];
    const group = { workflow: "etl", version: "v1", stranded: true, byOwnVersion: false };
    const lost = { workflow: "lost", version: "v1", stranded: false, byOwnVersion: false };
    const filter = (...groups: (typeof group)[]): RunQuery => ({ ...ALL, parked: { groups, wanted: true } });
    assertEquals(await found(store, filter(group)), parked.toReversed());
    assertEquals(await found(store, filter({ ...group, byOwnVersion: true })), [parked[1]]);
    assertEquals(await found(store, filter(lost)), [one]);
    assertEquals(await found(store, { ...filter(group, lost), states: ["pending"] }), [...parked.toReversed(), one]);
    assertEquals(await found(store, filter()), []);
    assertEquals(await found(store, { parked: { groups: [group, lost], wanted: false } }), [three, two]);
  });
}

const ERROR_OF_CALL: ErrorRecord = { name: "E", message: "no" };

async function ended(store: Store, move: RunMove): Promise<number> {
  const { seq } = await startOwned(store);
  await commit(store, { writes: [{ seq, epoch: 1, records: [], move }] });
  return seq;
}

async function strand(store: Store, by: string): Promise<number> {
  const { seq } = await startOwned(store);
  await commit(store, {
    writes: [{ seq, epoch: 1, records: [], move: { to: "stranded", by, reason: "no such task" } }],
  });
  return seq;
}

/** Returns the numbers of the matching runs, and asserts that list, search and list of numbers agree. */
async function found(store: Store, query: Partial<RunQuery>): Promise<(number | undefined)[]> {
  const page = { ...ALL, limit: 100, ...query };
  const listed = (await store.list(page)).map(({ seq }) => seq);
  const { runs } = await store.inspection.search({ ...page, budget: 1_000 });
  assertEquals(runs.map(({ seq }) => seq), listed);
  assertEquals(await store.numbers(page), listed);
  return listed;
}
