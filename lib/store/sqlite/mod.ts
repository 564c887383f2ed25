/**
 * The SQLite store, for those who open it themselves instead of giving its URL to `createRunner()`: to share one between
 * a runner and a client, say. Here are also the types of the port, for who writes a store of his own.
 *
 * @module
 */
import { type Transaction, transactionOf } from "../../definition/transaction.ts";
import type { Store } from "../port.ts";
import { invalidUrl, parseStoreUrl } from "../url.ts";
import type { SqliteTransaction } from "./handle.ts";
import { openSqliteStore, type SqliteStoreOptions } from "./store.ts";

export type { Clock } from "../../clock.ts";
export type { ErrorRecord, Failure } from "../../errors.ts";
export type { Logger } from "../../logger.ts";
export type * from "../batch.ts";
export type * from "../inspection.ts";
export type * from "../listing.ts";
export type * from "../port.ts";
export type { Durability } from "./open.ts";
export type { SqliteStoreOptions } from "./store.ts";
export type { SqliteStatement, SqliteTransaction, SqliteValue } from "./handle.ts";

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
  throw invalidUrl('it is one of Postgres; expected "sqlite://./app.db" or "sqlite::memory:"');
}

/**
 * Makes a task a transaction on the store's own file: what its body writes by way of `tx`, the runtime's own handle, is
 * committed together with the task's result, and happens exactly once.
 *
 * - From its beginning to its end the body has the file's write lock: nobody else can write meanwhile, the runner
 *   itself included, and an order to cancel the run comes after it. So it should be short, have a `timeout`, and not wait
 *   for anything that writes to the same file in another way, such as `start()` without `tx`, which would wait for it.
 * - Its transaction begins and ends without its doing. If it throws, times out or the runner stops, nothing is kept.
 * - It may be called more than once: only the last time counts. What it does elsewhere, such as a request that it sends,
 *   is not undone; so that belongs into a task of its own. `ctx.step()` is refused.
 * - The file cannot be in memory.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createRunner, unchecked, workflow } from "@sluice/sluice";
 * import { transaction } from "@sluice/sluice/sqlite";
 * import { mkdtempSync, rmSync } from "node:fs";
 * import { tmpdir } from "node:os";
 *
 * const order = workflow("order", { input: unchecked<{ item: string }>() })
 *   .task("price", { run: ({ input }) => input.item.length * 10 })
 *   .task("pay", {
 *     after: ["price"],
 *     ...transaction,
 *     run({ tx, price, ctx }) {
 *       tx.exec("create table if not exists payments (run text primary key, amount integer)");
 *       tx.prepare("insert into payments values (?, ?)").run(ctx.runId, price);
 *       return { paid: price };
 *     },
 *   })
 *   .returns("pay");
 *
 * const folder = mkdtempSync(`${tmpdir()}/sluice-`);
 * {
 *   await using runner = await createRunner(`sqlite://${folder}/app.db`, { workflows: [order] });
 *   const outcome = await runner.execute(order, { item: "book" });
 *   assertEquals(outcome.status === "completed" && outcome.result, { paid: 40 });
 * }
 * rmSync(folder, { recursive: true });
 * ```
 */
export const transaction: Transaction<SqliteTransaction> = transactionOf("sqlite");
