/**
 * The Postgres store, for those who open it themselves instead of giving its URL to `createRunner()`: to share its
 * connections between tenants, or to make and remove tenants.
 *
 * @module
 */
import type { Store } from "../port.ts";
import { openPostgresStore, type PostgresStoreOptions } from "./store.ts";

export { createPostgresPool, type PooledStoreOptions, type PostgresPool, type PostgresPoolOptions } from "./pool.ts";
export type { PostgresStoreOptions } from "./store.ts";
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
 * @throws {StoreError} If the URL is none of Postgres, the schema's name is refused, or the database cannot be used; the
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
