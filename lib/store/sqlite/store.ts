import { type Clock, systemClock } from "../../clock.ts";
import { type Logger, silent } from "../../logger.ts";
import type { Store } from "../port.ts";
import { readOnly } from "../read_only.ts";
import { createInspection } from "../sql/inspection.ts";
import { createMethods } from "../sql/methods.ts";
import { createPersistence } from "./busy.ts";
import { createCheckpoints, NO_CHECKPOINTS } from "./checkpoint.ts";
import { claim } from "./claim.ts";
import { commitBatch } from "./commit.ts";
import { createDatabase } from "./database.ts";
import type { Connection } from "./driver.ts";
import { createGate } from "./gate.ts";
import { type Durability, openReader, openWriter } from "./open.ts";
import { readOutputs } from "./journal.ts";
import { createRenewals } from "./renewals.ts";
import { join, renew } from "./runners.ts";
import { createSession } from "./session.ts";
import { transact } from "./transact.ts";
import { createWake } from "./wake.ts";
import { insertWithin } from "./within.ts";

/** How to open a SQLite store. */
export interface SqliteStoreOptions {
  /**
   * What a commit survives.
   *
   * @default {"power"}
   */
  readonly durability?: Durability;
  /** Whether it is only read: the file must be there and up to date, and nothing that writes may be called. @default {false} */
  readonly readOnly?: boolean;
  /** Where times come from. */
  readonly clock?: Clock;
  /** Hears of what is waited for and mended. */
  readonly logger?: Logger;
}

/** Every second look at the neighbours reads their rows: processes that are known are looked up without a statement. */
const RECOVERY_INTERVAL_MS = 1_500;

/**
 * Opens the store in the file at `path`, or in memory if that is `":memory:"`. The file is created if it is missing,
 * its directory is not; its schema is brought up to date.
 *
 * @throws {StoreError} If the file cannot be used; the message says why.
 */
export async function openSqliteStore(path: string, options: SqliteStoreOptions = {}): Promise<Store> {
  const { durability = "power", readOnly: isReadOnly = false, clock = systemClock, logger = silent } = options;
  const name = `"${path}"`;
  const persistence = createPersistence(name, logger);
  const connection: Connection = isReadOnly
    ? await openReader(path, name, persistence, logger)
    : await openWriter(path, name, durability, persistence);
  const checkpoints = isReadOnly ? NO_CHECKPOINTS : createCheckpoints(connection, clock);
  const { committed } = checkpoints;
  const gate = createGate();
  const session = createSession(connection, persistence, { name, clock, logger, committed, gate });
  const wake = createWake(connection, clock, logger);
  const renewals = createRenewals(session);
  const database = createDatabase(session);
  const { read, write } = session;
  let closed = false;
  const store: Store = {
    name: path === ":memory:" ? "sqlite::memory:" : `sqlite://${path}`,
    now: session.now,

    commit: (batch) => commitBatch(session, batch),
    claim: (request) => claim(session, request),
    outputs: (requests) => readOutputs(session, requests),

    recoveryIntervalMs: RECOVERY_INTERVAL_MS,
    transactions: path === ":memory:" ? undefined : "sqlite",
    transact: (request) => transact(session, { path, durability, persistence, gate, renewals, clock }, request),
    // deno-lint-ignore require-await -- the port's is asynchronous, SQLite's is not
    insertWithin: async (tx, runs) => insertWithin(session, path, tx, runs),

    join: (card, leaseMs) => write("write to", () => join(session, card, leaseMs)),
    renew: (runner, leaseMs) =>
      renewals.renew(runner, leaseMs, () => write("write to", () => renew(session, runner, leaseMs))),

    ...createMethods(database),
    // Any commit to the file may have changed a list.
    inspection: createInspection(
      database,
      () => read("read", () => `${wake.version()},${session.counters().commits}`),
    ),

    // Nobody else can change what is in this process's memory.
    watch: (changed) => path === ":memory:" ? () => {} : wake.watch(changed),
    counters: session.counters,
    close,
  };
  return isReadOnly ? readOnly(store) : store;

  // deno-lint-ignore require-await -- the port's close() is asynchronous, SQLite's is not
  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    persistence.close();
    wake.close();
    checkpoints.close();
    connection.close();
  }
}
