import { closeSync, existsSync, lstatSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { StoreError } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import { isAllowed } from "../../permissions.ts";
import { checkVersion } from "../shared/read_only.ts";
import type { Persistence } from "./busy.ts";
import { type Connection, type ConnectionOptions, openConnection } from "./driver.ts";
import { faultOf, storeError } from "./faults.ts";
import { migrate, SCHEMA_VERSION, versionOf } from "./migrations.ts";

/** The failures that a commit survives. */
export type Durability =
  /** The end of the process and a loss of power: each commit is synced to the disk. */
  | "power"
  /** The end of the process. A loss of power can lose the last commits, but never damages the file. */
  | "process";

// The longest time for which SQLite itself blocks this process to wait for a lock; see busy.ts.
const BUSY_TIMEOUT_MS = 25;

const WAL_LIMIT_BYTES = 64 * 1024 * 1024;

/** Opens the writer connection of a store: applies and verifies every setting, and migrates the schema. */
export async function openWriter(
  path: string,
  name: string,
  durability: Durability,
  persistence: Persistence,
): Promise<Connection> {
  if (path !== ":memory:") createFile(path, name);
  const connection = await connect(path, name, { mustExist: true });
  try {
    // Set first, because the change of the journal mode takes a lock.
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

// What a run is given and returns may be confidential, so that only the user may read a new file. SQLite gives the log the
// mode of the file. An exclusive creation follows no symbolic link: the target of a link to nothing is not the user's
// choice alone.
function createFile(path: string, name: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch {
    // Another process may have created it; why it cannot be created is reported when it is opened.
    if (isLink(path) && !existsSync(path)) {
      throw new StoreError(
        "cannot_open",
        `Cannot open SQLite database ${name}: it is a symbolic link to a file that does not exist, and no file is ` +
          "created through a link; create the file, or remove the link",
      );
    }
  }
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

/** Returns the absolute path of an open file: a relative one means another file once the process changes its directory. */
export function pathOf(connection: Connection, path: string): string {
  if (path === ":memory:") return path;
  const [row] = connection.prepare("select file from pragma_database_list where name = 'main'").all();
  return typeof row?.["file"] === "string" && row["file"] !== "" ? row["file"] : path;
}

/** Options of a read-only connection. */
export interface ReaderOptions {
  /** Retries while another process holds a lock. */
  readonly persistence: Persistence;
  /** Receives a warning if only a snapshot can be read. */
  readonly logger: Logger;
  /** The user that opens the file. @default {process.geteuid()} */
  readonly uid?: number | undefined;
}

const ROOT = 0;

/**
 * Returns whether a reader would create the log and its index for a user other than the owner of the file, who could not
 * open the file then. While another process has the file open, both exist. SQLite gives to the owner what root creates.
 */
function wouldLeaveFiles(path: string, uid: number | undefined): boolean {
  if (uid === undefined || uid === ROOT || !isAllowed({ name: "read", path })) return false;
  try {
    return statSync(path).uid !== uid && !existsSync(`${path}-wal`);
  } catch {
    return false;
  }
}

/** Opens a read-only connection to a file that has the current schema. */
export async function openReader(
  path: string,
  name: string,
  { persistence, logger, uid = process.geteuid?.() }: ReaderOptions,
): Promise<Connection> {
  if (wouldLeaveFiles(path, uid)) {
    const reader = await openReadOnly(path, name, persistence, { isStill: true });
    logger.warn(
      `Reading a snapshot of SQLite database ${name}: it belongs to another user and no process has it open, so that ` +
        "files of this user would be left beside it; changes are not visible",
    );
    return reader;
  }
  try {
    return await openReadOnly(path, name, persistence, {});
  } catch (error) {
    // For a file in WAL mode SQLite needs another file in the same directory, which it may be unable to create. While no
    // WAL exists, the file contains all data.
    const isStill = !existsSync(`${path}-wal`) && existsSync(path);
    if (!isStill || !(error instanceof StoreError) || !["read_only", "cannot_open"].includes(error.code)) throw error;
    const reader = await openReadOnly(path, name, persistence, { isStill });
    logger.warn(
      `Reading a snapshot of SQLite database ${name}: its directory is not writable; changes are not visible`,
    );
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

// While the store opens, only a lock is retried; a full disk is reported to the caller.
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
    // Does not apply to a permission that Deno denies: Deno's own message names the missing permission.
    const reason = faultOf(error) === "storage" ? reasonFor(path, options.readOnly ?? false) : undefined;
    if (reason === undefined) throw storeError(error, name, "open");
    throw new StoreError("cannot_open", `Cannot open SQLite database ${name}: ${reason}`, { cause: error });
  }
}

// SQLite itself reports only "unable to open database file".
function reasonFor(path: string, readOnly: boolean): string | undefined {
  if (isDirectory(path)) return "it is a directory";
  const directory = dirname(path);
  const there = isDirectory(directory);
  if (there === undefined) return `the directory "${directory}" does not exist`;
  if (!there) return `"${directory}" is not a directory`;
  if (readOnly && !existsSync(path)) return "there is no such file";
  return undefined;
}

/** Returns `undefined` if the path does not exist. */
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

// mmap_size is not set: it gained nothing here, and the truncation of a mapped file kills the process.
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
