import type { Commands } from "./commands.ts";
import { isLimitWait, NO_ITEM, type RunState, type Unit, type UnitState } from "./run_state.ts";

/** Begins an attempt at a pending unit. */
export function start<U extends Unit>(run: RunState<U>, unit: U, commands: Commands<U>): void {
  unit.attempts++;
  enterRunning(run, unit);
  commands.push({ do: "start", unit });
}

/** A unit runs from now on. */
export function enterRunning<U extends Unit>(run: RunState<U>, unit: U): void {
  unit.state = "running";
  run.running++;
  run.isParked = false;
  if (unit.item !== NO_ITEM && !unit.isSuspended) run.items!.get(unit.node)!.busy++;
}

/**
 * A unit does not run any more and is in `state`. Returns false if it did not run: a second end of the same attempt changes
 * nothing.
 */
export function leaveRunning<U extends Unit>(run: RunState<U>, unit: U, state: UnitState): boolean {
  if (unit.state !== "running") return false;
  unit.state = state;
  if (run.running > 0) run.running--;
  // A suspended item keeps its slot, because its child run continues, and so does an item that has not begun.
  const keepsPlace = state === "waiting" && (unit.isSuspended || isLimitWait(unit.reason));
  if (unit.item !== NO_ITEM && !keepsPlace) run.items!.get(unit.node)!.busy--;
  return true;
}
