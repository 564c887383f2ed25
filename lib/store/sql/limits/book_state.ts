import { type Items, seqs } from "../dialect.ts";
import type { LaneRef } from "../../limits.ts";
import type { Lane, Queue, Waiter } from "./book.ts";

/** The holder of a permit that belongs to a run and not to its runner. */
export const HELD_BY_RUN = 0;

/** How far the waiting permits of a queue have been read. */
export interface Page {
  /** The last one that was read. */
  last: { readonly rank: number; readonly seq: number } | undefined;
  /** What the row of the queue has. */
  readonly stored: Pick<Queue, "cost" | "waiting">;
  /** The clocks that were read. */
  readonly clocks: Map<number, number>;
}

/** What an exchange has read of the tables, and changed. */
export interface BookState {
  /** By number. */
  readonly lanes: Map<number, Lane>;
  /** What the rows of lanes have. */
  readonly stored: Map<Lane, Pick<Lane, "held" | "waiting" | "clock">>;
  /** By number. */
  readonly queues: Map<number, Queue>;
  readonly pages: Map<Queue, Page>;
  /** Lanes of which places may have become free, or for which permits wait since. */
  readonly touched: Set<Lane>;
  /** Permits that are not stored yet. */
  readonly joined: Map<Waiter, Queue>;
}

/** Numbers as one parameter, each once. */
export function distinct(items: readonly number[]): Items {
  return seqs([...new Set(items)]);
}

/** A text that differs between lanes. */
export function laneText({ limit, isRate, key }: LaneRef): string {
  return JSON.stringify([limit, isRate, key]);
}

/** One waiting permit of a queue less. */
export function dropWaiter(queue: Queue): void {
  queue.waiting--;
  for (const lane of queue.lanes) {
    lane.waiting--;
    if (queue.waiting === 0) lane.queues.delete(queue);
  }
}

/** Adds a waiting permit in the order of ranks, unless its run is paused. */
export function insertWaiter({ waiters }: Queue, waiter: Waiter): void {
  if (waiter.isPaused === true) return;
  let at = waiters.length;
  while (at > 0 && waiters[at - 1]!.rank > waiter.rank) at--;
  waiters.splice(at, 0, waiter);
}
