/**
 * The one statement of a flush: runs to insert, results to record, runs to move on, each as columns of arrays. There are
 * two texts of it, which never change, so that the server plans each once.
 *
 * Where a join would do, rows are looked up in a hashed sub-query ("(x in (select …)) is true"): the server does not
 * know how long the arrays of the next flush will be, and a nested loop over two of them is the square of it. That a
 * run's row is sought by "any" of the numbers, beside what it is joined to, keeps every plan from reading the table; and
 * nothing here says "owner is not null", as the server would take the index `runs_owned` for it where it believes that
 * few are owned, and so read all that everybody owns.
 *
 * The fence. A write is accepted if its run still has the writer's epoch and an owner. Reading that without a lock would
 * leave a gap: a recovery may commit between the moment a statement sees and the moment it writes. Locking each run would
 * cost a log record for each write. So there is one lock for all: a statement that writes for a runner locks its row in
 * `runners` for key share, which renewals do not touch; recovery locks that row for update and marks it as dead, or
 * deletes it. A flush that had to wait for that finds its runner gone, however old its snapshot of the runs is. Locks are
 * taken in one order: rows of `runners` by id, then rows of `runs` by seq, then the rest.
 *
 * @module
 */
import { endSql, MAY_COMPLETE } from "../hand_over.ts";

// A run of which a cancel is recorded cannot complete: see hand_over.ts.
const COMPLETED_STATE = `case when ${MAY_COMPLETE} then 'completed' else 'cancelled' end`;
const COMPLETED_REASON = `case when ${MAY_COMPLETE} then null else reason end`;

/** What is there already, in `@tasks as t`, gives way unless it is terminal: the first recorded result stands. */
export const REPLACE = `on conflict (run, task, item, step) do update
     set epoch = excluded.epoch,
         state = excluded.state,
         attempts = excluded.attempts,
         started_at = excluded.started_at,
         ended_at = excluded.ended_at,
         due_at = excluded.due_at,
         output = excluded.output,
         failures = excluded.failures,
         reason = excluded.reason,
         progress = excluded.progress
   where t.state = 'running' or t.state = 'waiting' or t.state = 'pending'`;

/**
 * What a flush nearly always is: new runs, first results and completed runs. What a statement is made of costs the server
 * a quarter of a millisecond each time, even where there is nothing to do, so this one has no more than it needs.
 */
export const FLUSH_PLAIN: string = flushSql("plain");

/** All that a flush may be. What is bound begins with what is bound for a plain one; see `flush_values.ts`. */
export const FLUSH: string = flushSql("whole");

function flushSql(extent: "plain" | "whole"): string {
  const whole = (sql: string): string => extent === "whole" ? sql : "";
  return `
with clock as materialized (
  select @now as now
),
held as materialized (
  select seq, epoch, owner
    from @runs
   where seq = any($2::bigint[])
),
live as materialized (
  select id
    from @runners
   where id = any(array(select owner from held union select unnest($4::bigint[]))) and not dead
   order by id
     for key share
),
accepted as materialized (
  select seq
    from held
   where (owner in (select id from live)) is true
     and ((seq, epoch) in (select * from unnest($2::bigint[], $3::bigint[]))) is true
),
${startsCte("started_new", 6, "")},
${recordsCte("recorded_new", 12, "")},
${extent === "whole" ? movedCte(19) : completedCte(19)}${
    whole(`,
${startsCte("started_perhaps", 26, "on conflict do nothing")},
started as (
  select seq, id, owner from started_new
   union all
  select seq, id, owner from started_perhaps
),
forked as (
  insert into @tasks (run, task, item, step, epoch, state, attempts, started_at, ended_at, due_at, output, failures,
                      reason, progress)
  select s.seq, f.record ->> 'task', (f.record ->> 'item')::integer, f.record ->> 'step', 0, f.record ->> 'state', (f.record ->> 'attempts')::integer,
         (f.record ->> 'startedAt')::bigint, (f.record ->> 'endedAt')::bigint, (f.record ->> 'dueAt')::bigint,
         f.record ->> 'output', f.record ->> 'failures', f.record ->> 'reason', f.record ->> 'progress'
    from (select u.id, u.record::json as record
            from unnest($32::uuid[], $33::text[]) as u (id, record)) as f
    join started as s on s.id = f.id
  returning 1
),
${recordsCte("recorded_over", 34, REPLACE)},
noted as (
  insert into @events (run, kind, at, detail)
  select seq, 'stranded', now, detail
    from moved, clock
   where way = 'stranded'
  returning 1
)`)
  }
select (select now from clock) as server_now,
       array(select seq from STARTED)::text as seqs,
       array(select id from STARTED)::text as ids,
       array(select owner is not null from STARTED)::text as owned,
       array(select seq
               from unnest($2::bigint[]) as w (seq)
              where (seq in (select seq from accepted)) is not true)::text as fenced,
       array(select seq
               from unnest($19::bigint[]) as w (seq)
              where (seq in (select seq from accepted)) is true
                and (seq in (select seq from moved)) is not true)::text as unmoved,
       (select json_agg(json_build_array(seq, reason)) from moved where way is null and state = 'cancelled')::text as cancelled,
       (select count(*) from STARTED) + (select count(*) from recorded_new) + (select count(*) from moved)${
    whole(" + (select count(*) from recorded_over) + (select count(*) from forked)")
  } as changed,
       ${extent === "whole" ? "(select count(*) from noted)" : "0"} as noted,
       (select pg_notify('sluice_@schema', $5) where $5::text is not null)::text as notified`
    .replaceAll("STARTED", extent === "whole" ? "started" : "started_new");
}

// An insert that expects a conflict logs each row twice, so new rows are inserted without.
function startsCte(name: string, first: number, conflict: string): string {
  const [id, workflow, version, owner, input, rest] = parameters(first, 6);
  return `${name} as (
  insert into @runs (epoch, owner, state, id, workflow, version, input, due_at, created_at, started_at, key, priority,
                     timeout_ms, deadline_at, tags, forked_from, trace)
  select case when s.owned or s.rest ->> 'from' is not null then 1 else 0 end,
         case when s.owned then s.owner end,
         case when s.owned then 'running' else 'pending' end,
         s.id, s.workflow, s.version, s.input,
         coalesce((s.rest ->> 'dueAt')::bigint, now),
         now,
         case when s.owned then now end,
         s.rest ->> 'key',
         coalesce((s.rest ->> 'priority')::bigint, 0),
         (s.rest ->> 'timeoutMs')::bigint,
         case when s.owned then now + (s.rest ->> 'timeoutMs')::bigint end,
         s.rest ->> 'tags',
         s.rest ->> 'from',
         s.rest ->> 'trace'
    from (select u.id, u.workflow, u.version, u.owner, u.input, u.rest::json as rest, u.n,
                 (u.owner in (select id from live)) is true and u.rest::json ->> 'from' is null as owned
            from unnest(${id}::uuid[], ${workflow}::text[], ${version}::text[], ${owner}::bigint[], ${input}::text[],
                        ${rest}::text[]) with ordinality as u (id, workflow, version, owner, input, rest, n)) as s, clock
   order by s.n
   ${conflict}
  returning seq, id, owner
)`;
}

function recordsCte(name: string, first: number, conflict: string): string {
  const [run, epoch, task, startedAt, endedAt, output, rest] = parameters(first, 7);
  return `${name} as (
  insert into @tasks as t (run, task, item, step, epoch, state, attempts, started_at, ended_at, due_at, output,
                           failures, reason, progress)
  select u.run, u.task, coalesce((u.rest ->> 'item')::integer, -1), coalesce(u.rest ->> 'step', ''), u.epoch, coalesce(u.rest ->> 'state', 'completed'),
         coalesce((u.rest ->> 'attempts')::integer, 1), u.started_at, u.ended_at, (u.rest ->> 'dueAt')::bigint,
         u.output, u.rest ->> 'failures', u.rest ->> 'reason', u.rest ->> 'progress'
    from (select run, epoch, task, started_at, ended_at, output, rest::json as rest
            from unnest(${run}::bigint[], ${epoch}::integer[], ${task}::text[], ${startedAt}::bigint[],
                        ${endedAt}::bigint[], ${output}::text[], ${rest}::text[])
                 as r (run, epoch, task, started_at, ended_at, output, rest)) as u
   where (u.run in (select seq from accepted)) is true
   ${conflict}
  returning 1
)`;
}

function movedCte(first: number): string {
  const [seq, epoch, at, way, detail, by, seen] = parameters(first, 7);
  const isKept = "m.way in ('running', 'keep', 'ack')";
  return `moved as (
  update @runs as r
     set owner = case when ${isKept} then r.owner end,
         state = case when m.way is null then ${COMPLETED_STATE}
                      when m.way in ('failed', 'cancelled') then m.way
                      when m.way = 'ack' then r.state
                      when r.cancel_at is not null and not ${isKept} then 'cancelled'
                      when r.state = 'paused' then 'paused'
                      when m.way = 'running' then 'running'
                      when m.way in ('keep', 'waiting') then 'waiting'
                      else 'pending' end,
         ended_at = case when m.way is null or m.way in ('failed', 'cancelled') then m.at
                         when ${isKept} then r.ended_at
                         when r.cancel_at is not null then now end,
         due_at = case when m.way in ('waiting', 'pending', 'stranded') and r.attention > coalesce(m.seen, 0) then now
                       when m.way in ('keep', 'waiting') then m.at
                       when m.way in ('pending', 'stranded') then now
                       else r.due_at end,
         stranded_by = case when m.way = 'stranded' then m.by
                            when m.way in ('pending', 'waiting') then null
                            else r.stranded_by end,
         reason = case when m.way is null then ${COMPLETED_REASON}
                       when m.way = 'failed' then null
                       when m.way = 'cancelled' then m.detail
                       when m.way = 'stranded' and r.cancel_at is null then m.detail
                       else r.reason end,
         error = case when m.way = 'failed' then m.detail else r.error end,
         acknowledged = case when ${isKept} then greatest(r.acknowledged, m.seen) else r.attention end
    from unnest(${seq}::bigint[], ${epoch}::bigint[], ${at}::bigint[], ${way}::text[], ${detail}::text[], ${by}::text[],
                ${seen}::integer[]) as m (seq, epoch, at, way, detail, by, seen), clock
   where r.seq = m.seq
     and r.seq = any(${seq}::bigint[])
     and r.epoch = m.epoch
     and r.owner + 0 is not null
     and (m.seq in (select seq from accepted)) is true
  returning r.seq, m.way, m.detail, r.state, r.reason
)`;
}

function completedCte(first: number): string {
  const [seq, epoch, at] = parameters(first, 3);
  return `moved as (
  update @runs as r
     set ${endSql({ state: COMPLETED_STATE, at: "m.at", reason: COMPLETED_REASON })}
    from unnest(${seq}::bigint[], ${epoch}::bigint[], ${at}::bigint[]) as m (seq, epoch, at)
   where r.seq = m.seq
     and r.seq = any(${seq}::bigint[])
     and r.epoch = m.epoch
     and r.owner + 0 is not null
     and (m.seq in (select seq from accepted)) is true
  returning r.seq, null::text as way, r.state, r.reason
)`;
}

function parameters(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `$${first + index}`);
}
