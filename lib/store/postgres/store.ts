import process from "node:process";
import type { Clock } from "../../clock.ts";
import { type Logger, silent } from "../../logger.ts";
import type { Receipt } from "../port/batch.ts";
import type { Store } from "../port/store.ts";
import { readOnly } from "../shared/read_only.ts";
import { createInspection } from "../sql/inspection.ts";
import { createMethods } from "../sql/methods.ts";
import { giveUp } from "../sql/recovery.ts";
import { createLimitStore } from "../sql/limits/limit_store.ts";
import { createScheduleStore } from "../sql/schedules.ts";
import { claim, readOutputs } from "./fleet/claim.ts";
import { commitBatch, insertKeyed } from "./write/commit.ts";
import { type Connections, createConnections, createReadOnlyConnections } from "./connect/connections.ts";
import { checkSchemaThere, migrate } from "./schema/migrations.ts";
import { createDatabase } from "./database.ts";
import { createHostOrder, type HostOrder } from "./connect/hosts.ts";
import { createKeyedStarts } from "./write/keyed_starts.ts";
import { keyOf } from "./write/start_order.ts";
import { createStartMarks } from "./fleet/held.ts";
import { createNews } from "./write/news.ts";
import { openSession } from "./schema/open.ts";
import { readPulse } from "./fleet/pulse.ts";
import { join, renew } from "./fleet/runners.ts";
import { checkSchema } from "./schema/schema_name.ts";
import { catchUpSequences } from "./schema/sequences.ts";
import { createSession, type Session } from "./connect/session.ts";
import { transact } from "./transactions/transact.ts";
import { invalidUrl } from "./connect/url_text.ts";
import type { Password } from "../url.ts";
import { parsePostgresUrl, type PostgresAddress } from "./connect/url.ts";
import { insertWithin } from "./transactions/within.ts";

// Together with the slow poll for due runs, the heartbeat and the listener's self-test: under a statement per second.
const RECOVERY_INTERVAL_MS = 3_000;

/** The default of `connectTimeoutMs`. */
export const CONNECT_TIMEOUT_MS = 30_000;

// The server executes the first commit, the second is queued on the server, and the engine processes the response of
// the third. They are sent in order over the same connection.
const COMMITS_AT_ONCE = 3;

/** Options of a Postgres store. */
export interface PostgresStoreOptions {
  /** The tenant's schema; created if it is missing. @default {"sluice"} */
  readonly schema?: string;
  /**
   * The password, or a function that returns the current one, for credentials that rotate; it is called before each
   * connection. @default the URL's
   */
  readonly password?: Password;
  /**
   * Whether statements are prepared by name, which makes each of them cheaper. Set it to `false` behind a pooler that
   * assigns a connection per transaction, such as PgBouncer in transaction mode. @default {true}
   */
  readonly prepare?: boolean;
  /**
   * How long to wait for a server that is down, or out of connections, in milliseconds.
   *
   * @default {30_000}, or the seconds that the URL gives as `connect_timeout`
   */
  readonly connectTimeoutMs?: number;
  /**
   * Whether the store is read-only: the schema must exist and be up to date, no method that writes may be called, and
   * the server may be a replica, or the role may have only the right to select.
   *
   * @default {false}
   */
  readonly readOnly?: boolean;
  /** The maximum number of connections for the bodies of transactions; further bodies wait. @default {8} */
  readonly transactionConnections?: number;
  /** Receives warnings about waits and handled errors. */
  readonly logger?: Logger;
  /** Replaces the server's clock, for tests. */
  readonly clock?: Clock;
}

/** The names of the options that every store has. */
export const SHARED_OPTIONS: readonly string[] = ["schema", "connectTimeoutMs", "logger", "clock"];

/** The names of the options of `openPostgresStore()`. */
export const STORE_OPTIONS: readonly string[] = [
  ...SHARED_OPTIONS,
  "password",
  "prepare",
  "readOnly",
  "transactionConnections",
];

/**
 * Opens the store in a schema of the database that a URL names. The schema is created if it is missing, and migrated,
 * safely from many processes at once.
 *
 * @throws {StoreError} If the store cannot be used; the message states the reason.
 * @throws {TypeError} If `transactionConnections` allows no connection.
 */
export async function openPostgresStore(url: string, options: PostgresStoreOptions = {}): Promise<Store> {
  const { logger = silent, clock, prepare = true, transactionConnections } = options;
  const connect = options.readOnly === true ? createReadOnlyConnections : createConnections;
  const address = addressOf(url, options.password);
  return await openStoreOn(
    address,
    options,
    (label) => connect({ address, hosts: hostOrderOf(address), prepare, label, logger, clock, transactionConnections }),
  );
}

/**
 * The same on connections that are created, or taken from a pool, once the options are validated. They are closed with
 * the store.
 */
export async function openStoreOn(
  address: PostgresAddress,
  options: Omit<PostgresStoreOptions, "password" | "prepare" | "transactionConnections">,
  connect: (schema: string) => Connections,
): Promise<Store> {
  const schema = checkSchema(options.schema ?? "sluice");
  const {
    logger = silent,
    connectTimeoutMs = address.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    readOnly: isReadOnly = false,
  } = options;
  if (!isReadOnly) refuseStandby(address);
  const connections = connect(schema);
  const session = createSession({
    name: `${address.name} (schema "${schema}")`,
    schema,
    lines: connections.lines,
    clock: options.clock,
    logger,
  });
  const news = createNews(session.now);
  const marks = createStartMarks();
  const database = createDatabase(session, news);
  const keyedStarts = createKeyedStarts((starts, lockTimeoutMs) =>
    insertKeyed(session, news, { starts, lockTimeoutMs })
  );
  try {
    await openSession(session, connectTimeoutMs, isReadOnly ? checkSchemaThere : prepareSchema);
  } catch (error) {
    await close();
    throw error;
  }
  let closing: Promise<void> | undefined;
  const methods = createMethods(database);
  const lockedRuns = new Set<number>();
  const store: Store = {
    name: address.name,
    tenant: schema,
    recoveryIntervalMs: RECOVERY_INTERVAL_MS,
    commitsAtOnce: COMMITS_AT_ONCE,
    keysWait: true,
    now: session.now,

    async commit(batch) {
      const { starts, writes } = batch;
      const isKeyed = writes.length === 0 && starts.some((run) => keyOf(run) !== undefined);
      const hasStarts = starts.length > 0 || writes.some(({ children = [] }) => children.length > 0);
      const ended = hasStarts ? marks.begin() : undefined;
      try {
        const receipt: Receipt = isKeyed
          ? { starts: await keyedStarts.start(starts), writes: [] }
          : await commitBatch(session, news, { batch, lockedRuns });
        for (const start of receipt.starts) if (start.kind === "started") marks.noteExisting(start.seq);
        for (const { seq } of receipt.children ?? []) marks.noteExisting(seq);
        return receipt;
      } finally {
        ended?.();
      }
    },
    claim: (request) => claim(session, request, (run) => database.execute(giveUp(database.dialect, run))),
    outputs: (requests) => readOutputs(session, requests),

    transactions: "postgres",
    transact: (request) => transact(session, connections.transactions, request),
    insertWithin: (tx, runs) => insertWithin(session, tx, runs),

    join: (card, leaseMs) => join(session, card, leaseMs),
    renew: (runner, leaseMs) => renew(session, marks, { runner, leaseMs }),

    clockWasSetBack: session.steps.takeSetBack,
    ...methods,
    schedules: createScheduleStore(database),
    limits: createLimitStore(database),
    async recover(request) {
      const recovery = await methods.recover(request);
      await session.endAbandoned();
      return recovery;
    },
    inspection: createInspection(database, () => database.execute(readPulse())),

    watch: (changed) => connections.listener.watch(`sluice_${schema}`, news.read, changed),
    counters: session.counters,
    close: () => closing ??= close(),
  };
  return isReadOnly ? readOnly(store) : store;

  function close(): Promise<void> {
    keyedStarts.close();
    const closed = session.close().then(connections.close);
    options.clock?.outside?.(closed);
    return closed;
  }
}

/** Parses a URL; the password option replaces its password. */
export function addressOf(url: string, password: Password | undefined): PostgresAddress {
  const address = parsePostgresUrl(url);
  if (password !== undefined && typeof password !== "string" && typeof password !== "function") {
    throw new TypeError(
      "Cannot use the option password: it must be a text, or a function that returns the current one",
    );
  }
  return password === undefined ? address : { ...address, password };
}

async function prepareSchema(session: Session): Promise<void> {
  await migrate(session);
  await catchUpSequences(session);
}

/** Creates the order in which connections try the hosts of an address. */
export function hostOrderOf({ hosts }: PostgresAddress): HostOrder {
  return createHostOrder(hosts?.length ?? (process.env["PGHOST"] ?? "").split(",").length);
}

function refuseStandby({ targetSession }: PostgresAddress): void {
  if (targetSession === undefined || targetSession === "primary" || targetSession === "read-write") return;
  throw invalidUrl(
    `its parameter target_session_attrs=${targetSession} selects a read-only server; omit it, or open the ` +
      "store with `readOnly: true`",
  );
}
