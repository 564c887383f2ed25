/**
 * The SQLite store, for those who open it themselves instead of giving its URL to `createRunner()`: to share one between
 * a runner and a client, say. Here are also the types of the port, for who writes a store of his own.
 *
 * @module
 */
import { StoreError } from "../../errors.ts";
import type { Store } from "../port.ts";
import { parseStoreUrl, redactUrl } from "../url.ts";
import { openSqliteStore, type SqliteStoreOptions } from "./store.ts";

export type { Clock } from "../../clock.ts";
export type { ErrorRecord, Failure } from "../../errors.ts";
export type { Logger } from "../../logger.ts";
export type * from "../batch.ts";
export type * from "../port.ts";
export type { Durability } from "./open.ts";
export type { SqliteStoreOptions } from "./store.ts";

/**
 * Opens the SQLite store that a URL names: `sqlite://./app.db`, `sqlite:///abs/app.db` or `sqlite::memory:`. The file
 * is created if it is missing, and its schema is brought up to date, safely from many processes at once.
 *
 * @throws {StoreError} If the URL is none of SQLite, or the file cannot be used; the message says why.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const store = await sqliteStore("sqlite::memory:");
 * assertEquals((await store.counts()).pending, 0);
 * await store.close();
 * ```
 */
export async function sqliteStore(url: string, options: SqliteStoreOptions = {}): Promise<Store> {
  const address = parseStoreUrl(url);
  if (address.kind === "sqlite") return await openSqliteStore(address.path, options);
  throw new StoreError("invalid_url", `Cannot use the store URL "${redactUrl(url)}": it is none of SQLite`);
}
