import { type NativeDatabase, type NativeStatement, openNative } from "./driver.ts";

/** A database handle of the runtime that user code can use without restrictions until it is closed. */
export interface LentDatabase {
  /** The handle of the runtime. */
  readonly database: NativeDatabase;
  /** Rolls back an open transaction and closes the handle, even if statements are still open on it. */
  close(): void;
}

/**
 * Opens a file for user code.
 *
 * If a handle is closed while statements on it exist, Bun only drops its reference: SQLite keeps the handle, its
 * transaction and the lock of the whole file until garbage collection. The handle therefore tracks its statements, and
 * `close()` finalizes them.
 */
export async function openLent(path: string): Promise<LentDatabase> {
  const database = await openNative(path, { mustExist: true });
  const made = new Set<NativeStatement>();
  const prepare = database.prepare.bind(database);
  Object.defineProperty(database, "prepare", {
    value(...values: Parameters<typeof prepare>) {
      const statement = prepare(...values);
      if (statement.finalize !== undefined) made.add(statement);
      return statement;
    },
  });
  return { database, close };

  function close(): void {
    quietly(() => database.prepare("rollback").run());
    for (const statement of made) quietly(() => statement.finalize?.());
    quietly(() => database.close());
  }
}

/** Runs `work` and ignores errors: there may be no transaction to roll back, or user code may have closed the handle. */
function quietly(work: () => unknown): void {
  try {
    work();
  } catch {
    // The handle is already in the required state.
  }
}
