import { type Clock, monotonicOf } from "../../clock.ts";
import { statSync } from "node:fs";
import type { Logger } from "../../logger.ts";
import { isAllowed } from "../../permissions.ts";
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

// Much larger than SQLite lets it grow while it can restart it.
const WARN_BYTES = 64 * 1024 * 1024;
const SIZE_CHECK_MS = 1_000;

/** Options of checkpoints. */
export interface CheckpointOptions {
  /** The absolute path of the file. */
  readonly path: string;
  /** The database in messages. */
  readonly name: string;
  /** Receives a warning when the WAL is large and cannot be restarted. */
  readonly logger: Logger;
  /** The size of a large WAL. @default {67_108_864} */
  readonly warnBytes?: number;
}

/**
 * Creates the checkpoints of a connection. Under load SQLite itself checkpoints every thousand pages and restarts the
 * WAL, but never truncates it. A truncating checkpoint therefore runs after a second without a commit, and at the end.
 */
export function createCheckpoints(connection: Connection, clock: Clock, options: CheckpointOptions): Checkpoints {
  const { path, name, logger, warnBytes = WARN_BYTES } = options;
  const log = `${path}-wal`;
  const monotonic = monotonicOf(clock);
  const checkpoint = connection.prepare("pragma wal_checkpoint(truncate)");
  const passive = connection.prepare("pragma wal_checkpoint(passive)");
  let written = 0;
  let lastCommitAt = 0;
  let sizedAt = -Infinity;
  let isReported = false;
  let cancel: (() => void) | undefined;
  return { committed, close };

  function committed(rows: number): void {
    written += rows;
    lastCommitAt = monotonic();
    if (lastCommitAt - sizedAt >= SIZE_CHECK_MS) checkSize();
    if (!cancel && written >= WORTH_ROWS) arm(IDLE_MS);
  }

  function arm(ms: number): void {
    cancel = clock.after(ms, () => fire(ms), true);
  }

  function fire(ms: number): void {
    cancel = undefined;
    if (monotonic() - lastCommitAt < IDLE_MS) arm(IDLE_MS);
    else if (truncate()) written = 0;
    else arm(Math.min(ms * 2, LONGEST_WAIT_MS));
  }

  /** Warns once when the WAL is large because a reader still needs its beginning. */
  function checkSize(): void {
    sizedAt = monotonic();
    const bytes = sizeOf(log);
    if (bytes < warnBytes) isReported = false;
    else if (!isReported && isHeldByReader()) {
      isReported = true;
      logger.warn(
        `The write-ahead log "${log}" of SQLite database ${name} has grown to ${Math.round(bytes / 1024 / 1024)} MB: ` +
          "another connection has been reading since it began to grow, and it cannot be truncated before that read ends",
      );
    }
  }

  function isHeldByReader(): boolean {
    try {
      const row = passive.get();
      return Number(row?.["checkpointed"]) < Number(row?.["log"]);
    } catch {
      return false;
    }
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

/** Returns the size of a file; 0 if it is unknown. */
function sizeOf(path: string): number {
  if (!isAllowed({ name: "read", path })) return 0;
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}
