import { type Clock, systemClock } from "../../clock.ts";
import { type Logger, silent } from "../../logger.ts";
import type { Store } from "../port/store.ts";
import { readOnly } from "../shared/read_only.ts";
import { createInspection } from "../sql/inspection.ts";
import { createMethods } from "../sql/methods.ts";
import { giveUp } from "../sql/recovery.ts";
import { createLimitStore } from "../sql/limits/limit_store.ts";
import { createScheduleStore } from "../sql/schedules.ts";
import { createPersistence } from "./busy.ts";
import { createCheckpoints, NO_CHECKPOINTS } from "./checkpoint.ts";
import { claim } from "./claim.ts";
import { commitBatch } from "./commit.ts";
import { createDatabase } from "./database.ts";
import type { Connection } from "./driver.ts";
import { identifyFile, NO_FILE } from "./file_identity.ts";
import { createGate } from "./gate.ts";
import { type Durability, openReader, openWriter, pathOf } from "./open.ts";
import { readOutputs } from "./journal.ts";
import { createRenewals } from "./renewals.ts";
import { join, renew } from "./runners.ts";
import { createSession } from "./session.ts";
import { transact } from "./transact.ts";
import { createWake } from "./wake.ts";
import { insertWithin } from "./within.ts";

/** Options for opening a SQLite store. */
export interface SqliteStoreOptions {
  /**
   * The failures that a commit survives.
   *
   * @default {"power"}
   */
  readonly durability?: Durability;
  /** Whether the store is read-only: the file must exist with a current schema, and every write is refused. @default {false} */
  readonly readOnly?: boolean;
  /** The store's clock. */
  readonly clock?: Clock;
  /** Receives warnings about retries and errors from which the store recovers by itself. */
  readonly logger?: Logger;
}

// Together with the slow poll for due runs and the renewal: under a statement per second. The liveness of processes whose
// rows are known is checked more often, without a statement.
const RECOVERY_INTERVAL_MS = 3_000;

/**
 * Opens the store in the file at `given`, or in memory if `given` is `":memory:"`. Creates a missing file, but not its
 * directory, and migrates the schema.
 *
 * @throws {StoreError} If the file cannot be used; the message contains the reason.
 */
export async function openSqliteStore(given: string, options: SqliteStoreOptions = {}): Promise<Store> {
  const { durability = "power", readOnly: isReadOnly = false, clock = systemClock, logger = silent } = options;
  const name = `"${given}"`;
  const persistence = createPersistence(name, logger);
  const connection: Connection = isReadOnly
    ? await openReader(given, name, { persistence, logger })
    : await openWriter(given, name, durability, persistence);
  const path = pathOf(connection, given);
  const identity = path === ":memory:" ? NO_FILE : identifyFile(path, given, name, logger);
  const checkpoints = isReadOnly ? NO_CHECKPOINTS : createCheckpoints(connection, clock, { path, name, logger });
  const { committed } = checkpoints;
  const gate = createGate();
  const session = createSession(connection, persistence, { name, clock, logger, committed, gate, identity });
  const wake = createWake(connection, clock, logger);
  const renewals = createRenewals(session);
  const database = createDatabase(session);
  const { read, write } = session;
  let closed = false;
  const store: Store = {
    name: path === ":memory:" ? "sqlite::memory:" : `sqlite://${given}`,
    now: session.now,
    clockWasSetBack: session.steps.takeSetBack,

    commit: (batch) => commitBatch(session, batch),
    claim: (request) => claim(session, request, (run) => database.execute(giveUp(database.dialect, run))),
    outputs: (requests) => readOutputs(session, requests),

    recoveryIntervalMs: RECOVERY_INTERVAL_MS,
    transactions: path === ":memory:" ? undefined : "sqlite",
    transact: (request) =>
      transact(session, { path, identity, durability, persistence, gate, renewals, clock }, request),
    // deno-lint-ignore require-await -- the port's method is asynchronous, that of SQLite is not
    insertWithin: async (tx, runs) => insertWithin(session, path, tx, runs),

    join: (card, leaseMs) => write("write to", () => join(session, card, leaseMs)),
    renew: (runner, leaseMs) =>
      renewals.renew(runner, leaseMs, () =>
        write("write to", () => {
          identity.verify(true);
          return renew(session, runner, leaseMs);
        })),

    ...createMethods(database),
    schedules: createScheduleStore(database),
    limits: createLimitStore(database),
    // Any commit to the file can change a list.
    inspection: createInspection(
      database,
      () => read("read", () => `${wake.version()},${session.counters().commits}`),
    ),

    // No other process can change a database in memory.
    watch: (changed) => path === ":memory:" ? () => {} : wake.watch(changed),
    counters: session.counters,
    close,
  };
  return isReadOnly ? readOnly(store) : store;

  // deno-lint-ignore require-await -- the port's close() is asynchronous, that of SQLite is not
  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    persistence.close();
    wake.close();
    checkpoints.close();
    connection.close();
  }
}
