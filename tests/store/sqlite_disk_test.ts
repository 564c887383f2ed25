/** An SQLite store whose disk is full, whose log grows, or whose rows were edited manually. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { readdirSync, statSync } from "node:fs";
import { join as joinPath } from "node:path";
import { type Logger, silent } from "../../lib/logger.ts";
import { createPersistence } from "../../lib/store/sqlite/busy.ts";
import { createCheckpoints } from "../../lib/store/sqlite/checkpoint.ts";
import { openConnection } from "../../lib/store/sqlite/driver.ts";
import { transaction } from "../../lib/store/sqlite/mod.ts";
import { openReader, openWriter } from "../../lib/store/sqlite/open.ts";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import { createRunner, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { ask } from "../inspector/ground.ts";
import { tempDir } from "../temp_dir.ts";
import { until, within } from "../within.ts";
import {
  ALL,
  claimBy,
  claimed,
  endedBefore,
  join,
  manualClock,
  newRun,
  record,
  start,
  startOwned,
  T0,
  write,
} from "./contract/fixture.ts";

function recording(): { readonly logger: Logger; readonly warnings: string[] } {
  const warnings: string[] = [];
  return { logger: { ...silent, warn: (message) => void warnings.push(message) }, warnings };
}

test("sqlite: a transaction body that fails because of a full disk is called again, and its attempt does not count", async () => {
  using dir = tempDir();
  const { logger, warnings } = recording();
  let calls = 0;
  const flow = workflow("flow").task("fill", {
    ...transaction,
    retry: 1,
    run({ tx, ctx }) {
      calls++;
      tx.exec("create table if not exists large (text text)");
      // The limit of this connection simulates a full disk.
      if (calls < 3) tx.exec("pragma max_page_count = 1");
      tx.prepare("insert into large values (?)").run("x".repeat(100_000));
      return ctx.attempt;
    },
  }).returns("fill");
  await using runner = await createRunner(`sqlite://${joinPath(dir.path, "app.db")}`, { workflows: [flow], logger });
  const outcome = await runner.execute(flow);
  assertEquals([outcome.status, outcome.status === "completed" && outcome.result, calls], ["completed", 1, 3]);
  assertEquals(warnings.length, 1, `${warnings}`);
  assertStringIncludes(warnings[0]!, "full");
});

test("sqlite: a log that cannot be truncated because of a reader is reported once, with its size and the reason", async () => {
  using dir = tempDir();
  const path = joinPath(dir.path, "app.db");
  const { logger, warnings } = recording();
  const connection = await openWriter(path, `"${path}"`, "process", createPersistence(`"${path}"`, silent));
  const clock = manualClock();
  const checkpoints = createCheckpoints(connection, clock, {
    path,
    name: `"${path}"`,
    logger,
    warnBytes: 200_000,
  });
  const reader = await openConnection(path, { readOnly: true });
  const grow = (): void => {
    for (let n = 0; n < 20; n++) {
      connection.exec(`insert or replace into meta values ('x', hex(zeroblob(${20_000 + n})))`);
      clock.advance(1_000);
      checkpoints.committed(1);
    }
  };
  reader.exec("begin");
  reader.prepare("select count(*) from runs").get();
  grow();
  grow();
  assertEquals(warnings.length, 1, `${warnings}`);
  assertStringIncludes(warnings[0]!, `"${path}-wal"`);
  assertStringIncludes(warnings[0]!, "another connection has been reading");
  reader.exec("commit");
  connection.prepare("pragma wal_checkpoint(truncate)").get();
  clock.advance(1_000);
  checkpoints.committed(1);
  reader.exec("begin");
  reader.prepare("select count(*) from runs").get();
  grow();
  assertEquals(warnings.length, 2, `${warnings}`);
  reader.close();
  checkpoints.close();
  connection.close();
});

test("sqlite: stop() resolves while another connection holds the write lock, and reports the runs that were not handed back", async () => {
  using dir = tempDir();
  const path = joinPath(dir.path, "app.db");
  const { logger, warnings } = recording();
  const flow = workflow("flow").task("a", { run: () => new Promise<string>(() => {}) }).returns("a");
  const runner = await createRunner(`sqlite://${path}`, { workflows: [flow], logger });
  const run = await runner.start(flow);
  await until(async () => (await run.status()).state === "running");
  const other = await openConnection(path);
  other.exec("begin immediate");
  // The lock is released only afterwards.
  await within("stop()", runner.stop({ timeout: 100 }));
  assertEquals(warnings.filter((line) => line.includes("1 runs were not released")).length, 1, `${warnings}`);
  other.exec("rollback");
  other.close();
});

// Rows that were edited without Sluice. 2^60 is not a safe integer in JavaScript.
const BAD_ROWS: Readonly<Record<string, string>> = {
  "due at 2^60": "update runs set due_at = 1152921504606846976 where seq = :run",
  "created at 2^60": "update runs set created_at = 1152921504606846976 where seq = :run",
  "a timeout of 2^60": "update runs set timeout_ms = 1152921504606846976 where seq = :run",
  "2^60 crashes": "update runs set crashes = 1152921504606846976 where seq = :run",
  "2^60 attempts": "update tasks set attempts = 1152921504606846976 where run = :run",
  "a task started at -2^60": "update tasks set started_at = -1152921504606846976 where run = :run",
  "tags that are no JSON": "update runs set tags = '{oops' where seq = :run",
  "tags that are no array": "update runs set tags = '{}' where seq = :run",
  "failures that are no JSON": "update tasks set failures = '[' where run = :run",
  "a runner that serves no list": "update runners set served = '7' where id = :runner",
  "a runner of 2^60 places": "update runners set max_runs = 1152921504606846976 where id = :runner",
};

for (const [what, sql] of Object.entries(BAD_ROWS)) {
  test(`sqlite: ${what}: the row is isolated and shown, and does not block other runs`, async () => {
    using dir = tempDir();
    const path = joinPath(dir.path, "app.db");
    const store = await openSqliteStore(path, { clock: manualClock() });
    const other = await join(store);
    const { seq, id, runner } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [record("a")], { to: "pending" });
    const [good] = await start(store, newRun());
    const connection = await openConnection(path);
    connection.exec(sql.replaceAll(":runner", String(other)).replaceAll(":run", String(seq)));
    connection.close();
    assertEquals((await claimed(store, claimBy(runner))).includes(good!), true);
    assertEquals((await store.list(ALL)).map((run) => run.id).includes(id), true);
    assertEquals((await store.runners()).some((row) => row.id === runner), true);
    assertEquals((await store.renew(runner, 30_000)).alive, true);
    await store.counts();
    await store.recover({ dead: [], recoveryLimit: 5, limit: 10 });
    await store.prune(endedBefore(T0 - 1), 10);
    await store.inspection.tally(100);
    const inspect = ask(store);
    for (const page of ["/", "/runs", "/workflows", "/runners", `/runs/${id}`, `/api/runs/${id}`]) {
      const { status } = await inspect(page);
      assert(status < 500, `${status} for ${page}`);
    }
    assertEquals(await write(store, { seq: good!, epoch: 1 }, [record("a")], { to: "completed", at: T0 }), "accepted");
    await store.close();
  });
}

test("sqlite: reading a file of another user that no process has open creates no files", async () => {
  using dir = tempDir();
  const path = joinPath(dir.path, "app.db");
  await (await openSqliteStore(path)).close();
  const { logger, warnings } = recording();
  const persistence = createPersistence("x", silent);
  const other = statSync(path).uid + 1;
  const reader = await openReader(path, "x", { persistence, logger, uid: other });
  assertEquals(Object.values(reader.prepare("select count(*) from runs").get() ?? {}), [0]);
  assertEquals([readdirSync(dir.path), warnings.length], [["app.db"], 1]);
  assertStringIncludes(warnings[0]!, "another user");
  reader.close();
  // While a runner has the file open, no files need to be created.
  const store = await openSqliteStore(path);
  const live = await openReader(path, "x", { persistence, logger, uid: other });
  await start(store, newRun());
  assertEquals(Object.values(live.prepare("select count(*) from runs").get() ?? {}), [1]);
  live.close();
  await store.close();
});
