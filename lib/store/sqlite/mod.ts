/**
 * The SQLite store, for applications that open it themselves instead of passing its URL to `createRunner()`, for example
 * to share a store between a runner and a client.
 *
 * @module
 */
import { type Transaction, transactionOf } from "../../definition/transaction.ts";
import { knownOptions } from "../../option_names.ts";
import type { Store } from "../port/store.ts";
import { invalidUrl, parseStoreUrl } from "../url.ts";
import type { SqliteTransaction } from "./handle.ts";
import { openSqliteStore as openStore, type SqliteStoreOptions } from "./store.ts";

export type { TransactionBody } from "../../definition/transaction.ts";
export type { Durability } from "./open.ts";
export type { SqliteStoreOptions } from "./store.ts";
export type { SqliteStatement, SqliteTransaction, SqliteValue } from "./handle.ts";

/**
 * Opens the SQLite store of a URL: `sqlite://./app.db`, `sqlite:///abs/app.db` or `sqlite::memory:`. It creates a
 * missing file and migrates the schema; many processes can do this at once.
 *
 * @throws {StoreError} If the URL is not a SQLite URL, or the file cannot be used; the message contains the reason.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const store = await openSqliteStore("sqlite::memory:");
 * assertEquals((await store.counts()).pending, 0);
 * await store.close();
 * ```
 */
export async function openSqliteStore(url: string, options: SqliteStoreOptions = {}): Promise<Store> {
  const address = parseStoreUrl(url);
  const known = knownOptions(options, "open the store", ["durability", "readOnly", "clock", "logger"]);
  if (address.kind === "sqlite") return await openStore(address.path, known);
  throw invalidUrl('it is a Postgres URL; expected "sqlite://./app.db" or "sqlite::memory:"');
}

/**
 * Makes a task a transaction on the store's own file: the writes of its body through `tx`, the runtime's own handle, are
 * committed together with the task's result, and take effect exactly once.
 *
 * - The body holds the write lock of the file from start to end. No other connection can write meanwhile, including the
 *   runner, and a request to cancel the run takes effect afterwards. The body should therefore be short, have a
 *   `timeout`, and not wait for anything that writes to the same file through another connection, such as `start()`
 *   without `tx`, which would wait for the body.
 * - Sluice begins and ends the transaction. If the body throws or times out, or the runner stops, it is rolled back.
 * - The body can be called more than once; only the last call takes effect. External effects, such as a request that the
 *   body sends, are not rolled back and belong in a separate task. `ctx.step()` is refused.
 * - A store in memory does not support transactions.
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
