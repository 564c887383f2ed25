import type { StoreErrorCode } from "../../../error_codes.ts";
import { StoreError } from "../../../errors.ts";

/** The kind of an error of the driver or the server. */
export type Fault =
  /** Not executed, and transient: deadlock, serialization failure, lock timeout. */
  | "conflict"
  /** The connection is lost or could not be opened; statements that were sent may have been executed. */
  | "connection"
  /** The server is out of resources: connections, memory, disk. */
  | "exhausted"
  /** The server is a replica, or is read-only, as briefly during a failover. */
  | "read_only"
  | "login"
  | "no_database"
  | "not_permitted"
  /** Tables are missing, or differ from the expected schema. */
  | "schema_gone"
  /** The values: only the caller that passed them is affected. */
  | "values"
  /** None of these: a bug in this library. */
  | "unknown";

/** Classifies an error. */
export function faultOf(error: unknown): Fault {
  const code = codeOf(error);
  if (code === undefined) return "unknown";
  if (code === "CONNECT_READ_ONLY") return "read_only";
  if (!isFromServer(error)) return isConnectionCode(code) ? "connection" : "unknown";
  switch (code) {
    case "25006":
      return "read_only";
    case "57014": // cancelled, as by statement_timeout
    case "55P03": // lock not available
    case "40001":
    case "40P01":
      return "conflict";
    case "26000": // behind a pooler: the prepared statement exists in another server process
    case "0A000": // a cached plan whose result type a migration has changed
    case "25P02": // a statement after a failure in the same transaction
    case "25P03": // the transaction was idle for too long
      return "connection";
    case "XX000":
      // An internal error of a statement is not repeated. One that ends the connection is that of a server that fails, or of
      // a pooler before it, which answers logins with it while it cannot reach the server.
      return isFatal(error) ? "connection" : "unknown";
    case "54000":
      // Not about the values: the queue is full, as a session somewhere has not read it for long.
      return isNotifyQueueFull(error) ? "exhausted" : "values";
    case "23505":
      // Another run has taken the key of a run that is restarted. All starts expect that, so that only a restart fails.
      return constraintOf(error) === "runs_active_key" ? "conflict" : "values";
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
    case "57": // the server or an administrator ends the connection, or the server does not accept connections yet
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

/** Whether the error comes from the server, and not from the driver or the system. */
export function isFromServer(error: unknown): boolean {
  return severityOf(error) !== undefined;
}

/** Poolers such as PgBouncer send only the field that a server would translate. */
function severityOf(error: unknown): unknown {
  if (typeof error !== "object" || error === null) return undefined;
  if ("severity" in error) return error.severity;
  return "severity_local" in error ? error.severity_local : undefined;
}

function constraintOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "constraint_name" in error ? error.constraint_name : undefined;
}

/** Whether the server ends the connection with this error. */
function isFatal(error: unknown): boolean {
  const severity = severityOf(error);
  return severity === "FATAL" || severity === "PANIC";
}

/** Whether another session has created the same row, role, schema or table, or has changed the same role, meanwhile. */
export function isDuplicate(error: unknown): boolean {
  const code = codeOf(error) ?? "";
  if (!isFromServer(error)) return false;
  // The server has no code of its own for a row of its catalog that another session changes at the same moment.
  return ["23505", "42710", "42P06", "42P07"].includes(code) ||
    (code === "XX000" && messageOf(error).includes("tuple concurrently"));
}

/**
 * Whether a transaction failed at its commit because it notifies and the queue of notifications is full. Notifications
 * are hints: what fails for this reason is repeated without them.
 */
export function isNotifyQueueFull(error: unknown): boolean {
  if (!isFromServer(error) || codeOf(error) !== "54000") return false;
  // The code is also that of a row that is too large, and the message depends on the language of the server.
  return typeof error === "object" && error !== null && "routine" in error && error.routine === "PreCommit_Notify";
}

/** Whether an object could not be dropped because another object depends on it. */
export function isDependency(error: unknown): boolean {
  return isFromServer(error) && codeOf(error) === "2BP01";
}

/** Whether a retry may succeed. */
export function isTransient(fault: Fault): boolean {
  return fault === "conflict" || fault === "connection" || fault === "exhausted" || fault === "read_only";
}

/** Converts an error that cannot be handled here into a single clear sentence. */
export function storeError(error: unknown, name: string, action: string): StoreError {
  if (error instanceof StoreError) return error;
  const fault = faultOf(error);
  // Without a cause: the server's detail contains rows, and the driver's stack contains the statement.
  return new StoreError(storeCode(fault), `Cannot ${action} Postgres database ${name}: ${reasonOf(fault, error)}`);
}

/** The message of an error, without the rows that its details quote. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = codeOf(error);
  if (code === "55P03") return "another session holds a lock that is needed";
  // Bun and Deno leave the message of a refused connection to several addresses empty.
  return error.message === "" ? code ?? error.name : error.message;
}

/** Creates the error of a refused row for the caller that passed it. */
export function refusal(error: unknown, name: string): StoreError {
  const detail = ["22021", "22P05"].includes(codeOf(error) ?? "")
    ? "a text holds a NUL character, which Postgres cannot store"
    : messageOf(error);
  return new StoreError("refused_row", `Cannot write to Postgres database ${name}: ${detail}`);
}

function storeCode(fault: Fault): StoreErrorCode {
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

/** The code that the server, the driver or the system set on an error. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  if (typeof error.code === "string") return error.code;
  return undefined;
}

// The driver's own codes, and the system's codes for sockets and name resolution.
function isConnectionCode(code: string): boolean {
  return code.startsWith("CONNECT") || /^E[A-Z_]+$/.test(code) || code.startsWith("ERR_TLS") ||
    code.startsWith("ERR_SSL") || code.startsWith("ERR_SOCKET") || code === "FailedToOpenSocket";
}
