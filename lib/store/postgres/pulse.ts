import type { Inspection } from "../inspection.ts";
import { texts } from "./arrays.ts";
import { DUE, STRANDED } from "./claim_sql.ts";
import { isUuid } from "./reads.ts";
import { ORDERED } from "./runners.ts";
import type { Session } from "./session.ts";

// Whatever happens to a run takes it into one of these, or out of it.
const PULSE = `
select (select max(seq) from @runs) as newest,
       (select count(*) || ',' || coalesce(sum(seq), 0)
          from (select r.seq from @runs as r where r.owner is not null limit $1::bigint) as held) as held,
       (select count(*) || ',' || coalesce(sum(seq), 0)
          from (select r.seq from @runs as r where ${ORDERED} limit $1::bigint) as ordered) as ordered,
       (select count(*) from (select 1 from @runs as r where ${DUE} limit $1::bigint) as due) as due,
       (select count(*) from (select 1 from @runs as r where ${STRANDED} limit $1::bigint) as stranded) as stranded,
       (select max(seq) from @runs as r where r.state = 'failed' or r.state = 'cancelled') as unsuccessful,
       (select string_agg(id::text, ',' order by id) from @runners where not dead) as runners`;

// What a page of the run shows; of one that has ended nothing changes any more.
const PULSES = `
select r.id, r.ended_at is not null as is_over,
       concat_ws(',', r.epoch, r.state, coalesce(r.due_at, 0), coalesce(r.owner, 0), coalesce(r.cancel_at, 0), r.reason,
                 r.stranded_by) as row,
       journal.text as journal
  from @runs as r
  left join lateral (
         select concat_ws(',', count(*), sum(t.attempts), coalesce(max(t.started_at), 0), coalesce(max(t.ended_at), 0),
                          coalesce(max(t.due_at), 0),
                          md5(string_agg(t.progress, ',' order by t.task) filter (where t.state = 'running'))) as text
           from (select * from @tasks where run = r.seq limit $2::bigint) as t) as journal on r.ended_at is null
 where r.id = any($1::uuid[])`;

const MOST_RUNS = 10_000;

const MOST_ROWS = 5_000;

/** Tells changes. */
export function createPulses(session: Session): Pick<Inspection, "pulse" | "pulses"> {
  return {
    async pulse() {
      const [row] = await session.read(PULSE, [String(MOST_RUNS)]);
      return JSON.stringify(row);
    },
    async pulses(ids) {
      const rows = await session.read(PULSES, [texts(ids.filter(isUuid)), String(MOST_ROWS)]);
      return new Map(rows.map((row) => [
        String(row["id"]),
        { text: `${row["row"]};${row["journal"]}`, isOver: row["is_over"] === true },
      ]));
    },
  };
}
