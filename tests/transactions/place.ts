/**
 * The databases of the tests of transactions, and the statements that they execute there. Child processes use this
 * module too, because it does not start a server.
 *
 * @module
 */
import { type PostgresTransaction, transaction as onPostgres } from "../../lib/store/postgres/mod.ts";
import { openSqliteStore, type SqliteTransaction, transaction as onSqlite } from "../../lib/store/sqlite/mod.ts";
import { openPostgresStore } from "../../lib/store/postgres/store.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Transaction } from "../../lib/definition/transaction.ts";
import type { Logger } from "../../lib/logger.ts";
import type { Store } from "../../lib/store/port/store.ts";

/** A transaction of either backend; tests write to it only through `pay()`. */
export type Tx = SqliteTransaction | PostgresTransaction;

/** The location of a database, with which another process can open it too. */
export interface Place {
  /** Its kind. */
  readonly kind: "sqlite" | "postgres";
  /** Its URL. */
  readonly url: string;
  /** The schema, on Postgres. */
  readonly schema: string | undefined;
}

/** Returns the task options that make a task a transaction on a kind of database. */
export function transactionOn(kind: Place["kind"]): Transaction<Tx> {
  return (kind === "sqlite" ? onSqlite : onPostgres) as Transaction<Tx>;
}

/** Opens a store. */
export function openAt(
  { url, schema }: Place,
  options: { readonly clock?: Clock; readonly logger?: Logger } = {},
): Promise<Store> {
  return schema === undefined
    ? openSqliteStore(url, { durability: "process", ...options })
    : openPostgresStore(url, { schema, ...options });
}

/** Inserts a row; a second call inserts another one, so that repeated effects are visible. */
export async function pay(tx: Tx, payer: string): Promise<void> {
  if ("unsafe" in tx) await tx.unsafe("insert into payments (payer) values ($1)", [payer]);
  else tx.prepare("insert into payments (payer) values (?)").run(payer);
}
