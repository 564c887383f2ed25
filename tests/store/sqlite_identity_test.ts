/** The identity of the file of an SQLite store: the file is moved, replaced or deleted while the store is open. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { StoreError } from "../../lib/errors.ts";
import { type Logger, silent } from "../../lib/logger.ts";
import { openConnection } from "../../lib/store/sqlite/driver.ts";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import { createClient, createRunner, workflow } from "../../mod.ts";
import { ended, spawn, spawnIn } from "../child.ts";
import { test } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";
import { until } from "../within.ts";
import { join as joinRunner, newRun, start } from "./contract/fixture.ts";

/** Ways to lose a file. */
const LOSSES: Readonly<Record<string, (path: string) => void>> = {
  deleted: (path) => rmSync(path),
  moved: (path) => renameSync(path, `${path}.old`),
  replaced: (path) => {
    copyFileSync(path, `${path}.copy`);
    renameSync(`${path}.copy`, path);
  },
  "robbed of its log": (path) => rmSync(`${path}-wal`),
};

for (const [how, lose] of Object.entries(LOSSES)) {
  test(`sqlite: the next renewal detects that the file is ${how}, and nothing is written afterwards`, async () => {
    using dir = tempDir();
    const path = join(dir.path, "app.db");
    const errors: string[] = [];
    const store = await openSqliteStore(path, { logger: { ...silent, error: (message) => errors.push(message) } });
    const runner = await joinRunner(store);
    lose(path);
    const error = await assertRejects(() => store.renew(runner, 30_000), StoreError);
    assertEquals(error.code, "file_replaced");
    assertStringIncludes(error.message, `Cannot use SQLite database "${path}": `);
    for (const attempt of [() => start(store, newRun()), () => store.counts(), () => store.runners()]) {
      assertEquals((await assertRejects(attempt, StoreError)).code, "file_replaced");
    }
    assertEquals(errors, [error.message]);
    await store.close();
  });

  test(`sqlite: if its file is ${how}, a runner aborts its bodies, claims no runs and rejects pending calls`, async () => {
    using dir = tempDir();
    const path = join(dir.path, "app.db");
    const lines: string[] = [];
    const logger: Logger = { ...silent, error: (message) => lines.push(message) };
    const reasons: unknown[] = [];
    const flow = workflow("flow").task("a", {
      run: ({ ctx }) =>
        new Promise<string>((resolve) =>
          ctx.signal.addEventListener("abort", () => {
            reasons.push(ctx.signal.reason);
            resolve("late");
          })
        ),
    }).returns("a");
    const options = { workflows: [flow], logger, lease: "1s" } as const;
    const runner = await createRunner(`sqlite://${path}`, options);
    const client = await createClient(`sqlite://${path}`, { workflows: [flow] });
    const run = await client.start(flow);
    await until(async () => (await run.status()).state === "running");
    const waiting = [runner.get(run.id).result(), run.result()].map((result) =>
      assertRejects(() => result, StoreError)
    );
    lose(path);
    for (const { code } of await Promise.all(waiting)) assertEquals(code, "file_replaced");
    await until(() => reasons.length > 0);
    assert(reasons.every((reason) => reason instanceof StoreError && reason.code === "file_replaced"), `${reasons}`);
    assertEquals((await assertRejects(() => runner.start(flow), StoreError)).code, "file_replaced");
    assertEquals(lines.filter((line) => line.startsWith(`Cannot use SQLite database "${path}"`)).length, 1, `${lines}`);
    await client.stop().catch(() => {});
    await runner.stop({ timeout: 0 }).catch(() => {});
  });
}

test("sqlite: a symbolic link that leads to another file is detected, also one to a folder, and with a relative path", async () => {
  using dir = tempDir();
  for (const folder of ["blue", "green"]) {
    mkdirSync(join(dir.path, folder));
    await (await openSqliteStore(join(dir.path, folder, "app.db"))).close();
  }
  const [current, file] = [join(dir.path, "current"), join(dir.path, "link.db")];
  for (
    const [link, target, path] of [
      [current, "", join(current, "app.db")],
      [file, "/app.db", file],
      [current, "", relative(process.cwd(), join(current, "app.db"))],
    ] as const
  ) {
    symlinkSync(join(dir.path, `blue${target}`), link);
    const store = await openSqliteStore(path);
    const runner = await joinRunner(store);
    await store.renew(runner, 30_000);
    rmSync(link);
    symlinkSync(join(dir.path, `green${target}`), link);
    const error = await assertRejects(() => store.renew(runner, 30_000), StoreError);
    assertEquals(error.code, "file_replaced");
    assertStringIncludes(error.message, `is in "${realpathSync(join(dir.path, "blue"))}/app.db"`);
    await store.close();
    rmSync(link);
  }
});

test("sqlite: opening a file that has several hard links logs a warning", async () => {
  using dir = tempDir();
  const [path, other] = [join(dir.path, "app.db"), join(dir.path, "other.db")];
  const lines: string[] = [];
  const options = { logger: { ...silent, warn: (line: string) => void lines.push(line) } };
  await (await openSqliteStore(path, options)).close();
  assertEquals(lines, []);
  linkSync(path, other);
  await (await openSqliteStore(path, options)).close();
  assertEquals(lines.map((line) => line.split(":")[0]), [`SQLite database "${path}" has 2 hard links`]);
});

test("sqlite: a runner continues when its file is restored", async () => {
  using dir = tempDir();
  const path = join(dir.path, "app.db");
  const flow = workflow("flow").task("a", { run: () => 1 }).returns("a");
  await using runner = await createRunner(`sqlite://${path}`, { workflows: [flow], lease: "1s", logger: silent });
  renameSync(path, `${path}.old`);
  await until(() => runner.stats().then(() => false, (error) => error.code === "file_replaced"));
  renameSync(`${path}.old`, path);
  await until(() => runner.stats().then(() => true, () => false));
  assertEquals((await runner.execute(flow)).status, "completed");
});

test("sqlite: a direct read of the file, which drops SQLite's locks, is detected when another process deletes the log", async () => {
  using dir = tempDir();
  const path = join(dir.path, "app.db");
  const store = await openSqliteStore(path);
  const runner = await joinRunner(store);
  await start(store, newRun());
  // As for a copy of the database. Reading only the file suffices if the other process has an SQLite older than 3.51.
  for (const suffix of ["", "-wal", "-shm"]) readFileSync(`${path}${suffix}`);
  const { code, stderr } = await ended(spawn("./store/fixtures/open_and_close.ts", [path]));
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  const error = await assertRejects(() => store.renew(runner, 30_000), StoreError);
  assertStringIncludes(error.message, "readFileSync");
  await store.close();
});

test("sqlite: a relative path denotes the same file after the process has changed its directory", async () => {
  using dir = tempDir();
  const other = join(dir.path, "other");
  mkdirSync(other);
  const child = spawnIn(dir.path, "./store/fixtures/change_directory.ts", [other, "sqlite://./app.db"]);
  assertEquals(await ended(child), { code: 0, signal: null, stdout: '"paid"\n', stderr: "" });
  assertEquals([readdirSync(dir.path).sort(), readdirSync(other)], [["app.db", "other"], []]);
});

test("sqlite: a transaction creates no file and writes to no other file", async () => {
  using dir = tempDir();
  const path = join(dir.path, "app.db");
  const store = await openSqliteStore(path);
  const runner = await joinRunner(store);
  const [seq] = await start(store, newRun({ owner: runner }));
  rmSync(path);
  const transact = () =>
    store.transact({
      seq: seq!,
      epoch: 1,
      task: "a",
      item: -1,
      body: () => Promise.reject(new Error("it was called")),
      signal: new AbortController().signal,
      committing() {},
    });
  assertEquals((await assertRejects(transact, StoreError)).code, "file_replaced");
  assertEquals(existsSync(path), false);
  await store.close();
});

test("sqlite: a backup that is restored beside the log of another file is rejected with the name of the log", async () => {
  using dir = tempDir();
  const path = join(dir.path, "app.db");
  const backup = join(dir.path, "backup.db");
  const log = join(dir.path, "log");
  const large = (count: number) =>
    Array.from({ length: count }, () => newRun({ input: JSON.stringify("x".repeat(500)) }));
  const store = await openSqliteStore(path);
  const other = await openConnection(path);
  other.exec(`vacuum into '${backup}'`);
  await start(store, ...large(2_000));
  // The log contains only the following writes: pages of a file that is larger than the backup.
  other.exec("pragma wal_checkpoint(truncate)");
  await start(store, ...large(20));
  copyFileSync(`${path}-wal`, log);
  other.close();
  await store.close();
  copyFileSync(backup, path);
  copyFileSync(log, `${path}-wal`);
  const error = await assertRejects(() => useAll(path), StoreError);
  assertEquals(error.code, "corrupt");
  assertStringIncludes(error.message, `"${path}-wal"`);
});

async function useAll(path: string): Promise<void> {
  const store = await openSqliteStore(path);
  try {
    await store.counts();
    await store.list({
      workflow: undefined,
      states: undefined,
      tags: undefined,
      since: undefined,
      until: undefined,
      limit: 5_000,
      before: undefined,
    });
    await start(store, newRun());
  } finally {
    await store.close();
  }
}

test("sqlite: a new file and its log can be read only by their owner", async () => {
  using dir = tempDir();
  const path = join(dir.path, "app.db");
  const store = await openSqliteStore(path);
  await start(store, newRun());
  for (const file of [path, `${path}-wal`, `${path}-shm`]) assertEquals(statSync(file).mode & 0o777, 0o600, file);
  await store.close();
});

test("sqlite: no file is created through a dangling symbolic link", async () => {
  using dir = tempDir();
  const [target, path] = [join(dir.path, "elsewhere.db"), join(dir.path, "app.db")];
  symlinkSync(target, path);
  const error = await assertRejects(() => openSqliteStore(path), StoreError);
  assertEquals([error.code, existsSync(target)], ["cannot_open", false]);
  assertStringIncludes(error.message, "symbolic link");
  await (await openSqliteStore(target)).close();
  const store = await openSqliteStore(path);
  await start(store, newRun());
  await store.close();
});

test("sqlite: a file name that begins like a URI is used literally", async () => {
  using dir = tempDir();
  const child = spawnIn(dir.path, "./store/fixtures/change_directory.ts", [dir.path, "sqlite://./file:app.db"]);
  assertEquals(await ended(child), { code: 0, signal: null, stdout: '"paid"\n', stderr: "" });
  assertEquals(readdirSync(dir.path), ["file:app.db"]);
});

test("sqlite: a client that opens its own store in memory is rejected", async () => {
  const error = await assertRejects(() => createClient("sqlite::memory:"), TypeError);
  assertStringIncludes(error.message, "no runner");
  const store = await openSqliteStore(":memory:");
  await using client = await createClient(store);
  assertEquals((await client.stats()).runs.pending, 0);
  await store.close();
});
