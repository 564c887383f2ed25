/**
 * Claims due runs in a single statement. The work is bounded by the served groups and the requested runs, not by the
 * size of the table: `groups` walks the index `runs_due` from a (priority, workflow, version) to the next with a seek
 * past all entries in between, so that a million runs of other workflows, or of tomorrow, cost a single seek. Of each
 * served group only the due end is read.
 *
 * @module
 */

import { rankSql } from "../../shared/claim_order.ts";
import { HEAD_BYTES, MOST_CLAIM_BYTES, MOST_HEADS, RUN_BYTES } from "../../shared/claim_bounds.ts";
import { CLAIMED_COLUMNS } from "../../shared/run_rows.ts";
import { isHandOverSql } from "../../sql/facts.ts";
import { seqsHeldBy } from "./held.ts";

/** The SQL condition of runs that may be due: exactly the condition of the index `runs_due`. */
export const DUE: string = "r.unowned is not null and r.stranded_by is null";

/** The same for `runs_stranded`. */
export const STRANDED: string = "r.unowned is not null and r.stranded_by is not null";

/**
 * The recursive walk over groups. `wanted` is a condition on `g.workflow`: the versions of other workflows are skipped.
 * The greatest character represents "after all versions".
 */
export function groupWalk(wanted: string): string {
  return `
groups (priority, workflow, version) as (
  (select r.priority, r.workflow, r.version
     from @runs as r
    where ${DUE}
    order by r.priority, r.workflow, r.version
    limit 1)
  union all
  select n.priority, n.workflow, n.version
    from groups as g
   cross join lateral (
           select r.priority, r.workflow, r.version
             from @runs as r
            where ${DUE}
              and (r.priority, r.workflow, r.version) >
                  (g.priority, g.workflow, case when ${wanted} then g.version else chr(1114111) end)
            order by r.priority, r.workflow, r.version
            limit 1) as n
)`;
}

const PARKED_IN_GROUP = `${STRANDED} and r.workflow = g.workflow and r.version = g.version`;

/** The priorities of the parked runs of served versions. */
const PARKED_WALK = `
parked (workflow, version, priority) as (
  select g.workflow, g.version, n.priority
    from unnest($3::text[], $4::text[]) as g (workflow, version)
   cross join lateral (
           select r.priority
             from @runs as r
            where ${PARKED_IN_GROUP}
            order by r.priority
            limit 1) as n
  union all
  select g.workflow, g.version, n.priority
    from parked as g
   cross join lateral (
           select r.priority
             from @runs as r
            where ${PARKED_IN_GROUP} and r.priority > g.priority
            order by r.priority
            limit 1) as n
)`;

const IN_GROUP = `${DUE} and r.priority = g.priority and r.workflow = g.workflow and r.version = g.version`;

/**
 * The columns of a claimed run, with those that order a claim. Whether a run has messages is not looked up: a message can
 * be committed between the snapshot of the claim and its lock on the run. The claim would acknowledge it, as the row is
 * read under the lock, and would not see it in `messages`.
 */
const TAKEN_COLUMNS = [
  ...[...CLAIMED_COLUMNS, "due_at"].map((column) => `r.${column}`),
  "case when r.attention > 0 then 1 end as has_messages",
].join(", ");

/**
 * $2 runner, $3 and $4 workflows and versions it serves, $5 "false" unless only those versions, $6 how many runs at
 * most, $7 how many to read, $8 the claim's own number.
 *
 * Runs that other transactions have locked are skipped, so more runs are read than may be taken. Of these the claim
 * takes as many as fit, with inputs and journals, in `MOST_CLAIM_BYTES`.
 */
export const CLAIM: string = `
with recursive clock as materialized (
  select @now as now
),
me as materialized (
  select id
    from @runners
   where id = $2::bigint and not dead
     for key share
),${groupWalk("g.workflow = any($3::text[])")},${PARKED_WALK},
served as materialized (
  select g.priority, g.workflow, g.version
    from groups as g
   where g.workflow = any($3::text[])
     and ($5::text = 'false'
          or ((g.workflow, g.version) in (select * from unnest($3::text[], $4::text[]))) is true)
),
due as materialized (
  select d.seq, g.priority, ${rankSql("g.priority", "d.due_at")} as rank
    from served as g
   cross join lateral (
           select r.seq, r.due_at
             from @runs as r
            where ${IN_GROUP} and r.due_at <= (select now from clock)
            order by r.due_at, r.seq
            limit $7::bigint) as d
  union all
  select d.seq, g.priority, ${rankSql("g.priority", "d.due_at")}
    from parked as g
   cross join lateral (
           select r.seq, r.due_at
             from @runs as r
            where ${PARKED_IN_GROUP} and r.priority = g.priority and r.stranded_by <> r.version
              and r.due_at <= (select now from clock)
            order by r.due_at, r.seq
            limit $7::bigint) as d
),
picked as materialized (
  select r.seq, r.epoch, r.priority, ${rankSql("r.priority", "r.due_at")} as rank, r.due_at, r.state, r.started_at,
         ${RUN_BYTES} + coalesce(octet_length(r.input), 0) + coalesce(octet_length(r.tags), 0) as bytes
    from @runs as r
   where r.seq = any(array(select seq from due order by rank, priority, seq limit $7::bigint))
     and r.owner is null
     and (r.state = 'pending' or r.state = 'waiting')
     and r.due_at <= (select now from clock)
     and exists (select from me)
   order by rank, r.priority, r.seq
   limit $6::bigint
     for update skip locked
),
measured as materialized (
  select p.seq,
         sum(m.bytes) over (order by p.rank, p.priority, p.seq rows unbounded preceding) - m.bytes as bytes_before
    from picked as p
   cross join lateral (
           select p.bytes + case p.epoch when 0 then 0
                                 else (select ${HEAD_BYTES} * count(*) + coalesce(sum(octet_length(t.failures)), 0)
                                         from (select x.failures
                                                 from @tasks as x
                                                where x.run = p.seq
                                                limit ${MOST_HEADS}) as t) +
                                      (select ${HEAD_BYTES} * count(*)
                                         from (select from @runs as c where c.parent = p.seq limit ${MOST_HEADS}) as c)
                 end as bytes) as m
),
taken as (
  update @runs as r
     set owner = $2::bigint,
         epoch = r.epoch + 1,
         state = 'running',
         started_at = coalesce(r.started_at, now),
         deadline_at = coalesce(r.deadline_at, now + r.timeout_ms),
         stranded_by = null,
         claimed_by = $8::bigint,
         acknowledged = r.attention,
         reason = case when r.closing is null then null else r.reason end
    from clock
   where r.seq = any(array(select seq from measured where bytes_before < ${MOST_CLAIM_BYTES}))
  returning ${TAKEN_COLUMNS}
),
noted as (
  insert into @events (run, kind, at, detail)
  select p.seq, 'claim', now, $2::bigint::text
    from picked as p, clock
   where p.seq in (select seq from taken) and ${isHandOverSql("p", "@")}
  returning 1
),
claimed as (
  insert into @claims (runner, seqs)
  select $2::bigint, array_agg(seq)
    from taken
  having count(*) > 0
)
select clock.now as server_now,
       (select count(*) from due) as seen,
       (select count(*) from me) as joined,
       (select count(*) from noted) as noted,
       case when (select count(*) from due) < $6::bigint then
         (select min(n.due_at)
            from served as g
           cross join lateral (
                   select r.due_at
                     from @runs as r
                    where ${IN_GROUP} and r.due_at > (select now from clock)
                    order by r.due_at
                    limit 1) as n)
       end as next_due_at,
       r.*
  from clock
  left join taken as r on true`;

/** The runs that a claim with a lost response has taken. */
export const TAKEN_BEFORE: string = `
select ${TAKEN_COLUMNS}
  from @runs as r
 where r.owner = $1::bigint
   and r.claimed_by = $2::bigint
   and r.seq = any(array(${seqsHeldBy((id) => `${id} = $1::bigint`)}))`;
