import type { ClaimedRun, RecordHead, TaskState } from "../store/batch.ts";
import type { Node, Plan } from "./plan.ts";
import { isBetweenAttempts, type RecordedUnit, type UnitState, type Wake } from "./run_state.ts";

/** What the rows of a journal say of units, in the terms of the state machine. */
export function recordedUnits(
  plan: Plan,
  { journal, completedItems }: Pick<ClaimedRun, "journal" | "completedItems">,
): RecordedUnit[] {
  const units: RecordedUnit[] = [];
  for (const record of journal) {
    const node = plan.numbers.get(record.task);
    if (node === undefined || record.step !== "") continue;
    const isExpanded = record.state === "running" && record.items !== undefined;
    const state = isExpanded ? "expanded" : restoredState(record.state);
    units.push({
      node,
      item: record.item,
      state,
      // The attempt that was under way when the runner died does not count.
      attempts: state === "running" ? record.attempts - 1 : record.attempts,
      wake: wakeOf(plan.nodes[node]!, record),
      reason: record.reason,
      items: record.items,
      completed: isExpanded ? completedItems.filter(({ task }) => task === record.task) : [],
    });
  }
  return units;
}

/** No row has the state `cancelled`; a task with such a row would run again. */
function restoredState(state: TaskState): UnitState {
  return state === "cancelled" ? "pending" : state;
}

/** What a unit with this row waits for; which other things than a time end its wait follows from its kind. */
function wakeOf({ task }: Node, { state, dueAt, reason }: RecordHead): Wake | undefined {
  if (state !== "waiting") return undefined;
  return { at: dueAt, message: task.kind === "event" && !isBetweenAttempts(reason) };
}
