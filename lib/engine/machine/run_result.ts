import type { Plan } from "./plan.ts";
import type { RunState } from "./run_state.ts";

/** Whether a run all of whose nodes have ended has succeeded: every failure was handled, and its result exists. */
export function isSuccess(plan: Plan, run: RunState): boolean {
  if (plan.result !== undefined && run.units[plan.result]!.isFailed) return false;
  return run.units.every((unit, number) => unit.state !== "failed" || isHandled(plan, run, number));
}

/** The number of the first failed node, in dependency order, that no handler handled; -1 without such a node. */
export function unhandledFailure(plan: Plan, run: RunState): number {
  return run.units.findIndex((unit, number) => unit.state === "failed" && !isHandled(plan, run, number));
}

/**
 * Whether a node with `on: "anyFailed"` or `"allFailed"` completed that depends on the failed node, or on one that was
 * skipped because of it.
 */
function isHandled(plan: Plan, run: RunState, failed: number): boolean {
  const reached = [failed];
  const seen = new Set(reached);
  for (let at = 0; at < reached.length; at++) {
    for (const dependent of plan.nodes[reached[at]!]!.next) {
      const unit = run.units[dependent]!;
      const { on } = plan.nodes[dependent]!;
      if ((on === "anyFailed" || on === "allFailed") && unit.state === "completed") return true;
      if (unit.state === "skipped" && unit.isFailed && !seen.has(dependent)) {
        seen.add(dependent);
        reached.push(dependent);
      }
    }
  }
  return false;
}
