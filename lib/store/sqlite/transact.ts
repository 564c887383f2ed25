/**
 * Runs a task body in a transaction on a separate connection and adds the result before the commit. The transaction
 * holds the write lock of the file from its start: no other runner can take the run meanwhile, so the fence is read
 * only once, and no other connection can write.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { StoreError } from "../../errors.ts";
import { causesOf } from "../shared/causes.ts";
import { jittered } from "../shared/pauses.ts";
import type { TransactionRequest, TransactionVerdict } from "../port/transactions.ts";
import type { Persistence } from "./busy.ts";
import { type Connection, connectionOf } from "./driver.ts";
import { faultOf, isDiskFault, storeError } from "./faults.ts";
import type { FileIdentity } from "./file_identity.ts";
import type { Gate } from "./gate.ts";
import { type LentDatabase, openLent } from "./lent.ts";
import type { Durability } from "./open.ts";
import type { Renewals } from "./renewals.ts";
import { createSession, type Session } from "./session.ts";
import { isOwned, writeRecord } from "./writes.ts";

/** The parts of the store that a transaction needs. */
export interface TransactionSite {
  /** The absolute path of the file. */
  readonly path: string;
  /** Checks that the path leads to the file. */
  readonly identity: FileIdentity;
  /** What a commit survives. */
  readonly durability: Durability;
  /** Retries while another process holds the lock. */
  readonly persistence: Persistence;
  /** Serializes the transactions and the writes of this process. */
  readonly gate: Gate;
  /** Lease renewals that are granted during the transaction. */
  readonly renewals: Renewals;
  /** The store's clock. */
  readonly clock: Clock;
}

// Covers short locks of a reader or a checkpoint; see busy.ts.
const BUSY_TIMEOUT_MS = 25;
const LONGEST_BUSY_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
const WARN_AFTER_MS = 5_000;

const RECORDED = `
select output from tasks where run = $1 and task = $2 and item = $3 and step = '' and state = 'completed'`;

/** Runs a body in a transaction that also records its result. */
export async function transact(
  session: Session,
  site: TransactionSite,
  request: TransactionRequest,
): Promise<TransactionVerdict> {
  for (let tries = 0;; tries++) {
    const leave = await site.gate.enter();
    const now: Moment = { isBody: false };
    let isBusy = true;
    try {
      return await attempt(session, site, request, now);
    } catch (error) {
      if (!isPassing(error, now)) throw error;
      isBusy = !causesOf(error).some((cause) => isOfDatabase(cause) && faultOf(cause) !== "busy");
      if (tries === 0 && (!isBusy || !now.isBody)) {
        session.logger.warn(`${storeError(error, session.name, "write to").message}; retrying`);
      }
    } finally {
      leave();
    }
    const ms = isBusy ? Math.min(2 ** tries, LONGEST_BUSY_PAUSE_MS) : Math.min(20 * 2 ** tries, LONGEST_PAUSE_MS);
    await pause(jittered(ms), request.signal);
  }
}

/** Whether the current statements are those of the body or of the engine. */
interface Moment {
  isBody: boolean;
}

/**
 * Returns whether an error is transient. A body has no competitor for the store's file, but can meet a full disk or a lock
 * in a file that it attaches, and can wrap the error. Any other error of its statements is its own.
 */
function isPassing(thrown: unknown, { isBody }: Moment): boolean {
  if (isBody) return causesOf(thrown).some((error) => faultOf(error) === "busy" || isDiskFault(error));
  return isOfDatabase(thrown);
}

/** Returns whether an error is one of the database that no values have caused. */
function isOfDatabase(error: unknown): boolean {
  if (error instanceof StoreError) return false;
  const fault = faultOf(error);
  return fault !== "values" && fault !== "integer" && fault !== "unknown";
}

/** Resolves after `ms` milliseconds, or as soon as the signal aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);

    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}

async function attempt(
  session: Session,
  { path, identity, durability, persistence, renewals, clock }: TransactionSite,
  request: TransactionRequest,
  now: Moment,
): Promise<TransactionVerdict> {
  const { signal, seq, epoch, task, item } = request;
  signal.throwIfAborted();
  // A connection for each attempt: a call that the body left unawaited finds it closed and reaches no other transaction.
  const native = await openSame(path, identity);
  const connection = connectionOf(native.database);
  const { name, logger } = session;
  const own = createSession(connection, persistence, { name, clock, logger, committed() {} });
  let isCommitted = false;
  try {
    connection.exec(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}`);
    connection.exec(`pragma synchronous = ${durability === "power" ? 2 : 1}`);
    connection.exec("pragma foreign_keys = 1");
    await persistence.attempt("write to", () => {
      signal.throwIfAborted();
      connection.exec("begin immediate");
    });
    connection.exec("savepoint sluice_body");
    renewals.locked();
    if (!isOwned(own, { seq, epoch })) return { kind: "fenced" };
    const before = own.get(RECORDED, seq, task, item);
    if (before !== undefined) return { kind: "committed", output: textOf(before["output"]) };
    now.isBody = true;
    const record = await bodyOf(session, request, native.database);
    now.isBody = false;
    stillOpen(connection, name);
    const write = { seq, epoch, records: [record], move: undefined };
    if (!writeRecord(own, write, record)) return { kind: "fenced" };
    renewals.write(own);
    request.committing();
    connection.exec("commit");
    const { rows, statements } = own.counters();
    session.wrote(rows, statements);
    isCommitted = true;
    return { kind: "committed", output: record.output };
  } finally {
    if (!isCommitted) commitRenewals(connection, own, renewals);
    renewals.unlocked();
    connection.release();
    native.close();
  }
}

/** Opens the store's own file: it is neither created nor another one. */
async function openSame(path: string, identity: FileIdentity): Promise<LentDatabase> {
  identity.verify(true);
  const native = await openLent(path);
  try {
    identity.verify(true);
    return native;
  } catch (error) {
    native.close();
    throw error;
  }
}

/** Rolls back the writes of the body and commits the granted lease renewals, if the transaction is still open. */
function commitRenewals(connection: Connection, own: Session, renewals: Renewals): void {
  try {
    connection.exec("rollback to sluice_body");
    if (renewals.write(own)) connection.exec("commit");
  } catch {
    // The body has ended the transaction, or the file cannot be written: the next renewal writes the lease separately.
  }
}

/** Runs the body until it settles or the signal aborts. A body that continues after the abort finds its connection closed. */
async function bodyOf(
  session: Session,
  { body, signal, task }: TransactionRequest,
  native: unknown,
): ReturnType<TransactionRequest["body"]> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const warning = setTimeout(() => {
    session.logger.warn(
      `The transaction of task "${task}" has held the write lock of SQLite database ${session.name} for ` +
        `${WARN_AFTER_MS} ms: no other connection can write until it ends`,
    );
  }, WARN_AFTER_MS);
  try {
    const record = await Promise.race([body(native), aborted.promise]);
    signal.throwIfAborted();
    return record;
  } finally {
    clearTimeout(warning);
    signal.removeEventListener("abort", abort);
  }
}

/** Checks that the body has not ended the transaction: the result cannot be added to a transaction that has ended. */
function stillOpen(connection: Connection, name: string): void {
  try {
    connection.exec("release sluice_body");
  } catch (error) {
    if (!(error instanceof Error) || !/no such savepoint/i.test(error.message)) throw error;
    throw new StoreError(
      "transaction_ended",
      `Cannot record the result in SQLite database ${name}: the body ended its transaction, and its writes may be ` +
        "committed without the result; leave commit and rollback to Sluice, which rolls back if the body throws",
    );
  }
}

function textOf(value: unknown): string | undefined {
  return value === null ? undefined : String(value);
}
