import { type Clock, systemClock } from "../clock.ts";
import { StoreError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { Store } from "./port.ts";
import { parseStoreUrl } from "./url.ts";

/** What opening a store may need. */
export interface OpenOptions {
  /** The tenant's schema; Postgres only. */
  readonly schema: string | undefined;
  /** What a commit survives; SQLite only. */
  readonly durability: "power" | "process";
  /** Whether it is only read. @default {false} */
  readonly readOnly?: boolean;
  /** The store's clock on SQLite. On Postgres that is the server's, unless this is one of tests. */
  readonly clock: Clock;
  /** Where messages go. */
  readonly logger: Logger;
}

/** An open store, and how to close it if it was opened here. */
export interface OpenedStore {
  /** The store. */
  readonly store: Store;
  /** Closes it, unless it is the caller's. */
  readonly close: () => Promise<void>;
}

/**
 * The store of a URL; a store that is open already stays the caller's to close. A backend is loaded when it is used.
 *
 * @throws {StoreError} If it cannot be opened.
 */
export async function openStore(target: string | Store, options: OpenOptions): Promise<OpenedStore> {
  if (typeof target !== "string") {
    const store = checkStore(target);
    if (options.schema === undefined) return { store, close: () => Promise.resolve() };
    // Ignored, it would let somebody work on another tenant than he thinks.
    throw new TypeError(`Cannot use schema "${options.schema}" with an open store: it was opened with its own`);
  }
  const address = parseStoreUrl(target);
  if (address.kind === "postgres") {
    const { parsePostgresUrl } = await import("./postgres/url.ts");
    const { name } = parsePostgresUrl(address.url);
    const { openPostgresStore } = await import("./postgres/store.ts").catch((error) => {
      throw isDriverMissing(error) ? driverMissing(name, error) : error;
    });
    const { schema, logger, clock, readOnly = false } = options;
    const store = await openPostgresStore(address.url, {
      logger,
      readOnly,
      ...(schema === undefined ? {} : { schema }),
      ...(clock === systemClock ? {} : { clock }),
    });
    return { store, close: () => store.close() };
  }
  if (options.schema !== undefined) {
    throw new TypeError(`Cannot open "${target}": schema is for Postgres; on SQLite a tenant is a file of its own`);
  }
  if (options.readOnly === true && address.path === ":memory:") {
    throw new TypeError(`Cannot open "${target}" to be read only: there is nothing in it yet`);
  }
  const { openSqliteStore } = await import("./sqlite/store.ts");
  const store = await openSqliteStore(address.path, options);
  return { store, close: () => store.close() };
}

/** Every runtime says it in its own words, and all of them name the package. */
function isDriverMissing(error: unknown): boolean {
  return error instanceof Error && /["'`]postgres["'`]/.test(error.message);
}

function driverMissing(name: string, cause: unknown): StoreError {
  return new StoreError(
    "driver_missing",
    `Cannot open Postgres database ${name}: the package "postgres" is not installed; run "bun add postgres" with Bun, ` +
      'or "deno add npm:postgres" with Deno',
    { cause },
  );
}

function checkStore(target: unknown): Store {
  if (typeof target === "object" && target !== null && "commit" in target && "counters" in target) {
    return target as Store;
  }
  throw new TypeError(`Cannot open a store: a URL such as "sqlite://./app.db" is needed, or an open store`);
}
