/**
 * How the end of a node reaches its dependents: once all dependencies of a node have ended, the node is skipped, or it
 * is ready to start.
 *
 * @module
 */
import type { Trigger } from "../definition/definition.ts";
import type { Command } from "./machine_protocol.ts";
import type { Plan } from "./plan.ts";
import type { RunState, Unit } from "./run_state.ts";

/** All dependencies of a pending node have ended: it is skipped here and now, or it will start. */
export function isSkipped<U extends Unit>(plan: Plan, run: RunState<U>, unit: U): boolean {
  const { on, before } = plan.nodes[unit.node]!;
  const reason = on === "success" ? whyNoSuccess(plan, run, before) : whyNot(on, run, before);
  if (reason === undefined) {
    run.ready++;
    return false;
  }
  unit.state = "skipped";
  unit.reason = reason;
  unit.isFailed = on === "success";
  return true;
}

/** A node has ended: records it and decides its dependents, without recursion along the graph. */
export function settleNode<U extends Unit>(plan: Plan, run: RunState<U>, unit: U, commands: Command<U>[]): void {
  const skipped = settleOne(plan, run, unit, commands);
  if (skipped === undefined) return;
  for (let at = 0; at < skipped.length; at++) settleOne(plan, run, skipped[at]!, commands, skipped);
}

/** Returns the nodes that are skipped as a consequence, appended to those whose dependents are still to be decided. */
function settleOne<U extends Unit>(
  plan: Plan,
  run: RunState<U>,
  unit: U,
  commands: Command<U>[],
  skipped?: U[],
): U[] | undefined {
  run.remaining--;
  commands.push({ do: "record", unit });
  for (const number of plan.nodes[unit.node]!.next) {
    const dependent = run.units[number]!;
    dependent.openDependencies--;
    if (dependent.openDependencies === 0 && dependent.state === "pending" && isSkipped(plan, run, dependent)) {
      (skipped ??= []).push(dependent);
    }
  }
  return skipped;
}

/** Why a node must be skipped, given how its dependencies ended; `undefined` if it may start. */
function whyNot(
  on: Exclude<Trigger, "success">,
  { units }: RunState,
  before: readonly number[],
): string | undefined {
  switch (on) {
    case "settled":
      return undefined;
    case "anySucceeded":
      return before.some((number) => units[number]!.state === "completed") ? undefined : "no dependency succeeded";
    case "anyFailed":
      return before.some((number) => units[number]!.isFailed) ? undefined : "no dependency failed";
    case "allFailed":
      return before.length > 0 && before.every((number) => units[number]!.isFailed)
        ? undefined
        : "not every dependency failed";
  }
}

function whyNoSuccess(plan: Plan, { units }: RunState, before: readonly number[]): string | undefined {
  const failed = before.find((number) => units[number]!.isFailed);
  return failed === undefined ? undefined : `dependency "${plan.nodes[failed]!.id}" failed`;
}
