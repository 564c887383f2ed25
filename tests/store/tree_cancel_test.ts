/**
 * A large tree of runs is cancelled in parts. Whatever runners do between two parts, all of its runs end as cancelled:
 * none is started in between and fails because its child runs were cancelled before it.
 */
import { assertEquals } from "@std/assert";
import { createRunner, unchecked, workflow } from "../../mod.ts";
import { silent } from "../../lib/logger.ts";
import { createNews } from "../../lib/store/postgres/write/news.ts";
import { createDatabase as createPostgresDatabase } from "../../lib/store/postgres/database.ts";
import type { Row } from "../../lib/store/shared/decode.ts";
import { control } from "../../lib/store/sql/control.ts";
import type { Database, Op, Step } from "../../lib/store/sql/operation.ts";
import { createPersistence } from "../../lib/store/sqlite/busy.ts";
import { createDatabase as createSqliteDatabase } from "../../lib/store/sqlite/database.ts";
import { openConnection } from "../../lib/store/sqlite/driver.ts";
import { createSession } from "../../lib/store/sqlite/session.ts";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { createFakeClock, type FakeClock } from "../../lib/testing/mod.ts";
import { join as joinPath } from "node:path";
import { test } from "../harness.ts";
import { until } from "../within.ts";
import { tempDir } from "../temp_dir.ts";
import { ALL, claimBy, commit, join, newRun, openRecord, start } from "./contract/fixture.ts";
import { testSchema } from "./postgres_schema.ts";

const CHILDREN = 600;

const grandchild = workflow("grandchild").event("answer", { schema: unchecked<string>() });
const child = workflow("child").subworkflow("below", { workflow: grandchild });
const parent = workflow("parent").map("all", {
  over: () => Array.from({ length: CHILDREN }, (_, index) => index),
  workflow: child,
});

for (const kind of ["sqlite", "postgres"] as const) {
  // The runner cancels the runs that it has in memory itself, in separate parts.
  for (const [where, ms, fewest] of [["in the store", 60_000, 3], ["in memory", 1_000, 0]] as const) {
    test(`${kind}: a tree ${where} that is cancelled in parts ends as cancelled even if a runner works between the parts`, async () => {
      await using on = await ground(kind);
      const { clock, store, database: { dialect } } = on;
      const { run, runner } = await waitingTree(on, ms);
      const cancel = control(dialect, run.id, { kind: "cancel", reason: "enough" });
      const parts = await inParts(on, cancel, () => clock.advance("10s"));
      assertEquals(parts >= fewest, true);
      await clock.advance("1m");
      const { cancelled, failed } = await store.counts();
      assertEquals([failed, cancelled], [0, 1 + 2 * CHILDREN]);
      await clock.until(runner.stop());
    });
  }

  // The run that is resumed while the tree is held: the run that is cancelled, or a descendant.
  for (const [which, of] of [["it", "parent"], ["a run in it", "child"]] as const) {
    test(`${kind}: a tree that is cancelled in parts ends as cancelled even if ${which} is resumed between the parts`, async () => {
      await using on = await ground(kind);
      const { run, runner } = await waitingTree(on);
      const { clock, store, database: { dialect } } = on;
      const cancel = control(dialect, run.id, { kind: "cancel", reason: "enough" });
      let resumed = 0;
      await inParts(on, cancel, async () => {
        const [held] = await store.list({ ...ALL, workflow: of, states: ["paused"], limit: 1 });
        if (held !== undefined) resumed++;
        if (held !== undefined) await clock.until(store.control(held.id, { kind: "resume" }));
        await clock.advance("10s");
      });
      await clock.advance("1m");
      const { cancelled, failed } = await store.counts();
      assertEquals([resumed > 0, failed, cancelled], [true, 0, 1 + 2 * CHILDREN]);
      assertEquals((await store.run(run.id))?.reason, "enough");
      await clock.until(runner.stop());
    });
  }

  for (const action of ["cancel", "resume"] as const) {
    test(`${kind}: a cancel whose process died between its parts is finished by ${action}()`, async () => {
      await using on = await ground(kind);
      const { run, runner } = await waitingTree(on);
      const { clock, store, database: { dialect } } = on;
      const request = { kind: "cancel", reason: "enough", compensate: false } as const;
      await inParts(on, control(dialect, run.id, request), () => clock.advance("10s"), 2);
      const { paused, cancelled } = await store.counts();
      assertEquals([paused > 0, cancelled > 0], [true, true]);
      assertEquals((await runner.explain(run.id)).reasons.slice(0, 1), [{
        kind: "cancelling",
        message:
          "the run is held until its child runs are cancelled: cancel() or resume() ends this if it was interrupted",
      }]);
      await clock.until(run[action]());
      await clock.advance("1m");
      const after = await store.counts();
      assertEquals([after.failed, after.cancelled], [0, 1 + 2 * CHILDREN]);
      await clock.until(runner.stop());
    });
  }

  test(`${kind}: resuming a tree does not change a run in it that is being cancelled in parts`, async () => {
    await using on = await ground(kind);
    const { run, runner } = await waitingTree(on);
    const { clock, store, database: { dialect } } = on;
    await clock.until(run.pause("a while"));
    const request = { kind: "cancel", reason: "enough" } as const;
    // Only runs with children are held so far.
    await inParts(on, control(dialect, run.id, request), () => Promise.resolve(), 1);
    await clock.until(store.controlChildren((await store.run(run.id))!.seq, { kind: "resume" }, undefined));
    await clock.advance("10s");
    const states = async (workflow: string) =>
      new Set((await store.list({ ...ALL, workflow, limit: 2_000 })).map(({ state }) => state));
    assertEquals([...await states("child")], ["paused"]);
    assertEquals([...await states("grandchild")], ["waiting"]);
    await clock.until(run.cancel());
    await clock.advance("1m");
    const { cancelled, failed } = await store.counts();
    assertEquals([failed, cancelled], [0, 1 + 2 * CHILDREN]);
    await clock.until(runner.stop());
  });

  test(`${kind}: runs that a run starts while the tree above it is cancelled in parts are cancelled with the tree`, async () => {
    await using on = await ground(kind);
    const { store } = on;
    const runner = await join(store);
    const [root] = await start(store, newRun({ owner: runner }));
    const childOf = (run: number, item: number) => newRun({ parent: { run, task: "all", item }, dueAt: 0 });
    const children = Array.from({ length: 1_200 }, (_, item) => childOf(root!, item));
    const expand = openRecord("all", { items: children.length });
    const release = { to: "waiting", dueAt: undefined, release: true } as const;
    const write = { seq: root!, epoch: 1, records: [expand], move: release, children, hasChildren: true };
    await commit(store, { writes: [write] });
    const { seq } = (await store.run(children[0]!.id))!;
    const late = childOf(seq, 0);
    let isStarted = false;
    const { id } = (await store.list({ ...ALL, states: ["waiting"] }))[0]!;
    await inParts(on, control(on.database.dialect, id, { kind: "cancel", reason: "enough" }), async () => {
      if (isStarted) return;
      isStarted = true;
      // The first of them, which belongs to the last part, is claimed, starts a run and waits for it.
      const { runs } = await store.claim(claimBy(runner, { limit: 1 }));
      assertEquals(runs.map((run) => run.seq), [seq]);
      const records = [openRecord("all", { items: 1 })];
      const write = { seq, epoch: 1, records, move: release, children: [late], hasChildren: true };
      assertEquals((await commit(store, { writes: [write] })).writes, ["accepted"]);
    });
    assertEquals([isStarted, (await store.run(late.id))?.state], [true, "cancelled"]);
    assertEquals((await store.counts()).cancelled, 1_202);
  });
}

test("postgres: a run that is being released while its parent is cancelled is cancelled, too", async () => {
  await using schema = testSchema();
  const store = await schema.open();
  const runner = await join(store);
  const run = newRun({ owner: runner });
  const [seq] = await start(store, run);
  const below = newRun({ owner: runner, parent: { run: seq!, task: "all", item: 0 } });
  const records = [openRecord("all", { items: 1 })];
  await commit(store, {
    writes: [{ seq: seq!, epoch: 1, records, move: undefined, children: [below], hasChildren: true }],
  });
  let cancelled: Promise<unknown> | undefined;
  await schema.sql.begin(async (tx) => {
    await tx`update runs set owner = null, state = 'waiting' where id = ${below.id}`;
    cancelled = store.control(run.id, { kind: "cancel", reason: "enough" });
    await until(async () => {
      const waiting = await schema.sql`select 1 from pg_locks where not granted and pid in (
        select pid from pg_stat_activity where query like ${`%"${schema.schema}".runs%`})`;
      return waiting.length > 0;
    });
  });
  await cancelled;
  assertEquals((await store.run(below.id))?.state, "cancelled");
});

/** Opens a runner, and starts a tree of runs, none of which has an owner after a minute. */
async function waitingTree({ store, clock }: Ground, ms = 60_000) {
  const runner = await createRunner(store, { workflows: [parent, child, grandchild], clock, maxRuns: 5_000 });
  const run = await runner.start("parent", undefined);
  await clock.advance(ms);
  assertEquals((await store.counts()).waiting, 1 + 2 * CHILDREN);
  return { runner, run };
}

/**
 * Executes an operation completely, or up to the pause with this number; `between` is called at each pause. Returns the
 * number of pauses.
 */
async function inParts(
  { database, clock }: Ground,
  operation: Op<unknown>,
  between: () => Promise<void>,
  most = Infinity,
): Promise<number> {
  let pauses = 0;
  let state = operation.next([]);
  while (state.done !== true) {
    const step = state.value;
    const rows = await clock.until(database.execute(only(step)));
    if (step.kind === "pause") {
      pauses++;
      await between();
      if (pauses === most) return pauses;
    }
    state = operation.next(rows);
  }
  return pauses;
}

function* only(step: Step): Op<readonly Row[]> {
  return yield step;
}

interface Ground extends AsyncDisposable {
  readonly clock: FakeClock;
  readonly store: Store;
  /** Another store on the same database, as in another process. */
  readonly database: Database;
}

async function ground(kind: "sqlite" | "postgres"): Promise<Ground> {
  const clock = createFakeClock();
  if (kind === "postgres") {
    const on = testSchema();
    const store = await on.open({ clock });
    const session = on.session(silent, clock);
    const database = createPostgresDatabase(session, createNews(session.now));
    return { store, database, clock, [Symbol.asyncDispose]: () => on[Symbol.asyncDispose]() };
  }
  const dir = tempDir();
  const path = joinPath(dir.path, "app.db");
  const store = await openSqliteStore(path, { durability: "process", clock });
  const connection = await openConnection(path);
  const site = { name: "test", clock, logger: silent, committed() {} };
  return {
    store,
    clock,
    database: createSqliteDatabase(createSession(connection, createPersistence("test", silent), site)),
    async [Symbol.asyncDispose]() {
      connection.close();
      await store.close();
      dir[Symbol.dispose]();
    },
  };
}
