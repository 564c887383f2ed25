/**
 * The Postgres store, for applications that open it directly instead of passing its URL to `createRunner()`: to share
 * its connections between tenants, or to create and remove tenants.
 *
 * @module
 */
import type postgres from "postgres";
import { type Transaction, transactionOf } from "../../definition/transaction.ts";
import { knownOptions } from "../../option_names.ts";
import type { Store } from "../port/store.ts";
import { openPostgresStore as openStore, type PostgresStoreOptions, STORE_OPTIONS } from "./store.ts";

export type { TransactionBody } from "../../definition/transaction.ts";
export {
  createPostgresPool,
  type PooledStoreOptions,
  type PostgresPool,
  type PostgresPoolOptions,
} from "./connect/pool.ts";
export type { PostgresStoreOptions } from "./store.ts";
export type { Password } from "../url.ts";
export {
  createTenant,
  type CreateTenantOptions,
  listTenants,
  removeTenant,
  type RemoveTenantOptions,
  type TenantAdminOptions,
} from "./tenants/tenants.ts";
export type { Tenant } from "./tenants/tenant_list.ts";

/** A transaction of the driver, in which no other can begin. */
export type PostgresTransaction = postgres.TransactionSql;

/**
 * Opens the Postgres store that a URL names, `postgres://user:password@host/database`, in a separate schema. The schema
 * is created if it is missing and migrated, safely from many processes at once and while older runners continue.
 *
 * The URL is parsed as in libpq, with its parameters; docs/postgres.md lists the exceptions. It never appears in a
 * message.
 *
 * @throws {StoreError} If the URL is not a Postgres URL, the schema's name is refused, or the database cannot be used;
 * the message contains the reason and the remedy.
 *
 * @example
 * ```ts ignore
 * await using runner = await createRunner(await openPostgresStore("postgres://localhost/app", { prepare: false }), {
 *   workflows: [etl],
 * });
 * ```
 */
export async function openPostgresStore(url: string, options: PostgresStoreOptions = {}): Promise<Store> {
  return await openStore(url, knownOptions(options, "open the store", STORE_OPTIONS));
}

/**
 * Makes a task a transaction on the store's own database: the writes of its body through `tx`, a transaction of the
 * driver, are committed together with the task's result, exactly once.
 *
 * - The isolation is `read committed`; rows that are read to be changed are locked by `select … for update`. Tables and
 *   functions are found by the search path of the role and database, or by the path in the URL (`?search_path=app`,
 *   `?options=-c%20search_path%3Dapp`). Sluice's own statements in the transaction do not depend on it: they switch it
 *   and switch it back, also for triggers that are executed at the commit.
 * - Sluice begins and ends the transaction, on a separate connection; `savepoint()` nests. If the body throws, times
 *   out or is cancelled, the transaction is rolled back.
 * - The body may be called more than once, as after a deadlock or a lost connection, which cost no attempt: only the
 *   last call counts. Its effects elsewhere, such as a request that it sends, are not undone; they belong in a separate
 *   task. `ctx.step()` is refused.
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
