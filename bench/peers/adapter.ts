/**
 * The interface of the sides of a comparison, for Sluice and its peers alike: one module of `adapters/` each, which
 * `serve.ts` drives in a process of its own.
 *
 * Adapters say by interfaces of their own what they use of their package, and load it by name, so that the project's
 * checks need none of the packages.
 *
 * @module
 */

/** The work of a comparison, which every side does in the same way as far as it can. */
export type Workload =
  | "chain of 3"
  | "1 + 100 + 1"
  | "one-task jobs"
  | "latency of a chain of 3";

/** An empty database for one round. */
export interface Place {
  /** What kind it is. */
  readonly kind: "postgres" | "sqlite" | "redis";
  /** A URL; of SQLite, the path of the file. */
  readonly url: string;
}

/** The work of one round. */
export interface Work {
  readonly workload: Workload;
  readonly place: Place;
  /** How many runs have begun and not ended, at most: the equal concurrency of all sides. */
  readonly flight: number;
}

/** A side that is open on a place. */
export interface Session {
  /** Starts what executes runs, and waits until it is ready; not timed. */
  begin?(): Promise<void>;
  /** Starts `runs` runs and carries them to their ends. Jobs are inserted in bulk; of others `flight` are open at once. */
  carry?(runs: number): Promise<void>;
  /** Starts one run and waits until it has ended. */
  one?(): Promise<void>;
  /** How many runs the side's own tables have as ended. */
  ended(): Promise<number>;
  /** Ends all that this opened. */
  close(): Promise<void>;
}

/** Opens a side; its tables are there when this resolves. */
export type Open = (work: Work) => Promise<Session>;

/** How many tasks follow the first in "1 + 100 + 1", before the last. */
export const WIDTH = 100;

/** The input of every run, which each task returns: ten characters. */
export const PAYLOAD = "x".repeat(10);

let bodies = 0;

/** The body of every task. */
export function body(payload: string): Promise<string> {
  bodies++;
  return Promise.resolve(payload);
}

/** Bodies that have run in this process. */
export function bodiesRun(): number {
  return bodies;
}

/** A package of this folder's `node_modules`, typed by the given interface. */
export function load<Package>(name: string): Promise<Package> {
  return import(name) as Promise<Package>;
}

/** The state in which work is done. */
export interface Goal {
  /** Runs that have ended. */
  readonly runs: number;
  /** Bodies that have run for them. */
  readonly bodies: number;
  /** Counts the runs that have ended; not asked before that many bodies have run. */
  ended(): Promise<number>;
}

/** Starts runs that others execute, and resolves when `goal` is reached. */
export async function settled(start: () => Promise<unknown>, goal: Goal): Promise<void> {
  const enough = bodies + goal.bodies;
  await start();
  while (bodies < enough) await pause();
  while (await goal.ended() < goal.runs) await pause();
}

/** Long enough not to disturb, short beside a round. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

/** Inserts `count` jobs in parts of `most`. */
export async function inParts(count: number, most: number, insert: (part: number) => Promise<unknown>): Promise<void> {
  for (let left = count; left > 0; left -= most) await insert(Math.min(left, most));
}

/** Starts `times` of `work`, at most `flight` at once. */
export async function spread(times: number, flight: number, work: () => Promise<unknown>): Promise<void> {
  let left = times;
  await Promise.all(
    Array.from({ length: Math.min(flight, times) }, async () => {
      while (left-- > 0) await work();
    }),
  );
}
