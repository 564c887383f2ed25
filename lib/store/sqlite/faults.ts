import type { StoreErrorCode } from "../../error_codes.ts";
import { StoreError } from "../../errors.ts";

/** The class of a driver error. */
export type Fault =
  /** Another connection holds a lock. The error is transient. */
  | "busy"
  /** The disk is full or fails. The error can be transient, but can last long. */
  | "storage"
  | "corrupt"
  | "not_a_database"
  | "read_only"
  /** A column has an integer that is no integer of JavaScript. The statement reads it in another form from now on. */
  | "integer"
  /** The values of a row are invalid; other rows are not affected. */
  | "values"
  /** The statement failed independent of its values, for example because a table is missing. */
  | "statement"
  /** The error has no result code of SQLite: it is an error of this program. */
  | "unknown";

/** Classifies an error of either runtime. */
export function faultOf(error: unknown): Fault {
  if (isUnsafeInteger(error)) return "integer";
  switch (resultCode(error)) {
    case 5: // busy
    case 6: // locked
    case 9: // interrupted
    case 15: // protocol: lock contention while a process recovered the WAL
      return "busy";
    case 7: // out of memory
    case 10: // I/O error
    case 13: // full
    case 14: // cannot open, which includes the WAL and temporary files
      return "storage";
    case 11:
      return "corrupt";
    case 26:
      return "not_a_database";
    case 3: // permission
    case 8:
      return "read_only";
    case 18: // too big
    case 19: // constraint
    case 20: // mismatch
      return "values";
    case undefined:
      return "unknown";
    default:
      return "statement";
  }
}

/** Converts an error that does not concern a single statement to a `StoreError`. */
export function storeError(error: unknown, name: string, action: string): StoreError {
  if (error instanceof StoreError) return error;
  const fault = faultOf(error);
  return new StoreError(codeOf(fault), `Cannot ${action} SQLite database ${name}: ${reasonOf(fault, error, name)}`, {
    cause: error,
  });
}

function codeOf(fault: Fault): StoreErrorCode {
  switch (fault) {
    case "busy":
      return "database_busy";
    case "storage":
      return "cannot_open";
    case "integer":
    case "values":
    case "statement":
    case "unknown":
      return "database_error";
    case "corrupt":
    case "not_a_database":
    case "read_only":
      return fault;
  }
}

/** Returns the reason of an error of a class, and the remedy if there is one. */
export function reasonOf(fault: Fault, error: unknown, name: string): string {
  switch (fault) {
    case "corrupt":
      return `the file is damaged, or the write-ahead log ${
        name.replace(/"$/, '-wal"')
      } belongs to another file. If the file was ` +
        "restored from a backup, delete that log; otherwise restore the file from a backup, or save what can be read " +
        "with the .recover command of the sqlite3 shell";
    case "not_a_database":
      return "the file is not a SQLite database";
    case "read_only":
      return "it is not writable; check the permissions of the file and of its directory";
    case "busy":
    case "storage":
    case "integer":
    case "values":
    case "statement":
    case "unknown":
      return error instanceof Error ? error.message : String(error);
  }
}

/** Returns whether the disk is full or fails: the error is transient, as far as any statement can know. */
export function isDiskFault(error: unknown): boolean {
  const code = resultCode(error);
  return code === 10 || code === 13;
}

/** Returns whether node:sqlite refuses to read an integer beyond 2^53. Bun rounds it. */
export function isUnsafeInteger(error: unknown): boolean {
  return error instanceof RangeError && "code" in error && error.code === "ERR_OUT_OF_RANGE";
}

// node:sqlite has the extended code in `errcode`, bun:sqlite in `errno`; the low byte is the primary code.
function resultCode(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  if ("errcode" in error && typeof error.errcode === "number") return error.errcode & 0xff;
  if ("code" in error && typeof error.code === "string" && error.code.startsWith("SQLITE_") && "errno" in error) {
    return typeof error.errno === "number" ? error.errno & 0xff : undefined;
  }
  // Deno omits the code from errors of opening a file.
  return error instanceof Error && error.message.startsWith("unable to open database file") ? 14 : undefined;
}
