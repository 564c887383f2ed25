import { statSync } from "node:fs";
import { StoreError } from "../../errors.ts";
import type { NewRun, StartVerdict } from "../port/batch.ts";
import { writeOutComputed } from "./computed.ts";
import type { Bindable, Connection, NativeDatabase } from "./driver.ts";
import { connectionOf } from "./driver.ts";
import { faultOf, storeError } from "./faults.ts";
import { insertRun } from "./inserts.ts";
import type { Session } from "./session.ts";
import { wakeForStarts } from "./wakeups.ts";

/** A database handle of a runtime, with its transaction state. */
interface Handle extends NativeDatabase {
  exec(sql: string): unknown;
  /** The transaction state under Node and Deno. */
  readonly isTransaction?: boolean;
  /** The transaction state under Bun. */
  readonly inTransaction?: boolean;
}

/** Inserts runs through the caller's handle, in the transaction that is open on it. */
export function insertWithin(
  session: Session,
  path: string,
  tx: unknown,
  runs: readonly NewRun[],
): readonly StartVerdict[] {
  const { name } = session;
  if (path === ":memory:") throw refused("the store is in memory, which no other handle can access");
  if (!isHandle(tx)) {
    throw refused(
      "tx is not a handle of a SQLite database; pass the Database of bun:sqlite, or the DatabaseSync of " +
        "node:sqlite, on which the transaction was begun",
    );
  }
  const connection = connectionOf(tx);
  try {
    if (!(tx.isTransaction ?? tx.inTransaction)) throw refused("no transaction is open on tx; begin one first");
    const file = connection.prepare("select file from pragma_database_list where name = 'main'").get()?.["file"];
    if (!isSameFile(path, String(file))) {
      throw refused(file === "" ? "tx is a database in memory" : `tx is of another database, "${file}"`);
    }
    connection.exec("savepoint sluice_start");
    try {
      const by = borrowed(session, connection);
      const site = { owners: new Set<number>(), now: session.now() };
      const verdicts = runs.map((run) => insertRun(by, run, site));
      wakeForStarts(by, runs, verdicts);
      return verdicts;
    } catch (error) {
      connection.exec("rollback to sluice_start");
      throw error;
    } finally {
      connection.exec("release sluice_start");
    }
  } catch (error) {
    if (error instanceof StoreError) throw error;
    if (["values", "statement"].includes(faultOf(error))) {
      throw refused(error instanceof Error ? error.message : String(error));
    }
    throw storeError(error, name, "write to");
  } finally {
    connection.release();
  }

  function refused(reason: string): StoreError {
    return new StoreError(
      "invalid_transaction",
      `Cannot start runs in SQLite database ${name} within a transaction: ${reason}`,
    );
  }
}

function isHandle(tx: unknown): tx is Handle {
  if (typeof tx !== "object" || tx === null) return false;
  const { prepare, exec } = tx as Partial<Record<string, unknown>>;
  return typeof prepare === "function" && typeof exec === "function" &&
    ("isTransaction" in tx || "inTransaction" in tx);
}

/** Compares device and inode, because paths of the same file can differ. */
function isSameFile(ours: string, theirs: string): boolean {
  try {
    const [a, b] = [statSync(ours), statSync(theirs)];
    return a.dev === b.dev && a.ino === b.ino;
  } catch {
    return false;
  }
}

/** Returns a session whose `run`, `get` and `all`, which inserts and wake-ups use, execute on another connection. */
function borrowed(session: Session, connection: Connection): Session {
  const statements = new Map<string, ReturnType<Connection["prepare"]>>();
  const statement = (sql: string): ReturnType<Connection["prepare"]> => {
    const compiled = statements.get(sql) ?? connection.prepare(writeOutComputed(sql));
    statements.set(sql, compiled);
    return compiled;
  };
  return {
    ...session,
    run(sql: string, ...values: Bindable[]) {
      const { changes, lastInsertRowid } = statement(sql).run(values);
      // A handle can be configured to return bigints.
      return { changes: Number(changes), lastInsertRowid: Number(lastInsertRowid) };
    },
    get: (sql, ...values) => statement(sql).get(values),
    all: (sql, ...values) => statement(sql).all(values),
  };
}
