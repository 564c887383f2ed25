/**
 * A connection of the engine's own, made anew whenever it was lost. A transaction has it to itself, and every statement
 * is executed with the search path of the engine (see search_path.ts).
 *
 * @module
 */
import type { Row } from "../rows.ts";
import { type Connection, type ConnectionOptions, lostError, openConnection, type Query } from "./connection.ts";
import { READ_PATH, SAFE_PATH, SET_PATH } from "./search_path.ts";

/** How a line connects. */
export type LineOptions = Omit<ConnectionOptions, "isForUsers">;

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
   * The same where `work` sends all of its statements before it waits for any of them. The commit is sent right behind
   * them, so that no transaction stays open, with its locks, while this process stands still.
   */
  transactAtOnce<T>(work: (query: Query) => Promise<T>): Promise<T>;
  /** Ends the connection; what is in flight fails. */
  close(): Promise<void>;
}

/** A connection whose search path is known. */
interface Member {
  readonly connection: Connection;
  /** Whether the connection has the engine's path by itself; `undefined` until the server has said so. */
  isSafe: boolean | undefined;
  /** Resolves when that is known. */
  readonly checked: Promise<void>;
}

/** Opens nothing yet. */
export function createLine(options: LineOptions): Line {
  const { applicationName } = options;
  let current: Member | undefined;
  const leaving = new Set<Promise<void>>();
  let isClosed = false;
  // The end of the transaction that has the line, or of those that wait for it.
  let exclusive: Promise<unknown> | undefined;
  return { applicationName, query, transact, transactAtOnce, close };

  async function query(...statement: Parameters<Query>): Promise<readonly Row[]> {
    for (;;) {
      if (exclusive !== undefined) {
        await exclusive;
        continue;
      }
      const { connection, isSafe, checked } = member();
      if (isSafe === true) return await connection.query(...statement);
      if (isSafe === false) return await queryWithPath(connection, ...statement);
      await checked;
    }
  }

  function transact<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return alone(() => run(work));
  }

  function transactAtOnce<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return alone(() => runAtOnce(work));
  }

  async function alone<T>(transaction: () => Promise<T>): Promise<T> {
    while (exclusive !== undefined) await exclusive;
    const turn = transaction();
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
      // A connection that is lost has rolled back by itself.
      await connection.query("rollback", []).catch(() => {});
      throw error;
    }
    await connection.query("commit", []);
    return result;
  }

  async function runAtOnce<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const { connection, begin } = await free();
    const begun = connection.query(begin, []);
    const worked = work(connection.query);
    // After a statement that failed it rolls back, and does not say so: the statement does.
    const committed = connection.query("commit", []);
    committed.catch(() => {});
    const [, result] = await Promise.all([begun, worked]);
    await committed;
    return result;
  }

  /** The connection once nothing is in flight on it, and what begins a transaction there. */
  async function free(): Promise<{ readonly connection: Connection; readonly begin: string }> {
    const one = member();
    await one.checked;
    await one.connection.idle();
    return { connection: one.connection, begin: one.isSafe === true ? "begin" : `begin; ${SET_PATH}` };
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

/** A pooler may drop what a connection sets when it begins, and gives each transaction another one without settings. */
function openMember(options: LineOptions): Member {
  const connection = openConnection(options);
  if (!options.prepare) return { connection, isSafe: false, checked: Promise.resolve() };
  const member: Member = { connection, isSafe: undefined, checked: check() };
  member.checked.catch(() => {});
  return member;

  async function check(): Promise<void> {
    const [row] = await connection.query(READ_PATH, []);
    member.isSafe = row?.["path"] === SAFE_PATH;
  }
}

/** Runs a statement in a transaction that sets the search path. All of it is sent at once. */
async function queryWithPath(
  connection: Connection,
  ...[sql, values, deadlineMs]: Parameters<Query>
): Promise<readonly Row[]> {
  const begun = connection.query(`begin; ${SET_PATH}`, [], deadlineMs);
  const answer = connection.query(sql, values, deadlineMs);
  // Ends the transaction also after a failure, of which the statement itself tells.
  const committed = connection.query("commit", [], deadlineMs);
  committed.catch(() => {});
  const [, rows] = await Promise.all([begun, answer]);
  await committed;
  return rows;
}
