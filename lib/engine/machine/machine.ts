/**
 * The state machine of a run: given its plan, its state and an event, it returns the commands to carry out.
 *
 * It knows no clock, no database and no promise. The life of a unit: it is *decided* (start or skip) as soon as all its
 * dependencies have ended, and *started* as soon as their ends are durable, so that a body sees durable results only. A
 * started unit ends, is suspended until something wakes it, or expands into items, which are units themselves (see
 * items.ts). An end is recorded, and the end of the run comes with the record of its last unit, so that both are one
 * commit.
 *
 * `advance` changes the state it is given: a run has one owner, and a copy for each of ten thousand events would make
 * large runs quadratic.
 *
 * @module
 */
import {
  dropItem,
  endItem,
  endWithChild,
  expand,
  hasStartableItem,
  isOfStoppedNode,
  itemDurable,
  startItems,
  stopFailedNodes,
} from "./items.ts";
import { Commands } from "./commands.ts";
import type { MachineEvent } from "./machine_protocol.ts";
import type { Plan } from "./plan.ts";
import { isSuccess } from "./run_result.ts";
import {
  isChildWait,
  LIMIT,
  NO_ITEM,
  OF_CONDITION,
  type RunState,
  type Unit,
  waitsForPermit,
  type Wake,
  type WokenBy,
} from "./run_state.ts";
import { isSkipped, settleNode } from "./settling.ts";
import { enterRunning, leaveRunning, start } from "./unit_transitions.ts";
import { firstTime, waitingUnits, waitsForChild } from "./waiting_units.ts";

/** Applies an event; returns what to do, in order. */
export function advance<U extends Unit>(plan: Plan, run: RunState<U>, event: MachineEvent<U>): Commands<U> {
  const commands = new Commands<U>();
  if (run.phase === "ended") return commands;
  apply(plan, run, event, commands);
  conclude(plan, run, event, commands);
  return commands;
}

function apply<U extends Unit>(plan: Plan, run: RunState<U>, event: MachineEvent<U>, commands: Commands<U>): void {
  switch (event.type) {
    case "started":
      return begin(plan, run, commands);
    case "conditionPassed":
      event.unit.conditionPassed = true;
      commands.push({ do: "record", unit: event.unit });
      return;
    case "conditionFailed":
      event.unit.reason = "its condition returned false";
      if (leaveRunning(run, event.unit, "skipped")) settle(plan, run, event.unit, commands);
      return;
    case "completed":
      if (!leaveRunning(run, event.unit, "completed")) return;
      event.unit.reason = undefined;
      return settle(plan, run, event.unit, commands);
    case "failed":
      return fail(plan, run, event, commands);
    case "deferred":
      event.unit.attempts--;
      event.unit.isSuspended = false;
      event.unit.reason = waitReason(plan, event.unit, "deferred") +
        (event.message === undefined ? "" : `: ${event.message}`);
      return wait(plan, run, event, commands);
    case "held":
      event.unit.attempts--;
      event.unit.isSuspended = false;
      event.unit.reason = waitReason(plan, event.unit, LIMIT);
      return wait(plan, run, { unit: event.unit, wake: FOR_PERMIT }, commands);
    case "suspended":
      event.unit.isSuspended = true;
      event.unit.reason = event.reason;
      return wait(plan, run, event, commands);
    case "expanded":
      if (leaveRunning(run, event.unit, "expanded")) expand(plan, run, event, commands);
      return;
    case "abandoned":
      return abandon(plan, run, event.unit, commands);
    case "durable":
      return release(plan, run, event.unit, commands);
    case "woken":
      return wake(plan, run, event, commands);
    case "childEnded":
      return endWithChild(plan, run, event, commands);
    case "paused":
      if (run.phase === "active") run.phase = "paused";
      return;
    case "resumed":
      return resume(plan, run, commands);
    case "stopRequested":
      if (run.phase === "stopping") return;
      run.phase = "stopping";
      run.stoppingAs = event.as;
      if (run.running > 0) commands.push({ do: "abort", unit: undefined });
      return;
    case "graceElapsed":
      if (run.phase !== "stopping") return;
      run.running = 0;
      run.isGraceOver = true;
      return;
  }
}

/** Ends, parks or releases the run if the event left nothing else to do. */
function conclude<U extends Unit>(plan: Plan, run: RunState<U>, event: MachineEvent<U>, commands: Commands<U>): void {
  if (run.phase === "stopping") {
    if (run.running === 0 && (run.isGraceOver || !waitsForChild(run))) end(run, run.stoppingAs, commands);
    return;
  }
  if (run.remaining === 0) return end(run, isSuccess(plan, run) ? "completed" : "failed", commands);
  if (run.running > 0) return;
  if (run.phase === "paused") {
    commands.push({ do: "release" });
    return;
  }
  if (run.ready > 0 || event.type === "abandoned" || hasStartableItem(plan, run)) return;
  const waiting = waitingUnits(run, true);
  if (waiting.length === 0 && !waitsForChild(run)) return;
  if (waiting.some(({ wokenBy }) => wokenBy !== undefined)) return;
  const at = firstTime(waiting);
  if (run.isParked && run.parkedUntil === at) return;
  run.isParked = true;
  run.parkedUntil = at;
  commands.push({ do: "park", at });
}

function end<U extends Unit>(run: RunState<U>, as: "completed" | "failed" | "cancelled", commands: Commands<U>): void {
  run.phase = "ended";
  commands.push({ do: "end", as });
}

function begin<U extends Unit>(plan: Plan, run: RunState<U>, commands: Commands<U>): void {
  // From the last: a skip decides the dependents, which come after their dependencies and must not be decided twice.
  for (let at = run.units.length - 1; at >= 0; at--) {
    const unit = run.units[at]!;
    if (unit.state !== "pending" || unit.openDependencies > 0) continue;
    if (isSkipped(plan, run, unit)) settleNode(plan, run, unit, commands);
  }
  stopFailedNodes(plan, run, commands);
  continueWoken(plan, run, commands);
  startReady(plan, run, commands);
  armWaits(run, commands);
}

/** A unit has ended. */
function settle<U extends Unit>(plan: Plan, run: RunState<U>, unit: U, commands: Commands<U>): void {
  if (unit.item === NO_ITEM) settleNode(plan, run, unit, commands);
  else endItem(plan, run, unit, commands);
}

/** An end or an expansion is durable: starts what waited only for that. */
function release<U extends Unit>(plan: Plan, run: RunState<U>, unit: U, commands: Commands<U>): void {
  if (unit.item !== NO_ITEM) return itemDurable(plan, run, unit.node, commands);
  if (unit.state === "expanded") {
    const items = run.items!.get(unit.node)!;
    if (!items.mayStart) {
      items.mayStart = true;
      run.ready--;
    }
    return startItems(plan, run, unit.node, commands);
  }
  for (const number of plan.nodes[unit.node]!.next) {
    const dependent = run.units[number]!;
    if (--dependent.undurableDependencies > 0 || dependent.state !== "pending" || run.phase !== "active") continue;
    run.ready--;
    start(run, dependent, commands);
  }
}

function startReady<U extends Unit>(plan: Plan, run: RunState<U>, commands: Commands<U>): void {
  if (run.phase !== "active") return;
  for (const unit of run.units) {
    if (unit.state === "expanded") startItems(plan, run, unit.node, commands);
    if (unit.state !== "pending" || unit.undurableDependencies > 0) continue;
    run.ready--;
    start(run, unit, commands);
  }
}

function fail<U extends Unit>(
  plan: Plan,
  run: RunState<U>,
  { unit, retryAt }: { readonly unit: U; readonly retryAt: number | undefined },
  commands: Commands<U>,
): void {
  if (isOfStoppedNode(run, unit)) return dropItem(plan, run, unit, commands);
  // A failure while the run stops comes from the abort: the unit is cancelled with the rest, and not recorded.
  if (run.phase === "stopping") return void leaveRunning(run, unit, "pending");
  if (retryAt !== undefined) {
    unit.isSuspended = false;
    unit.reason = waitReason(plan, unit, "retry");
    return wait(plan, run, { unit, wake: { at: retryAt } }, commands);
  }
  if (!leaveRunning(run, unit, "failed")) return;
  unit.isFailed = true;
  settle(plan, run, unit, commands);
}

/** The journal keeps whether the condition threw: then the next attempt evaluates it again. */
function waitReason(plan: Plan, unit: Unit, what: "retry" | "deferred" | typeof LIMIT): string {
  return plan.nodes[unit.node]!.task.when === undefined || unit.conditionPassed ? what : `${what}${OF_CONDITION}`;
}

function wait<U extends Unit>(
  plan: Plan,
  run: RunState<U>,
  { unit, wake }: { readonly unit: U; readonly wake: Wake },
  commands: Commands<U>,
): void {
  if (isOfStoppedNode(run, unit)) return dropItem(plan, run, unit, commands);
  if (!leaveRunning(run, unit, "waiting")) return;
  unit.wake = wake;
  unit.wokenBy = undefined;
  if (unit.item !== NO_ITEM && isChildWait(unit)) run.items!.get(unit.node)!.childWaits++;
  commands.push({ do: "record", unit });
  commands.push({ do: "wait", unit, wake });
  if (unit.item !== NO_ITEM) startItems(plan, run, unit.node, commands);
}

function wake<U extends Unit>(
  plan: Plan,
  run: RunState<U>,
  { unit, by, isInFlight = false }: { readonly unit: U; readonly by: WokenBy; readonly isInFlight?: boolean },
  commands: Commands<U>,
): void {
  if (unit.state !== "waiting") return;
  if (unit.item !== NO_ITEM && isChildWait(unit)) run.items!.get(unit.node)!.childWaits--;
  unit.wokenBy = by;
  if (run.phase !== "active" || isInFlight) return;
  if (unit.isSuspended) {
    enterRunning(run, unit);
    commands.push({ do: "continue", unit, by });
    return;
  }
  const hasTurn = waitsForPermit(unit);
  unit.wake = undefined;
  unit.wokenBy = undefined;
  unit.state = "pending";
  unit.reason = undefined;
  if (unit.item === NO_ITEM) return start(run, unit, commands);
  if (hasTurn) {
    // Its place among the items is still its own.
    run.items!.get(unit.node)!.busy--;
    return start(run, unit, commands);
  }
  run.items!.get(unit.node)!.ready.push(unit);
  startItems(plan, run, unit.node, commands);
}

/** The unit is as it was before its attempt, or before it was woken. */
function abandon<U extends Unit>(plan: Plan, run: RunState<U>, unit: U, commands: Commands<U>): void {
  if (isOfStoppedNode(run, unit)) return dropItem(plan, run, unit, commands);
  if (unit.isSuspended) return void leaveRunning(run, unit, "waiting");
  unit.attempts--;
  if (!leaveRunning(run, unit, "pending")) return;
  if (unit.item === NO_ITEM) run.ready++;
  else run.items!.get(unit.node)!.ready.push(unit);
}

function resume<U extends Unit>(plan: Plan, run: RunState<U>, commands: Commands<U>): void {
  if (run.phase !== "paused") return;
  run.phase = "active";
  run.isParked = false;
  continueWoken(plan, run, commands);
  startReady(plan, run, commands);
  armWaits(run, commands);
}

/** Continues units whose waits have ended in the meantime. They are older than what has not begun, so they come first. */
function continueWoken<U extends Unit>(plan: Plan, run: RunState<U>, commands: Commands<U>): void {
  if (run.phase !== "active") return;
  for (const unit of waitingUnits(run)) {
    const by = unit.wokenBy;
    if (by !== undefined) wake(plan, run, { unit, by }, commands);
  }
}

function armWaits<U extends Unit>(run: RunState<U>, commands: Commands<U>): void {
  for (const unit of waitingUnits(run)) commands.push({ do: "wait", unit, wake: unit.wake ?? {} });
}

const FOR_PERMIT: Wake = Object.freeze({ permit: true });
