import type { Plan } from "./plan.ts";
import type { RunProgress } from "./progress.ts";

/** Whether a run all of whose tasks have ended has succeeded: no failure is left, and its result is there. */
export function succeeded(plan: Plan, run: RunProgress): boolean {
  if (plan.result !== undefined && run.tasks[plan.result]!.failed) return false;
  return run.tasks.every((task, number) => task.state !== "failed" || isHandled(plan, run, number));
}

/** The first failed task, in dependency order, that no handler made good; -1 if there is none. */
export function unhandledFailure(plan: Plan, run: RunProgress): number {
  return run.tasks.findIndex((task, number) => task.state === "failed" && !isHandled(plan, run, number));
}

/**
 * Whether a task with `on: "anyFailed"` or `"allFailed"` completed that depends on the failed task, or on one that was
 * skipped because of it.
 */
function isHandled(plan: Plan, run: RunProgress, failed: number): boolean {
  const reached = [failed];
  const seen = new Set(reached);
  for (let at = 0; at < reached.length; at++) {
    for (const dependent of plan.dependents[reached[at]!]!) {
      const task = run.tasks[dependent]!;
      const { on } = plan.tasks[dependent]!;
      if ((on === "anyFailed" || on === "allFailed") && task.state === "completed") return true;
      if (task.state === "skipped" && task.failed && !seen.has(dependent)) {
        seen.add(dependent);
        reached.push(dependent);
      }
    }
  }
  return false;
}
