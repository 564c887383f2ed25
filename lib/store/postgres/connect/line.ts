/**
 * A connection of the engine, reopened whenever it was lost. A transaction has exclusive use of it, and every statement
 * is executed with the search path of the engine (see search_path.ts).
 *
 * @module
 */
import {
  type BoundStatement,
  type Connection,
  type ConnectionOptions,
  lostError,
  openConnection,
  type Query,
} from "./connection.ts";
import { LONGEST_IDLE_MS } from "./backends.ts";
import type { Answer } from "./driver.ts";
import { READ_PATH, SAFE_PATH, SET_PATH } from "./search_path.ts";
import { checkServerKind, SERVER_KIND } from "./server_kind.ts";

/** Options of `createLine()`. */
export type LineOptions = Omit<ConnectionOptions, "isForUsers">;

/** A connection, opened when it is needed and reopened when it was lost. */
export interface Line {
  /** The `application_name` of the connection. */
  readonly applicationName: string;
  /** Runs a statement in a separate transaction. Statements are sent at once, in order. */
  readonly query: Query;
  /**
   * Runs statements in a transaction with exclusive use of the line. All of them may be sent without waiting. If `work`
   * throws, the transaction is rolled back.
   */
  transact<T>(work: (query: Query) => Promise<T>): Promise<T>;
  /**
   * Runs statements in a transaction and sends all of them, with begin and commit, behind the queries in flight: no
   * transaction stays open, with its locks, while this process stalls. If a statement fails, all are rolled back.
   */
  pipeline(statements: readonly BoundStatement[]): Promise<readonly Answer[]>;
  /** Ends the connection; queries in flight fail. */
  close(): Promise<void>;
}

/** A connection whose server and search path are known. */
interface Member {
  readonly connection: Connection;
  /** Whether the connection itself has the engine's path; `undefined` until the server has returned it. */
  isSafe: boolean | undefined;
  /** Resolves when that is known. */
  readonly checked: Promise<void>;
}

// Overrides the default of the database: the fence requires that each statement sees all earlier commits.
const BEGIN = "begin isolation level read committed";
// A process that stalls with the lock of its runner, or that of the limits, must not hold up others.
const BEGIN_WITH_PATH = `${BEGIN}; ${SET_PATH}; set local idle_in_transaction_session_timeout = ${LONGEST_IDLE_MS}`;

/** Creates a line without opening a connection. */
export function createLine(options: LineOptions): Line {
  const { applicationName, lockTimeoutMs } = options;
  const beginWithSettings = lockTimeoutMs === undefined
    ? BEGIN_WITH_PATH
    : `${BEGIN_WITH_PATH}; set local lock_timeout = ${lockTimeoutMs}`;
  let current: Member | undefined;
  const leaving = new Set<Promise<void>>();
  let isClosed = false;
  // Resolves at the end of the transaction that holds the line, or of those that wait for it.
  let exclusive: Promise<unknown> | undefined;
  return { applicationName, query, transact, pipeline, close };

  async function query(...[sql, values, deadlineMs]: Parameters<Query>): Promise<Answer> {
    const { connection, isSafe } = await shared();
    if (isSafe) return await connection.query(sql, values, deadlineMs);
    const [rows] = await sendWhole(connection, beginWithSettings, { statements: [{ sql, values }], deadlineMs });
    return rows!;
  }

  async function pipeline(statements: readonly BoundStatement[]): Promise<readonly Answer[]> {
    const { connection, isSafe } = await shared();
    return await sendWhole(connection, isSafe ? BEGIN : beginWithSettings, { statements });
  }

  async function transact<T>(work: (query: Query) => Promise<T>): Promise<T> {
    while (exclusive !== undefined) await exclusive;
    const turn = run(work);
    exclusive = turn.then(() => {}, () => {}).then(() => void (exclusive = undefined));
    return await turn;
  }

  async function run<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const { connection, begin } = await free();
    const begun = connection.query(begin, []);
    begun.catch(() => {});
    let result: T;
    try {
      result = await work(connection.query);
      await begun;
    } catch (error) {
      // A lost connection rolls back by itself.
      await connection.query("rollback", []).catch(() => {});
      throw error;
    }
    await connection.query("commit", []);
    return result;
  }

  /** Returns the connection once no transaction has exclusive use of it. */
  async function shared(): Promise<Member> {
    for (;;) {
      if (exclusive !== undefined) {
        await exclusive;
        continue;
      }
      const one = member();
      if (one.isSafe !== undefined) return one;
      await one.checked;
    }
  }

  /** Returns the connection once no query is in flight, and the statement that begins a transaction on it. */
  async function free(): Promise<{ readonly connection: Connection; readonly begin: string }> {
    const one = member();
    await one.checked;
    await one.connection.idle();
    return { connection: one.connection, begin: one.isSafe === true ? BEGIN : beginWithSettings };
  }

  function member(): Member {
    if (isClosed) throw lostError("the line is closed");
    if (current !== undefined && !current.connection.isLost) return current;
    if (current !== undefined) leave(current.connection);
    return current = openMember(options);
  }

  function leave(lost: Connection): void {
    const left = lost.close().finally(() => leaving.delete(left));
    leaving.add(left);
  }

  async function close(): Promise<void> {
    isClosed = true;
    if (current !== undefined) leave(current.connection);
    await Promise.all(leaving);
  }
}

function openMember(options: LineOptions): Member {
  const { address, prepare, readOnly = false } = options;
  const connection = openConnection(options);
  const member: Member = { connection, isSafe: undefined, checked: check() };
  member.checked.catch(() => {});
  return member;

  async function check(): Promise<void> {
    const [row] = await connection.query(`${READ_PATH},\n       ${SERVER_KIND}`, []);
    checkServerKind(row, connection, { readOnly, targetSession: address.targetSession });
    // A pooler may drop the startup settings of a connection, and gives each transaction another one without settings.
    member.isSafe = prepare && row?.["path"] === SAFE_PATH;
  }
}

/** Sends a transaction whole: no other query gets between its statements, as all are queued in the same turn. */
async function sendWhole(
  connection: Connection,
  begin: string,
  { statements, deadlineMs }: {
    readonly statements: readonly BoundStatement[];
    readonly deadlineMs?: number | undefined;
  },
): Promise<readonly Answer[]> {
  const begun = connection.query(begin, [], deadlineMs);
  const answers = statements.map(({ sql, values }) => connection.query(sql, values, deadlineMs));
  const committed = connection.query("commit", [], deadlineMs);
  // The first statement that fails has the cause. The server refuses those behind it, and turns the commit into a
  // rollback.
  for (const answer of [...answers, committed]) answer.catch(() => {});
  await begun;
  const rows = await Promise.all(answers);
  await committed;
  return rows;
}
