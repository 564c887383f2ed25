import type { ChildOutcome } from "./child_outcome.ts";
import { type LiveRun, type LiveUnit, unitAt } from "./live_run.ts";
import { unitKey } from "./run_state.ts";

/** Keeps the outcome of a child run for its unit; returns the unit, if it waits for that. */
export function receiveChild(run: LiveRun, outcome: ChildOutcome): LiveUnit | undefined {
  const unit = unitAt(run, outcome.task, outcome.item);
  if (unit?.state !== "waiting" || unit.wake?.child !== true) return undefined;
  (run.childOutcomes ??= new Map()).set(unitKey(unit), outcome);
  return unit;
}

/** Takes the outcome of the child run of a unit. */
export function takeChild(unit: LiveUnit): ChildOutcome | undefined {
  const key = unitKey(unit);
  const outcome = unit.run.childOutcomes?.get(key);
  unit.run.childOutcomes?.delete(key);
  return outcome;
}

/** Whether the outcome of the child run that a unit waits for is known. */
export function hasChildOutcome(unit: LiveUnit): boolean {
  return unit.wake?.child === true && unit.run.childOutcomes?.has(unitKey(unit)) === true;
}

/** Keeps outcomes of child runs for the units of a run that has not begun: they continue when it begins. */
export function receiveChildren(run: LiveRun, outcomes: readonly ChildOutcome[]): void {
  for (const outcome of outcomes) {
    const unit = receiveChild(run, outcome);
    if (unit !== undefined) unit.wokenBy = "child";
  }
}
