/**
 * A database with a user table `payments (payer)`, for tests that are the same on both backends: rows that transactions
 * insert there must be inserted exactly once.
 *
 * @module
 */
import { join } from "node:path";
import postgres from "postgres";
import type { SqliteTransaction } from "../../lib/store/sqlite/mod.ts";
import { type NativeDatabase, openNative } from "../../lib/store/sqlite/driver.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Logger } from "../../lib/logger.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { databaseUrl } from "../postgres_server.ts";
import { tempDir } from "../temp_dir.ts";
import { until } from "../within.ts";
import { openAt, type Place, type Tx } from "./place.ts";

/** A database that is removed at the end of the scope. */
export interface TestDatabase extends AsyncDisposable {
  /** Its location. */
  readonly place: Place;
  /** Opens a store on it; the store is closed when the database is disposed of. */
  open(options?: { readonly clock?: Clock; readonly logger?: Logger }): Promise<Store>;
  /** Calls a function in a user transaction, which is rolled back if the function throws. */
  begin<T>(work: (tx: Tx) => T | Promise<T>): Promise<T>;
  /** Returns the committed payers. */
  payers(): Promise<string[]>;
  /** Whether no transaction is open. */
  isFree(): Promise<boolean>;
  /** Whether a connection waits for a lock; only on Postgres, where that is visible. */
  isWaiting?(): Promise<boolean>;
  /** Asserts that no connection is left in a transaction, and that there are not too many connections. */
  checkConnections(): Promise<void>;
  /** The major version of the server. */
  version(): Promise<number>;
  /** Returns the number of rows of an engine table. */
  count(table: "runs" | "tasks"): Promise<number>;
}

// Started before any test, so that the leak sanitizer does not attribute the server to one.
const server = await databaseUrl();

/** Creates a database of each kind. */
export const DATABASES: Readonly<Record<Place["kind"], () => Promise<TestDatabase>>> = {
  sqlite: sqliteDatabase,
  postgres: postgresDatabase,
};

/** Returns the payers that are visible to the transaction. */
export async function payers(tx: Tx): Promise<string[]> {
  const sql = "select payer from payments order by payer";
  const rows = "unsafe" in tx ? await tx.unsafe(sql) : tx.prepare(sql).all();
  return rows.map(({ payer }) => String(payer));
}

/** Throws the error that the database reports for a conflict with another transaction. */
export async function raiseConflict(tx: Tx): Promise<void> {
  if ("unsafe" in tx) {
    await tx.unsafe("do $$ begin raise exception 'in the way' using errcode = '40P01'; end $$");
    return;
  }
  const error = new Error("database is locked");
  throw "Bun" in globalThis
    ? Object.assign(error, { code: "SQLITE_BUSY", errno: 5 })
    : Object.assign(error, { code: "ERR_SQLITE_ERROR", errcode: 5 });
}

async function sqliteDatabase(): Promise<TestDatabase> {
  const dir = tempDir();
  const path = join(dir.path, "app.db");
  const place: Place = { kind: "sqlite", url: `sqlite://${path}`, schema: undefined };
  const stores: Store[] = [];
  // Opening the store sets the journal mode that the engine needs, before any other connection is open.
  await (await openAt(place)).close();
  const user = await openNative(path) as NativeDatabase & SqliteTransaction;
  user.exec("create table payments (payer text not null)");
  const all = (sql: string): Record<string, unknown>[] => user.prepare(sql).all() as Record<string, unknown>[];
  return {
    place,
    open: (options) => keep(stores, openAt(place, options)),
    async begin(work) {
      const tx = await openNative(path) as NativeDatabase & SqliteTransaction;
      try {
        tx.exec("pragma busy_timeout = 5000");
        tx.exec("begin immediate");
        const answer = await work(tx);
        tx.exec("commit");
        return answer;
      } finally {
        tx.close();
      }
    },
    isFree() {
      try {
        user.exec("begin immediate");
        user.exec("rollback");
        return Promise.resolve(true);
      } catch {
        return Promise.resolve(false);
      }
    },
    checkConnections: () => Promise.resolve(),
    payers: () => Promise.resolve(all("select payer from payments order by rowid").map(({ payer }) => String(payer))),
    version: () => Promise.resolve(3),
    count: (table) => Promise.resolve(Number(all(`select count(*) as n from ${table}`)[0]!["n"])),
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store.close();
      user.close();
      dir[Symbol.dispose]();
    },
  };
}

async function postgresDatabase(): Promise<TestDatabase> {
  const schema = `test_${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
  // The user table is in the same schema, so that it is dropped with it; the search path finds it.
  const url = `${server}${server.includes("?") ? "&" : "?"}search_path=${schema}`;
  const place: Place = { kind: "postgres", url, schema };
  const stores: Store[] = [];
  const sql = postgres(server, { max: 3, max_lifetime: null, onnotice() {}, connection: { search_path: schema } });
  await sql.unsafe(`create schema "${schema}"`);
  await sql.unsafe("create table payments (n bigint generated always as identity, payer text not null)");
  const sessions = () =>
    sql<{ name: string; state: string; waits: string }[]>`
      select application_name as name, coalesce(state, '') as state, coalesce(wait_event_type, '') as waits
        from pg_stat_activity
       where application_name like ${`sluice%${schema}`}`;
  return {
    place,
    open: (options) => keep(stores, openAt(place, options)),
    begin: (work) => sql.begin((tx) => work(tx)) as Promise<Awaited<ReturnType<typeof work>>>,
    isWaiting: async () => (await sessions()).some(({ waits }) => waits === "Lock"),
    isFree: async () => (await sessions()).every(({ state }) => !state.startsWith("idle in transaction")),
    async checkConnections() {
      await until(async () => (await sessions()).every(({ state }) => state === "idle"));
      const transactions = (await sessions()).filter(({ name }) => name.startsWith("sluice transaction"));
      if (transactions.length > 8) throw new Error(`there are ${transactions.length} connections for transactions`);
    },
    async payers() {
      return (await sql`select payer from payments order by n`).map(({ payer }) => String(payer));
    },
    version: async () => Math.floor(Number((await sql`show server_version_num`)[0]!["server_version_num"]) / 10_000),
    count: async (table) => Number((await sql.unsafe(`select count(*) as n from ${table}`))[0]!["n"]),
    async [Symbol.asyncDispose]() {
      await Promise.all(stores.map((store) => store.close()));
      await sql.unsafe(`drop schema if exists "${schema}" cascade`);
      await sql.end({ timeout: 1 });
    },
  };
}

async function keep(stores: Store[], opening: Promise<Store>): Promise<Store> {
  const store = await opening;
  stores.push(store);
  return store;
}
