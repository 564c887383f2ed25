import type { RecordHead } from "../../store/port/batch.ts";
import { isBlocked } from "../machine/blocked.ts";
import { addItemFailure, newExpansion } from "./expansion.ts";
import { LiveRun, type LiveUnit, unitsOf } from "./live_run.ts";
import type { LoadedRun } from "./loaded_run.ts";
import type { Plan } from "../machine/plan.ts";
import { NO_ITEM, unitKey } from "../machine/run_state.ts";

/** Returns a run that was claimed, with what its journal holds. */
export function restoredRun(plan: Plan, loaded: LoadedRun<LiveRun>): LiveRun {
  const run = new LiveRun(plan, loaded);
  if (loaded.journal.length === 0) return run;
  loadRows(run, loaded.journal);
  for (const { wake } of unitsOf(run)) run.hasChildren ||= wake?.child === true;
  return run;
}

/** Restores the fields of units other than their progress from the journal. */
function loadRows(run: LiveRun, journal: readonly RecordHead[]): void {
  for (const record of journal) if (record.item === NO_ITEM && record.step === "") loadNode(run, record);
  const open = new Map<string, LiveUnit>();
  run.state.items?.forEach((items) => items.open.forEach((unit) => open.set(unitKey(unit), unit)));
  for (const { task, item, step, startedAt, failures, state } of journal) {
    const node = run.plan.numbers.get(task);
    if (node === undefined) continue;
    const key = unitKey({ node, item });
    if (step !== "") {
      const steps = (run.storedSteps ??= new Map()).get(key);
      if (steps === undefined) run.storedSteps.set(key, [step]);
      else steps.push(step);
      continue;
    }
    if (item === NO_ITEM) continue;
    const unit = open.get(key);
    if (unit !== undefined) loadUnit(unit, { state, startedAt, failures });
    const { expansion } = run.state.units[node]!;
    const failure = failures.at(-1);
    if (state === "failed" && expansion !== undefined && failure !== undefined) addItemFailure(expansion, failure);
  }
}

function loadNode({ plan, state }: LiveRun, record: RecordHead): void {
  const number = plan.numbers.get(record.task);
  if (number === undefined) return;
  const unit = state.units[number]!;
  loadUnit(unit, record);
  unit.isStored = unit.state === "completed";
  if (record.items !== undefined) unit.expansion = newExpansion(record.items, undefined);
}

function loadUnit(unit: LiveUnit, record: Pick<RecordHead, "state" | "startedAt" | "failures">): void {
  unit.isWritten = true;
  if (record.state === "running" && isBlocked(unit)) unit.isNewlyBlocked = true;
  unit.startedAt = record.startedAt;
  unit.failures = record.failures;
}
