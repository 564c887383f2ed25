/**
 * Where the tests of transactions take place, and what they do there: for the processes that they start, too, which have
 * no server of their own.
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

/** A transaction of either backend: that of the tests only goes through `pay()`. */
export type Tx = SqliteTransaction | PostgresTransaction;

/** Where a database is, so that another process can open it too. */
export interface Place {
  /** Of which kind. */
  readonly kind: "sqlite" | "postgres";
  /** Its URL. */
  readonly url: string;
  /** The schema, on Postgres. */
  readonly schema: string | undefined;
}

/** Marks a task as a transaction on a kind of database. */
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

/** Writes a row that a second call writes once more. */
export async function pay(tx: Tx, payer: string): Promise<void> {
  if ("unsafe" in tx) await tx.unsafe("insert into payments (payer) values ($1)", [payer]);
  else tx.prepare("insert into payments (payer) values (?)").run(payer);
}
