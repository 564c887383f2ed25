/** `sluice backup`: a copy of a SQLite file that is in use. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { backUpFile } from "../../lib/store/sqlite/backup.ts";
import { createClient, createRunner, unchecked, workflow } from "../../mod.ts";
import { ended, spawn } from "../child.ts";
import { test } from "../harness.ts";
import { passes } from "../passes.ts";
import { tempDir } from "../temp_dir.ts";
import { until } from "../within.ts";
import { sluice } from "./terminal.ts";

const double = workflow("double", { input: unchecked<number>() })
  .task("work", { run: ({ input }) => input * 2 })
  .event("go", { after: ["work"], schema: unchecked<string>() })
  .returns("work");

test("backup copies a file that runners use: it has all commits, and its runs can continue from it", async () => {
  using dir = tempDir();
  const [url, copy] = [`sqlite://${join(dir.path, "app.db")}`, join(dir.path, "copy.db")];
  let id: string;
  {
    await using runner = await createRunner(url, { workflows: [double] });
    const run = await runner.start(double, 21);
    for await (const event of run.events()) if (event.type === "run.waiting") break;
    id = run.id;
    const { code, out, err } = await sluice(["backup", url, copy]);
    assertEquals([code, out, err], [0, `Copied into "${copy}".`, ""]);
    // What happens after it is not in the copy.
    await run.send("go", "on");
    assertEquals(await run.result(), 42);
    assertEquals((await sluice(["backup", url, copy])).code, 1);
  }
  {
    await using client = await createClient(`sqlite://${copy}`, { workflows: [double] });
    assertEquals((await client.get(id).status()).state, "waiting");
  }
  await using heir = await createRunner(`sqlite://${copy}`, { workflows: [double] });
  await heir.send(id, "go", "on");
  assertEquals(await heir.get(id).result(), 42);
  assertEquals(readdirSync(dir.path).filter((name) => name.endsWith(".part")), []);
});

test("a copy can be read by its owner only, and is not created through a symbolic link", async () => {
  using dir = tempDir();
  const [path, copy, elsewhere] = ["app.db", "copy.db", "elsewhere.db"].map((name) => join(dir.path, name)) as [
    string,
    string,
    string,
  ];
  await (await createRunner(`sqlite://${path}`, { workflows: [double] })).stop();
  // The name of the unfinished copy can be foreseen.
  symlinkSync(elsewhere, `${copy}.${process.pid}.part`);
  await assertRejects(() => backUpFile(path, copy), Error, "Cannot write the copy");
  assertEquals([existsSync(elsewhere), existsSync(copy)], [false, false]);
  await backUpFile(path, copy);
  assertEquals(statSync(copy).mode & 0o777, 0o600);
});

test("backup refuses a copy that exists, a missing or foreign file, and a URL of another database", async () => {
  using dir = tempDir();
  const url = `sqlite://${join(dir.path, "app.db")}`;
  await (await createRunner(url, { workflows: [double] })).stop();
  const taken = join(dir.path, "taken.db");
  writeFileSync(taken, "mine");
  const foreign = join(dir.path, "foreign.db");
  writeFileSync(foreign, "not a database, but long enough to be none for certain".repeat(100));
  const copy = join(dir.path, "copy.db");
  const cases = [
    [[url, taken], 1, `Cannot write the copy "${taken}": there is a file of this name`],
    [[`sqlite://${join(dir.path, "none.db")}`, copy], 1, "there is no such file"],
    [[`sqlite://${foreign}`, copy], 1, foreign],
    [[url, join(dir.path, "no/where.db")], 1, "Cannot write the copy"],
    [["sqlite::memory:", copy], 1, "a database in memory is empty"],
    [["postgres://localhost/app", copy], 1, "use pg_dump"],
    [[url, copy, "--schema=acme"], 2, "use pg_dump"],
    [[url], 2, "<file> is missing"],
  ] as const;
  for (const [args, wanted, words] of cases) {
    const { code, out, err } = await sluice(["backup", ...args]);
    assertEquals([code, out], [wanted, ""], args.join(" "));
    assertStringIncludes(err, words);
  }
  assertEquals(readdirSync(dir.path).filter((name) => name.startsWith("copy.db")), []);
});

const large = workflow("large", { input: unchecked<string>() }).task("work", { run: () => 1 }).returns("work");

/** A runner on a file of some megabytes, which it keeps using. */
async function largeFile(path: string, megabytes: number) {
  const runner = await createRunner(`sqlite://${path}`, { workflows: [large], durability: "process" });
  for (let n = 0; n < megabytes; n++) await runner.execute(large, "x".repeat(1_000_000));
  return runner;
}

/** How many runs there are in a file whose pages are all right. */
function runsIn(path: string): unknown {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    assertEquals({ ...database.prepare("pragma integrity_check").get() }, { integrity_check: "ok" });
    return database.prepare("select count(*) as n from runs").get()!["n"];
  } finally {
    database.close();
  }
}

test("a backup that is killed leaves nothing under the name of the copy, and the next one is complete", async () => {
  using dir = tempDir();
  const [path, copy] = [join(dir.path, "app.db"), join(dir.path, "copy.db")];
  const parts = () => readdirSync(dir.path).filter((name) => name.endsWith(".part"));
  await using runner = await largeFile(path, 64);
  let kills = 0;
  // A fast disk may be done before it is killed.
  while (kills === 0) {
    rmSync(copy, { force: true });
    await using child = spawn("../lib/cli/mod.ts", ["backup", `sqlite://${path}`, copy]);
    await until(() => parts().length > 0 || existsSync(copy));
    child.kill("SIGKILL");
    await child.exited;
    if (!existsSync(copy)) kills++;
  }
  assertEquals(parts().length, 1);
  assertEquals((await runner.execute(large, "y")).status, "completed");
  const { code, stderr } = await ended(spawn("../lib/cli/mod.ts", ["backup", `sqlite://${path}`, copy]));
  assertEquals([code, stderr], [0, ""]);
  assertEquals([runsIn(copy), runsIn(path)], [65, 65]);
});

test("a backup onto a full disk says so, leaves no file, and disturbs no runner", async () => {
  using dir = tempDir();
  const [path, copy] = [join(dir.path, "app.db"), join(dir.path, "copy.db")];
  await using runner = await largeFile(path, 4);
  // The limit of the size of files simulates a full disk.
  const cli = fileURLToPath(new URL("../../lib/cli/mod.ts", import.meta.url));
  const runtime = "Deno" in globalThis ? ["run", "-A", "--no-check", "--quiet", "--no-code-cache"] : [];
  const script = `trap "" XFSZ; ulimit -f 1000; exec "$@"`;
  const args = ["-c", script, "sh", process.execPath, ...runtime, cli, "backup", `sqlite://${path}`, copy];
  const { status, stdout, stderr } = spawnSync("sh", args, { encoding: "utf8" });
  assertEquals([status, stdout], [1, ""], stderr);
  assertStringIncludes(stderr, `copy into "${copy}"`);
  assert(/full|disk/.test(stderr), stderr);
  assertEquals(readdirSync(dir.path).filter((name) => name.startsWith("copy.db")), []);
  assertEquals((await runner.execute(large, "y")).status, "completed");
  assertEquals((await sluice(["backup", `sqlite://${path}`, copy])).code, 0);
  assertEquals(runsIn(copy), 5);
});

test("a backup needs no write lock, and waits for an exclusive lock", async () => {
  using dir = tempDir();
  const [path, copy] = [join(dir.path, "app.db"), join(dir.path, "copy.db")];
  await (await largeFile(path, 1)).stop();
  const writer = new DatabaseSync(path);
  writer.exec("begin immediate; delete from runs");
  assertEquals((await sluice(["backup", `sqlite://${path}`, copy])).code, 0);
  assertEquals(runsIn(copy), 1);
  writer.exec("rollback");
  rmSync(copy);
  // As SQLite itself does while it recovers the log of a process that died.
  writer.exec(
    "pragma locking_mode = exclusive; begin immediate; insert into meta (key, value) values ('a', 'b'); commit",
  );
  const backup = sluice(["backup", `sqlite://${path}`, copy]);
  await passes(500);
  assertEquals(existsSync(copy), false);
  writer.close();
  const { code, err } = await backup;
  assertEquals([code, err], [0, ""]);
  assertEquals(runsIn(copy), 1);
});
