/** Commits on Postgres: statements, locks, network faults and lost responses. */
import { assertEquals, assertRejects } from "@std/assert";
import type { NewRun, RecordWrite, RunMove, RunWrite } from "../../lib/store/port/batch.ts";
import { LOCK_OWNERS, TRY_LOCK_ALONE } from "../../lib/store/postgres/write/runner_lock.ts";
import { statementIn } from "../../lib/store/postgres/connect/session.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { test } from "../harness.ts";
import { type Proxy, startProxy } from "../proxy.ts";
import {
  claimBy,
  commit,
  join,
  newRun as newRunOfTests,
  openRecord,
  record,
  start,
  startOwned,
  write,
} from "./contract/fixture.ts";
import { until } from "../within.ts";
import { type TestSchema, testSchema } from "./postgres_schema.ts";

/** Returns a run that is due by the server's clock. */
function newRun(overrides: Partial<NewRun> = {}): NewRun {
  return newRunOfTests({ dueAt: 0, ...overrides });
}

/** Opens a store behind a proxy. */
async function proxied(on: TestSchema): Promise<{ store: Store; proxy: Proxy }> {
  const url = new URL(on.url);
  const proxy = await startProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  return { store: await on.open({ url: url.href }), proxy };
}

async function owned(store: Store): Promise<{ runner: number; seq: number; id: string }> {
  const runner = await join(store);
  const run = newRun({ owner: runner });
  const [seq] = await start(store, run);
  return { runner, seq: seq!, id: run.id };
}

/** Resolves when a connection of the schema's stores waits for a lock. */
async function blocked({ sql, schema }: TestSchema): Promise<void> {
  for (;;) {
    const waiting = await sql`
      select pid from pg_stat_activity where wait_event_type = 'Lock' and application_name like ${`sluice%${schema}`}`;
    if (waiting.length > 0) return;
  }
}

/** Makes the driver look up the types of the statements of commits and claims, so that later ones are sent directly. */
async function prepared(store: Store, runner: number): Promise<void> {
  const nothing = { seq: 0, epoch: 1 };
  const moves: readonly (RunMove | undefined)[] = [undefined, { to: "completed", at: 1 }, { to: "pending" }];
  for (const move of moves) {
    for (const isNew of [true, false]) {
      await commit(store, { writes: [{ ...nothing, records: [{ ...record("a"), isNew }], move }] });
    }
    await commit(store, { writes: [{ ...nothing, records: [], move }] });
  }
  await store.claim(claimBy(runner));
}

/** Drops the response to a request of `work` after the server has executed it, as soon as `carriedOut` returns rows. */
async function loseAnswer<T>(
  on: TestSchema,
  proxy: Proxy,
  carriedOut: string,
  work: () => Promise<T>,
  asked = "",
): Promise<T> {
  proxy.muteOn(asked);
  const answer = work();
  while ((await on.sql.unsafe(carriedOut)).length === 0);
  proxy.flow();
  proxy.cut();
  return await answer;
}

test("postgres: starts alone, ends alone and a claim are one statement; the result of a run that continues takes a lock first", async () => {
  await using on = testSchema();
  const store = await on.open();
  const { runner, seq } = await owned(store);
  const cost = async (work: () => Promise<unknown>): Promise<readonly number[]> => {
    const before = store.counters();
    await work();
    const { statements, commits, rows } = store.counters();
    return [statements - before.statements, commits - before.commits, rows - before.rows];
  };
  const fresh = (task: string) => ({ ...record(task), isNew: true });
  const ended = { to: "completed", at: 1 } as const;
  assertEquals(await cost(() => write(store, { seq, epoch: 1 }, [fresh("a"), fresh("b")])), [2, 1, 2]);
  assertEquals(await cost(() => write(store, { seq, epoch: 1 }, [fresh("c"), openRecord("d")])), [3, 1, 2]);
  assertEquals(await cost(() => commit(store, { starts: [newRun(), newRun({ owner: runner })] })), [1, 1, 2]);
  assertEquals(await cost(() => store.claim(claimBy(runner))), [1, 1, 1]);
  assertEquals(await cost(() => write(store, { seq, epoch: 1 }, [fresh("e")], ended)), [1, 1, 2]);
  const [next] = await start(store, newRun({ owner: runner }));
  assertEquals(await cost(() => write(store, { seq: next!, epoch: 1 }, [], ended)), [1, 1, 1]);
});

const takenOver: readonly (readonly [string, readonly RecordWrite[], RunMove | undefined])[] = [
  ["a result", [{ ...record("a"), isNew: true }], undefined],
  ["a row that may be there", [openRecord("a")], undefined],
  ["a result and a wait", [record("a")], { to: "waiting", dueAt: undefined, release: false }],
  ["an end with a result", [{ ...record("a"), isNew: true }], { to: "completed", at: 1 }],
  ["an end", [], { to: "completed", at: 1 }],
  ["a failure", [record("a", { state: "failed" })], { to: "failed", at: 1, error: { name: "E", message: "no" } }],
];
for (const [what, records, move] of takenOver) {
  test(`postgres: ${what} that conflicts with a takeover waits for it and is fenced, even if its snapshot is older`, async () => {
    await using on = testSchema();
    const store = await on.open();
    const { runner, seq } = await owned(store);
    const rival = await on.sql.reserve();
    await rival`begin`;
    await rival`select id from runners where id = ${runner} for update`;
    await rival.unsafe(statementIn(on.schema, `select ${TRY_LOCK_ALONE} from @runners where id = ${runner}`));
    await rival`update runners set dead = true where id = ${runner}`;
    await rival`update runs set epoch = 2, owner = null, state = 'pending' where seq = ${seq}`;
    const verdict = write(store, { seq, epoch: 1 }, records, move);
    await blocked(on);
    await rival`commit`;
    rival.release();
    assertEquals(await verdict, "fenced");
    assertEquals(await store.journal(seq), []);
    assertEquals((await on.sql`select epoch, owner, state from runs`)[0], { epoch: 2, owner: null, state: "pending" });
  });
}

test("postgres: a takeover skips a runner whose commit is in progress", async () => {
  await using on = testSchema();
  const store = await on.open();
  const { runner, seq } = await owned(store);
  const rival = await on.sql.reserve();
  await rival`begin`;
  await rival.unsafe(statementIn(on.schema, LOCK_OWNERS), [`{${seq}}`]);
  const recover = () => store.recover({ dead: [runner], recoveryLimit: 5, limit: 10 });
  assertEquals((await recover()).released, []);
  await rival`commit`;
  rival.release();
  assertEquals((await recover()).released.length, 1);
});

test("postgres: a transaction is sent in one piece, so that a suspended process holds no lock", async () => {
  await using on = testSchema();
  const { store, proxy } = await proxied(on);
  await using _ = proxy;
  const { seq, runner } = await owned(store);
  await prepared(store, runner);
  // The response is dropped, but the transaction is committed.
  const verdict = await loseAnswer(
    on,
    proxy,
    "select 1 from tasks",
    () => write(store, { seq, epoch: 1 }, [{ ...record("a"), isNew: true }]),
  );
  assertEquals(verdict, "accepted");
});

test("postgres: an end with its last result whose response was lost is accepted, and the result is stored once", async () => {
  await using on = testSchema();
  const { store, proxy } = await proxied(on);
  await using _ = proxy;
  const { seq, runner } = await owned(store);
  await prepared(store, runner);
  const last = record("a", { endedAt: 5 });
  const verdict = await loseAnswer(
    on,
    proxy,
    "select 1 from runs where last_task is not null",
    () => write(store, { seq, epoch: 1 }, [{ ...last, isNew: true }], { to: "completed", at: 5 }),
  );
  assertEquals([verdict, await store.journal(seq)], ["accepted", [last]]);
});

test("postgres: a claim that waits while its runner is removed takes no runs", async () => {
  await using on = testSchema();
  const store = await on.open();
  const runner = await join(store);
  await start(store, newRun());
  const rival = await on.sql.reserve();
  await rival`begin`;
  await rival`delete from runners where id = ${runner}`;
  const claim = store.claim(claimBy(runner));
  await blocked(on);
  await rival`commit`;
  rival.release();
  assertEquals((await claim).runs, []);
  assertEquals((await store.counts()).pending, 1);
});

test("postgres: a claim returns a message that is committed while the claim takes its run", async () => {
  await using on = testSchema();
  const store = await on.open();
  const runner = await join(store);
  const run = newRun();
  const [seq] = await start(store, run);
  const rival = await on.sql.reserve();
  await rival`begin`;
  await rival`select from runners where id = ${runner} for update`;
  const claim = store.claim(claimBy(runner));
  await blocked(on);
  assertEquals(await store.send(run.id, { id: crypto.randomUUID(), task: "go", payload: "1" }), {
    kind: "done",
    accepted: true,
  });
  await rival`commit`;
  rival.release();
  const [taken] = (await claim).runs;
  assertEquals([taken?.seq, taken?.hasMessages], [seq, true]);
  assertEquals((await store.messages([seq!])).map(({ task }) => task), ["go"]);
});

test("postgres: a runner of which some runs were taken over can no longer write", async () => {
  await using on = testSchema();
  const store = await on.open();
  const { runner, seq } = await owned(store);
  const [second] = await start(store, newRun({ owner: runner }));
  const { released } = await store.recover({ dead: [runner], recoveryLimit: 5, limit: 1 });
  assertEquals(released.length, 1);
  for (const one of [seq, second!]) assertEquals(await write(store, { seq: one, epoch: 1 }, [record("a")]), "fenced");
  assertEquals((await store.renew(runner, 1_000)).alive, false);
});

for (const code of ["40P01", "40001", "55P03", "53100"]) {
  test(`postgres: a commit is retried after ${code}, and none of its writes is lost`, async () => {
    await using on = testSchema();
    const store = await on.open();
    const { seq } = await owned(store);
    // A sequence, because a rollback does not reset it.
    await on.sql`create sequence trouble`;
    await on.sql.unsafe(`
      create function "${on.schema}".trouble() returns trigger language plpgsql as $$
        begin
          if nextval('"${on.schema}".trouble') <= 2 then raise exception 'injected' using errcode = '${code}'; end if;
          return new;
        end $$`);
    await on.sql`create trigger trouble before insert on tasks for each row execute function trouble()`;
    assertEquals(await write(store, { seq, epoch: 1 }, [record("a")]), "accepted");
    assertEquals([await store.journal(seq), store.counters().retries], [[record("a")], 2]);
  });
}

test("postgres: two stores that start the same keys in opposite order both succeed", async () => {
  await using on = testSchema();
  const stores = [await on.open(), await on.open()];
  const keys = Array.from({ length: 50 }, (_, i) => `key ${i}`);
  const receipts = await Promise.all(
    Array.from({ length: 20 }, (_, i) => {
      const order = i % 2 === 0 ? keys : [...keys].reverse();
      return commit(stores[i % 2]!, { starts: order.map((key) => newRun({ key })) });
    }),
  );
  const kinds = receipts.flatMap(({ starts }) => starts.map(({ kind }) => kind));
  assertEquals(kinds.filter((kind) => kind === "started").length, keys.length);
  assertEquals(kinds.filter((kind) => kind === "existing").length, 19 * keys.length);
});

test("postgres: starts whose response was lost create each run once", async () => {
  await using on = testSchema();
  const { store, proxy } = await proxied(on);
  await using _ = proxy;
  const runner = await join(store);
  await prepared(store, runner);
  // Starts with keys use a separate connection.
  await start(store, newRun({ key: "0" }), newRun());
  const runs = [newRun({ owner: runner }), newRun(), newRun({ key: "k" })];
  const carriedOut = "select 1 from runs where key = 'k'";
  const { starts } = await loseAnswer(on, proxy, carriedOut, () => commit(store, { starts: runs }));
  assertEquals(starts.map((verdict) => verdict.kind === "started" && verdict.owned), [true, false, false]);
  const ids = runs.map(({ id }) => id);
  const rows = await on.sql`select id, seq from runs where id = any(${ids}::uuid[]) order by seq`;
  assertEquals(
    rows.map(({ id, seq }) => [id, seq]),
    runs.map(({ id }, i) => {
      const verdict = starts[i]!;
      return [id, verdict.kind === "started" ? verdict.seq : undefined];
    }),
  );
});

test("postgres: an owned child whose response was lost is inserted once, and returned as owned", async () => {
  await using on = testSchema();
  const { store, proxy } = await proxied(on);
  await using _ = proxy;
  const { runner, seq } = await startOwned(store);
  await prepared(store, runner);
  const childOf = (item: number, input: string): NewRun =>
    newRun({ owner: runner, input, parent: { run: seq, task: "ship", item }, depth: 1 });
  const spawning = (item: number, child: NewRun): RunWrite => {
    const records = [openRecord("ship", { item, state: "waiting", reason: "child" })];
    return { seq, epoch: 1, records, move: undefined, children: [child], hasChildren: true };
  };
  await commit(store, { writes: [spawning(0, childOf(0, '"first"'))] });
  const child = childOf(1, '"lost"');
  const carriedOut = `select 1 from runs where input = '"lost"'`;
  const { writes, children } = await loseAnswer(
    on,
    proxy,
    carriedOut,
    () => commit(store, { writes: [spawning(1, child)] }),
  );
  const row = await store.run(child.id);
  assertEquals([writes, children], [["accepted"], [{ id: child.id, seq: row!.seq, at: row!.createdAt }]]);
  assertEquals([row?.state, row?.owner, (await store.children(seq)).length], ["running", runner, 2]);
});

for (
  const move of [
    { to: "completed", at: 5 },
    { to: "failed", at: 5, error: { name: "E", message: "no" } },
    { to: "cancelled", at: 5, reason: "r" },
    { to: "waiting", dueAt: undefined, release: true },
    { to: "pending" },
    { to: "stranded", by: "v2", reason: "r" },
  ] satisfies RunMove[]
) {
  test(`postgres: results and a move to ${move.to} whose response was lost are accepted`, async () => {
    await using on = testSchema();
    const { store, proxy } = await proxied(on);
    await using _ = proxy;
    const { seq, id, runner } = await owned(store);
    await prepared(store, runner);
    const verdict = await loseAnswer(
      on,
      proxy,
      "select 1 from tasks",
      () => write(store, { seq, epoch: 1 }, [record("a"), openRecord("b")], move),
    );
    assertEquals(verdict, "accepted");
    const row = await store.run(id);
    assertEquals([row?.owner, row?.epoch, (await store.journal(seq)).length], [undefined, 1, 2]);
    const facts = { stranded: ["stranded"], pending: ["handBack"] } as Partial<Record<RunMove["to"], string[]>>;
    assertEquals((await store.facts(seq)).map(({ kind }) => kind), facts[move.to] ?? []);
  });
}

test("postgres: a write whose response was lost is fenced if it is repeated too late", async () => {
  await using on = testSchema();
  const { store, proxy } = await proxied(on);
  await using _ = proxy;
  const { seq, runner } = await owned(store);
  await (await on.open()).recover({ dead: [runner], recoveryLimit: 5, limit: 10 });
  proxy.muteOn("late result");
  const asked = proxy.asked("late result");
  const verdict = write(store, { seq, epoch: 1 }, [record("a", { output: '"late result"' })], {
    to: "completed",
    at: 5,
  });
  await asked;
  proxy.flow();
  proxy.cut();
  assertEquals(await verdict, "fenced");
  assertEquals(await store.journal(seq), []);
});

test("postgres: a claim whose response was lost returns exactly the runs that it claimed", async () => {
  await using on = testSchema();
  const { store, proxy } = await proxied(on);
  await using _ = proxy;
  const runner = await join(store);
  await prepared(store, runner);
  const seqs = await start(store, newRun(), newRun(), newRun(), newRun());
  const claim = await loseAnswer(
    on,
    proxy,
    "select 1 from runs where owner is not null",
    () => store.claim(claimBy(runner, { limit: 2 })),
  );
  assertEquals(claim.runs.map(({ seq, epoch }) => [seq, epoch]), [[seqs[0], 1], [seqs[1], 1]]);
  const counts = await store.counts();
  assertEquals([counts.running, counts.pending], [2, 2]);
});

test("postgres: a cancel whose response was lost is recorded", async () => {
  await using on = testSchema();
  const { store, proxy } = await proxied(on);
  await using _ = proxy;
  const run = newRun();
  const [seq] = await start(store, run);
  const verdict = await loseAnswer(
    on,
    proxy,
    "select 1 from runs where state = 'cancelled'",
    () => store.control(run.id, { kind: "cancel", reason: "enough" }),
    "commit\0",
  );
  assertEquals(verdict.kind === "done" && verdict.state, "cancelled");
  assertEquals((await store.facts(seq!)).length, 1);
});

test("postgres: a connection without responses is closed, and its requests are sent again", async () => {
  await using on = testSchema();
  const { store, proxy } = await proxied(on);
  await using _ = proxy;
  const runner = await join(store);
  proxy.hold();
  // The heartbeat has the shortest deadline; new connections are held as well until the proxy flows.
  const renewal = store.renew(runner, 30_000);
  await until(() => store.counters().retries > 0, "the end of the deadline");
  proxy.flow();
  assertEquals((await renewal).alive, true);
});

test("postgres: a runner that was suspended during a commit is recovered", async () => {
  await using on = testSchema();
  const { store, proxy } = await proxied(on);
  await using _ = proxy;
  const runner = await join(store, 1);
  const run = newRun({ owner: runner });
  const [seq] = await start(store, run);
  // The server has locked the runner and waits for the rest of the commit. None of its timeouts applies, because it
  // considers the statement to be in execution.
  proxy.holdAfter("insert into");
  const written = write(store, { seq: seq!, epoch: 1 }, [record("a")]);
  const neighbour = await on.open();
  const released: string[] = [];
  await until(async () => {
    const recovery = await neighbour.recover({ dead: [], recoveryLimit: 5, limit: 10 });
    released.push(...recovery.released.map(({ id }) => id));
    return released.length > 0;
  }, "the recovery");
  proxy.flow();
  assertEquals([released, await written], [[run.id], "fenced"]);
});

test("postgres: a text with a NUL is rejected with a clear error, and other writes are not affected", async () => {
  await using on = testSchema();
  const store = await on.open();
  const { seq } = await owned(store);
  const { starts, writes } = await commit(store, {
    starts: [newRun({ key: "a\0b" }), newRun({ workflow: "a\0b" }), newRun({ input: '"a\\u0000b"' })],
    writes: [{ seq, epoch: 1, records: [record("a", { reason: "a\0b", output: '"\\u0000"' })], move: undefined }],
  });
  assertEquals(starts.map((verdict) => verdict.kind === "refused" ? verdict.error.message : verdict.kind), [
    `Cannot write to Postgres database ${store.name} (schema "${on.schema}"): a text holds a NUL character, which Postgres cannot store`,
    `Cannot write to Postgres database ${store.name} (schema "${on.schema}"): a text holds a NUL character, which Postgres cannot store`,
    "started",
  ]);
  assertEquals(writes, ["accepted"]);
  assertEquals((await store.journal(seq))[0]?.reason, "a\ufffdb");
  const result = await store.control((await on.sql`select id from runs limit 1`)[0]!["id"], {
    kind: "pause",
    reason: "\0",
  });
  assertEquals(result.kind === "done" && result.state, "paused");
});

test("postgres: heavy load leaves no connection in a transaction and loses no write", async () => {
  await using on = testSchema();
  const store = await on.open();
  const runner = await join(store);
  const rounds = await Promise.all(Array.from({ length: 150 }, async (_, i) => {
    const run = newRun({ owner: i % 2 === 0 ? runner : undefined });
    const [receipt] = await Promise.all([
      commit(store, { starts: [run] }),
      ...(i % 5 === 0 ? [store.claim(claimBy(runner, { limit: 1 }))] : []),
      store.list({
        workflow: undefined,
        states: ["running"],
        tags: undefined,
        since: undefined,
        until: undefined,
        limit: 5,
        before: undefined,
      }),
      store.renew(runner, 30_000),
      store.counts(),
    ]);
    await store.control(run.id, { kind: "pause", reason: undefined });
    return receipt.starts[0]!.kind;
  }));
  assertEquals(rounds.filter((kind) => kind === "started").length, 150);
  const counts = await on.sql`select state, count(*) as n from runs group by state`;
  assertEquals(counts.map(({ state, n }) => [state, n]), [["paused", 150]]);
  const open = await on.sql`
    select state from pg_stat_activity
     where application_name like ${`sluice%${on.schema}`} and state like 'idle in transaction%'`;
  assertEquals(open.length, 0);
});

test("postgres: a batch that exceeds the size of a statement is still visible completely or not at all", async () => {
  await using on = testSchema();
  const store = await on.open();
  const input = JSON.stringify("x".repeat(1024 * 1024));
  const before = store.counters();
  const { starts } = await commit(store, { starts: Array.from({ length: 20 }, () => newRun({ input })) });
  assertEquals(new Set(starts.map(({ kind }) => kind)), new Set(["started"]));
  assertEquals(store.counters().commits - before.commits, 1);
});

test("postgres: a schema that is removed while it is in use is reported", async () => {
  await using on = testSchema();
  const store = await on.open();
  await on.sql.unsafe(`drop schema "${on.schema}" cascade`);
  const error = await assertRejects(() => commit(store, { starts: [newRun()] }));
  assertEquals([(error as { code?: string }).code], ["schema_gone"]);
});
