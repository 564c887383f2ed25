import { lanesOf, queueText } from "../../run_limits.ts";
import type { LaneRef, PermitRequest } from "../../limits.ts";
import type { Row } from "../../decode.ts";
import { type Dialect, seqs, texts } from "../dialect.ts";
import { all, change, type Op, write } from "../operation.ts";
import { type Sql, sql } from "../statement.ts";
import { type Lane, type Queue, STEP } from "./book.ts";
import { type BookState, distinct, laneText } from "./book_state.ts";

/** The most queues of a lane that an exchange chooses from. */
const QUEUES_AT_ONCE = 1_000;

/** Reads lanes and queues, and creates them. */
export interface QueueReader {
  /** Reads lanes, in rows `l`, with their rules, in rows `m`. */
  loadLanes(where: Sql): Op<readonly Lane[]>;
  /** Reads queues with their lanes. */
  loadBySeq(wanted: readonly number[]): Op<void>;
  /** Finds the queues of requests, and creates those that are missing, by their texts. */
  findQueues(requests: readonly PermitRequest[]): Op<ReadonlyMap<string, Queue>>;
  /** Reads the first queues that wait for these lanes, and the clocks of all that have joined. */
  readQueues(contended: readonly Lane[]): Op<void>;
}

/** Creates a reader for an exchange. */
export function createQueueReader(db: Dialect, { lanes, queues, pages, joined }: BookState): QueueReader {
  return { loadLanes, loadBySeq, findQueues, readQueues };

  function* loadLanes(where: Sql): Op<readonly Lane[]> {
    const rows = yield* all(sql`
select l.seq, l.name, l.rate, l.key, l.held, l.waiting, l.clock, m.max
  from @lanes as l
  left join @limits as m on m.name = l.name
 where ${where}`);
    return rows.map((row) => {
      const seq = Number(row["seq"]);
      const known = lanes.get(seq);
      if (known !== undefined) return known;
      const lane: Lane = {
        seq,
        limit: String(row["name"]),
        isRate: row["rate"] === 1,
        key: JSON.parse(String(row["key"])) as string[],
        max: row["max"] === null ? Number.MAX_SAFE_INTEGER : Number(row["max"]),
        held: Number(row["held"]),
        waiting: Number(row["waiting"]),
        clock: Number(row["clock"]),
        queues: new Set(),
      };
      lanes.set(seq, lane);
      return lane;
    });
  }

  function* loadBySeq(wanted: readonly number[]): Op<void> {
    const missing = wanted.filter((seq) => !queues.has(seq));
    if (missing.length === 0) return;
    const rows = yield* all(sql`
select seq, lanes, cost, waiting, held
  from @queues
 where ${db.isIn("seq", distinct(missing))}`);
    yield* knowAll(rows);
  }

  /** Adds queues with their lanes. */
  function* knowAll(rows: readonly Row[]): Op<void> {
    const missing = rows.filter((row) => !queues.has(Number(row["seq"])));
    if (missing.length === 0) return;
    const refs = missing.map((row) => ({ row, refs: lanesOf(String(row["lanes"])) }));
    const byRef = yield* findLanes(refs.flatMap(({ refs }) => refs));
    for (const { row, refs: own } of refs) {
      const queue: Queue = {
        seq: Number(row["seq"]),
        lanes: own.map((ref) => byRef.get(laneText(ref))!),
        path: own.flatMap(({ key }) => key),
        cost: Number(row["cost"]),
        waiting: Number(row["waiting"]),
        held: Number(row["held"]),
        clocks: new Map(),
        waiters: [],
      };
      queues.set(queue.seq, queue);
      pages.set(queue, { last: undefined, isComplete: queue.waiting === 0, wasActive: queue.waiting > 0 });
    }
  }

  /** Finds lanes, and creates those that are missing. */
  function* findLanes(refs: readonly LaneRef[]): Op<ReadonlyMap<string, Lane>> {
    const wanted = new Map(refs.map((ref) => [laneText(ref), ref]));
    const known = (): Map<string, Lane> => new Map([...lanes.values()].map((lane) => [laneText(lane), lane]));
    const before = known();
    const unknown = [...wanted].flatMap(([text, ref]) => before.has(text) ? [] : [ref]);
    if (unknown.length === 0) return before;
    const rows = (some: readonly LaneRef[]): Sql =>
      db.rows("w", {
        of_name: texts(some.map(({ limit }) => limit)),
        of_rate: { type: "integer", items: some.map(({ isRate }) => isRate ? 1 : 0) },
        of_key: texts(some.map(({ key }) => JSON.stringify(key))),
      });
    yield* loadLanes(sql`l.seq in (
         select e.seq
           from ${rows(unknown)}
          cross join @lanes as e
          where e.name = w.of_name and e.rate = w.of_rate and e.key = w.of_key)`);
    const found = known();
    const missing = unknown.filter((ref) => !found.has(laneText(ref)));
    if (missing.length === 0) return found;
    const created = yield* write(sql`
insert into @lanes (name, rate, key, held, waiting, clock)
select w.of_name, w.of_rate, w.of_key, 0, 0, 0
  from ${rows(missing)}
 where true
returning seq`);
    yield* loadLanes(db.isIn("l.seq", distinct(created.map((row) => Number(row["seq"])))));
    return known();
  }

  /** Finds the queues of requests, and creates those that are missing, by their texts. */
  function* findQueues(requests: readonly PermitRequest[]): Op<ReadonlyMap<string, Queue>> {
    const wanted = new Map(requests.map(({ lanes }) => [queueText(lanes), lanes]));
    const rows = yield* all(sql`
select seq, lanes, cost, waiting, held
  from @queues
 where ${db.isIn("lanes", texts([...wanted.keys()]))}`);
    const there = new Set(rows.map((row) => String(row["lanes"])));
    const missing = [...wanted.keys()].filter((text) => !there.has(text));
    const created = missing.length === 0 ? [] : yield* write(sql`
insert into @queues (lanes, cost, waiting, held)
select w.of_lanes, ${STEP}, 0, 0
  from ${db.rows("w", { of_lanes: texts(missing) })}
 where true
returning seq, lanes, cost, waiting, held`);
    yield* knowAll([...rows, ...created]);
    const fresh = created.map((row) => queues.get(Number(row["seq"]))!);
    const pairs = fresh.flatMap((queue) => queue.lanes.map((lane) => ({ lane, queue })));
    if (pairs.length > 0) {
      yield* change(sql`
insert into @lane_queues (lane, queue, clock, active)
select w.of_lane, w.of_queue, 0, 0
  from ${
        db.rows("w", {
          of_lane: seqs(pairs.map(({ lane }) => lane.seq)),
          of_queue: seqs(pairs.map(({ queue }) => queue.seq)),
        })
      }
 where true`);
    }
    return new Map([...rows, ...created].map((row) => [String(row["lanes"]), queues.get(Number(row["seq"]))!]));
  }

  /** Reads the first queues that wait for these lanes, and the clocks of all that have joined. */
  function* readQueues(contended: readonly Lane[]): Op<void> {
    const first = db.each({
      table: "lane_queues",
      as: "lq",
      index: "lane_queues_active",
      where: sql`active = 1 and lane = w.of_lane`,
      order: "clock, queue",
      limit: QUEUES_AT_ONCE,
    });
    const rows = yield* all(sql`
select lq.lane, lq.clock, q.seq, q.lanes, q.cost, q.waiting, q.held
  from ${db.rows("w", { of_lane: seqs(contended.map(({ seq }) => seq)) })}${first}
 cross join @queues as q
 where q.seq = lq.queue`);
    yield* knowAll(rows);
    const idle = [...new Set(joined.values())].filter((queue) => !pages.get(queue)!.wasActive && isContended(queue));
    const clocks = idle.length === 0 ? [] : yield* all(sql`
select lane, clock, queue as seq
  from @lane_queues
 where clock > 0 and ${db.isIn("queue", distinct(idle.map(({ seq }) => seq)))}`);
    for (const row of [...rows, ...clocks]) {
      queues.get(Number(row["seq"]))?.clocks.set(Number(row["lane"]), Number(row["clock"]));
    }
  }

  function isContended({ lanes }: Queue): boolean {
    return lanes.some(({ clock }) => clock > 0);
  }
}
