/** What a user sees who has not installed the driver. */
import { assertEquals, assertMatch } from "@std/assert";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { spawn } from "../child.ts";
import { test } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";

const SCRIPT = `
import { createRunner, workflow } from "./mod.ts";

const flow = workflow("flow").task("a", { run: () => 1 });
await using runner = await createRunner("sqlite::memory:", { workflows: [flow] });
console.log((await runner.execute(flow)).status);
const error = await createRunner("postgres://me:secret@localhost/app", { workflows: [flow] }).catch((error) => error);
console.log(error.code);
console.log(error.message);
`;

test("without the Postgres driver SQLite works, and a Postgres URL is answered with what to install", async () => {
  using dir = tempDir();
  for (const part of ["mod.ts", "lib"]) {
    cpSync(fileURLToPath(new URL(`../../${part}`, import.meta.url)), join(dir.path, part), { recursive: true });
  }
  // Where there is none at all, Bun looks for packages on its own.
  mkdirSync(join(dir.path, "node_modules"));
  writeFileSync(join(dir.path, "deno.json"), "{}");
  writeFileSync(join(dir.path, "script.ts"), SCRIPT);
  await using child = spawn(join(dir.path, "script.ts"));
  const { code, stdout, stderr } = await child.exited;
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  const [status, kind, message = ""] = stdout.split("\n");
  assertEquals([status, kind], ["completed", "driver_missing"]);
  assertMatch(
    message,
    /^Cannot open Postgres database postgres:\/\/localhost\/app: the package "postgres" is not installed; run "bun add/,
  );
});
