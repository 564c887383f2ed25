/** Postgres finds the runs of a runner without an index of owners, so that the end of a run changes no index. */
import { assertEquals } from "@std/assert";
import { createStartMarks } from "../../lib/store/postgres/fleet/held.ts";
import { test } from "../harness.ts";
import { until } from "../within.ts";
import { claimBy, commit, join, newRun, record, start } from "./contract/fixture.ts";
import { type TestSchema, testSchema } from "./postgres_schema.ts";

/** Resolves when a connection of the schema's stores waits for a lock. */
function blocked({ sql, schema }: TestSchema): Promise<void> {
  return until(async () => {
    const waiting = await sql`
      select pid from pg_stat_activity where wait_event_type = 'Lock' and application_name like ${`sluice%${schema}`}`;
    return waiting.length > 0;
  });
}

test("a mark is lower than the numbers of all runs that commits in flight insert", () => {
  const marks = createStartMarks();
  assertEquals(marks.lowest(), 0);
  marks.noteNewest(10);
  const first = marks.begin();
  marks.noteExisting(14);
  const second = marks.begin();
  marks.noteNewest(20);
  assertEquals(marks.lowest(), 10);
  first();
  assertEquals(marks.lowest(), 14);
  second();
  assertEquals(marks.lowest(), 20);
});

test("a mark does not rise while numbers may be used again, as after a failover", () => {
  const marks = createStartMarks();
  marks.noteNewest(20);
  const inFlight = marks.begin();
  marks.noteNewest(15);
  assertEquals(marks.lowest(), 0);
  inFlight();
  assertEquals(marks.lowest(), 15);
});

test("postgres: recovery finds a run whose start was in flight while its runner renewed", async () => {
  await using on = testSchema();
  const store = await on.open();
  const runner = await join(store);
  await store.renew(runner, 30_000);
  const parent = { run: 7, task: "a", item: -1 };
  const rival = await on.sql.reserve();
  await rival`begin`;
  await rival`
    insert into runs (id, epoch, state, workflow, version, created_at, parent, parent_task, parent_item)
    values (gen_random_uuid(), 0, 'pending', 'etl', 'v1', 0, ${parent.run}, ${parent.task}, ${parent.item})`;
  // The start has a number, and waits for the other transaction.
  const slow = newRun({ owner: runner, parent });
  const verdict = commit(store, { starts: [slow] });
  await blocked(on);
  // A start with a key uses a separate connection, and does not wait.
  const later = newRun({ owner: runner, key: "k" });
  await start(store, later);
  for (let i = 0; i < 3; i++) await store.renew(runner, 30_000);
  await rival`rollback`;
  rival.release();
  assertEquals((await verdict).starts[0]?.kind, "started");
  const { released, more } = await store.recover({ dead: [runner], recoveryLimit: 5, limit: 10 });
  assertEquals(released.map(({ id }) => id).sort(), [slow.id, later.id].sort());
  assertEquals(more, false);
});

test("postgres: a start that conflicts with the takeover of its runner inserts a pending run", async () => {
  await using on = testSchema();
  const store = await on.open();
  const runner = await join(store);
  const rival = await on.sql.reserve();
  await rival`begin`;
  await rival`select id from runners where id = ${runner} for update`;
  await rival`update runners set dead = true where id = ${runner}`;
  const verdict = commit(store, { starts: [newRun({ owner: runner })] });
  await blocked(on);
  await rival`commit`;
  rival.release();
  const [started] = (await verdict).starts;
  assertEquals(started?.kind === "started" && started.owned, false);
});

test("postgres: a renewal keeps one claim row for its runner, with the runs that it still owns, and none for runners that left", async () => {
  await using on = testSchema();
  const store = await on.open();
  const [runner, other] = [await join(store), await join(store)];
  await start(store, ...Array.from({ length: 3 }, () => newRun({ dueAt: 0 })));
  const claims = [await store.claim(claimBy(runner, { limit: 1 })), await store.claim(claimBy(runner, { limit: 1 }))];
  await store.claim(claimBy(other));
  const [owned] = await start(store, newRun({ owner: runner }));
  const [first, second] = claims.flatMap(({ runs }) => runs);
  const move = { to: "completed", at: 1 } as const;
  await commit(store, { writes: [{ seq: first!.seq, epoch: 1, records: [], move }] });
  await store.leave(other);
  const renewal = await store.renew(runner, 30_000);
  assertEquals(renewal.owned.map(({ seq }) => seq), [second!.seq, owned!]);
  assertEquals([...await on.sql`select runner, seqs::text as seqs from claims`], [
    { runner, seqs: `{${second!.seq},${owned}}` },
  ]);
});

test("postgres: the end of a run changes no index, whether or not it has a permanent key", async () => {
  await using on = testSchema();
  const store = await on.open();
  const runner = await join(store);
  await on.sql`alter table runs set (autovacuum_enabled = false)`;
  const runs = 500;
  for (let round = 0; round < 3; round++) {
    const keyOf = (at: number): string | undefined => at % 2 === 0 ? undefined : `${round}/${at}`;
    const starts = Array.from({ length: runs }, (_, at) => newRun({ owner: runner, input: '"input"', key: keyOf(at) }));
    const seqs = await start(store, ...starts);
    const move = { to: "completed", at: 1 } as const;
    const ended = seqs.map((seq) => ({ seq, epoch: 1, records: [{ ...record("a"), isNew: true }], move }));
    await commit(store, { writes: ended });
  }
  await store.close();
  // The server publishes the statistics of a connection when the connection ends.
  const counts = async (): Promise<unknown> => {
    const [row] = await on.sql`
      select n_tup_upd as updated, n_tup_hot_upd as hot
        from pg_stat_user_tables
       where schemaname = ${on.schema} and relname = 'runs'`;
    return { ...row };
  };
  await until(async () => JSON.stringify(await counts()).includes(`"updated":${3 * runs}`));
  assertEquals(await counts(), { updated: 3 * runs, hot: 3 * runs });
});
