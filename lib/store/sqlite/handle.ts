/**
 * A transaction on SQLite: the runtime's own handle, `Database` of `bun:sqlite` under Bun and `DatabaseSync` of
 * `node:sqlite` under Deno and Node, of which this is what they have in common.
 */
export interface SqliteTransaction {
  /** Compiles a statement; values are bound where it says `?`. */
  prepare(sql: string): SqliteStatement;
  /** Runs one statement or several, without values. */
  exec(sql: string): unknown;
}

/** A compiled statement. */
export interface SqliteStatement {
  /** Runs it for its effect. */
  run(...values: SqliteValue[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint };
  /** The first row; `undefined` under Deno and Node, and `null` under Bun, if there is none. */
  get(...values: SqliteValue[]): Readonly<Record<string, unknown>> | null | undefined;
  /** All rows. */
  all(...values: SqliteValue[]): readonly Readonly<Record<string, unknown>>[];
}

/** What can be bound. */
export type SqliteValue = string | number | bigint | null | Uint8Array;
