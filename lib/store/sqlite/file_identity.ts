/**
 * Detects that the file of an open store was deleted, moved or replaced. SQLite does not: it works on in the file that it
 * has opened, which may have no name any more, and every commit seems to succeed. The same holds for the write-ahead log.
 * Another process deletes a log that is in use if it believes that it is the last one to close the file. It believes so
 * when this process has lost its locks, which POSIX drops as soon as the process closes any descriptor of the file, for
 * example after `readFileSync()`.
 *
 * @module
 */
import { statSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { StoreError } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import { isAllowed } from "../../permissions.ts";
import { FILE_REPLACED } from "../shared/lost.ts";

/** The identity of the files of an open store. */
export interface FileIdentity {
  /**
   * Checks that the path still leads to the opened file; once per second, unless `isForced`. Between two checks it throws
   * what the last one has found.
   *
   * @throws {StoreError} `file_replaced`, if the file was deleted, moved or replaced.
   */
  verify(isForced?: boolean): void;
}

/** The identity of a database in memory, which cannot be lost. */
export const NO_FILE: FileIdentity = { verify() {} };

const CHECK_MS = 1_000;

/**
 * Remembers the files of a store that has just been opened. `path` is absolute and without symbolic links; `given` is the
 * path by which the file was opened, and by which other processes find it.
 */
export function identifyFile(path: string, given: string, name: string, logger: Logger): FileIdentity {
  const log = `${path}-wal`;
  // Without the permission to read them, the files cannot be checked.
  const file = identityOf(path);
  const wal = identityOf(log);
  const link = absolute(given);
  const isLinked = link !== undefined && link !== path && identityOf(link) === file;
  warnOfHardLinks(path, name, logger);
  let checkedAt = performance.now();
  let lost: StoreError | undefined;
  return {
    verify(isForced = false) {
      if (isForced || performance.now() - checkedAt >= CHECK_MS) check();
      if (lost !== undefined) throw lost;
    },
  };

  function check(): void {
    checkedAt = performance.now();
    const problem = problemOf();
    if (problem === undefined) {
      if (lost !== undefined) logger.warn(`SQLite database ${name} is back at its path`);
      lost = undefined;
    } else if (lost === undefined) {
      lost = new StoreError(FILE_REPLACED, `Cannot use SQLite database ${name}: ${problem}`);
      logger.error(lost.message);
    }
  }

  function problemOf(): string | undefined {
    if (file === undefined) return undefined;
    const now = identityOf(path);
    if (now === undefined) {
      return "the file was deleted or moved while it was open; what was written since then is lost with it. Move it " +
        "back, or restart the process";
    }
    if (now !== file) {
      return "the file was replaced by another one while it was open; what was written since then is lost. Restart the " +
        "process, and stop it before you replace the file the next time";
    }
    if (isLinked && identityOf(link) !== file) {
      return `a symbolic link in its path was removed or leads to another file now; what was written since then is in ` +
        `"${path}". Restart the process, and stop it before you change the link the next time`;
    }
    if (wal === undefined || identityOf(log) === wal) return undefined;
    return `its write-ahead log "${log}" was deleted or replaced while it was open; what was written since then is ` +
      "lost. Restart the process. SQLite loses its locks if the process reads the file by other means, such as " +
      "readFileSync() or a copy, and another process deletes the log then";
  }
}

/** Returns the path as it is now; `undefined` if that needs a permission that is not granted. */
function absolute(path: string): string | undefined {
  return isAbsolute(path) || isAllowed({ name: "read" }) ? resolve(path) : undefined;
}

/** Each name has a log of its own, and a process that opens the file by another name does not see this one's commits. */
function warnOfHardLinks(path: string, name: string, logger: Logger): void {
  if (!isAllowed({ name: "read", path })) return;
  const { nlink } = statSync(path, { throwIfNoEntry: false }) ?? { nlink: 1 };
  if (nlink === 1) return;
  logger.warn(
    `SQLite database ${name} has ${nlink} hard links: never open it by another one, as each has a write-ahead log of its ` +
      "own and commits would be lost",
  );
}

/** Returns the device and the number of a file; `undefined` if there is none, or it must not be read. */
function identityOf(path: string): string | undefined {
  if (!isAllowed({ name: "read", path })) return undefined;
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
