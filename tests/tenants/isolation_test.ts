/** No operation on one tenant changes a row of another, even if both have the same numbers, ids and keys. */
import { assertEquals, assertNotEquals } from "@std/assert";
import type { Store } from "../../lib/store/port/store.ts";
import { test } from "../harness.ts";
import {
  claimBy,
  claimed,
  commit,
  endedBefore,
  join,
  newRun,
  record,
  start,
  T0,
  write,
} from "../store/contract/fixture.ts";
import { GROUNDS } from "./ground.ts";

const [PENDING, OWNED, FAILED, STRANDED, ENDED, PAUSED] = [1, 2, 3, 4, 5, 6].map((n) =>
  `01890000-0000-7000-8000-00000000000${n}`
) as [string, string, string, string, string, string];
const SERVED = { workflow: "etl", version: "v1" };
const DEFINITION = { ...SERVED, structure: "s", graph: "{}" };
const ERROR = { name: "Error", message: "no" };

/** Fills a tenant with the same rows each time: their numbers are 1, 2, 3 and so on. */
interface Rows {
  readonly runner: number;
  readonly owned: number;
  readonly failed: number;
}

async function populate(store: Store): Promise<Rows> {
  const runner = await join(store);
  const ids = [PENDING, OWNED, FAILED, STRANDED, ENDED, PAUSED];
  const [, owned, failed, stranded, ended] = await start(
    store,
    ...ids.map((id) => newRun({ id, key: `key ${id}`, owner: id === PENDING || id === PAUSED ? undefined : runner })),
  ) as [number, number, number, number, number];
  await write(store, { seq: owned, epoch: 1 }, [record("a")]);
  await write(store, { seq: failed, epoch: 1 }, [record("a"), record("b", { state: "failed" })], {
    to: "failed",
    at: T0,
    error: ERROR,
  });
  await write(store, { seq: stranded, epoch: 1 }, [record("a")], { to: "stranded", by: "v0", reason: "other" });
  await write(store, { seq: ended, epoch: 1 }, [record("a")], { to: "completed", at: T0 });
  await store.control(PAUSED, { kind: "pause", reason: "later" });
  await store.define([DEFINITION]);
  return { runner, owned, failed };
}

/** All operations that change a store. */
const DEEDS: Readonly<Record<string, (store: Store, rows: Rows) => Promise<unknown>>> = {
  "starting a run": (store) => commit(store, { starts: [newRun({ key: "new" })] }),
  "recording a result": (store, { owned }) => write(store, { seq: owned, epoch: 1 }, [record("b")]),
  "ending a run": (store, { owned }) => write(store, { seq: owned, epoch: 1 }, [], { to: "completed", at: T0 }),
  "claiming": (store, { runner }) => claimed(store, claimBy(runner)),
  "cancelling a pending run": (store) => store.control(PENDING, { kind: "cancel", reason: "no" }),
  "requesting a cancel from an owner": (store) => store.control(OWNED, { kind: "cancel", reason: "no" }),
  "pausing": (store) => store.control(PENDING, { kind: "pause", reason: "wait" }),
  "resuming": (store) => store.control(PAUSED, { kind: "resume" }),
  "restarting a failed run": (store, { failed }) =>
    store.restart({ seq: failed, epoch: 1 }, { retry: ["b"], forget: [] }),
  "retrying stranded runs": (store) => store.unstrand([SERVED]),
  "storing a definition": (store) => store.define([{ ...DEFINITION, version: "v2" }]),
  "joining": (store) => join(store),
  "renewing a lease": (store, { runner }) => store.renew(runner, 60_000),
  "leaving": (store, { runner }) => store.leave(runner),
  "recovering lost runs": (store, { runner }) => store.recover({ dead: [runner], recoveryLimit: 5, limit: 100 }),
  "failing poisoned runs": (store, { runner }) => store.recover({ dead: [runner], recoveryLimit: 1, limit: 100 }),
  "pruning ended runs": (store) => store.prune(endedBefore(T0 + 1), 100),
};

for (const [ground, open] of Object.entries(GROUNDS)) {
  test(`${ground}: no operation on one tenant changes a row of the other`, async () => {
    await using on = await open();
    for (const [deed, act] of Object.entries(DEEDS)) {
      await on.first.clear();
      await on.second.clear();
      const rows = await populate(on.first.store);
      assertEquals(await populate(on.second.store), rows, "both tenants have the same numbers");
      const [mine, other] = [await on.first.rows(), await on.second.rows()];
      await act(on.first.store, rows);
      assertNotEquals(await on.first.rows(), mine, `${deed} changes its own tenant`);
      assertEquals(await on.second.rows(), other, `${deed} does not change the other`);
    }
  });

  test(`${ground}: reads of one tenant return no row of the other`, async () => {
    await using on = await open();
    const rows = await populate(on.first.store);
    const { store } = on.second;
    const request = { states: undefined, workflow: undefined, tags: undefined, since: undefined, until: undefined };
    assertEquals(await store.list({ ...request, limit: 100, before: undefined }), []);
    assertEquals(await store.run(PENDING), undefined);
    assertEquals(await store.ended([PENDING]), [PENDING]);
    assertEquals(await store.journal(rows.owned), []);
    assertEquals(await store.facts(rows.failed), []);
    assertEquals(await store.groups(), []);
    assertEquals(await store.unowned({ ...SERVED, stranded: false }, 10), []);
    assertEquals(await store.unowned({ ...SERVED, stranded: true }, 10), []);
    assertEquals(await store.definition(SERVED), undefined);
    assertEquals(await store.runners(), []);
    assertEquals(await store.inbox(rows.runner), []);
    assertEquals((await store.renew(rows.runner, 1_000)).alive, false);
    assertEquals(Object.values(await store.counts()).reduce((sum, count) => sum + count), 0);
    assertEquals(await store.control(PENDING, { kind: "cancel", reason: undefined }), { kind: "unknown" });
    assertEquals(await claimed(store, claimBy(await join(store))), []);
  });

  test(`${ground}: the same key and the same id start one run in each tenant`, async () => {
    await using on = await open();
    const id = newRun().id;
    for (const { store } of [on.first, on.second]) {
      const { starts } = await commit(store, { starts: [newRun({ id, key: "2026-11-23" })] });
      assertEquals(starts.map(({ kind }) => kind), ["started"]);
    }
    const { starts } = await commit(on.second.store, { starts: [newRun({ key: "2026-11-23" })] });
    assertEquals(starts, [{ kind: "existing", id }]);
  });
}
