/**
 * Connections that the stores of many tenants share. A line supports this: statements of several stores are sent at
 * once, in order, and a transaction has exclusive use of the line. So a store needs no separate lines. It needs only a
 * line for each purpose, so that a long read of a tenant does not delay the heartbeat of another.
 *
 * @module
 */
import { StoreError } from "../../../errors.ts";
import { type Logger, silent } from "../../../logger.ts";
import { knownOptions } from "../../../option_names.ts";
import type { Store } from "../../port/store.ts";
import { type Connections, lineFor, listenerFor, transactionsFor } from "./connections.ts";
import type { Line } from "./line.ts";
import type { Listener } from "./listener.ts";
import type { Role } from "./session.ts";
import { addressOf, hostOrderOf, openStoreOn, type PostgresStoreOptions, SHARED_OPTIONS } from "../store.ts";
import type { Transactions } from "../transactions/transactions.ts";
import type { Password } from "../../url.ts";

/** Options of `createPostgresPool()`. */
export interface PostgresPoolOptions {
  /**
   * The number of connections for writes, the same number for reads, and the same number for starts with a key once
   * there are any. Stores are distributed over them evenly. Three more connections are for heartbeats, for rare work,
   * and to listen.
   *
   * @default {2}
   */
  readonly connections?: number;
  /** The maximum number of additional connections for the bodies of transactions. @default {8} */
  readonly transactionConnections?: number;
  /**
   * The password, or a function that returns the current one, for credentials that rotate; it is called before each
   * connection. @default the URL's
   */
  readonly password?: Password;
  /**
   * Whether statements are prepared by name; `false` behind a pooler that assigns a connection per transaction.
   *
   * @default {true}
   */
  readonly prepare?: boolean;
  /** Receives warnings about waits and handled errors. */
  readonly logger?: Logger;
}

/** Options of a store on a pool. */
export type PooledStoreOptions = Omit<
  PostgresStoreOptions,
  "password" | "prepare" | "readOnly" | "transactionConnections"
>;

/** A few connections to a database, for the stores of any number of tenants. */
export interface PostgresPool {
  /** The name of the database, without any password. */
  readonly name: string;
  /**
   * Opens the store of a tenant on these connections. It is closed with the pool, or earlier by its own `close()`.
   *
   * @throws {StoreError} As `openPostgresStore()` does.
   */
  store(options?: PooledStoreOptions): Promise<Store>;
  /** Ends the connections, and with them all stores of the pool: stop their runners first. */
  close(): Promise<void>;
  /** The same as `close()`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Longest time that the `close()` of a store waits for its statements in flight. */
const LONGEST_CLOSE_MS = 1_000;

/**
 * Creates a pool for the stores of many tenants in one process: it uses seven connections (nine with keys) in total,
 * instead of six per store. It connects when the first store is opened.
 *
 * @throws {StoreError} If the URL is not a Postgres URL.
 * @throws {TypeError} If `connections` or `transactionConnections` is not a positive integer.
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
  const known = ["connections", "transactionConnections", "password", "prepare", "logger"];
  const { connections = 2, prepare = true, logger = silent, transactionConnections } = knownOptions(
    options,
    "create a pool",
    known,
  );
  const address = addressOf(url, options.password);
  if (!Number.isSafeInteger(connections) || connections < 1) {
    throw new TypeError(`Cannot create a pool: connections must be a positive integer, not ${connections}`);
  }
  const { name } = address;
  const connect = { address, hosts: hostOrderOf(address), prepare, logger, transactionConnections, label: "pool" };
  const lanes = Array.from({ length: connections }, () => ({
    flush: lineFor("flush", connect),
    keys: lineFor("keys", connect),
    read: lineFor("read", connect),
    stores: 0,
  }));
  const heartbeat = lineFor("heartbeat", connect);
  const care = lineFor("care", connect);
  const transactions = transactionsFor(connect);
  const listener = listenerFor(connect, heartbeat);
  const shares = new Set<Connections>();
  let closing: Promise<void> | undefined;
  return { name, store, close, [Symbol.asyncDispose]: close };

  async function store(given: PooledStoreOptions = {}): Promise<Store> {
    if (closing !== undefined) throw closed(name);
    return await openStoreOn(
      address,
      { logger, ...knownOptions(given, "open a store of a pool", SHARED_OPTIONS) },
      join,
    );
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

/** Creates a store's share of the lines: closing it closes them for this store only. */
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
    transactions: { take: (...given) => track(() => transactions.take(...given)), close },
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
