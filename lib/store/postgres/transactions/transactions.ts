import { systemClock } from "../../../clock.ts";
import type { Row } from "../../shared/decode.ts";
import { type Connection, lostError, openConnection } from "../connect/connection.ts";
import type { HostOrder } from "../connect/hosts.ts";
import { checkServerKind, SERVER_KIND } from "../connect/server_kind.ts";
import type { PostgresAddress } from "../connect/url.ts";
import { learnArrayTypes } from "../connect/user_types.ts";

/** A connection lent to a single transaction for exclusive use. */
export interface Lent {
  /** The connection. */
  readonly connection: Connection;
  /** Its `application_name`. */
  readonly applicationName: string;
  /** Returns the connection to the pool. */
  done(): void;
}

/** Connections for users' transactions, which may take long: the engine's own transactions never wait for them. */
export interface Transactions {
  /**
   * Waits for a free connection; rejects with the signal's reason when it aborts, or with the error of a connection
   * that cannot be opened. `outside` receives what the server does before the connection can be used, but not the wait
   * for other bodies.
   */
  take(signal: AbortSignal, outside: (work: Promise<void>) => void): Promise<Lent>;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** Options of the pool. */
export interface TransactionsOptions {
  /** The server, the database and the login. */
  readonly address: PostgresAddress;
  /** The order of its hosts. */
  readonly hosts: HostOrder;
  /** Returns the `application_name` of the next connection. */
  readonly newName: () => string;
  /** Whether statements are prepared by name. */
  readonly prepare: boolean;
  /** The most connections at once. */
  readonly most: number;
}

/** How long an unused connection is kept, in milliseconds. */
const IDLE_MS = 10_000;
const DEADLINE_MS = 20_000;

/**
 * What a body leaves in its session must not reach the next body, which may be of another tenant: this is `discard all`
 * without the plans of the driver, of which the driver would not know that they are gone. A session with statements
 * that a body has prepared itself is not used again.
 */
const RESET = `
close all;
set session authorization default;
reset all;
unlisten *;
discard temp;
discard sequences;
select pg_catalog.pg_advisory_unlock_all();
select pg_catalog.count(*)::pg_catalog.text as prepared from pg_catalog.pg_prepared_statements where from_sql`;

interface Member {
  readonly connection: Connection;
  readonly applicationName: string;
  /** Resolves when the connection has nothing of an earlier body. */
  ready: Promise<void>;
  cancelEnd: () => void;
}

/** Creates a pool without connections. */
export function createTransactions({ address, hosts, newName, prepare, most }: TransactionsOptions): Transactions {
  const idle: Member[] = [];
  const all = new Set<Member>();
  const line: ((member: Member) => void)[] = [];
  const leaving = new Set<Promise<void>>();
  return { take, close };

  async function take(signal: AbortSignal, outside: (work: Promise<void>) => void): Promise<Lent> {
    signal.throwIfAborted();
    const member = free() ?? await turn(signal);
    outside(member.ready);
    try {
      await unlessAborted(member.ready, signal);
    } catch (error) {
      member.connection.abandon();
      giveBack(member);
      throw error;
    }
    let isDone = false;
    return {
      connection: member.connection,
      applicationName: member.applicationName,
      done() {
        if (!isDone) giveBack(member);
        isDone = true;
      },
    };
  }

  function free(): Member | undefined {
    for (let member = idle.pop(); member !== undefined; member = idle.pop()) {
      member.cancelEnd();
      if (!member.connection.isLost) return member;
      leave(member);
    }
    return all.size < most ? open() : undefined;
  }

  function open(): Member {
    const applicationName = newName();
    const connection = openConnection({
      address,
      hosts,
      applicationName,
      deadlineMs: DEADLINE_MS,
      prepare,
      isForUsers: true,
    });
    const member: Member = { connection, applicationName, ready: prepareSession(connection), cancelEnd() {} };
    member.ready.catch(() => {});
    all.add(member);
    return member;
  }

  function turn(signal: AbortSignal): Promise<Member> {
    return new Promise((resolve, reject) => {
      line.push(got);
      signal.addEventListener("abort", giveUp, { once: true });

      function got(member: Member): void {
        signal.removeEventListener("abort", giveUp);
        resolve(member);
      }

      function giveUp(): void {
        line.splice(line.indexOf(got), 1);
        reject(signal.reason);
      }
    });
  }

  function giveBack(member: Member): void {
    if (member.connection.isLost) leave(member);
    else {
      member.ready = reset(member.connection);
      member.ready.catch(() => end(member));
      idle.push(member);
      member.cancelEnd = systemClock.after(IDLE_MS, () => end(member), true);
    }
    const next = line.length > 0 ? free() : undefined;
    if (next !== undefined) line.shift()!(next);
  }

  function end(member: Member): void {
    const at = idle.indexOf(member);
    if (at >= 0) idle.splice(at, 1);
    leave(member);
  }

  function leave(member: Member): void {
    member.cancelEnd();
    all.delete(member);
    const left = member.connection.close().finally(() => leaving.delete(left));
    leaving.add(left);
  }

  async function close(): Promise<void> {
    for (const member of all) leave(member);
    await Promise.all(leaving);
  }
}

/** Checks the server of a new connection. */
async function prepareSession(connection: Connection): Promise<void> {
  const [[row]] = await Promise.all([
    connection.query(`select ${SERVER_KIND}`, []),
    learnArrayTypes(connection),
  ]);
  checkServerKind(row, connection, { readOnly: false, targetSession: undefined });
}

async function reset(connection: Connection): Promise<void> {
  const answers: readonly unknown[] = await connection.query(RESET, []);
  const [row] = answers.at(-1) as readonly Row[];
  if (row?.["prepared"] !== "0") throw lostError("a body has prepared statements on it");
}

/** Settles as `work` does, or rejects with the signal's reason. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
