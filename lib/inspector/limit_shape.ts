import type { Answer, RunLink } from "./shapes.ts";

/** What holds a place of a limit, or waits for one. */
export interface LimitPermit {
  /** The run, with the task and the item if the limit is not one of its workflow. */
  readonly run: Omit<RunLink, "state">;
  /** Its workflow. */
  readonly workflow: string;
  /** Since when it has held its place or, if it waits, has waited. */
  readonly since: number;
}

/** A lane: the slots of one key of a limit. */
export interface LimitLane {
  /** Name of the limit. */
  readonly limit: string;
  /** The page of this limit alone. */
  readonly href: string;
  /** The key; empty for a limit without keys. */
  readonly key: readonly string[];
  /** Number of slots: the `max` of the limit. */
  readonly max: number;
  /** The period of a rate limit, in milliseconds; `undefined` for a limit of concurrency. */
  readonly per: number | undefined;
  /** Number of slots in use. With a rate limit a start uses its slot for the period. */
  readonly held: number;
  /** Number of tasks, items and runs that wait for a slot. */
  readonly waiting: number;
  /** The oldest of those that hold a place; empty for a limit of rate. */
  readonly holders: readonly LimitPermit[];
  /** The first of those that wait. */
  readonly waiters: readonly LimitPermit[];
}

/** `/limits` and `/api/limits`, with `?limit=` for one limit: the lanes in which something holds a place or waits. */
export interface LimitsPage extends Answer {
  /** The limit of which the lanes are; `undefined` for all limits. */
  readonly limit: string | undefined;
  /** The lanes, those for which most wait first: the first fifty. */
  readonly lanes: readonly LimitLane[];
  /** Whether there are more. */
  readonly hasMore: boolean;
}
