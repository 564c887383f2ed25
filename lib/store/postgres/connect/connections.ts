import type { Clock } from "../../../clock.ts";
import type { Logger } from "../../../logger.ts";
import type { HostOrder } from "./hosts.ts";
import { backendName } from "./backends.ts";
import { createLine, type Line } from "./line.ts";
import { createListener, type Listener } from "./listener.ts";
import type { Role } from "./session.ts";
import { createTransactions, type Transactions } from "../transactions/transactions.ts";
import type { PostgresAddress } from "./url.ts";

/** The connections of a store. */
export interface Connections {
  /** A line for each purpose. */
  readonly lines: Readonly<Record<Role, Line>>;
  /** For users' transactions. */
  readonly transactions: Transactions;
  /** Receives notifications of changes by other processes. */
  readonly listener: Listener;
  /** Ends the connections that only this store uses. */
  close(): Promise<void>;
}

/** Options of the connections. */
export interface ConnectionsOptions {
  /** The server, the database and the login. */
  readonly address: PostgresAddress;
  /** The order of its hosts, shared by all connections. */
  readonly hosts: HostOrder;
  /** Whether statements are prepared by name. */
  readonly prepare: boolean;
  /** The last part of each connection's `application_name`. */
  readonly label: string;
  /** Receives warnings and errors. */
  readonly logger: Logger;
  /** Whether the server refuses statements that write. @default {false} */
  readonly readOnly?: boolean;
  /** How many connections users' transactions have. @default {8} */
  readonly transactionConnections?: number | undefined;
  /** A test clock, which is notified of pending work. */
  readonly clock?: Clock | undefined;
}

// The deadline of a lease renewal is shorter if the lease is shorter: see runners.ts.
const DEADLINES_MS: Record<Role, number> = {
  flush: 20_000,
  claim: 20_000,
  keys: 20_000,
  heartbeat: 5_000,
  read: 60_000,
  care: 30_000,
};

// A row that another session has locked holds up what concerns that row. Where other work waits for the same
// connection, the wait is short, and the statement is sent again later.
const LOCK_TIMEOUT_MS: Partial<Record<Role, number>> = { flush: 250, care: 250 };

/**
 * Creates the connections of a single store. None is opened yet.
 *
 * @throws {TypeError} If `transactionConnections` allows no connection.
 */
export function createConnections(options: ConnectionsOptions): Connections {
  const lines = {
    flush: lineFor("flush", options),
    claim: lineFor("claim", options),
    keys: lineFor("keys", options),
    heartbeat: lineFor("heartbeat", options),
    read: lineFor("read", options),
    care: lineFor("care", options),
  };
  const transactions = transactionsFor(options);
  const listener = listenerFor(options, lines.heartbeat);
  return {
    lines,
    transactions,
    listener,
    async close() {
      await Promise.all([listener, transactions, ...Object.values(lines)].map((one) => one.close()));
    },
  };
}

/** Creates a single connection for all purposes of a store that only reads. */
export function createReadOnlyConnections(options: ConnectionsOptions): Connections {
  const read = lineFor("read", { ...options, readOnly: true });
  const transactions = transactionsFor(options);
  return {
    lines: { flush: read, keys: read, claim: read, heartbeat: read, read, care: read },
    transactions,
    // A replica takes no listeners, and what only reads can do without hints.
    listener: { watch: () => () => {}, close: () => Promise.resolve() },
    async close() {
      await Promise.all([read.close(), transactions.close()]);
    },
  };
}

/** A connection for a purpose. */
export function lineFor(role: Role, options: ConnectionsOptions): Line {
  const { address, hosts, prepare, readOnly = false } = options;
  return createLine({
    address,
    hosts,
    prepare,
    readOnly,
    applicationName: applicationName(role, options),
    deadlineMs: DEADLINES_MS[role],
    lockTimeoutMs: LOCK_TIMEOUT_MS[role],
  });
}

/** Connections for users' transactions. */
export function transactionsFor(options: ConnectionsOptions): Transactions {
  const { address, hosts, prepare, transactionConnections: most = 8 } = options;
  if (!Number.isSafeInteger(most) || most < 1) {
    throw new TypeError(`transactionConnections must be a positive integer, not ${most}`);
  }
  return createTransactions({ address, hosts, prepare, most, newName: () => applicationName("transaction", options) });
}

/** A connection that listens; `sender` tests it. */
export function listenerFor(options: ConnectionsOptions, sender: Line): Listener {
  const { address, hosts, logger, clock } = options;
  const name = applicationName("listener", options);
  return createListener({ address, hosts, applicationName: name, sender, logger, clock });
}

function applicationName(role: string, { label, address }: ConnectionsOptions): string {
  return backendName(role, address.applicationName === undefined ? label : `${label} ${address.applicationName}`);
}
