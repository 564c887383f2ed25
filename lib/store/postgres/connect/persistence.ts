import type { Clock } from "../../../clock.ts";
import { StoreError } from "../../../errors.ts";
import type { Logger } from "../../../logger.ts";
import { createPauses, jittered } from "../../shared/pauses.ts";
import { codeOf, type Fault, faultOf, isFromServer, isTransient, messageOf, storeError } from "./faults.ts";

/** Retries work until it succeeds or fails permanently. */
export interface Persistence {
  /**
   * Runs `work`; `action` names it in messages. `isDoubtful` is true if an earlier attempt may have taken effect with
   * its response lost. `isOutside` is false if the work waits not only for the server but also for something that may
   * need a test clock to advance; then the work itself holds the clock while it waits for the server. @default {true}
   * for `isOutside`
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

/** Failures that rarely last a moment only: they are logged at once. */
const LOGGED_AT_ONCE: ReadonlySet<Fault> = new Set<Fault>(["exhausted", "read_only", "login"]);

/** Work of a kind that fails at the moment. */
interface Outage {
  /** How many attempts wait. */
  waiting: number;
  /** When the first of them failed, by the monotonic clock. */
  readonly since: number;
  /** The faults that were logged. */
  readonly logged: Set<Fault>;
}

/**
 * Retries transient errors forever; notifies a test clock of the work. An outage is logged once for each kind of fault,
 * and its end once, however many attempts wait and however often they are repeated.
 */
export function createPersistence(name: string, logger: Logger, clock?: Clock): Persistence {
  const pauses = createPauses();
  const outages = new Map<string, Outage>();
  let retries = 0;
  let isClosed = false;
  return {
    attempt(action, work, isOutside = true) {
      const done = attempt(action, work, isOutside);
      if (isOutside) clock?.outside?.(done);
      return done;
    },
    retries: () => retries,
    close,
  };

  async function attempt<T>(
    action: string,
    work: (isDoubtful: boolean) => Promise<T>,
    isOutside: boolean,
  ): Promise<T> {
    let outage: Outage | undefined;
    let isDoubtful = false;
    try {
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
          outage ??= begin(action);
          report(action, outage, error);
          retries++;
          const pause = pauses.pause(pauseFor(error, tries));
          if (!isOutside) clock?.outside?.(pause);
          await pause;
        }
      }
    } finally {
      if (outage !== undefined) end(action, outage);
    }
  }

  function begin(action: string): Outage {
    const outage = outages.get(action) ?? { waiting: 0, since: performance.now(), logged: new Set() };
    outages.set(action, outage);
    outage.waiting++;
    return outage;
  }

  function report(action: string, { since, logged }: Outage, error: unknown): void {
    const fault = faultOf(error);
    const waitedMs = Math.round(performance.now() - since);
    if (logged.has(fault) || (waitedMs < WARN_AFTER_MS && !LOGGED_AT_ONCE.has(fault))) return;
    logged.add(fault);
    logger.warn(`Cannot ${action} Postgres database ${name} for ${waitedMs} ms: ${messageOf(error)}; retrying`);
  }

  function end(action: string, outage: Outage): void {
    if (--outage.waiting > 0) return;
    outages.delete(action);
    if (outage.logged.size === 0 || isClosed) return;
    const ms = Math.round(performance.now() - outage.since);
    logger.warn(`Can ${action} Postgres database ${name} again after ${ms} ms`);
  }

  function closedError(action: string): StoreError {
    return new StoreError("store_closed", `Cannot ${action} Postgres database ${name}: the store was closed`);
  }

  function close(): void {
    isClosed = true;
    pauses.end();
  }
}

function pauseFor(error: unknown, tries: number): number {
  // A lock may be held for long, and the wait for it holds up other work.
  const isShort = faultOf(error) === "conflict" && codeOf(error) !== "55P03";
  const ms = isShort
    ? Math.min(2 ** (tries + 1), LONGEST_CONFLICT_PAUSE_MS)
    : Math.min(20 * 2 ** Math.min(tries, 10), LONGEST_PAUSE_MS);
  return jittered(ms);
}
