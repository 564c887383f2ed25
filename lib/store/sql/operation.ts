/**
 * Operations that are written once for both databases: generators that yield what they need of the database and continue
 * with the result. SQLite executes all steps up to the next pause synchronously; Postgres awaits each of them.
 *
 * @module
 */
import type { Row } from "../shared/decode.ts";
import type { Dialect } from "./dialect.ts";
import type { Sql } from "./statement.ts";

/** What an operation needs next. */
export type Step =
  /** Rows. */
  | { readonly kind: "read"; readonly statement: Sql }
  /** A change whose `returning` clause returns rows, in a transaction of its own or as part of the open one. */
  | { readonly kind: "write"; readonly statement: Sql }
  /** The same without a `returning` clause. The result is one row with the number of rows `changed`. */
  | { readonly kind: "change"; readonly statement: Sql }
  /** Several steps in one transaction. After a transient error it is repeated from its beginning. */
  | { readonly kind: "transaction"; readonly work: (isDoubtful: boolean) => Op<void> }
  /** A moment at which other work of the process may run. */
  | { readonly kind: "pause" };

/** An operation with its result. */
export type Op<T> = Generator<Step, T, readonly Row[]>;

/** A database on which operations are executed. */
export interface Database {
  /** Its SQL. */
  readonly dialect: Dialect;
  /** Executes an operation. A statement that meets a transient error is repeated until it succeeds. */
  execute<T>(operation: Op<T>): Promise<T>;
}

/** Reads rows. */
export function* all(statement: Sql): Op<readonly Row[]> {
  return yield { kind: "read", statement };
}

/** Reads the first row. */
export function* first(statement: Sql): Op<Row | undefined> {
  return (yield* all(statement))[0];
}

/** Executes a writing statement; returns the rows of its `returning` clause, one for each row that it changed. */
export function* write(statement: Sql): Op<readonly Row[]> {
  return yield { kind: "write", statement };
}

/** Executes a writing statement without a `returning` clause; returns how many rows it changed. */
export function* change(statement: Sql): Op<number> {
  const [row] = yield { kind: "change", statement };
  return Number(row?.["changed"]);
}

/**
 * Executes several steps in one transaction, without pauses. `isDoubtful` says that an earlier try may have been
 * committed: its answer was lost.
 */
export function* transaction<T>(work: (isDoubtful: boolean) => Op<T>): Op<T> {
  const results: T[] = [];
  yield {
    kind: "transaction",
    *work(isDoubtful) {
      results.push(yield* work(isDoubtful));
    },
  };
  // The last try is the one that was committed.
  const [result] = results.slice(-1);
  return result!;
}

/** Lets other work of the process run if the operation has kept it waiting. */
export function* pause(): Op<void> {
  yield { kind: "pause" };
}
