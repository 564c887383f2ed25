import process from "node:process";
import { LONGEST_IDLE_MS } from "./backends.ts";
import { SAFE_PATH } from "./search_path.ts";
import type { PostgresAddress } from "./url.ts";

/** What the startup message of a connection contains. */
export interface StartupOptions {
  /** The server, the database and the login. */
  readonly address: PostgresAddress;
  /** Longest time that a query may take before its connection is abandoned, in milliseconds. */
  readonly deadlineMs: number;
  /** Longest wait for each lock, in milliseconds. @default {undefined} as long as the query may take */
  readonly lockTimeoutMs?: number | undefined;
  /** Whether statements are prepared by name; `false` behind a pooler that switches connections per transaction. */
  readonly prepare: boolean;
  /** Whether the server refuses statements that write. @default {false} */
  readonly readOnly?: boolean;
  /** Whether it is for transactions of users, which get the driver with its usual types. @default {false} */
  readonly isForUsers?: boolean;
}

// Settings of the connection. Statements are planned once, when tables may be small; these keep the plans fit for large
// tables. Every statement that matters finds its rows by an index and joins its parameters with few rows.
const PLANNING = {
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  enable_nestloop: "off",
  jit: "off",
};

// A machine that vanishes without a word must not hold its locks: the default of the system is two hours. The server
// ends the connection after a minute.
const KEEP_ALIVE = {
  tcp_keepalives_idle: "30",
  tcp_keepalives_interval: "10",
  tcp_keepalives_count: "3",
};

/** Returns the servers of an address for the driver, which reads missing values from the environment. */
export function serverOf({ hosts, database, user, keepAliveSeconds }: PostgresAddress): object {
  return {
    ...(hosts === undefined ? {} : {
      host: hosts.map(({ host }) => host),
      port: hosts.map(({ port }) => port ?? Number(process.env["PGPORT"] || 5432)),
    }),
    ...(database === undefined ? {} : { database }),
    ...(user === undefined ? {} : { user }),
    ...(keepAliveSeconds === undefined ? {} : { keep_alive: keepAliveSeconds }),
  };
}

/** Returns the settings that the server receives when a connection begins. */
export function settingsOf(options: StartupOptions): object {
  const { address, prepare, readOnly, isForUsers = false } = options;
  // A pooler refuses settings that it does not know, and watches its clients itself.
  const keepAlive = prepare && address.keepAliveSeconds !== 0 ? KEEP_ALIVE : {};
  return {
    ...(address.options === undefined ? {} : { options: address.options }),
    ...keepAlive,
    ...(isForUsers ? address.settings : prepare ? ownSettings(options) : {}),
    ...(readOnly === true ? { default_transaction_read_only: true } : {}),
  };
}

function ownSettings({ deadlineMs, lockTimeoutMs }: StartupOptions): Record<string, string> {
  return {
    ...PLANNING,
    ...(lockTimeoutMs === undefined ? {} : { lock_timeout: String(lockTimeoutMs) }),
    search_path: SAFE_PATH,
    // The server's limit expires first, so that a statement that timed out is known not to have been executed.
    statement_timeout: String(Math.ceil(deadlineMs * 0.8)),
    // A process that stalls in the middle of a transaction must not prevent others from taking over.
    idle_in_transaction_session_timeout: String(Math.min(deadlineMs, LONGEST_IDLE_MS)),
  };
}
