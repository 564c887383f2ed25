import type { Clock } from "../../clock.ts";
import type { Connection } from "./driver.ts";

/** Checkpoints and truncates the WAL. */
export interface Checkpoints {
  /** Must be called after each commit with the number of rows that it has written. */
  committed(rows: number): void;
  /** Runs the last checkpoint. */
  close(): void;
}

/** The checkpoints of a read-only connection, which never run. */
export const NO_CHECKPOINTS: Checkpoints = { committed() {}, close() {} };

const IDLE_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

// The writes of heartbeats do not justify a checkpoint, and an idle runner writes nothing else.
const WORTH_ROWS = 64;

/**
 * Creates the checkpoints of a connection. Under load SQLite itself checkpoints every thousand pages and restarts the
 * WAL, but never truncates it. A truncating checkpoint therefore runs after a second without a commit, and at the end.
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

  /** Returns false if another connection is reading or writing. */
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
