import type { Clock } from "../../clock.ts";
import { StoreError } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import { createPauses, jittered } from "../pauses.ts";
import { type Fault, faultOf, isFromServer, isTransient, messageOf, storeError } from "./faults.ts";

/** Retries work until it succeeds or fails permanently. */
export interface Persistence {
  /**
   * Runs `work`; `action` names it in messages. `isDoubtful` is true if an earlier attempt may have taken effect with
   * its response lost. `isOutside` is false if the work waits not only for the server but also for something that may
   * need a test clock to advance. @default {true} for `isOutside`
   */
  attempt<T>(action: string, work: (isDoubtful: boolean) => Promise<T>, isOutside?: boolean): Promise<T>;
  /** The number of retries. */
  retries(): number;
  /** Ends all waits: waiting work is rejected. */
  close(): void;
}

const WARN_AFTER_MS = 5_000;
const LONGEST_PAUSE_MS = 2_000;
const LONGEST_CONFLICT_PAUSE_MS = 200;

/** Retries transient errors forever, with occasional warnings to the logger; notifies a test clock of the work. */
export function createPersistence(name: string, logger: Logger, clock?: Clock): Persistence {
  const pauses = createPauses();
  let retries = 0;
  let isClosed = false;
  return {
    attempt(action, work, isOutside = true) {
      const done = attempt(action, work);
      if (isOutside) clock?.outside?.(done);
      return done;
    },
    retries: () => retries,
    close,
  };

  async function attempt<T>(action: string, work: (isDoubtful: boolean) => Promise<T>): Promise<T> {
    const since = performance.now();
    let warnAt = WARN_AFTER_MS;
    let isDoubtful = false;
    for (let tries = 0;; tries++) {
      if (isClosed) throw closedError(action);
      try {
        return await work(isDoubtful);
      } catch (error) {
        if (error instanceof StoreError) throw error;
        const fault = faultOf(error);
        // The caller handles an error that the values caused; a login may fail while a password is being changed.
        if (fault === "values") throw error;
        if (fault === "unknown" && !isFromServer(error)) throw error;
        if (!isTransient(fault) && fault !== "login") throw storeError(error, name, action);
        if (isClosed) throw closedError(action);
        isDoubtful ||= fault === "connection";
        const waitedMs = performance.now() - since;
        if (waitedMs >= warnAt || (fault === "exhausted" && tries === 0)) {
          warnAt = Math.max(warnAt, waitedMs) * 2;
          logger.warn(
            `Cannot ${action} Postgres database ${name} for ${Math.round(waitedMs)} ms: ${messageOf(error)}; retrying`,
          );
        }
        retries++;
        await pauses.pause(pauseFor(fault, tries));
      }
    }
  }

  function closedError(action: string): StoreError {
    return new StoreError("store_closed", `Cannot ${action} Postgres database ${name}: the store was closed`);
  }

  function close(): void {
    isClosed = true;
    pauses.end();
  }
}

function pauseFor(fault: Fault, tries: number): number {
  const ms = fault === "conflict"
    ? Math.min(2 ** (tries + 1), LONGEST_CONFLICT_PAUSE_MS)
    : Math.min(20 * 2 ** Math.min(tries, 10), LONGEST_PAUSE_MS);
  return jittered(ms);
}
