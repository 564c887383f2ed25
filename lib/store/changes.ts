import type { Change } from "./port.ts";

/** Merges two hints into one. */
export function both(one: Change, other: Change): Change {
  return {
    due: one.due || other.due,
    ended: one.ended || other.ended,
    attention: one.attention && other.attention && [...new Set([...one.attention, ...other.attention])],
  };
}
