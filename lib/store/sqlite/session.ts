import type { Clock } from "../../clock.ts";
import type { Logger } from "../../logger.ts";
import type { StoreCounters } from "../port.ts";
import type { Persistence } from "./busy.ts";
import type { Bindable, Changes, Connection, Row, Statement } from "./driver.ts";
import { createGate, type Gate } from "./gate.ts";

/** A store's writer connection, with its statements compiled once and everything counted. */
export interface Session {
  /** Says which database, for messages. */
  readonly name: string;
  /** For what is mended without anybody's doing. */
  readonly logger: Logger;
  /** The store's clock. */
  now(): number;
  /** Reads; `work` is run again while the database is locked. */
  read<T>(action: string, work: () => T): Promise<T>;
  /** One transaction; all of `work` is run again while the database is locked or the disk is full. */
  write<T>(action: string, work: () => T): Promise<T>;
  /** A transaction inside of one: on a throw, only what `work` did is undone. */
  nested<T>(work: () => T): T;
  /** Runs a statement for its effect. */
  run(sql: string, ...values: Bindable[]): Changes;
  /** The same with many values, in an array that is the statement's from then on. */
  execute(sql: string, values: Bindable[]): Changes;
  /** The first row. */
  get(sql: string, ...values: Bindable[]): Row | undefined;
  /** All rows. */
  all(sql: string, ...values: Bindable[]): Row[];
  /** The rows a writing statement returns, one for each that it changed. */
  returning(sql: string, ...values: Bindable[]): Row[];
  /** Counts a transaction of another connection. */
  wrote(rows: number, statements: number): void;
  /** What was done so far. */
  counters(): StoreCounters;
}

/** Wraps a connection; `persistence` says how to wait for it. */
export function createSession(
  connection: Connection,
  persistence: Persistence,
  options: {
    readonly name: string;
    readonly clock: Clock;
    readonly logger: Logger;
    /** Called after each commit with the number of rows that it wrote. */
    readonly committed: (rows: number) => void;
    /** Keeps writes waiting while another connection of this process writes. @default {createGate()} */
    readonly gate?: Gate;
  },
): Session {
  const { name, clock, logger, committed, gate = createGate() } = options;
  const statements = new Map<string, Statement>();
  const begin = connection.prepare("begin immediate");
  const commit = connection.prepare("commit");
  const rollback = connection.prepare("rollback");
  let commits = 0;
  let executed = 0;
  let rows = 0;
  return {
    name,
    logger,
    now: clock.now,
    read: (action, work) => persistence.attempt(action, work),
    write: (action, work) => gate.held === undefined ? writeNow(action, work) : writeLater(action, work),
    nested,
    run: (sql, ...values) => execute(sql, values),
    execute,
    get: (sql, ...values) => statement(sql).get(values),
    all: (sql, ...values) => statement(sql).all(values),
    returning,
    wrote(more, done) {
      commits++;
      rows += more;
      executed += done;
      committed(more);
    },
    counters: () => ({ commits, statements: executed, rows, retries: persistence.retries() }),
  };

  // A retry waits at the gate again: a body may hold the lock by then, and `begin immediate` would block the event loop
  // that the body needs.
  function writeNow<T>(action: string, work: () => T): Promise<T> {
    return persistence.attempt(action, () => transaction(work), () => gate.held);
  }

  async function writeLater<T>(action: string, work: () => T): Promise<T> {
    while (gate.held !== undefined) await gate.held;
    return await writeNow(action, work);
  }

  // Immediate always: a transaction that reads first and then writes is refused, not kept waiting, if somebody else
  // has written in between.
  function transaction<T>(work: () => T): T {
    const rowsBefore = rows;
    begin.run();
    try {
      const result = work();
      commit.run();
      if (rows > rowsBefore) {
        commits++;
        committed(rows - rowsBefore);
      }
      return result;
    } catch (error) {
      rows = rowsBefore;
      undo();
      throw error;
    }
  }

  function undo(): void {
    try {
      rollback.run();
    } catch {
      // SQLite has done so itself, as it does when the disk is full.
    }
  }

  function nested<T>(work: () => T): T {
    const rowsBefore = rows;
    statement("savepoint unit").run();
    try {
      return work();
    } catch (error) {
      rows = rowsBefore;
      statement("rollback to unit").run();
      throw error;
    } finally {
      statement("release unit").run();
    }
  }

  function statement(sql: string): Statement {
    executed++;
    let compiled = statements.get(sql);
    if (!compiled) {
      compiled = connection.prepare(sql);
      statements.set(sql, compiled);
    }
    return compiled;
  }

  function execute(sql: string, values: Bindable[]): Changes {
    const done = statement(sql).run(values);
    rows += done.changes;
    return done;
  }

  function returning(sql: string, ...values: Bindable[]): Row[] {
    const changed = statement(sql).all(values);
    rows += changed.length;
    return changed;
  }
}
