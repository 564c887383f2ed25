/**
 * The Postgres store, for those who open it themselves instead of giving its URL to `createRunner()`: to share its
 * connections between tenants, or to make and remove tenants.
 *
 * @module
 */
import { type Transaction, transactionOf } from "../../definition/transaction.ts";
import type { Store } from "../port.ts";
import type { PostgresTransaction } from "./connection.ts";
import { openPostgresStore, type PostgresStoreOptions } from "./store.ts";

export { createPostgresPool, type PooledStoreOptions, type PostgresPool, type PostgresPoolOptions } from "./pool.ts";
export type { PostgresTransaction } from "./connection.ts";
export type { PostgresStoreOptions } from "./store.ts";
export type { Password } from "./url.ts";
export {
  createTenant,
  type CreateTenantOptions,
  listTenants,
  removeTenant,
  type RemoveTenantOptions,
  type TenantAdminOptions,
} from "./tenants.ts";
export type { Tenant } from "./tenant_list.ts";

/**
 * Opens the Postgres store that a URL names, `postgres://user:password@host/database`, in a schema of its own. The schema
 * is made if it is missing and brought up to date, safely from many processes at once and while older runners go on.
 *
 * The URL is read as libpq reads it, with its parameters; see the README for what is refused. Its text stands in no
 * message.
 *
 * @throws {StoreError} If the URL is not a Postgres URL, the schema's name is refused, or the database cannot be used; the
 * message says why, and what to do.
 *
 * @example
 * ```ts ignore
 * await using runner = await createRunner(await postgresStore("postgres://localhost/app", { prepare: false }), {
 *   workflows: [etl],
 * });
 * ```
 */
export async function postgresStore(url: string, options: PostgresStoreOptions = {}): Promise<Store> {
  return await openPostgresStore(url, options);
}

/**
 * Makes a task a transaction on the store's own database: what its body writes by way of `tx`, a transaction of the
 * driver, is committed together with the task's result, and happens exactly once.
 *
 * - The isolation is `read committed`; rows that are read to be changed are locked by `select … for update`. Tables and
 *   functions are found by the search path of the role and database, or the one that the URL sets (`?search_path=app`,
 *   `?options=-c%20search_path%3Dapp`). Sluice's own statements in the transaction do not depend on it: they switch it
 *   and switch it back, also for triggers that are executed at the commit.
 * - The transaction begins and ends without the body's doing, on a connection of its own; `savepoint()` nests. If the
 *   body throws, times out or is cancelled, nothing is kept.
 * - It may be called more than once, as after a deadlock or a lost connection, which cost no attempt: only the last time
 *   counts. What it does elsewhere, such as a request that it sends, is not undone; so that belongs into a task of its
 *   own. `ctx.step()` is refused.
 *
 * @example
 * ```ts ignore
 * const order = workflow("order", { input: unchecked<{ item: string }>() })
 *   .task("price", { run: ({ input }) => input.item.length * 10 })
 *   .task("pay", {
 *     after: ["price"],
 *     ...transaction,
 *     async run({ tx, price, ctx }) {
 *       await tx`insert into payments (run, amount) values (${ctx.runId}, ${price})`;
 *       return { paid: price };
 *     },
 *   });
 * ```
 */
export const transaction: Transaction<PostgresTransaction> = transactionOf("postgres");
