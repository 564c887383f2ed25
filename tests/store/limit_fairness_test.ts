/** The rule for granting free slots, compared with a naive reference for random lanes and queues. */
import { assert, assertEquals } from "@std/assert";
import { grantSlots, type Lane, type Queue, STEP, type Waiter } from "../../lib/store/sql/limits/book.ts";
import { test } from "../harness.ts";
import { type Random, randomOf, seedsFrom } from "../random.ts";

const BOOKS = 300;

test("no lane has more permits than slots, and none has a free slot that a waiting permit could take", () => {
  for (const seed of seedsFrom(1, BOOKS)) {
    const random = randomOf(seed);
    const { lanes, queues } = randomBook(random);
    for (let round = 0; round < 20; round++) {
      const before = new Map(lanes.map((lane) => [lane, lane.held]));
      const { grants, unknown } = grant(lanes);
      const context = `SLUICE_TEST_SEED=${seed}, round ${round}`;
      for (const lane of lanes) {
        const granted = grants.filter(({ queue }) => queue.lanes.includes(lane)).length;
        assertEquals(lane.held, before.get(lane)! + granted, context);
        assert(granted === 0 || lane.held <= lane.max, `${context}: ${lane.held} of ${lane.max}`);
        const own = queues.filter((queue) => queue.lanes.includes(lane));
        assertEquals(lane.waiting, own.reduce((sum, { waiters }) => sum + waiters.length, 0), context);
      }
      const eligible = queues.filter(({ lanes, waiters }) => waiters.length > 0 && lanes.every(isFree));
      assertEquals(eligible.map(({ seq }) => seq), [], context);
      assertEquals([unknown.queues.size, unknown.lanes.size], [0, 0], context);
      for (const queue of queues) {
        const ranks = grants.filter((grant) => grant.queue === queue).map(({ waiter }) => waiter.rank);
        assertEquals(ranks, ranks.toSorted((a, b) => a - b), context);
      }
      for (const queue of random.shuffled(queues).slice(0, 3)) {
        random.chance(0.5) ? release(queue) : join(queue, random);
      }
      if (random.chance(0.2)) random.pick(lanes).max = 1 + random.below(4);
    }
  }
});

test("a queue with more waiting permits than are loaded is reported, and no permit overtakes it", () => {
  const lane = newLane(1, 2);
  const [known, unknown] = [newQueue(1, [lane], ["a"], 1), newQueue(2, [lane], ["b"], 1)];
  enter(known, 1);
  enter(unknown, 2);
  const [hidden] = unknown.waiters.splice(0);
  unknown.hasMore = true;
  const before = grant([lane]);
  assertEquals([before.grants, [...before.unknown.queues]], [[], [unknown]]);
  unknown.waiters.push(hidden!);
  unknown.hasMore = false;
  assertEquals(grant([lane]).grants.map(({ waiter }) => waiter.rank), [1, 2]);
});

test("a lane whose queues are not all loaded grants no permit out of turn", () => {
  const lane = newLane(1, 9);
  const [first, last] = [newQueue(1, [lane], ["a"], 1), newQueue(3, [lane], ["c"], 1)];
  for (const queue of [first, first, last]) enter(queue, lane.waiting);
  // A queue with number 2 may wait as well.
  lane.horizon = { clock: 0, queue: 1 };
  const before = grant([lane]);
  assertEquals([before.grants.map(({ queue }) => queue.seq), [...before.unknown.lanes]], [[1], [lane]]);
  lane.horizon = undefined;
  assertEquals(grant([lane]).grants.map(({ queue }) => queue.seq), [3, 1]);
});

test("keys have the shares of their weights, and paths divide the share of what they have in common", () => {
  for (const seed of seedsFrom(10_000, 100)) {
    const random = randomOf(seed);
    const lane = newLane(1, 1 + random.below(4));
    // Each key, or the common first element of up to four paths, has a weight; paths below one have the same weight.
    const keys = Array.from({ length: 2 + random.below(4) }, (_, at) => ({
      name: `k${at}`,
      paths: random.chance(0.4) ? 2 + random.below(3) : 1,
      weight: 1 + random.below(5),
    }));
    const queues = keys.flatMap(({ name, paths, weight }) =>
      Array.from({ length: paths }, (_, at) => ({ weight, path: paths === 1 ? [name] : [name, `p${at}`] }))
    ).map(({ weight, path }, at) => newQueue(at + 1, [lane], path, weight));
    const granted = new Map<string, number>();
    const held: Queue[] = [];
    const total = 4_000;
    let rank = 0;
    for (let count = 0; count < total;) {
      for (const queue of queues) while (queue.waiting < lane.max + 1) enter(queue, rank++);
      for (const { queue } of grant([lane]).grants) {
        held.push(queue);
        granted.set(queue.path.join("/"), (granted.get(queue.path.join("/")) ?? 0) + 1);
        count++;
      }
      release(held.splice(random.below(held.length), 1)[0]!);
    }
    const sum = keys.reduce((sum, { weight }) => sum + weight, 0);
    for (const queue of queues) {
      const { paths, weight } = keys.find(({ name }) => name === queue.path[0])!;
      const expected = total * weight / sum / paths;
      const actual = granted.get(queue.path.join("/")) ?? 0;
      const is = `SLUICE_TEST_SEED=${seed}: ${queue.path} has ${actual} of ${total}, its share is ${expected}`;
      assert(Math.abs(actual - expected) <= Math.max(0.1 * expected, 3), is);
    }
  }
});

test("a queue gains no credit while it is idle", () => {
  const lane = newLane(1, 1);
  const [busy, idle] = [newQueue(1, [lane], ["busy"], 1), newQueue(2, [lane], ["idle"], 1)];
  const third = newQueue(3, [lane], ["third"], 1);
  let rank = 0;
  const next = (): string => {
    for (const queue of [busy, third]) while (queue.waiting < 2) enter(queue, rank++);
    const [first] = grant([lane]).grants;
    release(first!.queue);
    return first!.queue.path[0]!;
  };
  for (let at = 0; at < 100; at++) next();
  for (let at = 0; at < 50; at++) enter(idle, rank++);
  const turns = Array.from({ length: 30 }, next);
  const own = turns.filter((name) => name === "idle").length;
  // At most one turn is early, because the queue starts with the clock of the lane.
  assert(own === 10 || own === 11, turns.join());
});

/** Returns one to four lanes, and queues that wait for some of them. */
function randomBook(random: Random): { readonly lanes: readonly Lane[]; readonly queues: readonly Queue[] } {
  const lanes = Array.from({ length: 1 + random.below(4) }, (_, at) => newLane(at + 1, 1 + random.below(4)));
  const queues = Array.from({ length: 1 + random.below(6) }, (_, at) => {
    const own = random.shuffled(lanes).slice(0, 1 + random.below(lanes.length));
    const path = Array.from({ length: 1 + random.below(3) }, () => `k${random.below(3)}`);
    const queue = newQueue(at + 1, own, path, 1 + random.below(3));
    for (let count = random.below(5); count > 0; count--) join(queue, random);
    return queue;
  });
  return { lanes, queues };
}

function newLane(seq: number, max: number): Lane {
  const queues = new Set<Queue>();
  return {
    seq,
    limit: `l${seq}`,
    isRate: false,
    key: [],
    max,
    held: 0,
    waiting: 0,
    clock: 0,
    queues,
    horizon: undefined,
  };
}

function newQueue(seq: number, lanes: readonly Lane[], path: readonly string[], weight: number): Queue {
  const cost = Math.round(STEP / weight);
  return { seq, lanes, path, cost, waiting: 0, clocks: new Map(), waiters: [], hasMore: false, joining: [] };
}

function isFree({ held, max }: Lane): boolean {
  return held < max;
}

function join(queue: Queue, random: Random): void {
  enter(queue, random.below(1_000));
}

/** Adds a waiting permit in the order of its rank. */
function enter(queue: Queue, rank: number): void {
  const waiter: Waiter = { seq: rank, rank, since: 0, holder: 1, owner: 1, run: rank, task: "a", item: -1 };
  const at = queue.waiters.findIndex((other) => other.rank > rank);
  queue.waiters.splice(at < 0 ? queue.waiters.length : at, 0, waiter);
  queue.waiting++;
  for (const lane of queue.lanes) {
    lane.waiting++;
    lane.queues.add(queue);
  }
}

/** Returns how many permits of each queue hold their slots. */
const heldBy = new WeakMap<Queue, number>();

function grant(lanes: readonly Lane[]): ReturnType<typeof grantSlots> {
  const granted = grantSlots(lanes);
  for (const { queue } of granted.grants) heldBy.set(queue, (heldBy.get(queue) ?? 0) + 1);
  return granted;
}

/** Releases a permit that holds its slots, if there is one. */
function release(queue: Queue): void {
  const held = heldBy.get(queue) ?? 0;
  if (held === 0) return;
  heldBy.set(queue, held - 1);
  for (const lane of queue.lanes) lane.held--;
}
