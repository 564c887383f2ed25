import type { Clock } from "../../clock.ts";
import type { Connection } from "./driver.ts";

/** Keeps the WAL small. */
export interface Checkpoints {
  /** To be called after each commit, with the number of rows it wrote. */
  committed(rows: number): void;
  /** Checkpoints for the last time. */
  close(): void;
}

/** For a connection that only reads. */
export const NO_CHECKPOINTS: Checkpoints = { committed() {}, close() {} };

const IDLE_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

// What a heartbeat writes is not worth a checkpoint, and an idle runner writes nothing else.
const WORTH_ROWS = 64;

/**
 * Under load SQLite checkpoints by itself each thousand pages, and starts the WAL over, but never makes it smaller; so
 * that is done when there was nothing to commit for a second, and at the end.
 */
export function createCheckpoints(connection: Connection, clock: Clock): Checkpoints {
  const checkpoint = connection.prepare("pragma wal_checkpoint(truncate)");
  let written = 0;
  let lastCommitAt = 0;
  let cancel: (() => void) | undefined;
  return { committed, close };

  function committed(rows: number): void {
    written += rows;
    lastCommitAt = clock.now();
    if (!cancel && written >= WORTH_ROWS) arm(IDLE_MS);
  }

  function arm(ms: number): void {
    cancel = clock.after(ms, () => fire(ms), true);
  }

  function fire(ms: number): void {
    cancel = undefined;
    if (clock.now() - lastCommitAt < IDLE_MS) arm(IDLE_MS);
    else if (truncate()) written = 0;
    else arm(Math.min(ms * 2, LONGEST_WAIT_MS));
  }

  /** False if somebody else reads or writes at this moment. */
  function truncate(): boolean {
    try {
      return checkpoint.get()?.["busy"] === 0;
    } catch {
      return false;
    }
  }

  function close(): void {
    cancel?.();
    truncate();
  }
}
