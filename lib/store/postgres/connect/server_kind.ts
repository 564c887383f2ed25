/**
 * Checks at the beginning of each connection that its server is of the required kind. After a failover a name or the
 * first host of a list may lead to a standby, where reads would return old rows and writes would fail as long as the
 * connection lasts. So a connection to a server of another kind is dropped, and the next one tries the next host.
 *
 * The check of the driver for `target_session_attrs` is not used: from Postgres 14 on it takes a standby for a server
 * that accepts writes.
 *
 * @module
 */
import type { Row } from "../../shared/decode.ts";
import type { Connection } from "./connection.ts";
import type { TargetSession } from "./url_parameters.ts";

/** The required kind of server. */
export interface Required {
  /** Whether the connection only reads, so that a standby is enough. */
  readonly readOnly: boolean;
  /** The parameter of the URL. */
  readonly targetSession: TargetSession | undefined;
}

/** Columns for the first statement of a connection. */
export const SERVER_KIND = `pg_catalog.pg_is_in_recovery() as standby,
       pg_catalog.current_setting('transaction_read_only') as read_only`;

/** Drops the connection and throws unless its server, as `SERVER_KIND` returned it, is of the required kind. */
export function checkServerKind(row: Row | undefined, connection: Connection, required: Required): void {
  const error = problemOf(row, required, connection.isLastResort);
  if (error === undefined) return connection.accept();
  connection.refuse(error);
  throw error;
}

function problemOf(
  row: Row | undefined,
  { readOnly, targetSession }: Required,
  isLastResort: boolean,
): Error | undefined {
  const isStandby = String(row?.["standby"]).startsWith("t");
  if (!readOnly) {
    if (isStandby) return problem("CONNECT_READ_ONLY", "the server is a standby and read-only");
    if (row?.["read_only"] !== "on") return undefined;
    return problem("CONNECT_READ_ONLY", "the server, the database or the role is read-only");
  }
  const isWanted = targetSession === undefined || (targetSession === "prefer-standby" && isLastResort) ||
    isStandby === (targetSession !== "primary" && targetSession !== "read-write");
  return isWanted ? undefined : problem("CONNECT_TARGET", `no server matches target_session_attrs=${targetSession}`);
}

function problem(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
