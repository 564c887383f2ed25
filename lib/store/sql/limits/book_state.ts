import { type Items, seqs } from "../dialect.ts";
import type { LaneRef } from "../../port/limits.ts";
import { comesBefore, type Lane, type Queue, type Waiter } from "./book.ts";

/** The holder of a permit that belongs to a run and not to its runner. */
export const HELD_BY_RUN = 0;

/** The queue of a permit that is postponed: it neither holds slots nor waits until its unit asks again. */
export const NO_QUEUE = 0;

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
  /** Lanes of which slots may have become free, or for which permits wait since. */
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

/** Adds a permit that asks to those that wait, unless it comes after some that are not known, or its run is paused. */
export function insertWaiter({ waiters, joining, hasMore }: Queue, waiter: Waiter): void {
  if (waiter.isPaused === true) return;
  const last = waiters.at(-1);
  if (hasMore && (last === undefined || comesBefore(last, waiter))) return void joining.push(waiter);
  let at = waiters.length;
  while (at > 0 && comesBefore(waiter, waiters[at - 1]!)) at--;
  waiters.splice(at, 0, waiter);
}

/** Adds those of the permits that ask which come before the last one that is known, or all if all are known. */
export function insertJoining(queue: Queue): void {
  for (const waiter of queue.joining.splice(0)) insertWaiter(queue, waiter);
}
