import type { Clock } from "../../../lib/clock.ts";
import { createIds } from "../../../lib/ids.ts";
import type {
  Batch,
  ClaimRequest,
  JournalRecord,
  NewRun,
  Receipt,
  RecordWrite,
  RunMove,
  RunState,
} from "../../../lib/store/port/batch.ts";
import type { ListQuery, PruneTimes } from "../../../lib/store/port/listing.ts";
import type { Store } from "../../../lib/store/port/store.ts";

/** A clock that only the test advances. */
export interface ManualClock extends Clock {
  /** Advances the time, and calls the timers that become due. */
  advance(ms: number): void;
  /** Sets the wall clock ahead or back without advancing the time. */
  set(ms: number): void;
}

/** An empty database that a backend provides for the contract; disposal closes every store on it. */
export interface Opened extends AsyncDisposable {
  /** A store on it. */
  readonly store: Store;
  /** Opens another store on the same database, as another process would. */
  another(): Promise<Store>;
  /** The clock of all its stores. */
  readonly clock: ManualClock;
  /** Makes `seq` the number of the next run. */
  numberFrom(seq: number): Promise<void>;
}

/** Registers one test of the contract. */
export type Case = (name: string, body: (on: Opened) => Promise<void>) => void;

/** The start time of the clocks of tests. */
export const T0 = 1_800_000_000_000;

/** A query for the ten newest runs, without filters. */
export const ALL: ListQuery = {
  workflow: undefined,
  states: undefined,
  tags: undefined,
  since: undefined,
  until: undefined,
  limit: 10,
  before: undefined,
};

/** Returns the argument with which `prune()` deletes the runs of every state that ended before a time. */
export function endedBefore(at: number): PruneTimes {
  return { completed: at, failed: at, cancelled: at };
}

/** Creates a clock that shows `T0`. */
export function manualClock(): ManualClock {
  let now = T0;
  let offsetMs = 0;
  const timers = new Set<{ readonly at: number; readonly fire: () => void }>();
  return { now: () => now + offsetMs, monotonic: () => now, after, advance, set: (ms) => void (offsetMs += ms) };

  function after(ms: number, fire: () => void): () => void {
    const timer = { at: now + ms, fire };
    timers.add(timer);
    return () => timers.delete(timer);
  }

  function advance(ms: number): void {
    const end = now + ms;
    for (;;) {
      const [next] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      timers.delete(next);
      now = Math.max(now, next.at);
      next.fire();
    }
    now = end;
  }
}

const newId = createIds();

/** Returns a run of workflow "etl", version "v1", pending and due at `T0`. */
export function newRun(overrides: Partial<NewRun> = {}): NewRun {
  return {
    id: newId(T0),
    workflow: "etl",
    version: "v1",
    key: undefined,
    priority: 0,
    dueAt: T0,
    tags: [],
    input: undefined,
    timeoutMs: undefined,
    owner: undefined,
    fork: undefined,
    ...overrides,
  };
}

/** Returns the row of a task that completed in its first attempt. */
export function record(task: string, overrides: Partial<JournalRecord> = {}): JournalRecord {
  return {
    task,
    item: -1,
    step: "",
    state: "completed",
    attempts: 1,
    output: `"${task}"`,
    failures: [],
    reason: undefined,
    startedAt: T0,
    endedAt: T0 + 1,
    dueAt: undefined,
    progress: undefined,
    items: undefined,
    ...overrides,
  };
}

/** Returns a row of the journal that is not terminal. */
export function openRecord(task: string, overrides: Partial<JournalRecord> = {}): JournalRecord {
  return record(task, { state: "running", output: undefined, endedAt: undefined, ...overrides });
}

/** Commits a batch with the given parts; the others are empty. */
export function commit(store: Store, batch: Partial<Batch>): Promise<Receipt> {
  return store.commit({ starts: [], writes: [], ...batch });
}

/** Inserts runs, all of which must be new; returns their numbers. */
export async function start(store: Store, ...runs: readonly NewRun[]): Promise<number[]> {
  const { starts } = await commit(store, { starts: runs });
  return starts.map((verdict) => {
    if (verdict.kind !== "started") throw new Error(`not started: ${JSON.stringify(verdict)}`);
    return verdict.seq;
  });
}

/** Joins a runner that serves "etl" at "v1", with a lease of half a minute. */
export function join(store: Store, leaseMs = 30_000): Promise<number> {
  return store.join(
    {
      host: "host",
      pid: 7,
      pidStartedAt: "42",
      served: [{ workflow: "etl", version: "v1" }],
      pinned: false,
      concurrency: 64,
      maxRuns: 1000,
    },
    leaseMs,
  );
}

/** Inserts a run that a new runner owns under epoch 1. */
export async function startOwned(
  store: Store,
  overrides: Partial<NewRun> = {},
): Promise<{ readonly runner: number; readonly seq: number; readonly id: string }> {
  const runner = await join(store);
  const run = newRun({ owner: runner, ...overrides });
  const [seq] = await start(store, run);
  return { runner, seq: seq!, id: run.id };
}

/** Returns a claim for due runs of "etl" at "v1". */
export function claimBy(runner: number, overrides: Partial<ClaimRequest> = {}): ClaimRequest {
  return { runner, limit: 10, served: [{ workflow: "etl", version: "v1" }], pinned: false, ...overrides };
}

/** Claims runs and returns their numbers. */
export async function claimed(store: Store, request: ClaimRequest): Promise<number[]> {
  const claim = await store.claim(request);
  return claim.runs.map(({ seq }) => seq);
}

/** Commits one write of a run and returns its verdict. */
export async function write(
  store: Store,
  run: { readonly seq: number; readonly epoch: number },
  records: readonly RecordWrite[],
  move?: RunMove,
): Promise<Receipt["writes"][number]> {
  const { writes } = await commit(store, { writes: [{ ...run, records, move }] });
  return writes[0]!;
}

/** A record with an invalid state, which every database rejects. */
export function unstorable(task: string): JournalRecord {
  return record(task, { state: "nonsense" as JournalRecord["state"] });
}

/** An error in its stored form. */
export const ERROR = { name: "E", message: "no" };

/** Inserts a run in each state; returns their numbers. */
export async function oneOfEachState(
  store: Store,
): Promise<Record<RunState, number>> {
  const moves: readonly (RunMove | undefined)[] = [
    undefined,
    { to: "waiting", dueAt: undefined, release: true },
    { to: "completed", at: T0 },
    { to: "failed", at: T0, error: ERROR },
    { to: "cancelled", at: T0, reason: undefined },
    { to: "compensating", end: { state: "failed", error: ERROR } },
  ];
  const owned: number[] = [];
  for (const move of moves) {
    const { seq } = await startOwned(store);
    if (move) await commit(store, { writes: [{ seq, epoch: 1, records: [], move }] });
    owned.push(seq);
  }
  const paused = newRun();
  const [pending, stopped] = await start(store, newRun(), paused);
  await store.control(paused.id, { kind: "pause", reason: undefined });
  const [running, waiting, completed, failed, cancelled, compensating] = owned as [number, ...number[]];
  return {
    pending: pending!,
    running,
    waiting: waiting!,
    paused: stopped!,
    compensating: compensating!,
    completed: completed!,
    failed: failed!,
    cancelled: cancelled!,
  };
}
