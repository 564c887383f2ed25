/**
 * The items of a node that expanded. They start in order, a bounded number at once, as soon as the expansion is durable, or
 * at once if they only write what is committed after it; each is a unit from its beginning to its end. The node ends with
 * its last item, in the same commit.
 *
 * @module
 */
import type { Commands } from "./commands.ts";

import type { ItemPolicy, Plan } from "./plan.ts";
import {
  addItems,
  endRange,
  isChildWait,
  type Items,
  NO_ITEM,
  type RunState,
  type Unit,
  waitsForPermit,
} from "./run_state.ts";
import { settleNode } from "./settling.ts";
import { leaveRunning, start } from "./unit_transitions.ts";

/** The reason in the row of a map that collects: its output contains the failures of its items. */
export const COLLECTED = "collected";

/**
 * The maximum number of items of a node that have ended and are not durable. Bodies that return at once would otherwise
 * end much faster than their results can be written.
 */
const MOST_UNDURABLE = 1_000;

/** A node consists of `total` items: records that. */
export function expand<U extends Unit>(
  plan: Plan,
  run: RunState<U>,
  { unit, items: total, omitted = [] }: {
    readonly unit: U;
    readonly items: number;
    readonly omitted?: readonly { readonly first: number; readonly last: number }[];
  },
  commands: Commands<U>,
): void {
  if (total === 0) {
    unit.state = "completed";
    unit.reason = policyOf(plan, unit.node).onFailure === "collect" ? COLLECTED : undefined;
    return settleNode(plan, run, unit, commands);
  }
  const items = addItems(run, unit, total, omitted.length === 0 ? undefined : new Uint8Array(total));
  for (const range of omitted) endRange(items, range);
  commands.push({ do: "record", unit });
  if (policyOf(plan, unit.node).startsAtOnce) return startItems(plan, run, unit.node, commands);
  items.mayStart = false;
  // Ready until its items start, so that the run is not parked before.
  run.ready++;
}

/** Starts items as far as the limit of their node allows. */
export function startItems<U extends Unit>(plan: Plan, run: RunState<U>, node: number, commands: Commands<U>): void {
  const items = run.items!.get(node)!;
  const { concurrency } = policyOf(plan, node);
  while (run.phase === "active" && items.mayStart && items.busy < concurrency && !items.isStopped) {
    if (items.undurable >= MOST_UNDURABLE) break;
    const unit = items.ready.shift() ?? nextItem(plan, run, items, node);
    if (unit === undefined) break;
    start(run, unit, commands);
  }
  concludeItems(plan, run, node, commands);
}

/** The end of an item is durable: starts items that waited for that. */
export function itemDurable<U extends Unit>(plan: Plan, run: RunState<U>, node: number, commands: Commands<U>): void {
  const items = run.items?.get(node);
  if (items === undefined || items.undurable === 0) return;
  items.undurable--;
  if (items.undurable === MOST_UNDURABLE - 1) startItems(plan, run, node, commands);
}

/** An item has ended: records it, and ends its node or starts what may run in its place. */
export function endItem<U extends Unit>(plan: Plan, run: RunState<U>, unit: U, commands: Commands<U>): void {
  const items = run.items!.get(unit.node)!;
  items.open.delete(unit.item);
  items.ended++;
  items.undurable++;
  commands.push({ do: "record", unit });
  if (unit.state === "failed") {
    items.failed++;
    if (policyOf(plan, unit.node).onFailure === "stop" && !items.isStopped) {
      return stopItems(plan, run, unit.node, commands);
    }
  }
  startItems(plan, run, unit.node, commands);
}

/**
 * The child run of an item has ended, for which the item waited, and with it the item. That starts no body, so the item
 * does not run again.
 */
export function endWithChild<U extends Unit>(
  plan: Plan,
  run: RunState<U>,
  { unit, as }: { readonly unit: U; readonly as: "completed" | "failed" },
  commands: Commands<U>,
): void {
  if (unit.item === NO_ITEM || !isChildWait(unit) || run.phase !== "active") return;
  const items = run.items!.get(unit.node)!;
  items.childWaits--;
  items.busy--;
  run.isParked = false;
  unit.reason = undefined;
  if (as === "failed" && items.isStopped) {
    unit.state = "pending";
    items.open.delete(unit.item);
    return concludeItems(plan, run, unit.node, commands);
  }
  unit.state = as;
  unit.isFailed = as === "failed";
  endItem(plan, run, unit, commands);
}

/** Whether an item could start, were it not for a pause or a shutdown. */
export function hasStartableItem(plan: Plan, run: RunState): boolean {
  if (run.items === undefined) return false;
  for (const [node, items] of run.items) {
    const isWaiting = items.ready.length > 0 || items.next < items.total;
    if (isWaiting && !items.isStopped && items.busy < policyOf(plan, node).concurrency) return true;
  }
  return false;
}

/**
 * A failure stops the items of a node: no other starts, and those that have begun are aborted. Their bodies and child runs
 * settle before the node ends.
 */
function stopItems<U extends Unit>(plan: Plan, run: RunState<U>, node: number, commands: Commands<U>): void {
  const items = run.items!.get(node)!;
  let hasChildren = false;
  items.isStopped = true;
  items.ready.length = 0;
  for (const unit of items.open.values()) {
    if (unit.state === "waiting" && unit.isSuspended && unit.wake?.child === true) {
      hasChildren = true;
      continue;
    }
    if (unit.state === "running" || unit.isSuspended) commands.push({ do: "abort", unit });
    if (unit.state === "running") continue;
    if (unit.isSuspended || waitsForPermit(unit)) items.busy--;
    unit.state = "pending";
    items.open.delete(unit.item);
  }
  if (hasChildren) commands.push({ do: "cancelChildren", unit: run.units[node]! });
  concludeItems(plan, run, node, commands);
}

/** Stops nodes of which an item had failed when their runner died. */
export function stopFailedNodes<U extends Unit>(plan: Plan, run: RunState<U>, commands: Commands<U>): void {
  run.items?.forEach(({ failed }, node) => {
    if (failed > 0 && policyOf(plan, node).onFailure === "stop") stopItems(plan, run, node, commands);
  });
}

/** Whether a unit is an item whose node was stopped by the failure of another one. */
export function isOfStoppedNode(run: RunState, unit: Unit): boolean {
  return unit.item !== NO_ITEM && run.items!.get(unit.node)!.isStopped;
}

/** An item of a stopped node has settled without a result: it is not recorded, as if it had not begun. */
export function dropItem<U extends Unit>(plan: Plan, run: RunState<U>, unit: U, commands: Commands<U>): void {
  if (!leaveRunning(run, unit, "pending")) return;
  run.items!.get(unit.node)!.open.delete(unit.item);
  concludeItems(plan, run, unit.node, commands);
}

/** Ends the node if all of its items have ended, or if it stops and none runs. */
function concludeItems<U extends Unit>(plan: Plan, run: RunState<U>, node: number, commands: Commands<U>): void {
  const items = run.items!.get(node)!;
  const unit = run.units[node]!;
  if (unit.state !== "expanded" || items.busy > 0) return;
  if (!items.isStopped && items.ended < items.total) return;
  const isCollected = policyOf(plan, node).onFailure === "collect";
  unit.isFailed = items.failed > 0 && !isCollected;
  unit.state = unit.isFailed ? "failed" : "completed";
  unit.reason = isCollected ? COLLECTED : undefined;
  run.items!.delete(node);
  settleNode(plan, run, unit, commands);
}

function nextItem<U extends Unit>(plan: Plan, run: RunState<U>, items: Items<U>, node: number): U | undefined {
  const { isReversed } = policyOf(plan, node);
  const indexOf = (begun: number): number => isReversed ? items.total - 1 - begun : begun;
  while (items.next < items.total && items.restored?.[indexOf(items.next)] === 1) items.next++;
  if (items.next === items.total) return undefined;
  const unit = run.maker.newUnit(node, indexOf(items.next++));
  items.open.set(unit.item, unit);
  return unit;
}

function policyOf(plan: Plan, node: number): ItemPolicy {
  const { id, items } = plan.nodes[node]!;
  if (items === undefined) throw new Error(`Cannot run items of task "${id}": its kind has no items`);
  return items;
}
