/**
 * What the state machine knows of a run: its units, and how they are restored from a journal.
 *
 * A unit is what runs, waits and is recorded by itself: a node of the plan, or one item of a node that expanded.
 *
 * @module
 */
import type { TaskStatus } from "../../definition/context.ts";
import type { Plan } from "./plan.ts";

/** The item number of a unit that is a node. */
export const NO_ITEM = -1;

/** Ends the reason of a wait that began before the unit's condition was evaluated. */
export const OF_CONDITION = " of its condition";

/** The reason of a wait for the places that limits demand. */
export const LIMIT = "limit";

/** What ends a wait: whichever of these comes first. Without any the wait lasts until its run ends. */
export interface Wake {
  /** A time, in milliseconds since the epoch. */
  readonly at?: number | undefined;
  /** A message sent to the unit. */
  readonly message?: boolean;
  /** The end of the child run that the unit started. */
  readonly child?: boolean;
  /** A free place of a limit. */
  readonly permit?: boolean;
}

/** What ended a wait. */
export type WokenBy = "time" | "message" | "child" | "permit";

/** States of a unit. `pending` also covers a unit that is ready but held back; `expanded` waits for its items. */
export type UnitState = "pending" | "running" | "waiting" | "expanded" | "completed" | "failed" | "skipped";

/** The part of a run that runs, waits and is recorded by itself. */
export class Unit {
  /** Number of its node. */
  readonly node: number;
  /** Index of the item, or `NO_ITEM` for the node itself. */
  readonly item: number;
  state: UnitState = "pending";
  /** Whether it counts as failed to its dependents: it failed, or was skipped because of a failure. */
  isFailed: boolean = false;
  /** Attempts begun, the present one included. */
  attempts: number = 0;
  /** Dependencies that have not ended. */
  openDependencies: number;
  /** Dependencies whose end is not durable. */
  undurableDependencies: number;
  /** Whether its condition was evaluated to true. A condition is the node's: its items have none. */
  conditionPassed: boolean;
  /** What a waiting unit waits for. */
  wake: Wake | undefined = undefined;
  /** What ended its wait, if it has not continued since: its run was paused or not in memory, or the attempt was given up. */
  wokenBy: WokenBy | undefined = undefined;
  /** Whether it continues after its wait; otherwise another attempt starts. */
  isSuspended: boolean = false;
  /** Why it was skipped or waits. */
  reason: string | undefined = undefined;

  constructor(plan: Plan, node: number, item: number) {
    const dependencies = item === NO_ITEM ? plan.nodes[node]!.before.length : 0;
    this.node = node;
    this.item = item;
    this.openDependencies = dependencies;
    this.undurableDependencies = dependencies;
    this.conditionPassed = item !== NO_ITEM;
  }
}

/** The items of an expanded node. Only items that have begun and not ended are units. */
export interface Items<U extends Unit = Unit> {
  /** How many there are. */
  readonly total: number;
  /** How many have begun or been passed over, from the first one on, or from the last one. */
  next: number;
  /** Items that have ended. */
  ended: number;
  /** Items that have failed. */
  failed: number;
  /** Items that run, and those that are suspended: what counts against the limit of the node. */
  busy: number;
  /** Items that have ended in this process and whose ends are not durable. */
  undurable: number;
  /** Items that have begun and not ended, by index. */
  readonly open: Map<number, U>;
  /** How many of them wait for nothing but a child run that has not ended, as far as is known. */
  childWaits: number;
  /** Those of them that may start, oldest first. */
  readonly ready: U[];
  /** By index, 1 for items that had begun before the run was restored, or are left out; `undefined` for none. */
  readonly restored: Uint8Array | undefined;
  /** Whether items may start: the expansion is durable, or its items start before it is. */
  mayStart: boolean;
  /** Whether a failure has stopped it: no item starts any more. */
  isStopped: boolean;
}

/** Makes the units of a run. */
export interface UnitMaker<U extends Unit> {
  /** Makes a unit: the node itself if `item` is `NO_ITEM`. */
  newUnit(node: number, item: number): U;
}

/** How far a run is. */
export interface RunState<U extends Unit = Unit> {
  /** `stopping`: nothing starts, and the run ends as soon as no unit runs or waits for a child run. */
  phase: "active" | "paused" | "stopping" | "ended";
  /** What a stopping run ends as. */
  stoppingAs: "cancelled" | "failed";
  /** Whether a stopping run ends without what has not settled. */
  isGraceOver: boolean;
  /** The units of its nodes, by number. */
  readonly units: readonly U[];
  /** The items of expanded nodes, by node number; `undefined` until a node expands. */
  items: Map<number, Items<U>> | undefined;
  /** Makes its units. */
  readonly maker: UnitMaker<U>;
  /** Nodes that have not ended. */
  remaining: number;
  /** Units that run. */
  running: number;
  /** Nodes that are decided to start and have not started, and expansions that are not durable. */
  ready: number;
  /** Whether the run was parked and nothing has started since. */
  isParked: boolean;
  /** Until when it was parked; `undefined` if no time ends that. */
  parkedUntil: number | undefined;
}

/** What a journal says of a unit. */
export interface RecordedUnit {
  /** Number of its node. */
  readonly node: number;
  /** Index of the item, or `NO_ITEM`. */
  readonly item: number;
  /** The recorded state. */
  readonly state: UnitState;
  /** Attempts that have begun and ended. */
  readonly attempts: number;
  /** What a waiting unit waits for. */
  readonly wake: Wake | undefined;
  /** Why it was skipped or waits. */
  readonly reason: string | undefined;
  /** How many items an expanded unit has. */
  readonly items: number | undefined;
  /** The items of an expanded unit that have completed or are left out; they have no records. @default {[]} */
  readonly completed?: readonly { readonly first: number; readonly last: number }[];
}

/** The state of a run of which nothing, or what a journal says, has happened. */
export function newRunState<U extends Unit>(
  plan: Plan,
  maker: UnitMaker<U>,
  journal: readonly RecordedUnit[] = [],
): RunState<U> {
  const run: RunState<U> = {
    phase: "active",
    stoppingAs: "cancelled",
    isGraceOver: false,
    units: plan.nodes.map((_, number) => maker.newUnit(number, NO_ITEM)),
    items: undefined,
    maker,
    remaining: plan.nodes.length,
    running: 0,
    ready: 0,
    isParked: false,
    parkedUntil: undefined,
  };
  if (journal.length > 0) restore(plan, run, journal);
  return run;
}

/** How a node that has ended looks to its dependents. */
export function statusOf(unit: Unit): TaskStatus {
  return unit.isFailed ? "failed" : unit.state === "completed" ? "completed" : "skipped";
}

/** Whether a node that is skipped counts as failed: it needed the success of a dependency that failed. */
export function failsIfSkipped(plan: Plan, { units }: RunState, node: number): boolean {
  const { on, before } = plan.nodes[node]!;
  return (on === "success" || on === "allSucceeded") && before.some((number) => units[number]!.isFailed);
}

/** A text that differs between the units of a run. */
export function unitKey({ node, item }: Pick<Unit, "node" | "item">): string {
  return `${node}/${item}`;
}

/** Whether nothing more happens to a unit. */
export function hasEnded({ state }: Pick<Unit, "state">): boolean {
  return state === "completed" || state === "failed" || state === "skipped";
}

/** Whether a unit waits for nothing but a child run that has not ended, as far as is known. */
export function isChildWait({ state, wake, wokenBy }: Unit): boolean {
  return state === "waiting" && wake?.child === true && wake.at === undefined && wokenBy === undefined;
}

/** Whether a unit waits for the places that limits demand. */
export function waitsForPermit({ state, reason }: Pick<Unit, "state" | "reason">): boolean {
  return state === "waiting" && isLimitWait(reason);
}

/** Whether the wait with that recorded reason is followed by another attempt. */
export function isBetweenAttempts(reason: string | undefined): boolean {
  return reason === undefined || reason.startsWith("retry") || reason.startsWith("deferred") || isLimitWait(reason);
}

/** Whether a wait with that recorded reason is one for the places that limits demand. */
export function isLimitWait(reason: string | undefined): boolean {
  return reason?.startsWith(LIMIT) === true;
}

/** Whether that recorded reason is one of the condition, in front of the message of a deferral. */
function isOfCondition(reason: string | undefined): boolean {
  return reason?.split(": ", 1)[0]?.endsWith(OF_CONDITION) === true;
}

/** Gives an expanded node `total` items, of which those marked in `restored` have begun before. */
export function addItems<U extends Unit>(
  run: RunState<U>,
  { node }: Unit,
  total: number,
  restored: Uint8Array | undefined = undefined,
): Items<U> {
  const items: Items<U> = {
    total,
    next: 0,
    ended: 0,
    failed: 0,
    busy: 0,
    undurable: 0,
    open: new Map(),
    childWaits: 0,
    ready: [],
    restored,
    mayStart: true,
    isStopped: false,
  };
  (run.items ??= new Map()).set(node, items);
  return items;
}

function restore<U extends Unit>(plan: Plan, run: RunState<U>, journal: readonly RecordedUnit[]): void {
  for (const record of journal) if (record.item === NO_ITEM) restoreNode(run, record);
  for (const record of journal) if (record.item !== NO_ITEM) restoreItem(run, record);
  // In dependency order, because whether a skip counts as a failure follows from what was skipped before it.
  run.units.forEach((unit, number) => hasEnded(unit) && settleRestored(plan, run, number));
}

function restoreNode<U extends Unit>(run: RunState<U>, record: RecordedUnit): void {
  const unit = run.units[record.node]!;
  restoreUnit(unit, record);
  if (unit.state !== "expanded") return;
  const restored = new Uint8Array(record.items ?? 0);
  const items = addItems(run, unit, restored.length, restored);
  for (const range of record.completed ?? []) endRange(items, range);
}

/** Consecutive items have ended, or are left out. */
export function endRange(
  items: Items,
  { first, last }: { readonly first: number; readonly last: number },
): void {
  items.restored!.fill(1, first, last + 1);
  items.ended += last + 1 - first;
}

function restoreItem<U extends Unit>(run: RunState<U>, record: RecordedUnit): void {
  const items = run.items?.get(record.node);
  // The node has ended: its items are history.
  if (items === undefined) return;
  items.restored![record.item] = 1;
  if (hasEnded(record)) {
    items.ended++;
    if (record.state === "failed") items.failed++;
    return;
  }
  const unit = run.maker.newUnit(record.node, record.item);
  restoreUnit(unit, record);
  items.open.set(unit.item, unit);
  if (isChildWait(unit)) items.childWaits++;
  if (unit.state === "pending") items.ready.push(unit);
  if (unit.isSuspended || waitsForPermit(unit)) items.busy++;
}

function restoreUnit(unit: Unit, record: RecordedUnit): void {
  // A unit that ran when its runner died is pending again; that it was recorded at all says that its condition passed.
  unit.state = record.state === "running" ? "pending" : record.state;
  const isBeforeCondition = record.state === "waiting" && isOfCondition(record.reason);
  unit.conditionPassed ||= !hasEnded(record) && record.state !== "pending" && !isBeforeCondition;
  unit.isSuspended = record.state === "waiting" && !isBetweenAttempts(record.reason);
  unit.attempts = record.attempts;
  unit.wake = record.wake;
  unit.reason = record.reason;
}

function settleRestored<U extends Unit>(plan: Plan, run: RunState<U>, number: number): void {
  const unit = run.units[number]!;
  const { next } = plan.nodes[number]!;
  unit.isFailed = unit.state === "failed" || (unit.state === "skipped" && failsIfSkipped(plan, run, number));
  run.remaining--;
  for (const dependent of next) {
    run.units[dependent]!.openDependencies--;
    run.units[dependent]!.undurableDependencies--;
  }
}
