/**
 * The one place that knows which SQLite the runtime has: `bun:sqlite` under Bun, `node:sqlite` under Deno and Node.
 * Both are loaded when the first database is opened, so that importing the library costs neither.
 *
 * @module
 */

import { pathToFileURL } from "node:url";

/** What may be bound: `undefined` is stored as null, booleans as 0 and 1. */
export type Bindable = string | number | bigint | boolean | null | undefined | Uint8Array;

/** What comes back. */
export type SqlValue = string | number | bigint | null | Uint8Array;

/** A row by column name. */
export type Row = Readonly<Record<string, SqlValue>>;

/** What a statement did. */
export interface Changes {
  /** Rows inserted, updated or deleted. */
  readonly changes: number;
  /** The number of the row inserted last; of an older statement if this one inserted none. */
  readonly lastInsertRowid: number;
}

/** A compiled statement. Each call runs it to its end, so that none stays open and holds a snapshot. */
export interface Statement {
  /** Runs it for its effect. The array is the statement's from then on: it is encoded in place. */
  run(values?: Bindable[]): Changes;
  /** The first row. */
  get(values?: Bindable[]): Row | undefined;
  /** All rows. */
  all(values?: Bindable[]): Row[];
}

/** An open database. */
export interface Connection {
  /** Compiles one statement; parameters are `$1`, `$2`, … in any order and as often as needed. */
  prepare(sql: string): Statement;
  /** Runs one statement that is not needed again. */
  exec(sql: string): void;
  /** Finalizes all statements. */
  release(): void;
  /** Finalizes all statements and closes. */
  close(): void;
}

/** How to open a database file. */
export interface ConnectionOptions {
  /** Whether it is only read, and must be there. @default {false} */
  readonly readOnly?: boolean;
  /** Whether nobody writes to it meanwhile, so that no lock is taken and no other file made; only with `readOnly`. */
  readonly isStill?: boolean;
}

/**
 * Opens a database file, which is created unless `readOnly`; the path `":memory:"` gives one in memory.
 * Throws what the runtime throws: `faultOf()` in faults.ts reads it.
 */
export async function openConnection(path: string, options: ConnectionOptions = {}): Promise<Connection> {
  return connectionOf(await openNative(path, options));
}

/** Opens a database file as the runtime does. */
export async function openNative(path: string, options: ConnectionOptions = {}): Promise<NativeDatabase> {
  const { readOnly = false, isStill = false } = options;
  // Both runtimes take a URI where they take a path.
  const place = isStill ? `${pathToFileURL(path)}?immutable=1` : path;
  return "Bun" in globalThis ? await openBun(place, readOnly) : await openNode(place, readOnly);
}

/** A connection by way of a database that is open. */
export function connectionOf(native: NativeDatabase): Connection {
  const compiled: NativeStatement[] = [];
  return { prepare, exec, release, close };

  // Not the runtimes' own exec(): Deno's leaves the result code off its errors.
  function exec(sql: string): void {
    const statement = native.prepare(sql);
    try {
      statement.run();
    } finally {
      statement.finalize?.();
    }
  }

  function prepare(sql: string): Statement {
    // "?1" is the only numbered form that both runtimes bind by position.
    const statement = native.prepare(sql.replaceAll(/\$(\d+)/g, "?$1"));
    compiled.push(statement);
    return {
      run: (values = []) => statement.run(...encode(values)),
      get: (values = []) => statement.get(...encode(values)) ?? undefined,
      all: (values = []) => statement.all(...encode(values)),
    };
  }

  function release(): void {
    for (const statement of compiled) statement.finalize?.();
    compiled.length = 0;
  }

  function close(): void {
    // Bun keeps the file locked and its WAL in place while statements live; node:sqlite finalizes them itself.
    release();
    native.close();
  }
}

/** What the runtimes bind. */
export type Native = string | number | bigint | null | Uint8Array;

/** A compiled statement as the runtimes have it. */
export interface NativeStatement {
  /** Runs it for its effect. */
  run(...values: Native[]): Changes;
  /** The first row. */
  get(...values: Native[]): Row | null | undefined;
  /** All rows. */
  all(...values: Native[]): Row[];
  /** Frees it; only Bun's have it. */
  finalize?(): void;
}

/** What the runtimes' databases have in common. */
export interface NativeDatabase {
  /** Compiles one statement. */
  prepare(sql: string): NativeStatement;
  /** Closes it. */
  close(): void;
}

async function openBun(path: string, readOnly: boolean): Promise<NativeDatabase> {
  const { constants, Database } = await import("bun:sqlite");
  const how = readOnly ? constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI : { readwrite: true, create: true };
  return new Database(path, how) as NativeDatabase;
}

async function openNode(path: string, readOnly: boolean): Promise<NativeDatabase> {
  const { DatabaseSync } = await import("node:sqlite");
  return new DatabaseSync(path, { readOnly }) as NativeDatabase;
}

// In place: a copy for each statement would show on the commit path.
function encode(values: Bindable[]): Native[] {
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === undefined) values[i] = null;
    else if (typeof value === "boolean") values[i] = value ? 1 : 0;
  }
  return values as Native[];
}
