/**
 * The statements of a commit. Each has a constant text, which the server plans once, and a commit sends only those that
 * it needs. Runs to insert, rows of journals and moves are bound as columns of arrays.
 *
 * A run is accepted under the epoch of its writer while its owner is a runner that is not dead. A statement that
 * updates the run's row needs no lock for that: Postgres checks the newest version of the row, and a second writer
 * waits for the first. A statement that only inserts rows of the journal runs under the lock of its runner, in the same
 * transaction (see runner_lock.ts).
 *
 * In place of joins, rows are looked up in a hashed sub-query ("(x in (select …)) is true"): the server does not know
 * the length of the arrays of the next commit, and a nested loop over two of them takes quadratic time. A run's row is
 * also selected by "any" of the numbers, in addition to its join condition, so that no plan reads the whole table.
 *
 * @module
 */
import { IS_COPIED } from "../../shared/copied.ts";
import { endSql, MAY_COMPLETE, mayFailSql, mayUndoSql } from "../../shared/hand_over.ts";
import { journalSql } from "../../shared/last_result.ts";
import { REPLACE } from "../../shared/replace_record.ts";
import { WAKE } from "../../sql/children.ts";
import { MOST_RUNNERS } from "./news.ts";

/** Initial rows of forks, sent after their start: $1 ids of runs, $2 rows as JSON. At epoch 0 they are not progress. */
export const FORK = `
insert into @tasks (run, task, item, step, epoch, state, attempts, started_at, ended_at, due_at, output, failures, reason,
                    progress)
select s.seq, f.record ->> 'task', (f.record ->> 'item')::integer, f.record ->> 'step', 0, f.record ->> 'state',
       (f.record ->> 'attempts')::integer, (f.record ->> 'startedAt')::bigint, (f.record ->> 'endedAt')::bigint,
       (f.record ->> 'dueAt')::bigint, f.record ->> 'output', f.record ->> 'failures', f.record ->> 'reason',
       f.record ->> 'progress'
  from (select u.id, u.record::json as record
          from unnest($1::uuid[], $2::text[]) as u (id, record)) as f
  join @runs as s on s.id = f.id
 where s.id = any($1::uuid[])
    on conflict do nothing`;

/** Copied rows of forks: $1 ids of forks, $2 original runs, $3 tasks. */
export const FORK_COPY: string = `
with copied as materialized (
  select s.seq, f.origin, f.task
    from unnest($1::uuid[], $2::bigint[], $3::text[]) as f (id, origin, task)
    join @runs as s on s.id = f.id
   where s.id = any($1::uuid[])
)
insert into @tasks (run, task, item, step, epoch, state, attempts, started_at, ended_at, due_at, output, failures, reason,
                    progress, items, input)
select c.seq, t.task, t.item, t.step, 0, t.state, t.attempts, t.started_at, t.ended_at, t.due_at, t.output, t.failures,
       t.reason, t.progress, t.items, t.input
  from copied as c
 cross join lateral (
${journalSql({ where: `t.run = c.origin and t.task = c.task and ${IS_COPIED}` })}) as t
    on conflict do nothing`;

/** Whether the owner of a run is a runner that is not dead. */
export const OWNED_BY_LIVE = "(r.owner + 0 in (select id from @runners where not dead)) is true";

/** Whether a run's number, in a row `u`, is in $1, has the epoch at the same index of $2, and is owned. */
const ACCEPTED = `
   (u.run in (select r.seq
                from @runs as r
               where r.seq = any($1::bigint[])
                 and ((r.seq, r.epoch) in (select * from unnest($1::bigint[], $2::bigint[]))) is true
                 and ${OWNED_BY_LIVE})) is true`;

/** New rows of tasks that completed at their first attempt: runs, epochs, tasks, beginnings, ends, outputs. */
export const RECORD: string = `
insert into @tasks (run, epoch, task, state, attempts, started_at, ended_at, output)
select u.run, u.epoch, u.task, 'completed', 1, u.started_at, u.ended_at, u.output
  from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::text[])
       as u (run, epoch, task, started_at, ended_at, output)
 where ${ACCEPTED}`;

/** New rows of items that completed at their first attempt: the same columns, then items. */
export const RECORD_ITEMS: string = `
insert into @tasks (run, epoch, task, item, state, attempts, started_at, ended_at, output)
select u.run, u.epoch, u.task, u.item, 'completed', 1, u.started_at, u.ended_at, u.output
  from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::integer[])
       as u (run, epoch, task, started_at, ended_at, output, item)
 where ${ACCEPTED}`;

/** All other rows, with their remaining columns as JSON in $7. */
export const RECORD_ANY: string = `
insert into @tasks as t (run, task, item, step, epoch, state, attempts, started_at, ended_at, due_at, output, failures,
                         reason, progress, items, input)
select u.run, u.task, coalesce((u.rest ->> 'item')::integer, -1), coalesce(u.rest ->> 'step', ''), u.epoch,
       coalesce(u.rest ->> 'state', 'completed'), coalesce((u.rest ->> 'attempts')::integer, 1), u.started_at, u.ended_at,
       (u.rest ->> 'dueAt')::bigint, u.output, u.rest ->> 'failures', u.rest ->> 'reason', u.rest ->> 'progress',
       (u.rest ->> 'items')::integer, u.rest ->> 'input'
  from (select run, epoch, task, started_at, ended_at, output, rest::json as rest
          from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[])
               as r (run, epoch, task, started_at, ended_at, output, rest)) as u
 where ${ACCEPTED}
 ${REPLACE}`;

/**
 * Runs that completed: $1 numbers, $2 epochs, $3 ends, $4 news, and the tasks, beginnings and outputs of their last
 * results. A run with a recorded cancel is left out.
 */
export const COMPLETE: string = `
update @runs as r
   set ${endSql({ state: "'completed'", at: "m.at" })},
       last_task = m.task,
       last_started_at = m.started_at,
       last_output = m.output
  from unnest($1::bigint[], $2::bigint[], $3::bigint[], $5::text[], $6::bigint[], $7::text[])
       as m (seq, epoch, at, task, started_at, output)
 where r.seq = m.seq
   and r.seq = any($1::bigint[])
   and r.epoch = m.epoch
   and ${OWNED_BY_LIVE}
   and ${MAY_COMPLETE}
   and ($4::text is null or exists (select from pg_notify('sluice_@schema', $4)))`;

/** The same with new rows of other tasks, in the columns of `RECORD`, from $8 on. */
export const COMPLETE_WITH_RECORDS: string = `
with ended as (${COMPLETE}
  returning r.seq
)
insert into @tasks (run, epoch, task, state, attempts, started_at, ended_at, output)
select u.run, u.epoch, u.task, 'completed', 1, u.started_at, u.ended_at, u.output
  from unnest($8::bigint[], $9::bigint[], $10::text[], $11::bigint[], $12::bigint[], $13::text[])
       as u (run, epoch, task, started_at, ended_at, output)
 where (u.run in (select seq from ended)) is true`;

// Moves after which a run keeps its owner.
const IS_KEPT = "m.way in ('running', 'keep', 'ack')";

// Moves by which the compensation of a run begins.
const COMPENSATES = "m.way in ('undoFailed', 'undoCancelled')";

const MAY_UNDO = mayUndoSql("@", "r");

// Moves after which a run has no owner and has not ended, unless a recorded cancel ends it.
const IS_RELEASE = `not ${IS_KEPT} and m.way not in ('failed', 'cancelled')`;

const MAY_FAIL = mayFailSql("r.");

const IS_CANCELLED = `${IS_RELEASE}
                           and (r.closing = 'cancelOnly'
                                or (r.closing = 'cancel' and not ${COMPENSATES} and not ${MAY_UNDO}))`;

/** All other changes of runs: $2 numbers, $3 epochs, $4 times, $5 ways, $6 details, $7 versions, $8 seen, $9 news. */
export const MOVE: string = `
with clock as materialized (
  select @now as now
),
moved as (
  update @runs as r
     set owner = case when ${IS_KEPT} then r.owner end,
         state = case when m.way in ('failed', 'cancelled') then m.way
                      when m.way = 'ack' then r.state
                      when ${IS_CANCELLED} then 'cancelled'
                      when ${COMPENSATES} or (r.closing = 'cancel' and ${IS_RELEASE}) then 'pending'
                      when r.state = 'paused' then 'paused'
                      when m.way = 'running' then 'running'
                      when m.way in ('keep', 'waiting') then 'waiting'
                      else 'pending' end,
         ended_at = case when m.way in ('failed', 'cancelled') then m.at
                         when ${IS_KEPT} then r.ended_at
                         when ${IS_CANCELLED} then now end,
         due_at = case when ${COMPENSATES} or (r.closing = 'cancel' and ${IS_RELEASE}) then now
                       when m.way in ('waiting', 'pending', 'stranded') and r.attention > coalesce(m.seen, 0) then now
                       when m.way in ('keep', 'waiting') then m.at
                       when m.way in ('pending', 'stranded') then now
                       else r.due_at end,
         stranded_by = case when m.way = 'stranded' then m.by
                            when m.way in ('pending', 'waiting') or ${COMPENSATES} then null
                            else r.stranded_by end,
         reason = case when ${IS_CANCELLED} then r.reason
                       when ${COMPENSATES} and r.closing = 'cancel' then r.reason
                       when m.way in ('failed', 'undoFailed') then null
                       when m.way in ('cancelled', 'undoCancelled') then m.detail
                       when m.way = 'stranded' and r.closing is null then m.detail
                       else r.reason end,
         error = case when m.way = 'failed' or (m.way = 'undoFailed' and ${MAY_FAIL}) then m.detail
                      else r.error end,
         closing = case when ${IS_CANCELLED} then r.closing
                        when r.closing = 'cancel' and ${IS_RELEASE} then 'undoCancelled'
                        when ${COMPENSATES} then m.way
                        else r.closing end,
         acknowledged = case when ${IS_KEPT} then greatest(r.acknowledged, m.seen) else r.attention end
    from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::integer[])
         as m (seq, epoch, at, way, detail, by, seen), clock
   where r.seq = m.seq
     and r.seq = any($2::bigint[])
     and r.epoch = m.epoch
     and ${OWNED_BY_LIVE}
     and (m.way <> 'failed' or ${MAY_FAIL})
  returning r.seq, r.state, m.way, m.detail
),
noted as (
  insert into @events (run, kind, at, detail)
  select seq, case way when 'stranded' then 'stranded' else 'handBack' end, now,
         case way when 'stranded' then detail
                  -- The statement reads the row as it was before the move.
                  else (select o.owner::text from @runs as o where o.seq = moved.seq) end
    from moved, clock
   where way = 'stranded' or (way = 'pending' and state = 'pending')
  returning 1
)
select (select now from clock) as server_now,
       (select count(*) from moved) as moved,
       (select count(*) from noted) as noted,
       (select pg_notify('sluice_@schema', $9) where $9::text is not null)::text as notified`;

/** Locks the rows of runs with children, in the order in which the ends of children lock them. */
export const LOCK_PARENTS = `
select seq
  from @runs
 where seq = any($1::bigint[])
 order by seq
   for update`;

/**
 * Wakes the parents of those of the runs in $2 that have ended; $3 begins the notification of their owners. A parent in $4
 * is not woken while it is owned under its epoch in $5. The lock makes that true of its newest version, also if its owner
 * was declared dead a moment ago.
 */
export const WAKE_PARENTS: string = `
with clock as materialized (
  select @now as now
),
locked as materialized (
  select seq, epoch, owner
    from @runs
   where seq = any($4::bigint[])
   order by seq
     for share
),
held as materialized (
  select seq
    from locked
   where owner is not null and ((seq, epoch) in (select * from unnest($4::bigint[], $5::bigint[]))) is true
),
woken as (
  update @runs
     set ${WAKE.replaceAll(":now", "(select now from clock)")}
   where seq = any(array(select p.seq
                           from @runs as p
                          where p.seq = any(array(select c.parent
                                                    from @runs as c
                                                   where c.seq = any($2::bigint[]) and c.ended_at is not null))
                            and p.ended_at is null
                            and p.seq <> all(array(select seq from held))
                          order by p.seq
                            for update))
  returning owner, state
),
news as (
  select count(*) as changed,
         concat_ws(' ', $3::text, case when bool_or(owner is null and state = 'waiting') then 'due' end,
                   case when count(distinct owner) > ${MOST_RUNNERS} then '@0'
                        else string_agg(distinct '@' || owner, ' ') end) as payload
    from woken
)
select changed, case when changed > 0 then pg_notify('sluice_@schema', payload)::text end as notified
  from news`;

/** The current state of runs, for a statement that wrote fewer rows than were sent. */
export const LOOK: string = `
select r.seq, r.epoch, r.owner, r.state, r.ended_at, r.closing, r.reason, ${OWNED_BY_LIVE} as is_owned,
       ${MAY_UNDO} as may_undo
  from @runs as r
 where r.seq = any($1::bigint[])`;
