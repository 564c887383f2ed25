import type { ClaimedRun } from "../store/batch.ts";
import type { StoredDefinition } from "./catalog.ts";
import type { Plan } from "./plan.ts";

/**
 * Why a run of another version cannot go on with `plan`: a task of which something is recorded is gone, or is of another
 * kind, or depends on other tasks. `undefined` if it can.
 */
export function whyIncompatible(
  run: ClaimedRun,
  plan: Plan,
  before: StoredDefinition | undefined,
): string | undefined {
  const recorded = new Set(run.journal.map(({ task }) => task));
  if (recorded.size === 0) return undefined;
  if (before === undefined) return `what version ${run.version} was is not known any more`;
  for (const task of before.tasks) {
    if (!recorded.has(task.id)) continue;
    const number = plan.numbers.get(task.id);
    if (number === undefined) return `task "${task.id}", of which something is recorded, is gone`;
    const now = plan.nodes[number]!.task;
    if (now.kind !== task.kind) return `task "${task.id}" was a ${task.kind} and is a ${now.kind}`;
    if (!isSame(now.after, task.after)) return `task "${task.id}" depends on other tasks than it did`;
  }
  return undefined;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}
