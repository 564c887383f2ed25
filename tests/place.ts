/** The location of the store of a test, with which several runners and processes can open it. */
import postgres from "postgres";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { openPostgresStore } from "../lib/store/postgres/store.ts";
import type { Store } from "../lib/store/port/store.ts";
import { openSqliteStore } from "../lib/store/sqlite/mod.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../mod.ts";

/** A place, which can be sent to another process as JSON; `createRunner(url, { ...options, … })` opens it. */
export interface Place {
  /** The URL of the store. */
  readonly url: string;
  /** Options for opening it. */
  readonly options: { readonly schema?: string };
}

/** A row of a query; numbers of every width are of type number. */
export type Row = Readonly<Record<string, unknown>>;

/** A separate connection without a store. */
export interface Reader {
  /** Executes an SQL statement that all backends support; `$1` is the first of `values`. */
  query(sql: string, ...values: string[]): Promise<readonly Row[]>;
  /** Closes it. */
  close(): Promise<void>;
}

/** Returns whether a place is on Postgres. */
export function isPostgres({ url }: Place): boolean {
  return url.startsWith("postgres");
}

/** Opens the store of a place, for tests that wrap it. */
export async function openPlace(
  { url, options }: Place,
  more: { readonly clock?: Clock; readonly logger?: Logger } = {},
): Promise<Store> {
  if (isPostgres({ url, options })) return await openPostgresStore(url, { ...options, ...more });
  return await openSqliteStore(url, more);
}

/** Connects to a place, whether or not its tables exist. */
export function readPlace(place: Place): Reader {
  return isPostgres(place) ? readPostgres(place) : readSqlite(place);
}

function readPostgres({ url, options }: Place): Reader {
  const sql = postgres(url, {
    max: 1,
    max_lifetime: null,
    onnotice() {},
    connection: { application_name: "witness", search_path: options.schema ?? "sluice" },
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
  });
  return {
    query: async (text, ...values) => (await sql.unsafe(text, values, { prepare: true })).map((row) => ({ ...row })),
    close: () => sql.end({ timeout: 1 }),
  };
}

/** Returns whether a connection holds SQLite's write lock. */
export function isWriteLocked(place: Place): boolean {
  if (isPostgres(place)) return false;
  const database = new DatabaseSync(pathOf(place), { timeout: 0 });
  try {
    database.exec("begin immediate; rollback");
    return false;
  } catch (error) {
    if (/locked/.test(String(error))) return true;
    throw error;
  } finally {
    database.close();
  }
}

function pathOf({ url }: Place): string {
  return fileURLToPath(url.replace("sqlite:", "file:"));
}

function readSqlite(place: Place): Reader {
  const path = pathOf(place);
  let database: DatabaseSync | undefined;
  return {
    query(text, ...values) {
      // Opened when it is needed, because opening creates the file.
      database ??= new DatabaseSync(path, { timeout: 5_000 });
      const rows = database.prepare(text.replaceAll(/\$(\d)/g, "?$1")).all(...values);
      return Promise.resolve(rows.map((row) => ({ ...row })));
    },
    close: () => Promise.resolve(database?.close()),
  };
}
