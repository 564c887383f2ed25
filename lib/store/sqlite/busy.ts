import { StoreError } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import { createPauses, jittered } from "../shared/pauses.ts";
import { faultOf, reasonOf } from "./faults.ts";

/** Retries work until it succeeds or fails permanently. */
export interface Persistence {
  /**
   * Runs `work`, the first time immediately; `action` describes the work in messages. Before each retry it awaits
   * `held()` until that returns `undefined`.
   */
  attempt<T>(action: string, work: () => T, held?: () => Promise<void> | undefined): Promise<T>;
  /** Returns the number of retries. */
  retries(): number;
  /** Ends all waits: waiting attempts fail with `store_closed`. */
  close(): void;
}

const WARN_AFTER_MS = 5_000;
const LONGEST_BUSY_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Retries every error of the database without a limit and without blocking the event loop, except those that the values
 * of a row cause: a lock is released, a full disk is cleaned, a right is granted again. A lock is logged after five
 * seconds, any other reason at once, and both again at growing intervals. SQLite's own busy handler blocks the whole process, so its timeout is short: a process
 * that was stopped while it holds the lock must not stop all other processes and their heartbeats.
 */
export function createPersistence(name: string, logger: Logger): Persistence {
  const pauses = createPauses();
  let retries = 0;
  let closed = false;
  // The reasons that were logged since the last success.
  const reported = new Set<string>();
  return { attempt, retries: () => retries, close };

  async function attempt<T>(
    action: string,
    work: () => T,
    held: () => Promise<void> | undefined = () => undefined,
  ): Promise<T> {
    const since = performance.now();
    let warnAt = WARN_AFTER_MS;
    for (let tries = 0;; tries++) {
      if (closed) {
        throw new StoreError("store_closed", `Cannot ${action} SQLite database ${name}: the store was closed`);
      }
      try {
        const result = work();
        if (tries > 0) reported.clear();
        return result;
      } catch (error) {
        if (error instanceof StoreError) throw error;
        const fault = faultOf(error);
        // Once for each statement that meets such a value.
        if (fault === "integer") continue;
        if (fault === "values" || fault === "unknown") throw error;
        const waitedMs = performance.now() - since;
        const why = fault === "busy" ? "another process holds its lock" : reasonOf(fault, error, name);
        if (waitedMs >= warnAt || (fault !== "busy" && !reported.has(why))) {
          warnAt = Math.max(warnAt, waitedMs) * 2;
          reported.add(why);
          logger.warn(`Cannot ${action} SQLite database ${name} for ${Math.round(waitedMs)} ms: ${why}; retrying`);
        }
        retries++;
        await pauses.pause(jittered(
          fault === "busy" ? Math.min(2 ** tries, LONGEST_BUSY_PAUSE_MS) : Math.min(20 * 2 ** tries, LONGEST_PAUSE_MS),
        ));
        for (let wait = held(); wait !== undefined; wait = held()) await wait;
      }
    }
  }

  function close(): void {
    closed = true;
    pauses.end();
  }
}
