import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { systemClock } from "../../lib/clock.ts";
import { StoreError } from "../../lib/errors.ts";
import { silent } from "../../lib/logger.ts";
import { createPersistence } from "../../lib/store/sqlite/busy.ts";
import { SURVEY_QUERIES } from "../../lib/store/sqlite/claim.ts";
import { openConnection } from "../../lib/store/sqlite/driver.ts";
import { faultOf, storeError } from "../../lib/store/sqlite/faults.ts";
import { writeOutComputed } from "../../lib/store/sqlite/computed.ts";
import { migrate } from "../../lib/store/sqlite/migrations.ts";
import { openWriter } from "../../lib/store/sqlite/open.ts";
import { createSession } from "../../lib/store/sqlite/session.ts";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import { spawn } from "../child.ts";
import { watchEventLoop, wentOnTurning } from "../event_loop.ts";
import { longestTurn } from "../cpu.ts";
import { test } from "../harness.ts";
import { until } from "../within.ts";
import { tempDir } from "../temp_dir.ts";
import {
  ALL,
  claimBy,
  claimed,
  commit,
  join,
  manualClock,
  newRun,
  record,
  start,
  startOwned,
  T0,
  write,
} from "./contract/fixture.ts";

test("two runs with one id are distinguished among many", async () => {
  const store = await openSqliteStore(":memory:", {});
  const owner = await join(store);
  const runs = Array.from({ length: 16 }, () => newRun({ owner }));
  runs.splice(15, 1, newRun({ owner, id: runs[0]!.id }));
  const { starts } = await store.commit({ starts: runs, writes: [] });
  assertEquals(starts.map(({ kind }) => kind), runs.map((_, at) => at === 15 ? "refused" : "started"));
  assertEquals((await store.counts()).running, 15);
  await store.close();
});

test("a file that is not a database is rejected, and the error contains its path", async () => {
  using dir = tempDir();
  const path = joinPath(dir.path, "notes.txt");
  writeFileSync(path, "just some notes\n".repeat(500));
  const error = await assertRejects(() => openSqliteStore(path), StoreError);
  assertEquals(error.code, "not_a_database");
  assertEquals(
    error.message,
    `Cannot open SQLite database "${path}": the file is not a SQLite database`,
  );
});

test("a path at which no file can exist is rejected with the reason", async () => {
  using dir = tempDir();
  const file = joinPath(dir.path, "file");
  writeFileSync(file, "");
  const missing = joinPath(dir.path, "missing");
  const reasons = {
    [dir.path]: "it is a directory",
    [joinPath(missing, "app.db")]: `the directory "${missing}" does not exist`,
    [joinPath(file, "app.db")]: `"${file}" is not a directory`,
  };
  for (const [path, reason] of Object.entries(reasons)) {
    const error = await assertRejects(() => openSqliteStore(path), StoreError);
    assertEquals([error.code, error.message], ["cannot_open", `Cannot open SQLite database "${path}": ${reason}`]);
  }
});

test("a damaged file is reported as damaged", async () => {
  using dir = tempDir();
  const path = joinPath(dir.path, "app.db");
  await (await openSqliteStore(path)).close();
  const size = statSync(path).size;
  const bytes = new Uint8Array(size).fill(0x5a);
  const { openSync, writeSync, closeSync } = await import("node:fs");
  const file = openSync(path, "r+");
  // Everything except the header of the first page, so that the file is still recognized as a database.
  writeSync(file, bytes, 0, size - 100, 100);
  closeSync(file);
  const error = await assertRejects(() => openSqliteStore(path), StoreError);
  assertEquals(error.code, "corrupt");
  assertStringIncludes(error.message, `"${path}": the file is damaged`);
});

test("a database of a newer version is rejected and not changed", async () => {
  using dir = tempDir();
  const path = joinPath(dir.path, "app.db");
  await (await openSqliteStore(path)).close();
  const connection = await openConnection(path);
  connection.exec("update meta set value = '99' where key = 'sluice_schema'");
  connection.close();
  const error = await assertRejects(() => openSqliteStore(path), StoreError);
  assertEquals(error.code, "newer_schema");
  assertStringIncludes(error.message, "its schema has version 99");
});

test("tables of another application are rejected if they have the names of Sluice's, and ignored otherwise", async () => {
  using dir = tempDir();
  const path = joinPath(dir.path, "app.db");
  const connection = await openConnection(path);
  connection.exec("create table users (name text)");
  connection.exec("create table tasks (title text)");
  const error = await assertRejects(() => openSqliteStore(path), StoreError);
  assertEquals(error.code, "foreign_tables");
  assertStringIncludes(error.message, `("tasks")`);
  connection.exec("drop table tasks");
  connection.close();
  const store = await openSqliteStore(path);
  assertEquals((await store.counts()).pending, 0);
  await store.close();
});

test("a write through a read-only connection is distinguished from other errors", async () => {
  using dir = tempDir();
  const path = joinPath(dir.path, "app.db");
  await (await openSqliteStore(path)).close();
  const connection = await openConnection(path, { readOnly: true });
  let caught: unknown;
  try {
    connection.exec("delete from runs");
  } catch (error) {
    caught = error;
  }
  connection.close();
  assertEquals(faultOf(caught), "read_only");
  assertEquals(
    storeError(caught, `"${path}"`, "write to").message,
    `Cannot write to SQLite database "${path}": it is not writable; check the permissions of the file and of its directory`,
  );
});

test("eight processes may open a new file at the same moment", async () => {
  using dir = tempDir();
  const path = joinPath(dir.path, "app.db");
  const startAt = String(Date.now() + 1_500);
  const children = Array.from({ length: 8 }, () => spawn("./store/fixtures/open_store.ts", [path, startAt]));
  for (const child of children) {
    const { code, stdout, stderr } = await child.exited;
    assertEquals([code, stdout, stderr], [0, "opened\n", ""]);
  }
  const store = await openSqliteStore(path);
  assertEquals((await store.runners()).length, 8);
  await store.close();
});

test("a process that holds the lock neither fails writes of others nor blocks their event loop", async () => {
  using dir = tempDir();
  const path = joinPath(dir.path, "app.db");
  await (await openSqliteStore(path)).close();
  const stop = joinPath(dir.path, "stop");
  const writers = [0, 1].map(() => spawn("./store/fixtures/write_store.ts", [path, stop]));
  for (const writer of writers) await writer.until("joined");
  await using holder = spawn("./store/fixtures/hold_lock.ts", [path, "2000"]);
  const turns = watchEventLoop();
  await holder.until("locked");
  const from = Date.now();
  await holder.until("free");
  const period = { from, to: Date.now() };
  const own = turns();
  writeFileSync(stop, "");
  let runs = 0;
  for (const writer of writers) {
    const { code, stdout, stderr } = await writer.exited;
    assertEquals([code, stderr], [0, ""]);
    const told = JSON.parse(stdout.split("\n")[1]!);
    runs += told.runs;
    assert(told.retries > 0, "the lock was never met");
    assert(wentOnTurning(told.turns, own, period), `${JSON.stringify(period)}: ${told.turns}`);
  }
  const store = await openSqliteStore(path);
  assertEquals((await store.counts()).completed, runs);
  await store.close();
});

test("reads and polls for due runs continue while another connection writes", async () => {
  using dir = tempDir();
  const path = joinPath(dir.path, "app.db");
  const store = await openSqliteStore(path);
  const runner = await join(store);
  const other = await openConnection(path);
  other.exec("begin immediate");
  assertEquals(await claimed(store, claimBy(runner)), []);
  assertEquals(await store.inbox(runner), []);
  assertEquals(await store.recover({ dead: [], recoveryLimit: 5, limit: 5 }), {
    released: [],
    failed: [],
    more: false,
  });
  const waiting = start(store, newRun());
  await until(() => store.counters().retries > 0, "a retry");
  assertEquals((await store.counts()).pending, 0);
  other.exec("commit");
  await waiting;
  assertEquals((await store.counts()).pending, 1);
  other.close();
  await store.close();
});

test("a write that waits for the lock is rejected when the store is closed", async () => {
  using dir = tempDir();
  const path = joinPath(dir.path, "app.db");
  const store = await openSqliteStore(path);
  const other = await openConnection(path);
  other.exec("begin immediate");
  const refused = assertRejects(() => start(store, newRun()), StoreError);
  await until(() => store.counters().retries > 0, "a retry");
  await store.close();
  assertEquals((await refused).code, "store_closed");
  other.exec("commit");
  other.close();
});

test("writes are retried while the disk is full, with a warning, and none is lost", async () => {
  using dir = tempDir();
  const warnings: string[] = [];
  const persistence = createPersistence("x", { ...silent, warn: (message) => warnings.push(message) });
  const connection = await openWriter(joinPath(dir.path, "app.db"), "x", "process", persistence);
  const session = createSession(connection, persistence, {
    name: "x",
    clock: systemClock,
    logger: silent,
    committed: () => {},
  });
  connection.prepare("pragma max_page_count = 1").get();
  const large = "x".repeat(100_000);
  const written = session.write(
    "write to",
    () =>
      session.run(
        "insert into workflows (workflow, version, structure, graph, created_at) values ('w', 'v', 's', $1, 0)",
        large,
      ),
  );
  await until(() => warnings.length > 0, "a warning");
  assertEquals(warnings.length, 1);
  assertStringIncludes(warnings[0]!, "full");
  connection.prepare("pragma max_page_count = 100000").get();
  assertEquals((await written).changes, 1);
  assertEquals(session.counters().commits, 1);
  persistence.close();
  connection.close();
});

test("the requested durability and the settings are applied", async () => {
  using dir = tempDir();
  for (const [durability, synchronous] of [["power", 2], ["process", 1]] as const) {
    const persistence = createPersistence("x", silent);
    const connection = await openWriter(joinPath(dir.path, "app.db"), "x", durability, persistence);
    const read = (pragma: string): unknown => Object.values(connection.prepare(`pragma ${pragma}`).get() ?? {})[0];
    assertEquals(
      ["synchronous", "journal_mode", "foreign_keys", "busy_timeout", "journal_size_limit"].map(read),
      [synchronous, "wal", 1, 25, 64 * 1024 * 1024],
    );
    connection.close();
  }
});

test("the WAL stays small under load, is truncated when idle and removed on close", async () => {
  using dir = tempDir();
  const path = joinPath(dir.path, "app.db");
  const clock = manualClock();
  const store = await openSqliteStore(path, { clock, durability: "process" });
  const { seq } = await startOwned(store);
  const output = JSON.stringify("x".repeat(10_000));
  let largest = 0;
  for (let i = 0; i < 4_000; i++) {
    await write(store, { seq, epoch: 1 }, [record(`t${i}`, { output })]);
    if (i % 100 === 0) largest = Math.max(largest, statSync(`${path}-wal`).size);
  }
  assert(largest > 1_000_000, `nothing was in the WAL: ${largest}`);
  assert(largest < 16_000_000, `the WAL grew to ${largest} bytes`);
  clock.advance(1_000);
  assertEquals(statSync(`${path}-wal`).size, 0);
  await store.close();
  assertEquals(existsSync(`${path}-wal`), false);
});

test("the search for due runs reads only the rows that it needs, by index", async () => {
  const connection = await openConnection(":memory:");
  migrate(connection, "x");
  const plans = SURVEY_QUERIES.map((query) =>
    connection.prepare(`explain query plan ${writeOutComputed(query)}`).all([...query.matchAll(/\$\d/g)].map(() => 0))
      .map((row) => row["detail"])
  );
  const group = "priority=? AND workflow=? AND version=?";
  const [firstDue, ...others] = plans;
  const reads = firstDue!.map(String).filter((step) => /^(SCAN|SEARCH) (runs|next|n) /.test(step));
  assertEquals(reads, [
    // The first entry of each index.
    "SCAN runs USING INDEX runs_due",
    "SEARCH n USING INTEGER PRIMARY KEY (rowid=?)",
    "SEARCH runs USING INDEX runs_due (priority=? AND workflow=? AND version>?)",
    "SEARCH runs USING INDEX runs_due (priority=? AND workflow>?)",
    "SEARCH runs USING INDEX runs_due (priority>?)",
    `SEARCH runs USING INDEX runs_due (${group} AND due_at>?)`,
    "SCAN runs USING INDEX runs_stranded",
    "SEARCH n USING INTEGER PRIMARY KEY (rowid=?)",
    "SEARCH runs USING INDEX runs_stranded (workflow=? AND version>?)",
    "SEARCH runs USING INDEX runs_stranded (workflow>?)",
  ]);
  assertEquals(others, [
    [`SEARCH runs USING INDEX runs_due (${group} AND due_at<?)`],
    [`SEARCH runs USING INDEX runs_due (${group} AND due_at>?)`],
    ["SEARCH runs USING INDEX runs_stranded (workflow=? AND version=? AND priority>?)"],
    ["SEARCH runs USING INDEX runs_stranded (workflow=? AND version=? AND priority=? AND due_at<?)"],
  ]);
  connection.close();
});

test("a claim executes the same number of statements with a hundred thousand runs as with none", async () => {
  const store = await openSqliteStore(":memory:", { clock: manualClock() });
  const { runner, seq } = await startOwned(store);
  const questions = async (): Promise<number> => {
    const before = store.counters().statements;
    await store.claim(claimBy(runner));
    return store.counters().statements - before;
  };
  const ofNone = await questions();
  for (let i = 0; i < 100; i++) {
    await start(store, ...Array.from({ length: 500 }, () => newRun({ workflow: "foreign" })));
    await start(store, ...Array.from({ length: 500 }, () => newRun({ dueAt: T0 + 1 + i })));
  }
  await write(store, { seq, epoch: 1 }, [], { to: "completed", at: T0 });
  assertEquals(await questions(), ofNone);
  const claim = await store.claim(claimBy(runner));
  assertEquals(claim, { runs: [], more: false, nextDueAt: T0 + 1 });
  await store.close();
});

test("a run whose row cannot be read fails when it is claimed, and other runs are not affected", async () => {
  using dir = tempDir();
  const path = joinPath(dir.path, "app.db");
  const errors: string[] = [];
  const store = await openSqliteStore(path, {
    clock: manualClock(),
    logger: { ...silent, error: (m) => errors.push(m) },
  });
  const { seq: journaled, runner } = await startOwned(store);
  await write(store, { seq: journaled, epoch: 1 }, [record("a")], { to: "pending" });
  const tagged = newRun({ tags: ["a"] });
  const [bad, good] = await start(store, tagged, newRun());
  const connection = await openConnection(path);
  connection.exec(`update runs set tags = '{oops' where seq = ${bad}`);
  connection.exec(`update tasks set failures = '[1]' where run = ${journaled}`);
  connection.close();

  const error = await assertRejects(() => store.run(tagged.id), StoreError);
  const message = `Cannot read column "tags" of table "runs" of run ${bad}: its JSON is not what Sluice wrote`;
  assertEquals([error.code, error.message], ["corrupt_row", message]);
  assertEquals((await store.list({ ...ALL, tags: ["a"] })).length, 0);
  assertEquals((await store.list(ALL)).map(({ error }) => error?.message), [undefined, message, undefined]);

  assertEquals(await claimed(store, claimBy(runner)), [good!]);
  assertEquals(errors.length, 2);
  const failed = await store.list({ ...ALL, states: ["failed"] });
  assertEquals(failed.map(({ seq, owner }) => [seq, owner]), [[bad, undefined], [journaled, undefined]]);
  assertStringIncludes(failed[1]?.error?.message ?? "", `column "failures" of table "tasks" of run ${journaled}`);
  await store.close();
});

test("an error of the program is not attributed to a row: it is thrown and rejects no write", async () => {
  const store = await openSqliteStore(":memory:", { clock: manualClock() });
  const { seq } = await startOwned(store);
  const broken = {
    ...record("a"),
    get failures(): never {
      throw new TypeError("out of tune");
    },
  };
  await assertRejects(() => write(store, { seq, epoch: 1 }, [broken]), TypeError, "out of tune");
  assertEquals(await write(store, { seq, epoch: 1 }, [record("a")]), "accepted");
  await store.close();
});

test("no turn of the event loop is long when a thousand runs of a hundred rows are resumed", async () => {
  const store = await openSqliteStore(":memory:");
  const runner = await join(store);
  const records = Array.from({ length: 100 }, (_, n) => record(`t${n}`));
  for (let n = 0; n < 10; n++) {
    const runs = Array.from({ length: 100 }, () => newRun({ owner: runner, dueAt: 0 }));
    const seqs = await start(store, ...runs);
    await commit(store, { writes: seqs.map((seq) => ({ seq, epoch: 1, records, move: { to: "pending" } })) });
  }
  let longest = 0;
  let resumed = 0;
  for (;;) {
    const { result: { runs, more }, ms } = await longestTurn(() => store.claim(claimBy(runner, { limit: 1_000 })));
    longest = Math.max(longest, ms);
    resumed += runs.length;
    if (!more) break;
  }
  assertEquals(resumed, 1_000);
  // 10 ms of CPU time, and up to 80 ms on a loaded machine; 1,100 ms before the work was split into turns.
  assert(longest < 300, `${longest} ms`);
  await store.close();
});
