/** The errors of transactions in which bodies run, and which of them are retried. */
import { StoreError } from "../../../errors.ts";
import { causesOf } from "../../shared/causes.ts";
import { codeOf, faultOf, isFromServer, isTransient, messageOf } from "../connect/faults.ts";

// Serialization failure, deadlock. Not a lock timeout that the body itself has set.
const CONFLICTS = new Set(["40001", "40P01"]);

/** Finds the server's error for a transaction that may succeed when repeated, even if the body wrapped the error. */
export function passingIn(thrown: unknown): unknown {
  return causesOf(thrown).find((error) =>
    isFromServer(error) && (CONFLICTS.has(codeOf(error) ?? "") || faultOf(error) === "exhausted")
  );
}

/** Returns an error of the server as one that is retried, whatever its code is: it is not about the data of a row. */
export function passing(error: unknown): unknown {
  const fault = faultOf(error);
  if (!isFromServer(error) || isTransient(fault) || fault === "values" || fault === "login") return error;
  return Object.assign(new Error(messageOf(error)), { code: "CONNECTION_UNUSABLE" });
}

/** The error of a transaction that the server ends each time, for a reason in words. */
export function endedByServer(name: string, why: string): StoreError {
  return new StoreError(
    "transaction_lost",
    `Cannot finish the transaction in Postgres database ${name}: the server ended it, as ${why}; make the body ` +
      "shorter, or raise the limit",
  );
}

/** The error for a lost connection, which is retried regardless of what the body threw. */
export function lost(thrown: unknown): Error {
  const told = `the connection of a transaction is lost: ${messageOf(thrown)}`;
  return Object.assign(new Error(told), { code: "CONNECTION_LOST" });
}

/** The error of a body that has ended its transaction itself. */
export function endedError(name: string): StoreError {
  return new StoreError(
    "transaction_ended",
    `Cannot record the result in Postgres database ${name}: the body ended its transaction, and its writes may be ` +
      "committed without the result; leave commit and rollback to Sluice, which rolls back if the body throws",
  );
}
