/**
 * A real Postgres for tests: the one that `DATABASE_URL` names, or else one of our own, started with the first test that
 * needs it and gone with the process that runs the tests.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const LONGEST_START_MS = 60_000;

let known: Promise<string> | undefined;

/** The URL of a database in which tests may make schemas and roles. */
export function databaseUrl(): Promise<string> {
  return known ??= process.env["DATABASE_URL"] ? Promise.resolve(process.env["DATABASE_URL"]) : ownServer();
}

/**
 * Test files that run in parallel are threads of one process and share its server: whoever makes the directory starts
 * it. It watches this process and ends after it, however that ends.
 */
async function ownServer(): Promise<string> {
  const home = join(tmpdir(), `sluice-postgres-${process.pid}-${startedAt()}`);
  if (make(home)) start(home);
  const ready = join(home, "url");
  const failed = join(home, "error");
  for (const deadline = Date.now() + LONGEST_START_MS;;) {
    if (existsSync(ready)) return readFileSync(ready, "utf8");
    if (existsSync(failed)) throw new Error(`Cannot start Postgres for the tests: ${readFileSync(failed, "utf8")}`);
    if (Date.now() > deadline) throw new Error(`Postgres has not started within ${LONGEST_START_MS} ms (${home})`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function make(home: string): boolean {
  try {
    // Postgres runs as a user of its own where the tests run as root, and must be let in.
    mkdirSync(home, { mode: 0o755 });
    return true;
  } catch {
    return false;
  }
}

function start(home: string): void {
  const script = fileURLToPath(new URL("postgres_process.ts", import.meta.url));
  const runtime = "Deno" in globalThis ? ["run", "-A", "--no-check", "--quiet"] : [];
  const child = spawn(process.execPath, [...runtime, script, home, String(process.pid)], {
    detached: true,
    stdio: "ignore",
  });
  child.unref();
}

/** Tells this process from an earlier one with the same number, whose directory may still be there. */
function startedAt(): string {
  try {
    return readFileSync(`/proc/${process.pid}/stat`, "utf8").split(") ")[1]?.split(" ")[19] ?? "0";
  } catch {
    return "0";
  }
}
