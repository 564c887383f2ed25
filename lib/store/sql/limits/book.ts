/**
 * The lanes and queues that an exchange of permits is about, in memory, and the rule by which free slots are granted.
 *
 * A lane grants its slots to the queue whose clock is behind, so that keys take turns; each grant moves the clock of the
 * queue by `STEP` divided by its weight (start-time fair queueing). A queue whose key is a path pays for its siblings, too:
 * with ten keys below one, each of them takes a turn in ten, and the ten together have the share of one. The clock of the
 * lane is that of the queue which was granted last. A queue that was idle, or blocked by another lane, starts from there:
 * it has saved nothing up. Of queues with the same clock those are read first that were created first, as new ones would
 * otherwise come before them for ever.
 *
 * Within a queue, permits are granted in the order of their ranks.
 *
 * @module
 */
import type { LaneRef, PermitHolder } from "../../port/limits.ts";

/** How far a clock moves with a grant of weight 1. */
export const STEP = 1_000_000;

/** A lane. */
export interface Lane extends LaneRef {
  readonly seq: number;
  /** How many slots it has. */
  max: number;
  /** How many of them are taken. */
  held: number;
  /** How many permits wait for it. */
  waiting: number;
  /** The clock of the queue that was granted last. */
  clock: number;
  /** The queues with waiting permits that are known. */
  readonly queues: Set<Queue>;
  /** The last queue that is known, in the order of their clocks and numbers; `undefined` if all are. */
  horizon: { readonly clock: number; readonly queue: number } | undefined;
}

/** Those that wait for the same lanes. */
export interface Queue {
  readonly seq: number;
  readonly lanes: readonly Lane[];
  /** The keys of its lanes, one behind the other. */
  readonly path: readonly string[];
  /** How far a grant moves its clocks. */
  cost: number;
  /** How many permits wait in it. */
  waiting: number;
  /** Its clocks in the lanes of which it is known, by the numbers of these. */
  readonly clocks: Map<number, number>;
  /** The first of the waiting permits, as far as they are known. */
  readonly waiters: Waiter[];
  /** Whether more of them are stored than are known. */
  hasMore: boolean;
  /** Those that ask in this exchange, and come after some that are stored and not known. */
  joining: Waiter[];
}

/** A permit that waits. */
export interface Waiter extends PermitHolder {
  /** Its number; `undefined` if it has no row yet. */
  readonly seq: number | undefined;
  readonly rank: number;
  readonly since: number;
  /** The holder that a grant is stored with; `undefined` for none. */
  readonly holder: number | undefined;
  /** The owner of its run; `undefined` for none. */
  readonly owner: number | undefined;
  /** Whether its run is paused, so that it is granted nothing. @default {false} */
  readonly isPaused?: boolean;
}

/** A permit that was granted. */
export interface Grant {
  readonly waiter: Waiter;
  readonly queue: Queue;
}

/** What has to be read before more slots can be granted. */
export interface Unknown {
  /** Queues whose turn it is and of which no waiting permit is known. */
  readonly queues: Set<Queue>;
  /** Lanes in which it may be the turn of a queue that is not known. */
  readonly lanes: Set<Lane>;
}

/** Whether a lane has a free slot. */
export function hasFreeSlot({ held, max }: Pick<Lane, "held" | "max">): boolean {
  return held < max;
}

/**
 * Grants the free slots of lanes to the waiting permits that are known, as long as it is their turn. Returns the grants
 * in order, and what has to be known to grant more.
 */
export function grantSlots(lanes: Iterable<Lane>): { readonly grants: readonly Grant[]; readonly unknown: Unknown } {
  const grants: Grant[] = [];
  const unknown: Unknown = { queues: new Set(), lanes: new Set() };
  /** Lanes of which it is not known whose turn it is. */
  const stalled = new Set<Lane>();
  // Lanes that many share come first: theirs is the order that matters.
  for (const lane of [...lanes].sort((a, b) => b.queues.size - a.queues.size)) {
    while (hasFreeSlot(lane)) {
      const queue = nextQueue(lane, unknown);
      const isStalled = queue === undefined
        ? unknown.lanes.has(lane)
        : queue.waiters.length === 0 || queue.lanes.some((other) => stalled.has(other));
      if (isStalled) stalled.add(lane);
      if (isStalled || queue === undefined) break;
      grants.push({ waiter: grantFirst(lane, queue), queue });
    }
  }
  return { grants, unknown };
}

/** The queue whose turn it is, as far as it is known. If its waiting permits are not, it is among the unknown. */
function nextQueue(lane: Lane, unknown: Unknown): Queue | undefined {
  let next: Queue | undefined;
  let first = Infinity;
  for (const queue of lane.queues) {
    if (!mayBeGranted(queue)) continue;
    const clock = clockOf(lane, queue);
    if (clock > first || (clock === first && !isFirst(queue, next!))) continue;
    next = queue;
    first = clock;
  }
  if (isBeyond(lane, next)) {
    unknown.lanes.add(lane);
    return undefined;
  }
  if (next?.waiters.length === 0) {
    for (const queue of lane.queues) if (queue.waiters.length === 0 && mayBeGranted(queue)) unknown.queues.add(queue);
  }
  return next;
}

function mayBeGranted({ waiting, waiters, hasMore, lanes }: Queue): boolean {
  return waiting > 0 && (waiters.length > 0 || hasMore) && lanes.every(hasFreeSlot);
}

/** Whether a queue that is not known may come before this one. */
function isBeyond({ seq, horizon }: Lane, queue: Queue | undefined): boolean {
  if (horizon === undefined) return false;
  if (queue === undefined) return true;
  const clock = queue.clocks.get(seq) ?? 0;
  return clock > horizon.clock || (clock === horizon.clock && queue.seq > horizon.queue);
}

function clockOf(lane: Lane, queue: Queue): number {
  return Math.max(lane.clock, queue.clocks.get(lane.seq) ?? 0);
}

/** Of two queues with the same clock, that with the older permit comes first. One whose permits are not known may be older. */
function isFirst({ waiters: [one] }: Queue, { waiters: [other] }: Queue): boolean {
  if (one === undefined || other === undefined) return other !== undefined;
  return comesBefore(one, other);
}

/** Whether a permit is granted before another one of the same queue. */
export function comesBefore(one: Waiter, other: Waiter): boolean {
  return one.rank < other.rank || (one.rank === other.rank && (one.seq ?? Infinity) < (other.seq ?? Infinity));
}

function grantFirst(lane: Lane, queue: Queue): Waiter {
  // A queue that is alone in the lane takes no turn of another one.
  if (lane.queues.size > 1) {
    lane.clock = clockOf(lane, queue);
    queue.clocks.set(lane.seq, lane.clock + queue.cost * siblingsOf(lane, queue));
  }
  queue.waiting--;
  for (const each of queue.lanes) {
    each.held++;
    each.waiting--;
    if (queue.waiting === 0) each.queues.delete(queue);
  }
  return queue.waiters.shift()!;
}

/** By how many a queue shares the turns of the first element of its key: at each level, the keys below the one above. */
function siblingsOf(lane: Lane, { path }: Queue): number {
  let siblings = 1;
  for (let depth = 1; depth < path.length; depth++) {
    const names = new Set<string>();
    for (const other of lane.queues) {
      if (path.slice(0, depth).every((name, at) => other.path[at] === name)) names.add(other.path[depth] ?? "");
    }
    siblings *= Math.max(1, names.size);
  }
  return siblings;
}
