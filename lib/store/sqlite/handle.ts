/**
 * A transaction on SQLite. It is the runtime's own handle: `Database` of `bun:sqlite` under Bun, `DatabaseSync` of
 * `node:sqlite` under Deno and Node. This interface is their common part.
 */
export interface SqliteTransaction {
  /** Compiles a statement; its parameters are written as `?`. */
  prepare(sql: string): SqliteStatement;
  /** Executes one or more statements without parameters. */
  exec(sql: string): unknown;
}

/** A compiled statement. */
export interface SqliteStatement {
  /** Executes the statement and returns the changes. */
  run(...values: SqliteValue[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint };
  /** Returns the first row; if there is none, `undefined` under Deno and Node, and `null` under Bun. */
  get(...values: SqliteValue[]): Readonly<Record<string, unknown>> | null | undefined;
  /** Returns all rows. */
  all(...values: SqliteValue[]): readonly Readonly<Record<string, unknown>>[];
}

/** A value that can be bound to a parameter. */
export type SqliteValue = string | number | bigint | null | Uint8Array;
