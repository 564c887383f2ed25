import { type Clock, systemClock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { Store } from "./port/store.ts";
import { parseStoreUrl, type Password } from "./url.ts";

/** Options for opening a store. */
export interface OpenOptions {
  /** The schema of the tenant; Postgres only. */
  readonly schema: string | undefined;
  /** The password of the login; Postgres only. @default {undefined} that of the URL */
  readonly password?: Password | undefined;
  /** Whether a commit survives a loss of power or only the end of the process; SQLite only. */
  readonly durability: "power" | "process";
  /** Whether the store refuses all writes. @default {false} */
  readonly readOnly?: boolean;
  /** The store's clock on SQLite. Postgres uses the server's clock, unless this is a test clock. */
  readonly clock: Clock;
  /** Receives log messages. */
  readonly logger: Logger;
}

/** An open store, and the function that closes it if `openStore()` opened it. */
export interface OpenedStore {
  /** The store. */
  readonly store: Store;
  /** Closes the store, unless the caller opened it. */
  readonly close: () => Promise<void>;
}

/**
 * Opens the store of a URL, or returns the open store that is given, which the caller must close. The backend is loaded
 * on first use.
 *
 * @throws {StoreError} If the store cannot be opened.
 */
export async function openStore(target: string | Store, options: OpenOptions): Promise<OpenedStore> {
  if (typeof target !== "string") {
    const store = checkStore(target);
    // If the schema were ignored, the caller would work on the wrong tenant.
    if (options.schema !== undefined) {
      throw new TypeError(`Cannot use schema "${options.schema}" with an open store: it was opened with its own`);
    }
    if (options.password !== undefined) {
      throw new TypeError("Cannot use a password with an open store: it was opened with its own");
    }
    return { store, close: () => Promise.resolve() };
  }
  const address = parseStoreUrl(target);
  if (address.kind === "postgres") {
    const { openPostgresStore } = await import("./postgres/store.ts");
    const { schema, password, logger, clock, readOnly = false } = options;
    const store = await openPostgresStore(address.url, {
      logger,
      readOnly,
      ...(schema === undefined ? {} : { schema }),
      ...(password === undefined ? {} : { password }),
      ...(clock === systemClock ? {} : { clock }),
    });
    return { store, close: () => store.close() };
  }
  if (options.schema !== undefined) {
    throw new TypeError(`Cannot open "${target}": schema is for Postgres; on SQLite each tenant is a separate file`);
  }
  if (options.password !== undefined) {
    throw new TypeError(`Cannot open "${target}": password is for Postgres; a SQLite file has none`);
  }
  if (options.readOnly === true && address.path === ":memory:") {
    throw new TypeError(`Cannot open "${target}" read-only: a database in memory is empty`);
  }
  const { openSqliteStore } = await import("./sqlite/store.ts");
  const store = await openSqliteStore(address.path, options);
  return { store, close: () => store.close() };
}

/**
 * Copies the SQLite file of a URL, as it is at one moment, into a new file, while others go on to use it.
 *
 * @throws {TypeError} If the URL is that of another database, or the new file exists.
 * @throws {StoreError} If the URL is invalid, the file cannot be read, or the copy cannot be written.
 */
export async function backUp(url: string, file: string): Promise<void> {
  const address = parseStoreUrl(url);
  if (address.kind === "postgres") throw new TypeError("Cannot copy a Postgres database: use pg_dump");
  if (address.path === ":memory:") throw new TypeError(`Cannot copy "${url}": a database in memory is empty`);
  const { backUpFile } = await import("./sqlite/backup.ts");
  await backUpFile(address.path, file);
}

/** Loads the functions that create, remove and list tenants, which are schemas of a Postgres database. */
export async function loadTenants(): Promise<typeof import("./postgres/tenants/tenants.ts")> {
  return await import("./postgres/tenants/tenants.ts");
}

function checkStore(target: unknown): Store {
  if (typeof target === "object" && target !== null && "commit" in target && "counters" in target) {
    return target as Store;
  }
  throw new TypeError(`Cannot open a store: expected a URL such as "sqlite://./app.db", or an open store`);
}
