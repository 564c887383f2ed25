/**
 * The shape of a run's map. The conventions of shapes.ts apply.
 *
 * @module
 */
import type { TaskState } from "../store/port/batch.ts";
import type { RunLink } from "./shapes.ts";

/** The items of a map by state. The counts add up to `total`. */
export interface ItemCounts {
  /** All items. */
  readonly total: number;
  /** Items that completed, without those that were undone. */
  readonly completed: number;
  /** Items that failed. */
  readonly failed: number;
  /** Items that run; an item whose body has just started may count as pending. */
  readonly running: number;
  /** Items that wait, such as for another attempt or for a child run. */
  readonly waiting: number;
  /** Items that are blocked until `resolve()` decides. */
  readonly blocked: number;
  /** Items that have not started. */
  readonly pending: number;
  /** Items that did not end before their map or their run did. */
  readonly cancelled: number;
  /** Items that completed and were undone. */
  readonly compensated: number;
}

/** An item in the grid of a run's page. */
export interface ItemCell {
  /** Its index, counted from 0. */
  readonly index: number;
  /** Where it is. */
  readonly state: TaskState;
  /** Attempts begun. */
  readonly attempts: number;
  /** What its latest failed attempt threw, in short. */
  readonly failure: string | undefined;
  /** Its child run. */
  readonly child: RunLink | undefined;
}

/** The items of a map on its run's page. */
export interface MapDetail {
  /** How many are in which state. */
  readonly counts: ItemCounts;
  /** The page of its items. */
  readonly href: string;
  /** The first items, at most a hundred; none if the run has more than ten maps and others are shown. */
  readonly cells: readonly ItemCell[];
}
