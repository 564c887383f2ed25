import type { RecordHead } from "../../store/port/batch.ts";
import { isOfForward } from "../../store/shared/undo_rows.ts";
import type { StoredTask } from "../catalog.ts";
import type { Plan } from "../machine/plan.ts";

/** The tasks of which a run has journal rows. */
type Recorded = readonly Pick<RecordHead, "task">[];

/** The tasks of the definition that a run started with. */
interface Definition {
  readonly tasks: readonly (Pick<StoredTask, "id" | "after"> & { readonly kind: string })[];
}

/**
 * Returns why `plan` cannot continue a run whichever version it started with: a task with a journal row is not in it, as
 * when another version recorded the task in the meantime. Returns `undefined` if every such task is there.
 */
export function whyRemoved(
  run: { readonly journal: Recorded },
  plan: Plan,
): string | undefined {
  const removed = run.journal.find(({ task }) => isOfForward(task) && !plan.numbers.has(task));
  return removed && `task "${removed.task}" has a recorded result and was removed`;
}

/**
 * Returns why `plan` cannot continue a run of another version: a task with a journal row was removed, or has another kind
 * or other dependencies. Returns `undefined` if it can. `before` is the definition that the run started with.
 */
export function whyIncompatible(
  run: { readonly version: string; readonly journal: Recorded },
  plan: Plan,
  before: Definition | undefined,
): string | undefined {
  const recorded = new Set(run.journal.map(({ task }) => task));
  if (recorded.size === 0) return undefined;
  const removed = whyRemoved(run, plan);
  if (removed !== undefined) return removed;
  if (before === undefined) return `the definition of version ${run.version} is not stored`;
  for (const task of before.tasks) {
    if (!recorded.has(task.id)) continue;
    const now = plan.nodes[plan.numbers.get(task.id)!]!.task;
    if (now.kind !== task.kind) return `task "${task.id}" changed its kind from ${task.kind} to ${now.kind}`;
    if (!isSame(now.after, task.after)) return `task "${task.id}" has different dependencies`;
  }
  return undefined;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}
