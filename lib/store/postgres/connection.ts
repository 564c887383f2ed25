/**
 * A single connection. This is the only file that knows the driver and its hazards: a
 * transaction begun while other queries are in flight may absorb and lose them, queries that wait for a connection that
 * ends are sent on the next connection, outside of their transaction, and the driver waits without limit for a server
 * that vanished silently. So the driver gets a single connection at a time, every query has a deadline, and a
 * connection that ended is never reused.
 *
 * @module
 */
import type { Socket } from "node:net";
import process from "node:process";
import postgres from "postgres";
import type { Row } from "../decode.ts";
import { dial, type Servers } from "./dial.ts";
import { isFromServer, messageOf } from "./faults.ts";
import { SAFE_PATH } from "./search_path.ts";
import { completeTls, driverTls } from "./tls.ts";
import type { Password, PostgresAddress } from "./url.ts";

/** A value that may be bound; the caller formats numbers and arrays as text. */
export type Bindable = string | null;

/** A statement with its bound values. */
export interface BoundStatement {
  /** The SQL text. */
  readonly sql: string;
  /** The values of `$1`, `$2` and so on. */
  readonly values: readonly Bindable[];
}

/** The rows that a statement returned, and the number of rows that it wrote or returned. */
export type Answer = readonly Row[] & { readonly count?: number | null };

/** Runs a statement. Beyond `deadlineMs`, or the limit of the connection, the connection is abandoned. */
export type Query = (sql: string, values: readonly Bindable[], deadlineMs?: number) => Promise<Answer>;

/** How to connect. */
export interface ConnectionOptions {
  /** The server, the database and the login. */
  readonly address: PostgresAddress;
  /** The `application_name` on the server. Unique, so that remains of a lost connection can be found and ended. */
  readonly applicationName: string;
  /** Longest time that a query may take before its connection is abandoned, in milliseconds. */
  readonly deadlineMs: number;
  /** Whether statements are prepared by name; `false` behind a pooler that switches connections per transaction. */
  readonly prepare: boolean;
  /** Whether the server refuses statements that write. @default {false} */
  readonly readOnly?: boolean;
  /** Whether it is for transactions of users, which get the driver with its usual types. @default {false} */
  readonly isForUsers?: boolean;
  /** Called with each notification. */
  readonly notified?: (channel: string, payload: string) => void;
  /** Called when the connection is lost. */
  readonly lost?: () => void;
}

/** A transaction of the driver, in which no other can begin. */
export type PostgresTransaction = postgres.TransactionSql;

/** The driver. */
export type DriverSql = postgres.Sql;

/** A single connection from its beginning to its end. */
export interface Connection {
  /** Whether it has ended. */
  readonly isLost: boolean;
  /** The error of a connection that has ended. */
  readonly whyLost: Error | undefined;
  /** Rejects when it ends. */
  readonly lost: Promise<never>;
  /** Runs a statement. */
  readonly query: Query;
  /** The driver with this connection, for a caller that has exclusive use and sends nothing once it is lost. */
  readonly sql: DriverSql;
  /** Resolves when nothing is in flight. */
  idle(): Promise<void>;
  /** Ends the connection at once, even with queries in flight. */
  abandon(): void;
  /** Ends the connection. */
  close(): Promise<void>;
}

const CONNECT_MS = 10_000;
const LONGEST_IDLE_MS = 5_000;

// Settings of the connection. Statements are planned once, when tables may be small; these keep the plans fit for large
// tables. Every statement that matters finds its rows by an index and joins its parameters with few rows.
const PLANNING = {
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  enable_nestloop: "off",
  jit: "off",
};

/** Creates a connection that opens with the first statement. */
export function openConnection(options: ConnectionOptions): Connection {
  const { address, prepare, deadlineMs, isForUsers = false } = options;
  const end = Promise.withResolvers<never>();
  end.promise.catch(() => {});
  const aborted = new AbortController();
  const gone = Promise.withResolvers<void>();
  const flying = new Set<PromiseWithResolvers<Answer>>();
  const ssl = address.tls === undefined ? undefined : driverTls(address.tls);
  let password = "";
  let socket: Socket | undefined;
  // The index of the next server to try.
  let next = 0;
  // Whether the server has responded to a statement.
  let isReady = false;
  let isLost = false;
  let ended: Promise<unknown> = Promise.resolve();
  // Never pass the URL: the driver parses it differently, and prefers it to the options that are set here.
  const sql = postgres({
    ...serverOf(address),
    ...(ssl === undefined ? {} : { ssl }),
    max: 1,
    prepare,
    idle_timeout: undefined,
    max_lifetime: null,
    connect_timeout: CONNECT_MS / 1_000,
    fetch_types: isForUsers,
    backoff: () => 0,
    onnotice() {},
    onclose: () => lose(lostError("it was closed")),
    connection: { ...settingsOf(options), application_name: options.applicationName },
    types: isForUsers ? {} : { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
    transform: {},
    // Not in the driver's types.
    ...{
      socket: connect,
      onnotify: (channel: string, payload: string) => options.notified?.(channel, payload),
    },
    ...(address.password === undefined ? {} : { password: () => password }),
  });
  return {
    get isLost() {
      return isLost;
    },
    get whyLost() {
      return isLost ? lostError("it has ended") : undefined;
    },
    lost: end.promise,
    query,
    sql,
    abandon: () => lose(lostError("it was abandoned")),
    async idle() {
      while (flying.size > 0) await Promise.allSettled([...flying].map(({ promise }) => promise));
    },
    close,
  };

  /** Called by the driver, and again if a server closes the connection or does not match `target_session_attrs`. */
  async function connect(servers: Servers): Promise<Socket> {
    try {
      // Once anything was sent, the queries that the driver still holds must not be sent on another connection.
      if (isLost || isReady || (socket !== undefined && next >= servers.host.length)) throw lostError(whyNoMore());
      if (address.password !== undefined) password = await passwordOf(address.password);
      const dialled = await dial(servers, { from: next, timeoutMs: CONNECT_MS, signal: aborted.signal });
      const made = dialled.socket;
      socket = made;
      next = dialled.at + 1;
      // Needed because the driver does not forget a connection that ends before it is ready.
      made.once("close", () => {
        // The driver calls again and gets the next server.
        if (!isLost && !isReady && next < servers.host.length) return;
        gone.resolve();
        lose(lostError(isReady ? "the server closed it" : whyNoMore()));
      });
      if (address.tls !== undefined && typeof ssl === "object") await completeTls(ssl, address.tls, dialled.host);
      if (isLost) made.destroy();
      return made;
    } catch (error) {
      lose(error);
      throw error;
    }
  }

  function whyNoMore(): string {
    const { targetSession } = address;
    return isLost || isReady || targetSession === undefined
      ? "the server closed it"
      : `no server is as target_session_attrs=${targetSession} says`;
  }

  async function query(text: string, values: readonly Bindable[], limitMs = deadlineMs): Promise<Answer> {
    if (isLost) return await end.promise;
    const ms = Math.min(limitMs, deadlineMs);
    const timer = setTimeout(() => lose(lostError(`no response within ${ms} ms`)), ms);
    const answer = Promise.withResolvers<Answer>();
    sql.unsafe<Row[]>(text, [...values], { prepare }).then(answer.resolve, answer.reject);
    // The driver forgets some pending queries when its connection ends. (Not a race with `end`, which would retain
    // every result for as long as the connection lasts.)
    flying.add(answer);
    try {
      const rows = await answer.promise;
      isReady = true;
      return rows;
    } catch (error) {
      const isRefused = address.targetSession !== undefined && !isReady && !isFromServer(error);
      const reason = isRefused && !isLost ? lostError(whyNoMore()) : error;
      isReady = true;
      if (isFatal(reason)) lose(reason);
      throw reason;
    } finally {
      clearTimeout(timer);
      flying.delete(answer);
    }
  }

  function lose(error: unknown): void {
    if (isLost) return;
    isLost = true;
    end.reject(error);
    for (const { reject } of flying) reject(error);
    aborted.abort();
    options.lost?.();
    // Registered again, because the driver removes listeners when it begins to encrypt.
    if (socket === undefined || socket.closed) gone.resolve();
    else socket.once("close", () => gone.resolve());
    socket?.destroy();
    ended = sql.end({ timeout: 0 }).catch(() => {});
  }

  async function close(): Promise<void> {
    if (!isLost) await Promise.race([sql.end({ timeout: 1 }), end.promise]).catch(() => {});
    lose(lostError("it was closed"));
    await Promise.all([gone.promise, ended]);
  }
}

/** The servers of an address for the driver, which reads missing values from the environment. */
function serverOf({ hosts, database, user, keepAliveSeconds, targetSession }: PostgresAddress): object {
  return {
    ...(hosts === undefined ? {} : {
      host: hosts.map(({ host }) => host),
      port: hosts.map(({ port }) => port ?? Number(process.env["PGPORT"] || 5432)),
    }),
    ...(database === undefined ? {} : { database }),
    ...(user === undefined ? {} : { user }),
    ...(keepAliveSeconds === undefined ? {} : { keep_alive: keepAliveSeconds }),
    ...(targetSession === undefined ? {} : { target_session_attrs: targetSession }),
  };
}

/** The settings that the server receives when a connection begins. */
function settingsOf({ address, prepare, deadlineMs, readOnly, isForUsers = false }: ConnectionOptions): object {
  return {
    ...(address.options === undefined ? {} : { options: address.options }),
    ...(isForUsers ? address.settings : prepare ? ownSettings(deadlineMs) : {}),
    ...(readOnly === true ? { default_transaction_read_only: true } : {}),
  };
}

function ownSettings(deadlineMs: number): Record<string, string> {
  return {
    ...PLANNING,
    search_path: SAFE_PATH,
    // The server's limit expires first, so that a statement that timed out is known not to have been executed.
    statement_timeout: String(Math.ceil(deadlineMs * 0.8)),
    // A process that stalls in the middle of a transaction must not prevent others from taking over.
    idle_in_transaction_session_timeout: String(Math.min(deadlineMs, LONGEST_IDLE_MS)),
  };
}

/** Rejects with a connection error if the function fails: the source of passwords may be down for a while. */
async function passwordOf(password: Password): Promise<string> {
  if (typeof password === "string") return password;
  try {
    const given: unknown = await password();
    if (typeof given === "string") return given;
    throw new TypeError(`it returned a value of type ${typeof given}`);
  } catch (error) {
    throw Object.assign(new Error(`the option "password" failed: ${messageOf(error)}`), { code: "CONNECT_PASSWORD" });
  }
}

/** Whether an error makes the connection unusable, which the driver detects only when the connection ends. */
function isFatal(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  if (!("severity" in error)) return "code" in error;
  return error.severity !== "ERROR" || ("code" in error && error.code === "26000");
}

/** Creates the error of a connection that is no longer usable. */
export function lostError(why: string): Error {
  return Object.assign(new Error(`the connection is lost: ${why}`), { code: "CONNECTION_LOST" });
}
