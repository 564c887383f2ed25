/**
 * A connection of the engine's own, made anew whenever it was lost. A transaction has it to itself, and every statement
 * is executed with the search path of the engine (see search_path.ts).
 *
 * @module
 */
import {
  type Answer,
  type BoundStatement,
  type Connection,
  type ConnectionOptions,
  lostError,
  openConnection,
  type Query,
} from "./connection.ts";
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
   * Runs statements in one transaction and sends all of them, with its begin and its commit, behind what is in flight: no
   * transaction stays open, with its locks, while this process stands still. If a statement fails nothing is kept.
   */
  pipeline(statements: readonly BoundStatement[]): Promise<readonly Answer[]>;
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

// Whatever the default of the database: the fence relies on each statement's seeing what was committed before it.
const BEGIN = "begin isolation level read committed";
const BEGIN_WITH_PATH = `${BEGIN}; ${SET_PATH}`;

/** Opens nothing yet. */
export function createLine(options: LineOptions): Line {
  const { applicationName } = options;
  let current: Member | undefined;
  const leaving = new Set<Promise<void>>();
  let isClosed = false;
  // The end of the transaction that has the line, or of those that wait for it.
  let exclusive: Promise<unknown> | undefined;
  return { applicationName, query, transact, pipeline, close };

  async function query(...[sql, values, deadlineMs]: Parameters<Query>): Promise<Answer> {
    const { connection, isSafe } = await shared();
    if (isSafe) return await connection.query(sql, values, deadlineMs);
    const [rows] = await sendWhole(connection, BEGIN_WITH_PATH, { statements: [{ sql, values }], deadlineMs });
    return rows!;
  }

  async function pipeline(statements: readonly BoundStatement[]): Promise<readonly Answer[]> {
    const { connection, isSafe } = await shared();
    return await sendWhole(connection, isSafe ? BEGIN : BEGIN_WITH_PATH, { statements });
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
      // A connection that is lost has rolled back by itself.
      await connection.query("rollback", []).catch(() => {});
      throw error;
    }
    await connection.query("commit", []);
    return result;
  }

  /** The connection once no transaction has it to itself. */
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

  /** The connection once nothing is in flight on it, and what begins a transaction there. */
  async function free(): Promise<{ readonly connection: Connection; readonly begin: string }> {
    const one = member();
    await one.checked;
    await one.connection.idle();
    return { connection: one.connection, begin: one.isSafe === true ? BEGIN : BEGIN_WITH_PATH };
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

/** Sends a transaction whole: nothing comes between its statements, as all are queued in this turn. */
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
  // The first statement that fails says why. The server refuses those behind it, and makes the commit a rollback.
  for (const answer of [...answers, committed]) answer.catch(() => {});
  await begun;
  const rows = await Promise.all(answers);
  await committed;
  return rows;
}
