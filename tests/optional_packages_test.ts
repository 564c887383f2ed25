/** The behaviour without optional packages. */
import { assertEquals } from "@std/assert";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { spawn } from "./child.ts";
import { test } from "./harness.ts";
import { tempDir } from "./temp_dir.ts";

const SCRIPT = `
import { createRunner, schedule, workflow } from "./mod.ts";

const flow = workflow("flow").task("a", { run: () => 1 });
await using runner = await createRunner("sqlite::memory:", { workflows: [flow] });
console.log((await runner.execute(flow)).status);
const open = (schedules) => createRunner("sqlite::memory:", { workflows: [flow], schedules });
await (await open([schedule({ name: "s", workflow: flow, every: "1h" })])).stop();
const daily = schedule({ name: "s", workflow: flow, cron: "@daily" });
console.log((await open([daily]).catch((error) => error)).message);
const error = await createRunner("postgres://me:secret@localhost/app", { workflows: [flow] }).catch((error) => error);
console.log(error.code);
for (const part of ["store/postgres", "inspector", "otel"]) {
  console.log((await import(\`./lib/\${part}/mod.ts\`).catch((error) => error)).message);
}
`;

test("without optional packages SQLite works, and parts that need a package report which one to install", async () => {
  using dir = tempDir();
  for (const part of ["mod.ts", "lib"]) {
    cpSync(fileURLToPath(new URL(`../${part}`, import.meta.url)), join(dir.path, part), { recursive: true });
  }
  // Without node_modules Bun would install missing packages by itself.
  mkdirSync(join(dir.path, "node_modules"));
  writeFileSync(join(dir.path, "deno.json"), "{}");
  writeFileSync(join(dir.path, "script.ts"), SCRIPT);
  await using child = spawn(join(dir.path, "script.ts"));
  const { code, stdout, stderr } = await child.exited;
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  const remedy = (name: string): string =>
    `the package "${name}" is not installed; run "npm install ${name}", "bun add ${name}" or "deno add npm:${name}"`;
  assertEquals(stdout.trimEnd().split("\n"), [
    "completed",
    `Cannot use schedules with cron: ${remedy("croner")}`,
    "driver_missing",
    `Cannot use Postgres: ${remedy("postgres")}`,
    `Cannot load the inspector: ${remedy("hono")}`,
    `Cannot load OpenTelemetry tracing: ${remedy("@opentelemetry/api")}`,
  ]);
});
