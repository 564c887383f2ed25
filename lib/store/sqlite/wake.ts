import type { Clock } from "../../clock.ts";
import type { Logger } from "../../logger.ts";
import { ANY_CHANGE, type Change } from "../port.ts";
import type { Connection } from "./driver.ts";

/** Tells when another connection has changed the database. */
export interface Wake {
  /** Calls `changed` after each change; the answer ends it. */
  watch(changed: (change: Change) => void): () => void;
  /** A number that differs after a commit of another connection. */
  version(): unknown;
  /** Ends all watching. */
  close(): void;
}

// Asking takes a few microseconds: the number is in memory that the processes share. What costs is to wake up: twice as
// often took an idle runner 0.4 % (Bun) to 0.7 % (Deno) of a core more.
const POLL_MS = 20;

// Of a process with a file for each of many tenants, which would else spend its core on asking: from forty files on each
// is asked less often, so that all of them together are asked as often as forty.
const POLL_MS_PER_FILE = 0.5;
let polledFiles = 0;

/** Polls `pragma data_version`, which changes with the commits of other connections, while somebody watches. */
export function createWake(connection: Connection, clock: Clock, logger: Logger): Wake {
  const watchers = new Set<() => void>();
  const pragma = connection.prepare("pragma data_version");
  let seen: unknown;
  let cancel: (() => void) | undefined;
  return { watch, version, close };

  function watch(changed: (change: Change) => void): () => void {
    // Of its own, as the same function may watch twice.
    const watcher = (): void => changed(ANY_CHANGE);
    watchers.add(watcher);
    if (!cancel) {
      seen = version();
      polledFiles++;
      arm();
    }
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0) close();
    };
  }

  function arm(): void {
    cancel = clock.after(Math.max(POLL_MS, polledFiles * POLL_MS_PER_FILE), poll, true);
  }

  function poll(): void {
    const now = version();
    const changed = now !== seen;
    seen = now;
    arm();
    if (changed) { for (const watcher of [...watchers]) call(watcher); }
  }

  function call(watcher: () => void): void {
    try {
      watcher();
    } catch (error) {
      logger.error("Cannot tell a watcher that the database has changed", { error });
    }
  }

  // A moment in which it cannot be asked is as good as no change: the next poll sees it.
  function version(): unknown {
    try {
      return pragma.get()?.["data_version"];
    } catch {
      return seen;
    }
  }

  function close(): void {
    watchers.clear();
    if (!cancel) return;
    polledFiles--;
    cancel();
    cancel = undefined;
  }
}
