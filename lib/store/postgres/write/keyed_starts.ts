/**
 * Starts with keys. An insert waits for a transaction that has started a run with the same key and is still open, which
 * may be a user's and take long. So these starts have a separate connection, and none waits for the key of another:
 *
 * All queued starts are sent as a single statement with a short lock timeout. If it expires, they are halved until the
 * blocked start is alone. The blocked start is parked: it is retried with pauses, and later starts that share a key
 * with it queue behind it, while all others continue.
 *
 * @module
 */
import type { NewRun, StartVerdict } from "../../port/batch.ts";
import { createPauses, jittered } from "../../shared/pauses.ts";
import { keyOf } from "./start_order.ts";

/** Inserts starts in one commit; returns `undefined` and inserts nothing if a lock wait exceeds `lockTimeoutMs`. */
export type InsertStarts = (
  starts: readonly NewRun[],
  lockTimeoutMs: number,
) => Promise<readonly StartVerdict[] | undefined>;

/** The queue of starts with keys. */
export interface KeyedStarts {
  /** Inserts runs in a single commit. */
  start(runs: readonly NewRun[]): Promise<readonly StartVerdict[]>;
  /** Ends all pauses. */
  close(): void;
}

// Other processes commit starts with the same key within milliseconds.
const LOCK_TIMEOUT_MS = 100;

// The limit while blocked starts are isolated, which must not take long.
const SHORT_LOCK_TIMEOUT_MS = 10;

const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 500;

const MOST_ROWS = 2_000;
const MOST_CHARACTERS = 2 * 1024 * 1024;

/** The starts of a single call. */
interface Unit {
  readonly runs: readonly NewRun[];
  readonly keys: readonly string[];
  /** Units that share a key and were queued while it was parked. */
  readonly behind: Unit[];
  pauseMs: number;
  readonly done: (verdicts: readonly StartVerdict[]) => void;
  readonly failed: (error: unknown) => void;
}

/** Creates an empty queue. */
export function createKeyedStarts(insert: InsertStarts): KeyedStarts {
  const pauses = createPauses();
  const parked = new Map<string, Unit>();
  /** Parked units whose pause is over. */
  const ready: Unit[] = [];
  let queue: Unit[] = [];
  let isBusy = false;
  return { start, close: pauses.end };

  function start(runs: readonly NewRun[]): Promise<readonly StartVerdict[]> {
    return new Promise((done, failed) => {
      enqueue({ runs, keys: keysOf(runs), behind: [], pauseMs: FIRST_PAUSE_MS, done, failed });
    });
  }

  function enqueue(unit: Unit): void {
    const key = unit.keys.find((key) => parked.has(key));
    if (key !== undefined) return void parked.get(key)!.behind.push(unit);
    queue.push(unit);
    void work();
  }

  async function work(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    while (queue.length + ready.length > 0) {
      const retried = ready.shift();
      if (retried !== undefined) await insertUnits([retried], SHORT_LOCK_TIMEOUT_MS);
      if (queue.length > 0) await insertUnits(take(), LOCK_TIMEOUT_MS);
    }
    isBusy = false;
  }

  /** Removes units from the queue up to the limits, but at least a single unit. */
  function take(): readonly Unit[] {
    let rows = 0;
    let characters = 0;
    const end = queue.findIndex(({ runs }) => {
      rows += runs.length;
      for (const { input } of runs) characters += input?.length ?? 0;
      return rows > MOST_ROWS || characters > MOST_CHARACTERS;
    });
    const taken = queue.slice(0, end < 0 ? queue.length : Math.max(1, end));
    queue = queue.slice(taken.length);
    return taken;
  }

  async function insertUnits(units: readonly Unit[], lockTimeoutMs: number): Promise<void> {
    let verdicts: readonly StartVerdict[] | undefined;
    try {
      verdicts = await insert(units.flatMap(({ runs }) => runs), lockTimeoutMs);
    } catch (error) {
      for (const unit of units) settle(unit, () => unit.failed(error));
      return;
    }
    if (verdicts !== undefined) {
      let at = 0;
      for (const unit of units) {
        const own = verdicts.slice(at, at += unit.runs.length);
        settle(unit, () => unit.done(own));
      }
      return;
    }
    const [first] = units;
    if (units.length === 1 && first !== undefined) return park(first);
    const half = Math.ceil(units.length / 2);
    await insertUnits(units.slice(0, half), SHORT_LOCK_TIMEOUT_MS);
    await insertUnits(units.slice(half), SHORT_LOCK_TIMEOUT_MS);
  }

  function park(unit: Unit): void {
    for (const key of unit.keys) if (!parked.has(key)) parked.set(key, unit);
    // Units queued meanwhile with a parked key wait behind it without another lock timeout.
    const others = queue.filter(({ keys }) => !keys.some((key) => parked.has(key)));
    unit.behind.push(...queue.filter((one) => !others.includes(one)));
    queue = others;
    const pauseMs = unit.pauseMs;
    unit.pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    void pauses.pause(jittered(pauseMs)).then(() => {
      ready.push(unit);
      void work();
    });
  }

  function settle(unit: Unit, tell: () => void): void {
    for (const key of unit.keys) if (parked.get(key) === unit) parked.delete(key);
    for (const next of unit.behind.splice(0)) enqueue(next);
    tell();
  }
}

function keysOf(runs: readonly NewRun[]): readonly string[] {
  return runs.flatMap((run) => {
    const key = keyOf(run);
    return key === undefined ? [] : [JSON.stringify([run.workflow, key])];
  });
}
