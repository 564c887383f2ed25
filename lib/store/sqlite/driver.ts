/**
 * The SQLite driver of the runtime: `bun:sqlite` under Bun, `node:sqlite` under Deno and Node. No other file depends on
 * the runtime's driver. The driver is loaded when the first database is opened, so that an import of the library does
 * not load it.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { isUnsafeInteger } from "./faults.ts";

/** A value that can be bound: `undefined` is stored as null, booleans as 0 and 1. */
export type Bindable = string | number | bigint | boolean | null | undefined | Uint8Array;

/** A value of a row. */
export type SqlValue = string | number | bigint | null | Uint8Array;

/** A row by column name. */
export type Row = Readonly<Record<string, SqlValue>>;

/** The result of a statement. */
export interface Changes {
  /** The number of rows inserted, updated or deleted. */
  readonly changes: number;
  /** The rowid of the last inserted row; of an earlier statement if this statement inserted none. */
  readonly lastInsertRowid: number;
}

/** A compiled statement. Each call executes it to completion, so that no statement stays open and holds a snapshot. */
export interface Statement {
  /** Executes the statement. The statement owns the array from then on and encodes it in place. */
  run(values?: Bindable[]): Changes;
  /** Returns the first row. */
  get(values?: Bindable[]): Row | undefined;
  /** Returns all rows. */
  all(values?: Bindable[]): Row[];
}

/** An open database. */
export interface Connection {
  /** Compiles one statement; parameters are `$1`, `$2`, … in any order and as often as needed. */
  prepare(sql: string): Statement;
  /** Compiles and executes one statement. */
  exec(sql: string): void;
  /** Finalizes all statements. */
  release(): void;
  /** Finalizes all statements and closes the database. */
  close(): void;
}

/** Options for opening a database file. */
export interface ConnectionOptions {
  /** Whether to open an existing file read-only. @default {false} */
  readonly readOnly?: boolean;
  /** Whether to refuse a missing file instead of creating it. @default {false} */
  readonly mustExist?: boolean;
  /** Whether no process writes to the file meanwhile, so that no lock is taken and no other file created; only with `readOnly`. */
  readonly isStill?: boolean;
}

/**
 * Opens a database file and creates it unless `readOnly`; the path `":memory:"` opens a database in memory.
 * Throws the error of the runtime, which `faultOf()` in faults.ts classifies.
 */
export async function openConnection(path: string, options: ConnectionOptions = {}): Promise<Connection> {
  return connectionOf(await openNative(path, options));
}

/** Opens a database file and returns the runtime's own handle. */
export async function openNative(path: string, options: ConnectionOptions = {}): Promise<NativeDatabase> {
  const { readOnly = false, mustExist = false, isStill = false } = options;
  // node:sqlite has no option for it, and a URI that has one needs other permissions under Deno.
  if (mustExist && path !== ":memory:" && !existsSync(path)) {
    throw new Error("unable to open database file: it does not exist");
  }
  // Both runtimes accept a URI as the path. A name that begins like a URI is one to node:sqlite only.
  const place = isStill ? `${pathToFileURL(path)}?immutable=1` : path.startsWith("file:") ? `./${path}` : path;
  return "Bun" in globalThis ? await openBun(place, readOnly, !mustExist) : await openNode(place, readOnly);
}

/** Creates a connection on an open database. */
export function connectionOf(native: NativeDatabase): Connection {
  const compiled: NativeStatement[] = [];
  return { prepare, exec, release, close };

  // The runtimes' own exec() is not used: Deno's omits the result code from its errors.
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
    let readsBigInts = false;
    return {
      run: (values = []) => statement.run(...encode(values)),
      get(values = []) {
        const row = reading(() => statement.get(...encode(values)) ?? undefined);
        return readsBigInts && row !== undefined ? decode(row) : row;
      },
      all(values = []) {
        const rows = reading(() => statement.all(...encode(values)));
        return readsBigInts ? rows.map(decode) : rows;
      },
    };

    // The statement is not executed again here: it may have written. The caller repeats its transaction.
    function reading<T>(work: () => T): T {
      try {
        return work();
      } catch (error) {
        if (!readsBigInts && isUnsafeInteger(error)) {
          readsBigInts = true;
          statement.setReadBigInts?.(true);
        }
        throw error;
      }
    }
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

/** A value that the runtimes can bind. */
export type Native = string | number | bigint | null | Uint8Array;

/** A compiled statement of the runtimes. */
export interface NativeStatement {
  /** Executes the statement. */
  run(...values: Native[]): Changes;
  /** Returns the first row. */
  get(...values: Native[]): Row | null | undefined;
  /** Returns all rows. */
  all(...values: Native[]): Row[];
  /** Reads integers as bigints; exists only in node:sqlite. */
  setReadBigInts?(isEnabled: boolean): void;
  /** Frees the statement; exists only under Bun. */
  finalize?(): void;
}

/** The common part of the runtimes' database handles. */
export interface NativeDatabase {
  /** Compiles one statement. */
  prepare(sql: string): NativeStatement;
  /** Closes the database. */
  close(): void;
}

async function openBun(path: string, readOnly: boolean, create: boolean): Promise<NativeDatabase> {
  // @ts-ignore: without the types of Bun there are none for it
  const { constants, Database } = await import("bun:sqlite");
  const how = readOnly ? constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI : { readwrite: true, create };
  return new Database(path, how) as NativeDatabase;
}

async function openNode(path: string, readOnly: boolean): Promise<NativeDatabase> {
  const { DatabaseSync } = await import("node:sqlite");
  return new DatabaseSync(path, { readOnly }) as NativeDatabase;
}

/** Returns a row with numbers for all integers that are integers of JavaScript. The decoders refuse the others. */
function decode(row: Row): Row {
  const decoded: Record<string, SqlValue> = {};
  for (const [column, value] of Object.entries(row)) {
    const number = Number(value);
    decoded[column] = typeof value === "bigint" && Number.isSafeInteger(number) ? number : value;
  }
  return decoded;
}

// Encodes in place: a copy for each statement would be measurable on the commit path.
function encode(values: Bindable[]): Native[] {
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === undefined) values[i] = null;
    else if (typeof value === "boolean") values[i] = value ? 1 : 0;
  }
  return values as Native[];
}
