import type { LimitAnswer } from "../../port/limits.ts";
import { all, type Op } from "../operation.ts";
import { sql } from "../statement.ts";
import { hasFreeSlot } from "./book.ts";
import type { Gated } from "./gated.ts";
import type { Book } from "./store_book.ts";

/**
 * The runs that are to be cancelled so that newer ones find a slot: in each lane that is full, the oldest of those that
 * hold a slot or wait, until only as many remain as there are slots.
 */
export function* victimsOf(book: Book, runs: readonly Gated[]): Op<LimitAnswer["replaced"]> {
  const victims = new Map<string, { readonly id: string; readonly limit: string; readonly by: string }>();
  for (const run of runs) {
    for (const lane of book.queueOf(run.seq)?.lanes ?? []) {
      if (hasFreeSlot(lane)) continue;
      const others = yield* all(sql`
select r.id, r.closing
  from @lane_queues as lq
 cross join @permits as p
 cross join @runs as r
 where lq.lane = ${lane.seq} and p.queue = lq.queue and p.task = '' and r.seq = p.run and r.ended_at is null
   and r.seq <> ${run.seq}
 order by p.since, p.seq`);
      const live = others.filter((row) => row["closing"] === null && !victims.has(String(row["id"])));
      const tooMany = live.length + 1 - lane.max;
      for (const row of live.slice(0, Math.max(0, tooMany))) {
        const id = String(row["id"]);
        victims.set(id, { id, limit: lane.limit, by: run.id });
      }
    }
  }
  return [...victims.values()];
}
