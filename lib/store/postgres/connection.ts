/**
 * A single connection. This is the only file that knows the driver, and what of it must not be trusted: a transaction
 * begun while other queries are in flight may take them in and lose them, queries that wait for a connection that ends
 * are sent on the next one, outside of their transaction, and a server that is gone without a word is waited for. So
 * the driver gets one connection at a time, every query has a deadline, and a connection that ends is never used again.
 *
 * @module
 */
import type { Socket } from "node:net";
import process from "node:process";
import postgres from "postgres";
import type { Row } from "../rows.ts";
import { dial, type Servers } from "./dial.ts";
import { isFromServer, messageOf } from "./faults.ts";
import { SAFE_PATH } from "./search_path.ts";
import { completeTls, driverTls } from "./tls.ts";
import type { Password, PostgresAddress } from "./url.ts";

/** What may be bound; numbers and arrays are written as text by whoever binds them. */
export type Bindable = string | null;

/** A statement with its values. */
export interface BoundStatement {
  /** Its text. */
  readonly sql: string;
  /** `$1` and so on. */
  readonly values: readonly Bindable[];
}

/** What a statement returns, and how many rows it wrote or returned. */
export type Answer = readonly Row[] & { readonly count?: number | null };

/** Runs one statement. The connection is given up if it takes longer than `deadlineMs`, or than its own limit. */
export type Query = (sql: string, values: readonly Bindable[], deadlineMs?: number) => Promise<Answer>;

/** How to connect. */
export interface ConnectionOptions {
  /** The server, the database and the login. */
  readonly address: PostgresAddress;
  /** What it calls itself in the server's lists of connections. Unique, so that it can find and end its own remains. */
  readonly applicationName: string;
  /** Longest a query may take before its connection is given up. */
  readonly deadlineMs: number;
  /** Whether statements are prepared by name; no, behind a pooler that gives each transaction another connection. */
  readonly prepare: boolean;
  /** Whether the server is to refuse whatever writes. @default {false} */
  readonly readOnly?: boolean;
  /** Whether it is for transactions of users, who get the driver as they know it. @default {false} */
  readonly isForUsers?: boolean;
  /** Told of each notification. */
  readonly notified?: (channel: string, payload: string) => void;
  /** Told when a connection is lost. */
  readonly lost?: () => void;
}

/** A transaction as the driver has it, in which another cannot begin. */
export type PostgresTransaction = postgres.TransactionSql;

/** The driver. */
export type DriverSql = postgres.Sql;

/** One connection from its beginning to its end. */
export interface Connection {
  /** Whether it has ended. */
  readonly isLost: boolean;
  /** Why nothing can be sent any more. */
  readonly whyLost: Error | undefined;
  /** Rejects when it ends. */
  readonly lost: Promise<never>;
  /** Runs a statement. */
  readonly query: Query;
  /** The driver with this connection, for whoever has it to himself and sends nothing once it is lost. */
  readonly sql: DriverSql;
  /** Resolves when nothing is in flight. */
  idle(): Promise<void>;
  /** Ends it at once, whatever is in flight. */
  abandon(): void;
  /** Ends it. */
  close(): Promise<void>;
}

const CONNECT_MS = 10_000;
const LONGEST_IDLE_MS = 5_000;

// Settings of the connection, so that statements that are planned once, when tables may be small, are not planned as
// if they stayed so. Every statement that matters finds its rows by an index and joins what it was given with little.
const PLANNING = {
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  enable_nestloop: "off",
  jit: "off",
};

/** A connection that is made with the first statement. */
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
  // The next server to try.
  let next = 0;
  // Whether the server has answered a statement.
  let isReady = false;
  let isLost = false;
  let ended: Promise<unknown> = Promise.resolve();
  // Never the URL: the driver reads it in its own way, and lets it win over what is set here.
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

  /** Called by the driver, which calls again if a server closes the connection or is not of the kind that is wanted. */
  async function connect(servers: Servers): Promise<Socket> {
    try {
      // What the driver still has to send must not go out on another connection, once anything was sent.
      if (isLost || isReady || (socket !== undefined && next >= servers.host.length)) throw lostError(whyNoMore());
      if (address.password !== undefined) password = await passwordOf(address.password);
      const dialled = await dial(servers, { from: next, timeoutMs: CONNECT_MS, signal: aborted.signal });
      const made = dialled.socket;
      socket = made;
      next = dialled.at + 1;
      // As the driver does not forget a connection that ends before it is ready.
      made.once("close", () => {
        // The driver calls again, and gets the next server.
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
    const timer = setTimeout(() => lose(lostError(`no answer within ${ms} ms`)), ms);
    const answer = Promise.withResolvers<Answer>();
    sql.unsafe<Row[]>(text, [...values], { prepare }).then(answer.resolve, answer.reject);
    // The driver forgets some of what waits when its connection ends. (Not a race with `end`, which would hold on to
    // every answer for as long as the connection lasts.)
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
    // Anew, as the driver takes listeners away when it begins to encrypt.
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

/** The servers of an address for the driver, which knows those that the environment names. */
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

/** What the server is told of a connection when it begins. */
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
    // The server's own limit comes first, so that what was not done is known not to be.
    statement_timeout: String(Math.ceil(deadlineMs * 0.8)),
    // A process that stands still in the middle of a transaction must not keep others from taking over.
    idle_in_transaction_session_timeout: String(Math.min(deadlineMs, LONGEST_IDLE_MS)),
  };
}

/** Rejects as a connection that cannot be had: what gives passwords away may be down for a while. */
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

/** Whether an answer says that the connection is no good any more, which the driver learns only when it ends. */
function isFatal(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  if (!("severity" in error)) return "code" in error;
  return error.severity !== "ERROR" || ("code" in error && error.code === "26000");
}

/** The error of a connection that can carry nothing any more. */
export function lostError(why: string): Error {
  return Object.assign(new Error(`the connection is lost: ${why}`), { code: "CONNECTION_LOST" });
}
