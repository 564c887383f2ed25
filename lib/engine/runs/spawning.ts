import type { NewRun } from "../../store/port/batch.ts";
import type { OwnedChild } from "../../store/port/inserted_child.ts";

/** The child runs of a write on their way into the store. */
export interface Spawning {
  readonly children: readonly NewRun[];
  /** How many of them have a place reserved. */
  readonly kept: number;
}

/** Makes the runner of a parent the owner of child runs when they are inserted, so that they need no claim. */
export interface OwnChildren {
  /**
   * Reserves places for those child runs that this runner can begin, and makes it their owner. It has free slots for some
   * of them; the store inserts the others as owned only if no other runner has joined, which would begin them sooner.
   */
  take(children: readonly NewRun[]): Spawning;
  /** Takes in those that were inserted as owned; returns whether others were left in the store. */
  settle(spawning: Spawning, inserted: ReadonlyMap<string, OwnedChild>): boolean;
  /** Gives up the places: nothing was inserted, or the parent has another owner. */
  drop(spawning: Spawning): void;
}
