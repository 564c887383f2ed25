import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { StoreError } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import { checkVersion } from "../read_only.ts";
import type { Persistence } from "./busy.ts";
import { type Connection, type ConnectionOptions, openConnection } from "./driver.ts";
import { faultOf, storeError } from "./faults.ts";
import { migrate, SCHEMA_VERSION, versionOf } from "./migrations.ts";

/** What a commit survives. */
export type Durability =
  /** The end of the process, and a loss of power: each commit reaches the disk. */
  | "power"
  /** The end of the process; a loss of power may take the last commits, but never damages the file. */
  | "process";

// How long SQLite itself may block this process for a lock; see busy.ts.
const BUSY_TIMEOUT_MS = 25;

const WAL_LIMIT_BYTES = 64 * 1024 * 1024;

/** Opens a store's writer connection: every setting made and read back, the schema up to date. */
export async function openWriter(
  path: string,
  name: string,
  durability: Durability,
  persistence: Persistence,
): Promise<Connection> {
  const connection = await connect(path, name);
  try {
    // First, as setting the journal mode takes a lock already.
    connection.exec(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}`);
    await attemptOn(persistence, name, () => useWal(connection, path, name));
    await attemptOn(persistence, name, () => configure(connection, name, durability));
    await attemptOn(persistence, name, () => migrate(connection, name));
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Opens a connection that only reads, on a file that has our schema already. */
export async function openReader(
  path: string,
  name: string,
  persistence: Persistence,
  logger: Logger,
): Promise<Connection> {
  try {
    return await openReadOnly(path, name, persistence, {});
  } catch (error) {
    // Beside a file in WAL mode SQLite needs another one, which it may not be able to make. While there is no WAL, all
    // there is stands in the file.
    const isStill = !existsSync(`${path}-wal`) && existsSync(path);
    if (!isStill || !(error instanceof StoreError) || !["read_only", "cannot_open"].includes(error.code)) throw error;
    const reader = await openReadOnly(path, name, persistence, { isStill });
    logger.warn(`SQLite database ${name} is read as it is now: its folder cannot be written to; changes are not seen`);
    return reader;
  }
}

async function openReadOnly(
  path: string,
  name: string,
  persistence: Persistence,
  options: { readonly isStill?: boolean },
): Promise<Connection> {
  const connection = await connect(path, name, { readOnly: true, ...options });
  try {
    connection.exec(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}`);
    connection.prepare("pragma query_only = 1").get();
    await attemptOn(persistence, name, () => {
      checkVersion(versionOf(connection, name), SCHEMA_VERSION, `SQLite database ${name}`);
    });
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

// While it opens only a lock is worth waiting for: a full disk is told to whoever opens.
function attemptOn(persistence: Persistence, name: string, work: () => void): Promise<void> {
  return persistence.attempt("open", () => {
    try {
      work();
    } catch (error) {
      throw faultOf(error) === "busy" ? error : storeError(error, name, "open");
    }
  });
}

async function connect(path: string, name: string, options: ConnectionOptions = {}): Promise<Connection> {
  try {
    return await openConnection(path, options);
  } catch (error) {
    // Not for a permission that Deno was not given: its own message says what is missing.
    const reason = faultOf(error) === "storage" ? reasonFor(path, options.readOnly ?? false) : undefined;
    if (reason === undefined) throw storeError(error, name, "open");
    throw new StoreError("cannot_open", `Cannot open SQLite database ${name}: ${reason}`, { cause: error });
  }
}

// SQLite says no more than "unable to open database file".
function reasonFor(path: string, readOnly: boolean): string | undefined {
  if (isDirectory(path)) return "it is a directory";
  const directory = dirname(path);
  const there = isDirectory(directory);
  if (there === undefined) return `the directory "${directory}" does not exist`;
  if (!there) return `"${directory}" is not a directory`;
  if (readOnly && !existsSync(path)) return "there is no such file";
  return undefined;
}

/** `undefined` if there is nothing of that name. */
function isDirectory(path: string): boolean | undefined {
  try {
    return statSync(path).isDirectory();
  } catch {
    return undefined;
  }
}

function useWal(connection: Connection, path: string, name: string): void {
  const mode = connection.prepare("pragma journal_mode = wal").get()?.["journal_mode"];
  if (mode === (path === ":memory:" ? "memory" : "wal")) return;
  throw new StoreError(
    "wal_refused",
    `Cannot open SQLite database ${name}: it stays in journal mode "${mode}" and needs "wal", which network file ` +
      "systems do not support; keep it on a local disk",
  );
}

// No mmap_size: it bought nothing here, and a file that is truncated under a mapping kills the process.
function configure(connection: Connection, name: string, durability: Durability): void {
  const settings: readonly (readonly [name: string, value: number])[] = [
    ["synchronous", durability === "power" ? 2 : 1],
    ["foreign_keys", 1],
    ["temp_store", 2],
    ["cache_size", -65_536],
    ["journal_size_limit", WAL_LIMIT_BYTES],
    ["wal_autocheckpoint", 1_000],
  ];
  for (const [setting, value] of settings) {
    connection.prepare(`pragma ${setting} = ${value}`).get();
    const actual = connection.prepare(`pragma ${setting}`).get()?.[setting];
    if (actual !== value) {
      throw new StoreError(
        "setting_refused",
        `Cannot open SQLite database ${name}: its setting "${setting}" stays ${actual} instead of ${value}`,
      );
    }
  }
}
