import type { Inspection } from "../inspection.ts";
import type { Session } from "./session.ts";

// What a page of the run shows; of one that has ended nothing changes any more.
const PULSES = `
select id, ended_at is not null as is_over,
       epoch || ',' || state || ',' || coalesce(due_at, '') || ',' || coalesce(owner, '') || ',' ||
       coalesce(cancel_at, '') || ',' || coalesce(reason, '') || ',' || coalesce(stranded_by, '') as row,
       case when ended_at is null then
         (select count(*) || ',' || total(attempts) || ',' || coalesce(max(started_at), '') || ',' ||
                 coalesce(max(ended_at), '') || ',' || coalesce(max(due_at), '') || ',' ||
                 coalesce(group_concat(progress) filter (where state = 'running'), '')
            from (select * from tasks where run = seq limit $2))
       end as journal
  from runs
 where id in (select value from json_each($1))`;

const MOST_ROWS = 5_000;

/** Tells changes: any commit to the file is one for the lists. */
export function createPulses(session: Session, dataVersion: () => unknown): Pick<Inspection, "pulse" | "pulses"> {
  return {
    pulse: () => session.read("read", () => `${dataVersion()},${session.counters().commits}`),
    pulses: (ids) =>
      session.read("read", () =>
        new Map(
          session.all(PULSES, JSON.stringify(ids), MOST_ROWS).map((row) => [
            String(row["id"]),
            { text: `${row["row"]};${row["journal"]}`, isOver: row["is_over"] === 1 },
          ]),
        )),
  };
}
