import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { StoreError } from "../../errors.ts";
import { silent } from "../../logger.ts";
import { createPersistence } from "./busy.ts";
import { storeError } from "./faults.ts";
import { openReader } from "./open.ts";

/**
 * Copies a file as it is at one moment into a new one, while other processes go on to use it. The copy has its name once
 * it is complete and on disk.
 *
 * @throws {TypeError} If there is a file with the name of the copy.
 * @throws {StoreError} If the file cannot be read, or the copy cannot be written.
 */
export async function backUpFile(path: string, copy: string): Promise<void> {
  if (existsSync(copy)) throw new TypeError(`Cannot write the copy "${copy}": there is a file of this name`);
  const name = `"${path}"`;
  const persistence = createPersistence(name, silent);
  const connection = await openReader(path, name, { persistence, logger: silent });
  const part = `${copy}.${process.pid}.part`;
  try {
    createEmpty(part, copy);
    // A reader refuses every statement that writes, also this one, which writes to another file.
    connection.prepare("pragma query_only = 0").get();
    connection.prepare("vacuum into $1").run([part]);
    sync(part);
    renameSync(part, copy);
    sync(dirname(copy));
  } catch (error) {
    // On a full disk SQLite leaves its journal behind as well.
    for (const left of [part, `${part}-journal`]) rmSync(left, { force: true });
    throw storeError(error, name, `copy into "${copy}":`);
  } finally {
    connection.close();
    persistence.close();
  }
}

// SQLite accepts an empty file, and would itself create one that others may read. An exclusive creation follows no
// symbolic link.
function createEmpty(part: string, copy: string): void {
  try {
    closeSync(openSync(part, "wx", 0o600));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StoreError("cannot_open", `Cannot write the copy "${copy}": ${reason}`);
  }
}

function sync(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
