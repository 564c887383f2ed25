import type { ChildOutcome } from "../runs/child_outcome.ts";
import type { LiveChildWait } from "./child_outcomes.ts";
import { type LiveRun, type LiveUnit, unitAt, unitsOf } from "../runs/live_run.ts";
import type { ClaimedRun } from "../../store/port/batch.ts";
import { type ChildWait, WAITS_FOR_CHILD } from "../../store/port/children.ts";
import { taskOfUndo } from "../../store/shared/undo_rows.ts";
import { nodeOf } from "../runs/attempt.ts";
import { isChildWait, NO_ITEM, unitKey } from "../machine/run_state.ts";

/** Returns the unit that waits for the child run with an outcome. */
export function waitingForChild(run: LiveRun, { task, item }: ChildOutcome): LiveUnit | undefined {
  const unit = unitAt(run, task, item);
  return unit?.state === "waiting" && unit.wake?.child === true ? unit : undefined;
}

/** Whether the end of its child run ends a unit immediately: an item that does nothing else, in a run that is active. */
export function endsWithChild(unit: LiveUnit): boolean {
  const { state, compensation } = unit.run;
  return unit.item !== NO_ITEM && isChildWait(unit) && !unit.isWaitInFlight && state.phase === "active" &&
    compensation === undefined;
}

/** Keeps the outcome of the child run of a unit until it continues. */
export function keepChild(unit: LiveUnit, outcome: ChildOutcome): void {
  (unit.run.childOutcomes ??= new Map()).set(unitKey(unit), outcome);
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
    const unit = waitingForChild(run, outcome);
    if (unit === undefined) continue;
    keepChild(unit, outcome);
    unit.wokenBy = "child";
  }
}

/** The tasks and items of a claimed run that wait for child runs, by its journal. */
export function recordedChildWaits({ seq, journal }: Pick<ClaimedRun, "seq" | "journal">): readonly ChildWait[] {
  return journal.flatMap(({ task, item, step, state, reason }) =>
    step === "" && state === "waiting" && reason === WAITS_FOR_CHILD
      ? [{ parent: seq, task: taskOfUndo(task) ?? task, item }]
      : []
  );
}

/** The tasks and items of a run in memory that wait for child runs of which no end is known. */
export function childWaitsOf(run: LiveRun): readonly LiveChildWait[] {
  const waits: LiveChildWait[] = [];
  if (!run.hasChildren) return waits;
  for (const unit of unitsOf(run)) {
    if (unit.state !== "waiting" || unit.wake?.child !== true || hasChildOutcome(unit)) continue;
    waits.push({ parent: run.seq, task: nodeOf({ unit }).id, item: unit.item, isInFlight: unit.isWaitInFlight });
  }
  return waits;
}
