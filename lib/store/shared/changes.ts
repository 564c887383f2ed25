import type { NewRun } from "../port/batch.ts";
import type { Change } from "../port/store.ts";

/** Other processes poll for due runs within this time, in milliseconds. */
export const SOON_MS = 2_000;

/** Whether a started run is due so soon that other processes are notified. */
export function isSoonDue({ dueAt }: Pick<NewRun, "dueAt">, now: number): boolean {
  return dueAt === undefined || dueAt <= now + SOON_MS;
}

/** Merges two hints into one. */
export function both(one: Change, other: Change): Change {
  return {
    due: one.due || other.due,
    ended: one.ended || other.ended,
    attention: one.attention && other.attention && [...new Set([...one.attention, ...other.attention])],
  };
}
