/**
 * A connection of one's own. This is the only file that knows the driver, and what of it must not be trusted: a
 * transaction begun while other queries are in flight may take them in and lose them, queries that wait for a
 * connection that ends are sent on the next one, outside of their transaction, and a server that is gone without a
 * word is waited for. So each line has one connection that nobody else uses, a transaction has it to itself, every
 * query has a deadline, and a connection that ends is never used again.
 *
 * @module
 */
import type { Socket } from "node:net";
import postgres from "postgres";
import type { Row } from "../rows.ts";
import { type Address, dial } from "./dial.ts";

/** What may be bound; numbers and arrays are written as text by whoever binds them. */
export type Bindable = string | null;

/** Runs one statement. The connection is given up if it takes longer than `deadlineMs`, or than the line's own limit. */
export type Query = (sql: string, values: readonly Bindable[], deadlineMs?: number) => Promise<readonly Row[]>;

/** A statement with its values. */
export interface BoundStatement {
  /** Its text. */
  readonly sql: string;
  /** `$1` and so on. */
  readonly values: readonly Bindable[];
}

/** How a line connects. */
export interface LineOptions {
  /** The server, the database and the login. */
  readonly url: string;
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

/** One connection, made when it is needed and made anew when it was lost. */
export interface Line {
  /** What it calls itself. */
  readonly applicationName: string;
  /** Runs a statement in a transaction of its own. Statements are sent at once, each behind the last. */
  readonly query: Query;
  /**
   * Runs statements in one transaction, while nothing else uses the line. All of them may be sent without waiting. If
   * `work` throws, nothing of it is kept.
   */
  transact<T>(work: (query: Query) => Promise<T>): Promise<T>;
  /**
   * Runs statements in one transaction and sends all of them, with its begin and its commit, behind what is in flight: no
   * transaction stays open, with its locks, while this process stands still. If a statement fails nothing is kept.
   */
  pipeline(statements: readonly BoundStatement[]): Promise<readonly (readonly Row[])[]>;
  /** Ends the connection; what is in flight fails. */
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

/** Opens nothing yet. */
export function createLine(options: LineOptions): Line {
  const { applicationName } = options;
  let current: Session | undefined;
  const leaving = new Set<Promise<void>>();
  let isClosed = false;
  // The end of the transaction that has the line, or of those that wait for it.
  let exclusive: Promise<unknown> | undefined;
  return { applicationName, query, transact, pipeline, close };

  async function query(...statement: Parameters<Query>): Promise<readonly Row[]> {
    while (exclusive !== undefined) await exclusive;
    return await session().query(...statement);
  }

  async function transact<T>(work: (query: Query) => Promise<T>): Promise<T> {
    while (exclusive !== undefined) await exclusive;
    const turn = run(work);
    exclusive = turn.then(() => {}, () => {}).then(() => void (exclusive = undefined));
    return await turn;
  }

  async function pipeline(statements: readonly BoundStatement[]): Promise<readonly (readonly Row[])[]> {
    while (exclusive !== undefined) await exclusive;
    const { query: send } = session();
    // Nothing comes between these: they are queued before this function waits.
    const begun = send("begin", []);
    const answers = statements.map(({ sql, values }) => send(sql, values));
    const committed = send("commit", []);
    // The first statement that fails says why. The server refuses those behind it, and makes the commit a rollback.
    for (const answer of [...answers, committed]) answer.catch(() => {});
    await begun;
    const rows = await Promise.all(answers);
    await committed;
    return rows;
  }

  async function run<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const one = session();
    await one.idle();
    const begun = one.query("begin", []);
    begun.catch(() => {});
    let result: T;
    try {
      result = await work(one.query);
      await begun;
    } catch (error) {
      // A connection that is lost has rolled back by itself.
      await one.query("rollback", []).catch(() => {});
      throw error;
    }
    await one.query("commit", []);
    return result;
  }

  function session(): Session {
    if (isClosed) throw lostError("the line is closed");
    if (current !== undefined && !current.isLost) return current;
    if (current !== undefined) leave(current);
    return current = openSession(options);
  }

  function leave(lost: Session): void {
    const left = lost.close().finally(() => leaving.delete(left));
    leaving.add(left);
  }

  async function close(): Promise<void> {
    isClosed = true;
    if (current !== undefined) leave(current);
    await Promise.all(leaving);
  }
}

/** A transaction as the driver has it, in which another cannot begin. */
export type PostgresTransaction = postgres.TransactionSql;

/** The driver. */
export type DriverSql = postgres.Sql;

/** One connection from its beginning to its end. */
export interface Session {
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

/** A connection that is made with the first statement. */
export function openSession(options: LineOptions): Session {
  const { prepare, deadlineMs, isForUsers = false } = options;
  const end = Promise.withResolvers<never>();
  end.promise.catch(() => {});
  const aborted = new AbortController();
  const gone = Promise.withResolvers<void>();
  const flying = new Set<PromiseWithResolvers<readonly Row[]>>();
  let socket: Socket | undefined;
  let isLost = false;
  let ended: Promise<unknown> = Promise.resolve();
  const sql = postgres(options.url, {
    max: 1,
    prepare,
    idle_timeout: undefined,
    max_lifetime: null,
    connect_timeout: CONNECT_MS / 1_000,
    fetch_types: isForUsers,
    backoff: () => 0,
    onnotice() {},
    onclose: () => lose(lostError("it was closed")),
    connection: {
      ...(prepare && !isForUsers ? settings(deadlineMs) : {}),
      ...(options.readOnly === true ? { default_transaction_read_only: true } : {}),
      application_name: options.applicationName,
    },
    types: isForUsers ? {} : { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
    transform: {},
    // Not in the driver's types.
    ...{
      socket: connect,
      onnotify: (channel: string, payload: string) => options.notified?.(channel, payload),
    },
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

  async function connect(address: Address): Promise<Socket> {
    try {
      // Only once: what the driver still has to send must not go out on another connection.
      if (isLost || socket !== undefined) throw lostError("it is used no more");
      const made = await dial(address, CONNECT_MS, aborted.signal);
      socket = made;
      // As the driver does not forget a connection that ends before it is ready.
      made.once("close", () => {
        gone.resolve();
        lose(lostError("the server closed it"));
      });
      if (isLost) made.destroy();
      return made;
    } catch (error) {
      lose(error);
      throw error;
    }
  }

  async function query(text: string, values: readonly Bindable[], limitMs = deadlineMs): Promise<readonly Row[]> {
    if (isLost) return await end.promise;
    const ms = Math.min(limitMs, deadlineMs);
    const timer = setTimeout(() => lose(lostError(`no answer within ${ms} ms`)), ms);
    const answer = Promise.withResolvers<readonly Row[]>();
    sql.unsafe<Row[]>(text, [...values], { prepare }).then(answer.resolve, answer.reject);
    // The driver forgets some of what waits when its connection ends. (Not a race with `end`, which would hold on to
    // every answer for as long as the connection lasts.)
    flying.add(answer);
    try {
      return await answer.promise;
    } catch (error) {
      if (isFatal(error)) lose(error);
      throw error;
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

function settings(deadlineMs: number): Record<string, string> {
  return {
    ...PLANNING,
    // The server's own limit comes first, so that what was not done is known not to be.
    statement_timeout: String(Math.ceil(deadlineMs * 0.8)),
    // A process that stands still in the middle of a transaction must not keep others from taking over.
    idle_in_transaction_session_timeout: String(Math.min(deadlineMs, LONGEST_IDLE_MS)),
  };
}

/** Whether an answer says that the connection is no good any more, which the driver learns only when it ends. */
function isFatal(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  if (!("severity" in error)) return "code" in error;
  return error.severity !== "ERROR" || ("code" in error && error.code === "26000");
}

function lostError(why: string): Error {
  return Object.assign(new Error(`the connection is lost: ${why}`), { code: "CONNECTION_LOST" });
}
