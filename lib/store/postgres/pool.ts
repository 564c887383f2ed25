/**
 * Connections that the stores of many tenants share. A line is made for this: what several say over it goes out at
 * once, each behind the last, and a transaction has it to itself. So a store has no need of a line of its own, only of
 * one for each purpose, that a long read of one tenant keeps no heartbeat of another waiting.
 *
 * @module
 */
import { StoreError } from "../../errors.ts";
import { type Logger, silent } from "../../logger.ts";
import type { Store } from "../port.ts";
import { type Connections, lineFor, listenerFor, transactionsFor } from "./connections.ts";
import type { Line } from "./line.ts";
import type { Listener } from "./listener.ts";
import type { Role } from "./session.ts";
import { addressOf, openStoreOn, type PostgresStoreOptions } from "./store.ts";
import type { Transactions } from "./transactions.ts";
import type { Password } from "./url.ts";

/** How to open a pool. */
export interface PostgresPoolOptions {
  /**
   * How many connections for writes, as many for reads, and as many for starts with a key once there are any. Stores are
   * dealt over them evenly; three more are for heartbeats, for what is rare, and to listen.
   *
   * @default {2}
   */
  readonly width?: number;
  /** How many connections more the bodies of transactions have among them, while there are any. @default {8} */
  readonly transactionConnections?: number;
  /**
   * The password, or a function that returns the current one, for credentials that rotate; it is called before each
   * connection. @default the URL's
   */
  readonly password?: Password;
  /**
   * Whether statements are prepared by name; `false` behind a pooler that gives each transaction another connection.
   *
   * @default {true}
   */
  readonly prepare?: boolean;
  /** Hears of what is waited for and mended. */
  readonly logger?: Logger;
}

/** How to open a store on a pool. */
export type PooledStoreOptions = Omit<
  PostgresStoreOptions,
  "password" | "prepare" | "readOnly" | "transactionConnections"
>;

/** A few connections to one database, for the stores of any number of tenants. */
export interface PostgresPool {
  /** Says which database, without any password. */
  readonly name: string;
  /**
   * Opens the store of a tenant on these connections. It is closed with the pool, or before by its own `close()`.
   *
   * @throws {StoreError} What `postgresStore()` throws.
   */
  store(options?: PooledStoreOptions): Promise<Store>;
  /** Ends the connections, and with them every store on them: stop their runners first. */
  close(): Promise<void>;
  /** The same as `close()`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What is on its way for a store must not keep its `close()` waiting for longer. */
const LONGEST_CLOSE_MS = 1_000;

/**
 * Makes a pool, so that the runners of many tenants in one process need seven connections (nine with keys) and not
 * six each. Nothing is opened until a store is.
 *
 * @throws {StoreError} If the URL is not a Postgres URL.
 * @throws {RangeError} If `width` or `transactionConnections` is not a positive integer.
 *
 * @example
 * ```ts ignore
 * await using pool = createPostgresPool("postgres://localhost/app");
 * for (const schema of ["acme", "globex"]) {
 *   runners.push(await createRunner(await pool.store({ schema }), { workflows: [etl] }));
 * }
 * ```
 */
export function createPostgresPool(url: string, options: PostgresPoolOptions = {}): PostgresPool {
  const { width = 2, prepare = true, logger = silent, transactionConnections } = options;
  const address = addressOf(url, options.password);
  if (!Number.isSafeInteger(width) || width < 1) {
    throw new RangeError(`Cannot make a pool: width must be a positive integer, not ${width}`);
  }
  const { name } = address;
  const connect = { address, prepare, logger, transactionConnections, label: "pool" };
  const lanes = Array.from({ length: width }, () => ({
    flush: lineFor("flush", connect),
    keys: lineFor("keys", connect),
    read: lineFor("read", connect),
    stores: 0,
  }));
  const heartbeat = lineFor("heartbeat", connect);
  const care = lineFor("care", connect);
  const transactions = transactionsFor(connect);
  const listener = listenerFor(connect);
  const shares = new Set<Connections>();
  let closing: Promise<void> | undefined;
  return { name, store, close, [Symbol.asyncDispose]: close };

  async function store(given: PooledStoreOptions = {}): Promise<Store> {
    if (closing !== undefined) throw closed(name);
    return await openStoreOn(address, { logger, ...given }, join);
  }

  function join(): Connections {
    const lane = lanes.reduce((least, one) => one.stores < least.stores ? one : least);
    lane.stores++;
    const share = createShare({ ...lane, claim: lane.flush, heartbeat, care }, transactions, listener, name);
    shares.add(share);
    return {
      ...share,
      close() {
        if (shares.delete(share)) lane.stores--;
        return share.close();
      },
    };
  }

  function close(): Promise<void> {
    return closing ??= shut();
  }

  async function shut(): Promise<void> {
    await Promise.all([...shares].map((share) => share.close()));
    const lines = lanes.flatMap(({ flush, keys, read }) => [flush, keys, read]);
    await Promise.all([listener, transactions, heartbeat, care, ...lines].map((one) => one.close()));
  }
}

/** One store's share of the lines: once it is closed they are closed for this store, and for no other. */
function createShare(
  lines: Readonly<Record<Role, Line>>,
  transactions: Transactions,
  listener: Listener,
  name: string,
): Connections {
  const flying = new Set<Promise<unknown>>();
  const watches = new Set<() => void>();
  let closing: Promise<void> | undefined;
  return {
    lines: {
      flush: shareOf(lines.flush),
      claim: shareOf(lines.claim),
      keys: shareOf(lines.keys),
      heartbeat: shareOf(lines.heartbeat),
      read: shareOf(lines.read),
      care: shareOf(lines.care),
    },
    transactions: { take: (signal) => track(() => transactions.take(signal)), close },
    listener: { watch, close },
    close,
  };

  function shareOf(line: Line): Line {
    return {
      applicationName: line.applicationName,
      query: (sql, values) => track(() => line.query(sql, values)),
      transact: (work) => track(() => line.transact(work)),
      pipeline: (statements) => track(() => line.pipeline(statements)),
      close,
    };
  }

  function track<T>(work: () => Promise<T>): Promise<T> {
    if (closing !== undefined) return Promise.reject(closed(name));
    const answer = work();
    const settled = answer.then(() => {}, () => {}).finally(() => flying.delete(settled));
    flying.add(settled);
    return answer;
  }

  function watch(...args: Parameters<Listener["watch"]>): () => void {
    const unwatch = listener.watch(...args);
    const stop = (): void => {
      if (watches.delete(stop)) unwatch();
    };
    watches.add(stop);
    return stop;
  }

  function close(): Promise<void> {
    return closing ??= shut();
  }

  async function shut(): Promise<void> {
    for (const stop of [...watches]) stop();
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, LONGEST_CLOSE_MS);
    await Promise.race([Promise.all(flying), late.promise]);
    clearTimeout(timer);
  }
}

function closed(name: string): StoreError {
  return new StoreError("store_closed", `Cannot use Postgres database ${name}: the store or its pool was closed`);
}
