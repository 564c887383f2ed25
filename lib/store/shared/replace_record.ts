/** The conflict clause of an insert into `@tasks as t`: replaces a row unless it is terminal, as the first result stands. */
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
         progress = excluded.progress,
         items = coalesce(excluded.items, t.items),
         input = coalesce(excluded.input, t.input)
   where t.state = 'running' or t.state = 'waiting' or t.state = 'blocked' or t.state = 'pending'`;
