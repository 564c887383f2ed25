import { type NativeDatabase, type NativeStatement, openNative } from "./driver.ts";

/** A handle of the runtime's that is lent to somebody who may do with it what he likes, until it is taken back. */
export interface LentDatabase {
  /** The handle. */
  readonly database: NativeDatabase;
  /** Takes back what was not committed, and closes the handle whatever is still open on it. */
  close(): void;
}

/**
 * Opens a file for one borrower.
 *
 * Bun only forgets a handle that is closed while statements of it live: SQLite keeps it, its transaction and the lock of
 * the whole file until the garbage collector comes by. So statements are remembered, and freed.
 */
export async function openLent(path: string): Promise<LentDatabase> {
  const database = await openNative(path);
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

/** It may be that there is nothing to roll back, or that the borrower has closed it. */
function quietly(work: () => unknown): void {
  try {
    work();
  } catch {
    // Nothing is left to do then.
  }
}
