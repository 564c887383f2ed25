import { StoreError } from "../../errors.ts";

/** What stands behind an error of the driver. */
export type Fault =
  /** Somebody else holds a lock: passes by itself. */
  | "busy"
  /** The disk is full or fails: may pass, and takes its time. */
  | "storage"
  | "corrupt"
  | "not_a_database"
  | "read_only"
  /** The values of a row: only that row is concerned. */
  | "values"
  /** The statement, as when a table is gone: no row is to blame. */
  | "statement"
  /** No result code of SQLite: an error of this program. */
  | "unknown";

/** Tells what stands behind an error, whichever runtime threw it. */
export function faultOf(error: unknown): Fault {
  switch (resultCode(error)) {
    case 5: // busy
    case 6: // locked
    case 9: // interrupted
    case 15: // protocol: many processes met while one of them recovered the WAL
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

/** One clear sentence for an error that is not the fault of a single statement. */
export function storeError(error: unknown, name: string, action: string): StoreError {
  if (error instanceof StoreError) return error;
  const fault = faultOf(error);
  return new StoreError(codeOf(fault), `Cannot ${action} SQLite database ${name}: ${reasonOf(fault, error)}`, {
    cause: error,
  });
}

function codeOf(fault: Fault): string {
  switch (fault) {
    case "busy":
      return "database_busy";
    case "storage":
      return "cannot_open";
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

function reasonOf(fault: Fault, error: unknown): string {
  switch (fault) {
    case "corrupt":
      return "the file is damaged; restore it from a backup, or save what can be read with the .recover command of the sqlite3 shell";
    case "not_a_database":
      return "the file exists and is something else than a SQLite database";
    case "read_only":
      return "it cannot be written to; check the permissions of the file and of its directory";
    case "busy":
    case "storage":
    case "values":
    case "statement":
    case "unknown":
      return error instanceof Error ? error.message : String(error);
  }
}

// node:sqlite has the extended code in `errcode`, bun:sqlite in `errno`; its low byte is the plain one.
function resultCode(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  if ("errcode" in error && typeof error.errcode === "number") return error.errcode & 0xff;
  if ("code" in error && typeof error.code === "string" && error.code.startsWith("SQLITE_") && "errno" in error) {
    return typeof error.errno === "number" ? error.errno & 0xff : undefined;
  }
  // Deno leaves the code off what opening a file throws.
  return error instanceof Error && error.message.startsWith("unable to open database file") ? 14 : undefined;
}
