/**
 * How the end of a node reaches its dependents: once all dependencies of a node have ended, the node is skipped, or it
 * is ready to start.
 *
 * @module
 */
import type { Commands } from "./commands.ts";

import type { Plan } from "./plan.ts";
import { failsIfSkipped, type RunState, type Unit } from "./run_state.ts";

/** All dependencies of a pending node have ended: it is skipped here and now, or it will start. */
export function isSkipped<U extends Unit>(plan: Plan, run: RunState<U>, unit: U): boolean {
  const reason = whyNot(plan, run, unit.node);
  if (reason === undefined) {
    run.ready++;
    return false;
  }
  unit.state = "skipped";
  unit.reason = reason;
  unit.isFailed = failsIfSkipped(plan, run, unit.node);
  return true;
}

/** A node has ended: records it and decides its dependents, without recursion along the graph. */
export function settleNode<U extends Unit>(plan: Plan, run: RunState<U>, unit: U, commands: Commands<U>): void {
  const skipped = settleOne(plan, run, unit, commands);
  if (skipped === undefined) return;
  for (let at = 0; at < skipped.length; at++) settleOne(plan, run, skipped[at]!, commands, skipped);
}

/** Returns the nodes that are skipped as a consequence, appended to those whose dependents are still to be decided. */
function settleOne<U extends Unit>(
  plan: Plan,
  run: RunState<U>,
  unit: U,
  commands: Commands<U>,
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
function whyNot(plan: Plan, { units }: RunState, node: number): string | undefined {
  const { on, before } = plan.nodes[node]!;
  switch (on) {
    case "success":
      return reasonOf(plan, firstOf(units, before, isFailed), "failed");
    case "allSucceeded":
      return reasonOf(plan, firstOf(units, before, isFailed), "failed") ??
        reasonOf(plan, firstOf(units, before, isNotCompleted), "was skipped");
    case "settled":
      return undefined;
    case "anySucceeded":
      return firstOf(units, before, isCompleted) === undefined ? "no dependency succeeded" : undefined;
    case "anyFailed":
      return firstOf(units, before, isFailed) === undefined ? "no dependency failed" : undefined;
    case "allFailed":
      return before.length > 0 && firstOf(units, before, isNotFailed) === undefined
        ? undefined
        : "not every dependency failed";
  }
}

// Functions of this module and no closures: this is decided for every node of every run.
const isFailed = (unit: Unit): boolean => unit.isFailed;
const isNotFailed = (unit: Unit): boolean => !unit.isFailed;
const isCompleted = (unit: Unit): boolean => unit.state === "completed";
const isNotCompleted = (unit: Unit): boolean => unit.state !== "completed";

function firstOf(
  units: readonly Unit[],
  numbers: readonly number[],
  is: (unit: Unit) => boolean,
): number | undefined {
  for (const number of numbers) if (is(units[number]!)) return number;
  return undefined;
}

function reasonOf(plan: Plan, dependency: number | undefined, ended: "failed" | "was skipped"): string | undefined {
  return dependency === undefined ? undefined : `dependency "${plan.nodes[dependency]!.id}" ${ended}`;
}
