import { StoreError } from "../../errors.ts";

/** What stands behind an error of the driver or the server. */
export type Fault =
  /** Not carried out, and passes by itself: deadlock, serialization, a lock that was waited for too long. */
  | "conflict"
  /** The connection is lost or could not be had; what was sent may have been carried out. */
  | "connection"
  /** The server has no room: connections, memory, disk. */
  | "exhausted"
  /** The server is a replica, or was made read-only, as for a moment in a failover. */
  | "read_only"
  | "login"
  | "no_database"
  | "not_permitted"
  /** Tables are not there, or not as we know them. */
  | "schema_gone"
  /** The values: only whoever brought them is concerned. */
  | "values"
  /** None of these: a mistake in here. */
  | "unknown";

/** Tells what stands behind an error. */
export function faultOf(error: unknown): Fault {
  const code = codeOf(error);
  if (code === undefined) return "unknown";
  if (!isFromServer(error)) return isConnectionCode(code) ? "connection" : "unknown";
  switch (code) {
    case "25006":
      return "read_only";
    case "57014": // cancelled, as by statement_timeout
    case "55P03": // lock not available
    case "40001":
    case "40P01":
      return "conflict";
    case "26000": // a prepared statement that another server process has, behind a pooler
    case "0A000": // a cached plan whose result type a migration has changed
    case "25P02": // what follows a failure in the same transaction
    case "25P03": // the transaction was idle for too long
      return "connection";
    case "3D000":
      return "no_database";
    case "42501":
      return "not_permitted";
    case "3F000":
    case "42P01":
    case "42703":
      return "schema_gone";
  }
  switch (code.slice(0, 2)) {
    case "08":
    case "57": // the server or an administrator ends the connection, or does not take one yet
      return "connection";
    case "40":
      return "conflict";
    case "53":
    case "58":
      return "exhausted";
    case "28":
      return "login";
    case "21":
    case "22":
    case "23":
    case "54":
      return "values";
    default:
      return "unknown";
  }
}

/** Whether the server has said it, and not the driver or the system. */
export function isFromServer(error: unknown): boolean {
  return typeof error === "object" && error !== null && "severity" in error;
}

/** Whether a row was there already that should have been new. */
export function isDuplicate(error: unknown): boolean {
  // The other code is that of roles and schemas.
  return isFromServer(error) && ["23505", "42710"].includes(codeOf(error) ?? "");
}

/** Whether something could not be dropped because something else depends on it. */
export function isDependency(error: unknown): boolean {
  return isFromServer(error) && codeOf(error) === "2BP01";
}

/** Whether it is worth waiting for. */
export function isTransient(fault: Fault): boolean {
  return fault === "conflict" || fault === "connection" || fault === "exhausted" || fault === "read_only";
}

/** One clear sentence for an error that nobody can mend here. */
export function storeError(error: unknown, name: string, action: string): StoreError {
  if (error instanceof StoreError) return error;
  const fault = faultOf(error);
  // Without a cause: what the server says in detail holds rows, and the driver's stack the statement.
  return new StoreError(storeCode(fault), `Cannot ${action} Postgres database ${name}: ${reasonOf(fault, error)}`);
}

/** What an error says, without what it quotes of rows. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = codeOf(error);
  // Bun and Deno leave the message of a refused connection to several addresses empty.
  return error.message === "" ? code ?? error.name : error.message;
}

/** The error that a row met, for whoever brought it. */
export function refusal(error: unknown, name: string): StoreError {
  const detail = ["22021", "22P05"].includes(codeOf(error) ?? "")
    ? "a text holds a NUL character, which Postgres cannot store"
    : messageOf(error);
  return new StoreError("refused_row", `Cannot write to Postgres database ${name}: ${detail}`);
}

function storeCode(fault: Fault): string {
  switch (fault) {
    case "conflict":
    case "connection":
    case "exhausted":
      return "cannot_connect";
    case "values":
    case "unknown":
      return "database_error";
    case "login":
      return "login_failed";
    case "read_only":
    case "no_database":
    case "not_permitted":
    case "schema_gone":
      return fault;
  }
}

function reasonOf(fault: Fault, error: unknown): string {
  const said = messageOf(error);
  switch (fault) {
    case "login":
      return `the server does not accept the login (${said}); check user and password of the URL`;
    case "no_database":
      return `${said}; create it, as with createdb, or correct the URL`;
    case "read_only":
      return "the server is read-only; Sluice needs the primary";
    case "not_permitted":
      return `${said}; grant it to the role of the URL`;
    case "schema_gone":
      return `${said}; its schema was removed or changed while it was in use`;
    case "conflict":
    case "connection":
    case "exhausted":
    case "values":
    case "unknown":
      return said;
  }
}

/** The code that the server, the driver or the system has given an error. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  if (typeof error.code === "string") return error.code;
  return undefined;
}

// The driver's own codes, and those that the system gives to sockets and names.
function isConnectionCode(code: string): boolean {
  return code.startsWith("CONNECT") || /^E[A-Z_]+$/.test(code) || code.startsWith("ERR_TLS") ||
    code.startsWith("ERR_SSL") || code.startsWith("ERR_SOCKET") || code === "FailedToOpenSocket";
}
