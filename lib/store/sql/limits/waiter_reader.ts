import { type Dialect, seqs } from "../dialect.ts";
import { all, change, type Op } from "../operation.ts";
import { sql } from "../statement.ts";
import type { Queue } from "./book.ts";
import { type BookState, dropWaiter, HELD_BY_RUN, insertJoining } from "./book_state.ts";

/** How many waiting permits of a queue are read at once, and of queues of which none is known: mostly few are granted. */
const WAITERS_AT_ONCE = 64;
const FIRST_WAITERS = 8;

/** Reads the next waiting permits of queues; those of runs that have ended are deleted, and paused runs are left out. */
export type ReadWaiters = (open: readonly Queue[]) => Op<void>;

/** Creates a reader for an exchange. */
export function createWaiterReader(db: Dialect, { queues, pages }: BookState): ReadWaiters {
  return readWaiters;

  function* readWaiters(open: readonly Queue[]): Op<void> {
    const limit = open.some((queue) => pages.get(queue)!.last === undefined) ? FIRST_WAITERS : WAITERS_AT_ONCE;
    const lasts = open.map((queue) => pages.get(queue)!.last ?? { rank: Number.MIN_SAFE_INTEGER, seq: 0 });
    const next = db.each({
      table: "permits",
      as: "p",
      index: "permits_waiting",
      where: sql`granted_at is null and queue = w.of_queue
            and (rank > w.of_rank or (rank = w.of_rank and permits.seq > w.of_seq))
            and not exists (select 1 from @runs as r where r.seq = permits.run and r.state = 'paused')`,
      order: "rank, seq",
      limit,
    });
    const rows = yield* all(sql`
select p.seq, p.run, p.task, p.item, p.queue, p.rank, p.since, p.is_lasting, r.owner, r.seq as found, r.ended_at
  from ${
      db.rows("w", {
        of_queue: seqs(open.map(({ seq }) => seq)),
        of_rank: seqs(lasts.map(({ rank }) => rank)),
        of_seq: seqs(lasts.map(({ seq }) => seq)),
      })
    }${next}
  left join @runs as r on r.seq = p.run`);
    const gone: number[] = [];
    const counts = new Map<Queue, number>();
    const sorted = rows
      .map((row) => ({ row, rank: Number(row["rank"]), seq: Number(row["seq"]) }))
      .sort((a, b) => a.rank - b.rank || a.seq - b.seq);
    for (const { row, rank, seq } of sorted) {
      const queue = queues.get(Number(row["queue"]))!;
      pages.get(queue)!.last = { rank, seq };
      counts.set(queue, (counts.get(queue) ?? 0) + 1);
      if (row["found"] === null || row["ended_at"] !== null) {
        gone.push(seq);
        dropWaiter(queue);
        continue;
      }
      const owner = row["owner"] === null ? undefined : Number(row["owner"]);
      queue.waiters.push({
        seq,
        run: Number(row["run"]),
        task: String(row["task"]),
        item: Number(row["item"]),
        rank,
        since: Number(row["since"]),
        holder: row["is_lasting"] === 1 ? HELD_BY_RUN : owner,
        owner,
      });
    }
    for (const queue of open) {
      if ((counts.get(queue) ?? 0) < limit) queue.hasMore = false;
      insertJoining(queue);
    }
    if (gone.length > 0) yield* change(sql`delete from @permits where ${db.isIn("seq", seqs(gone))}`);
  }
}
