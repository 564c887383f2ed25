/**
 * Executes all conversations against the engine that a command starts, each with an engine and a file of its own; those
 * that need Postgres, with a schema of their own in the database that `DATABASE_URL` names.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { processEngine } from "../process_engine.ts";
import { converse, headOf, namesOf } from "../conversation.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const OWN = ["deno", "run", "-A", "--no-check", fileURLToPath(new URL("../../../lib/worker/mod.ts", import.meta.url))];

const [command = "deno", ...args] = process.argv.length > 2 ? process.argv.slice(2) : OWN;
for (const file of readdirSync(FOLDER).filter((name) => name.endsWith(".jsonl")).sort()) {
  const text = readFileSync(join(FOLDER, file), "utf8");
  const server = process.env["DATABASE_URL"];
  const needsServer = headOf(text).store === "postgres";
  if (needsServer && server === undefined) {
    process.stdout.write(`ignored ${file}: DATABASE_URL is not set\n`);
    continue;
  }
  const folder = mkdtempSync(join(tmpdir(), "sluice-conformance-"));
  const engine = processEngine(spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] }));
  try {
    const store = needsServer
      ? { url: server!, options: { schema: `conformance_${crypto.randomUUID().slice(0, 8)}` } }
      : { url: `sqlite://${join(folder, "app.db")}`, options: {} };
    await converse(text, engine, namesOf(store));
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
