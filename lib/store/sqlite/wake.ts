import { afterIdle, type Clock } from "../../clock.ts";
import type { Logger } from "../../logger.ts";
import { ANY_CHANGE, type Change } from "../port/store.ts";
import type { Connection } from "./driver.ts";
import { changeBetween, decodeWakeups, READ_WAKEUPS, type Wakeups } from "./wakeups.ts";

/** Notifies watchers when another connection has changed the database. */
export interface Wake {
  /** Calls `changed` after each change until the returned function is called. */
  watch(changed: (change: Change) => void): () => void;
  /** Returns a number that differs after a commit of another connection. */
  version(): unknown;
  /** Ends all watching. */
  close(): void;
}

// A poll without a change takes a few microseconds, because the number is in memory that the processes share. The cost is the timer: an
// idle runner with half the interval used 0.4 % (Bun) to 0.7 % (Deno) of a core more.
const POLL_MS = 20;

// Bounds the polling of a process that has a file for each of many tenants: with more than forty files, the interval of
// each file grows, so that all files together are polled as often as forty.
const POLL_MS_PER_FILE = 0.5;
let polledFiles = 0;

/** Creates a wake that polls `pragma data_version`, which changes with commits of other connections, while it has watchers. */
export function createWake(connection: Connection, clock: Clock, logger: Logger): Wake {
  const watchers = new Set<(change: Change) => void>();
  const pragma = connection.prepare("pragma data_version");
  const counters = connection.prepare(READ_WAKEUPS);
  let seen: unknown;
  let wakeups: Wakeups = new Map();
  let cancel: (() => void) | undefined;
  return { watch, version, close };

  function watch(changed: (change: Change) => void): () => void {
    // A new function for each watch, because the same `changed` can be registered twice.
    const watcher = (change: Change): void => changed(change);
    watchers.add(watcher);
    if (!cancel) {
      // In the order of `poll()`: a commit between the two reads must not be missed.
      seen = version();
      readChange();
      polledFiles++;
      arm();
    }
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0) close();
    };
  }

  function arm(): void {
    cancel = afterIdle(clock, Math.max(POLL_MS, polledFiles * POLL_MS_PER_FILE), poll, true);
  }

  function poll(): void {
    const now = version();
    const isChanged = now !== seen;
    seen = now;
    arm();
    if (!isChanged) return;
    const change = readChange();
    for (const watcher of [...watchers]) call(watcher, change);
  }

  /** Returns what has changed since the last call; everything if that cannot be read. */
  function readChange(): Change {
    try {
      const now = decodeWakeups(counters.all());
      const change = changeBetween(wakeups, now);
      wakeups = now;
      return change;
    } catch {
      return ANY_CHANGE;
    }
  }

  function call(watcher: (change: Change) => void, change: Change): void {
    try {
      watcher(change);
    } catch (error) {
      logger.error("Cannot notify a watcher of a database change", { error });
    }
  }

  // A failed poll counts as no change: the next poll sees the change.
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
