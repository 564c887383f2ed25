import type { RunState, Unit } from "./run_state.ts";

// Not a literal, which is an `undefined[]` for a compiler without strict options.
const NONE: readonly never[] = new Array<never>();

/**
 * Units that wait. `isBrief` may leave out items that wait for nothing but child runs: a map of ten thousand child runs has
 * as many, and is concluded after the end of each.
 */
export function waitingUnits<U extends Unit>(run: RunState<U>, isBrief = false): readonly U[] {
  // No closure, and no list if no unit waits: this runs at the start of every run.
  let waiting: U[] | undefined;
  for (const unit of run.units) if (unit.state === "waiting") (waiting ??= []).push(unit);
  if (run.items !== undefined) {
    for (const { open, childWaits } of run.items.values()) {
      if (isBrief && childWaits === open.size) continue;
      for (const unit of open.values()) if (unit.state === "waiting") (waiting ??= []).push(unit);
    }
  }
  return waiting ?? NONE;
}

/** Whether a child run has not ended, as far as is known: it was cancelled with this run, and settles like a body. */
export function waitsForChild<U extends Unit>(run: RunState<U>): boolean {
  for (const { childWaits } of run.items?.values() ?? []) if (childWaits > 0) return true;
  return waitingUnits(run, true).some(({ wake, wokenBy }) => wake?.child === true && wokenBy === undefined);
}

/** When the first of these waits ends; `undefined` if no time ends one. */
export function firstTime(waiting: readonly Unit[]): number | undefined {
  let first: number | undefined;
  for (const { wake } of waiting) {
    if (wake?.at !== undefined && (first === undefined || wake.at < first)) first = wake.at;
  }
  return first;
}
