import { queueText } from "../../shared/run_limits.ts";
import type { HeldStart, PermitHolder, PermitRequest } from "../../port/limits.ts";
import type { Dialect } from "../dialect.ts";
import type { Op } from "../operation.ts";
import { sql } from "../statement.ts";
import { type Grant, hasFreeSlot, type Lane, type Queue, STEP, type Waiter } from "./book.ts";
import { createBookSave } from "./book_save.ts";
import { type BookState, distinct, dropWaiter, insertWaiter } from "./book_state.ts";
import { createQueueReader } from "./queue_reader.ts";
import { createWaiterReader } from "./waiter_reader.ts";

/** A requested permit. */
export interface Joining {
  readonly request: PermitRequest;
  readonly waiter: Waiter;
}

/** A permit that was deleted. */
export interface Leaving extends PermitHolder {
  readonly queue: number;
  readonly isGranted: boolean;
}

/** The lanes and queues of an exchange, read as they are needed, and written at its end. */
export interface Book {
  /** The lanes that have, or may have, a free slot since the exchange began. */
  readonly touched: Iterable<Lane>;
  /** Permits were deleted; returns those that were granted, of units with limits of rate. */
  leave(permits: readonly Leaving[]): Op<readonly PermitHolder[]>;
  /** Starts were deleted, one of each of these lanes. */
  vacate(lanes: readonly number[]): Op<void>;
  /** Adds permits that wait. */
  join(joining: readonly Joining[]): Op<void>;
  /** Touches the lanes that have a free slot and waiting permits. */
  touchWaiting(): Op<void>;
  /** Reads the next queues that wait for free slots of these lanes. */
  loadQueues(of: Iterable<Lane>): Op<void>;
  /** Reads the next waiting permits of queues. */
  loadWaiters(queues: Iterable<Queue>): Op<void>;
  /** The queue of a run that has joined. */
  queueOf(run: number): Queue | undefined;
  /** Removes a run that has joined and was not granted its slots. */
  withdraw(run: number): void;
  /** Writes all changes; returns the starts of the granted permits, by unit. */
  save(grants: readonly Grant[], now: number): Op<ReadonlyMap<string, readonly HeldStart[]>>;
}

/** An empty book, for an exchange of a runner. */
export function createBook(db: Dialect, runner: number | undefined): Book {
  const state: BookState = {
    lanes: new Map(),
    stored: new Map(),
    queues: new Map(),
    pages: new Map(),
    touched: new Set(),
    joined: new Map(),
  };
  const { lanes, queues, touched, joined } = state;
  const { loadLanes, loadBySeq, findQueues, readQueues } = createQueueReader(db, state);
  const readWaiters = createWaiterReader(db, state);
  return {
    touched,
    *leave(permits) {
      yield* loadBySeq(permits.map(({ queue }) => queue));
      for (const { queue: seq, isGranted } of permits) {
        const queue = queues.get(seq);
        if (queue === undefined) continue;
        if (!isGranted) queue.waiting--;
        for (const lane of queue.lanes) {
          if (!isGranted) lane.waiting--;
          // A slot of a limit of rate is free once its start is over.
          else if (!lane.isRate) lane.held--;
          touched.add(lane);
        }
      }
      return permits.filter(({ task, queue, isGranted }) =>
        task !== "" && isGranted && queues.get(queue)?.lanes.some(({ isRate }) => isRate) === true
      );
    },
    *vacate(seqs) {
      yield* loadLanes(sql`${db.isIn("l.seq", distinct(seqs))}`);
      for (const seq of seqs) {
        const lane = lanes.get(seq);
        if (lane === undefined) continue;
        lane.held--;
        touched.add(lane);
      }
    },
    *join(joining) {
      if (joining.length === 0) return;
      const byText = yield* findQueues(joining.map(({ request }) => request));
      for (const { request, waiter } of joining) {
        const queue = byText.get(queueText(request.lanes))!;
        queue.cost = Math.max(1, Math.round(STEP / request.weight));
        if (queue.waiting++ === 0) beginTurn(queue);
        joined.set(waiter, queue);
        for (const lane of queue.lanes) {
          lane.waiting++;
          touched.add(lane);
        }
        insertWaiter(queue, waiter);
      }
    },
    *touchWaiting() {
      for (
        const lane of yield* loadLanes(sql`l.waiting > 0 and l.held < coalesce(m.max, ${Number.MAX_SAFE_INTEGER})`)
      ) {
        touched.add(lane);
      }
    },
    *loadQueues(of) {
      const contended = [...of].filter((lane) => hasFreeSlot(lane) && lane.waiting > 0);
      if (contended.length === 0) return;
      yield* readQueues(contended);
      for (const queue of queues.values()) {
        if (queue.waiting > 0) { for (const lane of queue.lanes) lane.queues.add(queue); }
      }
    },
    *loadWaiters(wanted) {
      const open = [...wanted].filter(({ hasMore }) => hasMore);
      if (open.length > 0) yield* readWaiters(open);
    },
    queueOf(run) {
      for (const [waiter, queue] of joined) if (waiter.run === run && waiter.task === "") return queue;
      return undefined;
    },
    withdraw(run) {
      for (const [waiter, queue] of joined) {
        if (waiter.run !== run || waiter.task !== "") continue;
        for (const list of [queue.waiters, queue.joining]) {
          const at = list.indexOf(waiter);
          if (at >= 0) list.splice(at, 1);
        }
        dropWaiter(queue);
        joined.delete(waiter);
      }
    },
    save: createBookSave(db, state, runner),
  };
}

/** A queue that was idle has saved nothing up. */
function beginTurn({ lanes, clocks }: Queue): void {
  for (const { seq, clock } of lanes) if (clock > (clocks.get(seq) ?? 0)) clocks.set(seq, clock);
}
