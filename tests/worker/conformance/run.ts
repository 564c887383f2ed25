/** Executes all conversations against the engine that a command starts, each with an engine and a file of its own. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { processEngine } from "../process_engine.ts";
import { converse } from "../conversation.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const OWN = ["deno", "run", "-A", "--no-check", fileURLToPath(new URL("../../../lib/worker/mod.ts", import.meta.url))];

const [command = "deno", ...args] = process.argv.length > 2 ? process.argv.slice(2) : OWN;
for (const file of readdirSync(FOLDER).filter((name) => name.endsWith(".jsonl")).sort()) {
  const folder = mkdtempSync(join(tmpdir(), "sluice-conformance-"));
  const engine = processEngine(spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] }));
  try {
    const names = new Map<string, unknown>([["$url", `sqlite://${join(folder, "app.db")}`], ["$options", {}]]);
    await converse(readFileSync(join(FOLDER, file), "utf8"), engine, names);
    process.stdout.write(`ok      ${file}\n`);
  } catch (error) {
    process.stdout.write(`FAILED  ${file}: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  } finally {
    engine.kill();
    await engine.ended;
    rmSync(folder, { recursive: true });
  }
}
