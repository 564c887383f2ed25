import { type Clock, monotonicOf } from "../../clock.ts";
import type { Logger } from "../../logger.ts";
import { type ClockSteps, createClockSteps } from "../shared/clock_steps.ts";
import type { StoreCounters } from "../port/store.ts";
import type { Persistence } from "./busy.ts";
import { writeOutComputed } from "./computed.ts";
import type { Bindable, Changes, Connection, Row, Statement } from "./driver.ts";
import { type FileIdentity, NO_FILE } from "./file_identity.ts";
import { createGate, type Gate } from "./gate.ts";

/** The writer connection of a store, with a cache of compiled statements and counters. */
export interface Session {
  /** The database in messages. */
  readonly name: string;
  /** Receives errors from which the store recovers by itself. */
  readonly logger: Logger;
  /** The time of the store's clock, in milliseconds since the Unix epoch. */
  now(): number;
  /** The steps of that clock. It is compared with the monotonic clock in each transaction. */
  readonly steps: ClockSteps;
  /** Runs `work`, which reads; retries it while the database is locked. */
  read<T>(action: string, work: () => T): Promise<T>;
  /** Runs `work` in a transaction; retries all of it while the database is locked or the disk is full. */
  write<T>(action: string, work: () => T): Promise<T>;
  /** Runs `work` in a nested transaction: if `work` throws, only its own changes are rolled back. */
  nested<T>(work: () => T): T;
  /** Executes a statement and returns the changes. */
  run(sql: string, ...values: Bindable[]): Changes;
  /** Executes a statement with an array of values, which the statement owns from then on. */
  execute(sql: string, values: Bindable[]): Changes;
  /** Returns the first row. */
  get(sql: string, ...values: Bindable[]): Row | undefined;
  /** Returns all rows. */
  all(sql: string, ...values: Bindable[]): Row[];
  /** Executes a writing statement with a `returning` clause; returns a row for each row that it changed. */
  returning(sql: string, ...values: Bindable[]): Row[];
  /** Adds a transaction of another connection to the counters. */
  wrote(rows: number, statements: number): void;
  /** Returns the counts since the session was created. */
  counters(): StoreCounters;
}

/** Creates a session on a connection; `persistence` retries its work. */
export function createSession(
  connection: Connection,
  persistence: Persistence,
  options: {
    readonly name: string;
    readonly clock: Clock;
    readonly logger: Logger;
    /** Called after each commit with the number of rows that it has written. */
    readonly committed: (rows: number) => void;
    /** Delays writes while another connection of this process writes. @default {createGate()} */
    readonly gate?: Gate;
    /** Checks the file of the database. @default {NO_FILE} */
    readonly identity?: FileIdentity;
  },
): Session {
  const { name, clock, logger, committed, gate = createGate(), identity = NO_FILE } = options;
  const statements = new Map<string, Statement>();
  const steps = createClockSteps(monotonicOf(clock));
  steps.compare(clock.now());
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
    steps,
    read: (action, work) => persistence.attempt(action, () => onFile(work)),
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

  // A retry waits for the gate again: a body may hold the lock by then, and `begin immediate` would block the event loop
  // that the body needs.
  function writeNow<T>(action: string, work: () => T): Promise<T> {
    return persistence.attempt(action, () => onFile(() => transaction(work)), () => gate.held);
  }

  function onFile<T>(work: () => T): T {
    identity.verify();
    try {
      return work();
    } catch (error) {
      // The loss of the file explains the error better.
      identity.verify(true);
      throw error;
    }
  }

  async function writeLater<T>(action: string, work: () => T): Promise<T> {
    while (gate.held !== undefined) await gate.held;
    return await writeNow(action, work);
  }

  // Always immediate: SQLite refuses the write of a transaction that started with a read if another connection has
  // written in between; it does not wait.
  function transaction<T>(work: () => T): T {
    const rowsBefore = rows;
    begin.run();
    steps.compare(clock.now());
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
      // SQLite has rolled back by itself, for example because the disk is full.
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
      compiled = connection.prepare(writeOutComputed(sql));
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
