import type { ClaimedRun, RecordHead } from "../../store/port/batch.ts";
import { BLOCKED, isAtMostOnce, RESOLUTION } from "../machine/blocked.ts";
import { childDefinitionOf } from "../machine/child_definition.ts";
import type { Node, Plan } from "../machine/plan.ts";
import { isBetweenAttempts, isLimitWait, type RecordedUnit } from "../machine/run_state.ts";

const NO_UNITS: readonly RecordedUnit[] = [];

/** What the rows of a journal say of units, in the terms of the state machine. */
export function recordedUnits(
  plan: Plan,
  { journal, completedItems }: Pick<ClaimedRun, "journal" | "completedItems">,
): readonly RecordedUnit[] {
  if (journal.length === 0) return NO_UNITS;
  const units: RecordedUnit[] = [];
  for (const record of journal) {
    const node = plan.numbers.get(record.task);
    if (node === undefined || record.step !== "") continue;
    const isExpanded = record.state === "running" && record.items !== undefined;
    units.push({
      node,
      item: record.item,
      attempts: record.attempts,
      wake: undefined,
      reason: record.reason,
      items: record.items,
      completed: isExpanded ? completedItems.filter(({ task }) => task === record.task) : [],
      ...stateOf(plan.nodes[node]!, record),
    });
  }
  return units;
}

type RecordedState = Pick<RecordedUnit, "state"> & Partial<RecordedUnit>;

function stateOf({ task }: Node, { item, state, attempts, dueAt, reason, items }: RecordHead): RecordedState {
  switch (state) {
    case "running":
      if (items !== undefined) return { state: "expanded" };
      if (isAtMostOnce(task, item)) return blocked();
      // The attempt that was under way when the runner died does not count.
      return { state, attempts: attempts - 1 };
    case "blocked":
      return blocked();
    case "waiting":
      // Which other things than a time end a wait follows from the kind of the task.
      if (isLimitWait(reason)) return { state, wake: { permit: true } };
      if (isBetweenAttempts(reason)) return { state, wake: { at: dueAt } };
      return {
        state,
        wake: { at: dueAt, message: task.kind === "event", child: childDefinitionOf(task, item) !== undefined },
      };
    case "cancelled":
    case "compensated":
      // No row has these states; a task with such a row would run again.
      return { state: "pending" };
    case "pending":
    case "completed":
    case "failed":
    case "skipped":
      return { state };
  }
}

function blocked(): RecordedState {
  return { state: "waiting", wake: RESOLUTION, reason: BLOCKED };
}
