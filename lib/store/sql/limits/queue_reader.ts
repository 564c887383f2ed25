import { lanesOf, queueText } from "../../shared/run_limits.ts";
import type { LaneRef, PermitRequest } from "../../port/limits.ts";
import type { Row } from "../../shared/decode.ts";
import { type Dialect, seqs, texts } from "../dialect.ts";
import { all, change, type Op, write } from "../operation.ts";
import { raw, type Sql, sql } from "../statement.ts";
import { type Lane, type Queue, STEP } from "./book.ts";
import { type BookState, distinct, laneText } from "./book_state.ts";

/** How many queues of a lane are read at once. */
const QUEUES_AT_ONCE = 64;

/** The same for lanes with keys that are paths: the turns of a queue depend on how many share the first elements. */
const PATHS_AT_ONCE = 1_000;

const LANE_COLUMNS = raw("l.seq as lane, l.name, l.rate, l.key, l.held, l.waiting as lane_waiting, l.clock, m.max");

/** Reads lanes and queues, and creates them. */
export interface QueueReader {
  /** Reads lanes, in rows `l`, with their rules, in rows `m`. */
  loadLanes(where: Sql): Op<readonly Lane[]>;
  /** Reads queues with their lanes. */
  loadBySeq(wanted: readonly number[]): Op<void>;
  /** Finds the queues of requests, and creates those that are missing, by their texts. */
  findQueues(requests: readonly PermitRequest[]): Op<ReadonlyMap<string, Queue>>;
  /** Reads the next queues that wait for these lanes, and how far they are known then. */
  readQueues(contended: readonly Lane[]): Op<void>;
}

/** Creates a reader for an exchange. */
export function createQueueReader(db: Dialect, { lanes, stored, queues, pages, joined }: BookState): QueueReader {
  return { loadLanes, loadBySeq, findQueues, readQueues };

  function* loadLanes(where: Sql): Op<readonly Lane[]> {
    const rows = yield* all(sql`
select ${LANE_COLUMNS}
  from @lanes as l
  left join @limits as m on m.name = l.name
 where ${where}`);
    return rows.map(laneOf);
  }

  function laneOf(row: Row): Lane {
    const seq = Number(row["lane"]);
    const known = lanes.get(seq);
    if (known !== undefined) return known;
    const lane: Lane = {
      seq,
      limit: String(row["name"]),
      isRate: row["rate"] === 1,
      key: JSON.parse(String(row["key"])) as string[],
      max: row["max"] === null ? Number.MAX_SAFE_INTEGER : Number(row["max"]),
      held: Number(row["held"]),
      waiting: Number(row["lane_waiting"]),
      clock: Number(row["clock"]),
      queues: new Set(),
      horizon: undefined,
    };
    lanes.set(seq, lane);
    stored.set(lane, { held: lane.held, waiting: lane.waiting, clock: lane.clock });
    return lane;
  }

  function loadBySeq(wanted: readonly number[]): Op<void> {
    const missing = wanted.filter((seq) => !queues.has(seq));
    return loadQueues(missing.length === 0 ? undefined : db.isIn("q.seq", distinct(missing)));
  }

  /** Reads queues, in rows `q`, with their lanes. */
  function* loadQueues(where: Sql | undefined): Op<void> {
    if (where === undefined) return;
    const rows = yield* all(sql`
select q.seq, q.lanes, q.cost, q.waiting, lq.clock as queue_clock, ${LANE_COLUMNS}
  from @queues as q
 cross join @lane_queues as lq
 cross join @lanes as l
  left join @limits as m on m.name = l.name
 where ${where} and lq.queue = q.seq and l.seq = lq.lane`);
    for (const [seq, own] of Map.groupBy(rows, (row) => Number(row["seq"]))) {
      if (queues.has(seq)) continue;
      const [row] = own;
      know(
        { seq, text: String(row!["lanes"]), cost: Number(row!["cost"]), waiting: Number(row!["waiting"]) },
        own.map(laneOf),
        own.flatMap((row) => Number(row["queue_clock"]) > 0 ? [[Number(row["lane"]), Number(row["queue_clock"])]] : []),
      );
    }
  }

  /** Adds a queue that waits for these lanes, with its clocks in them. */
  function know(
    { seq, text, cost, waiting }: Pick<Queue, "seq" | "cost" | "waiting"> & { readonly text: string },
    of: readonly Lane[],
    clocks: readonly (readonly [lane: number, clock: number])[],
  ): void {
    const refs = lanesOf(text);
    const byText = of.length === 1 ? undefined : new Map(of.map((lane) => [laneText(lane), lane]));
    const queue: Queue = {
      seq,
      // In the order of the request.
      lanes: byText === undefined ? of : refs.map((ref) => byText.get(laneText(ref))!),
      path: refs.flatMap(({ key }) => key),
      cost,
      waiting,
      clocks: new Map(clocks),
      waiters: [],
      hasMore: waiting > 0,
      joining: [],
    };
    queues.set(seq, queue);
    pages.set(queue, { last: undefined, stored: { cost, waiting }, clocks: new Map(clocks) });
  }

  /** Finds lanes, and creates those that are missing, by their texts. */
  function* findLanes(refs: readonly LaneRef[]): Op<ReadonlyMap<string, Lane>> {
    const wanted = new Map(refs.map((ref) => [laneText(ref), ref]));
    const rows = (some: readonly LaneRef[]): Sql =>
      db.rows("w", {
        of_name: texts(some.map(({ limit }) => limit)),
        of_rate: { type: "integer", items: some.map(({ isRate }) => isRate ? 1 : 0) },
        of_key: texts(some.map(({ key }) => JSON.stringify(key))),
      });
    const there = yield* loadLanes(sql`l.seq in (
         select e.seq
           from ${rows([...wanted.values()])}
          cross join @lanes as e
          where e.name = w.of_name and e.rate = w.of_rate and e.key = w.of_key)`);
    const found = new Map(there.map((lane) => [laneText(lane), lane]));
    const missing = [...wanted].flatMap(([text, ref]) => found.has(text) ? [] : [ref]);
    if (missing.length === 0) return found;
    const created = yield* write(sql`
insert into @lanes (name, rate, key, held, waiting, clock)
select w.of_name, w.of_rate, w.of_key, 0, 0, 0
  from ${rows(missing)}
 where true
returning seq`);
    const fresh = yield* loadLanes(db.isIn("l.seq", distinct(created.map((row) => Number(row["seq"])))));
    for (const lane of fresh) found.set(laneText(lane), lane);
    return found;
  }

  function* findQueues(requests: readonly PermitRequest[]): Op<ReadonlyMap<string, Queue>> {
    const wanted = new Map(requests.map(({ lanes }) => [queueText(lanes), lanes]));
    const rows = yield* all(sql`
select seq, lanes
  from @queues
 where ${db.isIn("lanes", texts([...wanted.keys()]))}`);
    yield* loadBySeq(rows.map((row) => Number(row["seq"])));
    const found = new Map(rows.map((row) => [String(row["lanes"]), queues.get(Number(row["seq"]))!]));
    const missing = [...wanted].filter(([text]) => !found.has(text));
    if (missing.length === 0) return found;
    const byRef = yield* findLanes(missing.flatMap(([, refs]) => refs));
    const created = yield* write(sql`
insert into @queues (lanes, cost, waiting)
select w.of_lanes, ${STEP}, 0
  from ${db.rows("w", { of_lanes: texts(missing.map(([text]) => text)) })}
 where true
returning seq, lanes`);
    const pairs: { readonly lane: Lane; readonly seq: number }[] = [];
    for (const row of created) {
      const [seq, text] = [Number(row["seq"]), String(row["lanes"])];
      const of = wanted.get(text)!.map((ref) => byRef.get(laneText(ref))!);
      know({ seq, text, cost: STEP, waiting: 0 }, of, []);
      found.set(text, queues.get(seq)!);
      for (const lane of of) pairs.push({ lane, seq });
    }
    yield* change(sql`
insert into @lane_queues (lane, queue, clock, active)
select w.of_lane, w.of_queue, 0, 0
  from ${
      db.rows("w", {
        of_lane: seqs(pairs.map(({ lane }) => lane.seq)),
        of_queue: seqs(pairs.map(({ seq }) => seq)),
      })
    }
 where true`);
    return found;
  }

  function* readQueues(contended: readonly Lane[]): Op<void> {
    const fresh = new Map<Lane, number>();
    for (const queue of joined.values()) {
      for (const lane of queue.lanes) fresh.set(lane, (fresh.get(lane) ?? 0) + 1);
    }
    // Where only those wait that have joined in this exchange, all queues are known.
    const waited = contended.filter((lane) => lane.waiting > (fresh.get(lane) ?? 0));
    yield* readPage(waited, QUEUES_AT_ONCE);
    const ofPaths = new Set([...queues.values()].flatMap(({ path, lanes }) => path.length > 1 ? lanes : []));
    yield* readPage(waited.filter((lane) => lane.horizon !== undefined && ofPaths.has(lane)), PATHS_AT_ONCE);
  }

  function* readPage(of: readonly Lane[], limit: number): Op<void> {
    if (of.length === 0) return;
    const next = db.each({
      table: "lane_queues",
      as: "lq",
      index: "lane_queues_active",
      where: sql`active = 1 and lane = w.of_lane
            and (clock > w.of_clock or (clock = w.of_clock and queue > w.of_queue))`,
      order: "clock, queue",
      limit,
    });
    const rows = yield* all(sql`
select lq.lane, lq.clock, lq.queue
  from ${
      db.rows("w", {
        of_lane: seqs(of.map(({ seq }) => seq)),
        of_clock: seqs(of.map(({ horizon }) => horizon?.clock ?? 0)),
        of_queue: seqs(of.map(({ horizon }) => horizon?.queue ?? 0)),
      })
    }${next}`);
    const byLane = Map.groupBy(rows, (row) => Number(row["lane"]));
    for (const lane of of) {
      const positions = (byLane.get(lane.seq) ?? []).map((row) => ({
        clock: Number(row["clock"]),
        queue: Number(row["queue"]),
      }));
      lane.horizon = positions.length < limit
        ? undefined
        : positions.reduce((last, position) =>
          position.clock > last.clock || (position.clock === last.clock && position.queue > last.queue)
            ? position
            : last
        );
    }
    yield* loadBySeq(rows.map((row) => Number(row["queue"])));
  }
}
