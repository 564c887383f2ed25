import type { Row } from "../shared/decode.ts";
import type { Change } from "../port/store.ts";
import type { Sql } from "./statement.ts";

/** An array that is bound as one parameter. */
export type Items =
  | { readonly type: "text" | "uuid"; readonly items: readonly string[] }
  | { readonly type: "bigint" | "integer"; readonly items: readonly number[] };

/** Texts as one parameter. */
export function texts(items: readonly string[]): Items {
  return { type: "text", items };
}

/** Numbers of runs as one parameter. */
export function seqs(items: readonly number[]): Items {
  return { type: "bigint", items };
}

/** Paths to texts of a JSON object, each with the text that follows it. */
export type TextPaths = readonly (readonly [path: readonly string[], end: string])[];

/** Which rows of a table to join to each row of another relation. */
export interface EachOptions {
  /** The table. @default {"runs"} */
  readonly table?: "runs" | "lane_queues" | "permits";
  /** The alias of the joined rows. */
  readonly as: string;
  /** The index that finds them. */
  readonly index: string;
  /** Which rows match. */
  readonly where: Sql;
  /** Which of them come first. @default {} In the order of the index */
  readonly order?: string;
  /** How many at most for each row of the other relation; in all, the statement's own limit decides. */
  readonly limit: number;
}

/** A walk over the distinct values of the leading columns of an index on `runs`. */
export interface WalkOptions {
  /** The name of the relation. Its columns are those of the index with the prefix `of_`. */
  readonly name: string;
  /** The leading columns of the index. */
  readonly columns: readonly string[];
  /** The index. */
  readonly index: string;
  /** The condition of the index, if it is partial. */
  readonly where: Sql;
}

/** A check of what a database reports about itself. */
export interface SettingsCheck {
  /** What is read. */
  readonly query: Sql;
  /** Returns a sentence for each problem that the rows show. */
  problems(rows: readonly Row[]): readonly string[];
}

/** Where the SQL of SQLite and of Postgres differs. */
export interface Dialect {
  /** How many rows an operation may look at before it offers a pause; infinite where the server does the work. */
  readonly stride: number;
  /** Whether the database gives the number of the newest run to the next one once the newest is deleted. */
  readonly reusesNumbers: boolean;
  /** The store's clock, in milliseconds since the epoch. */
  now(): Sql;
  /** For how long the clock was watched and not set ahead; see clock_steps.ts. */
  steadyMs(): number;
  /** How long ago the clock was last seen to be set ahead; see clock_steps.ts. */
  setAheadMs(): number;
  /** A condition: the column has one of these values, or one of those that a query returns. An index can serve it. */
  isIn(column: string, among: Items | Sql): Sql;
  /** A relation of equally long arrays, one for each column. */
  rows(as: string, columns: Readonly<Record<string, Items>>): Sql;
  /** A recursive common table expression that reads one entry of the index for each distinct value. */
  walk(options: WalkOptions): Sql;
  /** A `cross join` with the first rows of a table for each row of the relation before it. */
  each(options: EachOptions): Sql;
  /**
   * Orders the rows of joins that read an index in that order, one after another. SQLite does as it is written, and would
   * read and sort all of them for an `order by`; Postgres plans joins as it likes.
   */
  inOrder(columns: string): Sql;
  /** The runs that have an owner, after `from`. */
  readonly held: Sql;
  /** A query for the numbers of the runs that these runners own, and perhaps of others. */
  ownedBy(runners: Items): Sql;
  /** A condition for `delete from @tasks`: one of the first rows, at most `limit`, for which `where` holds. */
  firstTasks(where: Sql, limit: number): Sql;
  /** Appended to a query of a transaction: its rows are locked until the transaction ends. */
  readonly forUpdate: Sql;
  /** The same, without rows that another transaction has locked. */
  readonly forUpdateOfFree: Sql;
  /** A query that takes the lock of the exchanges of permits until the transaction ends. @default {} a transaction is alone */
  readonly lockLimits?: Sql;
  /**
   * A query for the ids of runners that locks them until the transaction ends, against their own commits, too. Runners that
   * are locked, as by a commit, are waited for or left out.
   */
  lockRunners(where: Sql, busy: "wait" | "leave out"): Sql;
  /** A statement that notifies other processes once its transaction is committed; `undefined` if the change concerns none. */
  notification(change: Change): Sql | undefined;
  /** A condition: the JSON array of texts in a column holds all of these. */
  holdsAll(column: string, texts: readonly string[]): Sql;
  /** The texts at these paths of the JSON object in a column, one after another; null without an object. */
  textAt(column: string, paths: TextPaths): Sql;
  /** A condition: what `textAt` returns contains a text. */
  contains(column: string, paths: TextPaths, text: string): Sql;
  /** A query for the `name` of each index on `runs` that the database uses. */
  readonly runIndexes: Sql;
  /** Checks of the file, or of the settings of the server. */
  readonly checks: readonly SettingsCheck[];
  /** A JSON array of the last element of the JSON array in a column. */
  lastOf(column: string): Sql;
  /** An aggregate: a text that differs when a text of the rows for which `where` holds differs. */
  digest(column: string, where: Sql): Sql;
}
