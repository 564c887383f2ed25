/**
 * The names of connections on the server, by which their backends are found and ended:
 *
 * - those that a lost connection of this process left behind;
 * - those of the transactions of a dead runner, whose machine may have vanished without closing them. Such a transaction
 *   would hold its locks until the server notices, and the body that replaces it would wait for them;
 * - those that wait for the rest of a commit, as their process has stopped in the middle of it. They hold the lock of
 *   their runner, and the server sets no limit to that: it takes the last statement for one that is being executed.
 *
 * A name is `sluice <role> <token> <label>`; during a body it is `sluice transaction <token> @<runner> <schema>`.
 *
 * @module
 */
/** Postgres truncates longer names. */
const LONGEST_NAME = 63;

/** The length of `sluice transaction <token> `. */
const TRANSACTION_PREFIX = 28;

/** Names a connection; the server changes characters that are not ASCII, and the name is also that of a channel. */
export function backendName(role: string, label: string): string {
  const token = crypto.randomUUID().slice(0, 8);
  return `sluice ${role} ${token} ${label.replace(/[^\w.: -]/g, "_")}`.slice(0, LONGEST_NAME);
}

/** The part of a name that identifies the connection, whatever it is called later. */
export function backendPrefix(name: string): string {
  return `${name.split(" ").slice(0, 3).join(" ")} `;
}

/** An expression that names the connection during a body, until its transaction ends. */
export function nameInBody({ prefix, runner }: { readonly prefix: string; readonly runner: string }): string {
  return `set_config('application_name', left(${prefix} || '@' || ${runner} || ' @schema', ${LONGEST_NAME}), true)`;
}

/** Ends the backends of a connection. */
export const TERMINATE = `
select pg_terminate_backend(pid, 5000)
  from pg_stat_activity
 where starts_with(application_name, $1) and pid <> pg_backend_pid() and usename = session_user`;

/** How long a backend may wait for the rest of what its client began to send, in milliseconds. */
export const LONGEST_IDLE_MS = 5_000;

/**
 * Finds the backends of transactions whose runner is dead or gone, and those that wait for the rest of a commit. A long
 * schema is truncated in the name; a runner of another schema that matches by chance repeats its transaction.
 */
export const ABANDONED: string = `
select distinct substring(a.application_name from '^sluice [a-z]+ [0-9a-f]{8} ') as prefix
  from pg_stat_activity as a
 where a.usename = session_user and a.datname = current_database() and a.pid <> pg_backend_pid()
   and a.application_name ~ '^sluice [a-z]+ [0-9a-f]{8} '
   and a.state = 'active' and a.wait_event = 'ClientRead'
   and a.query_start < clock_timestamp() - interval '${LONGEST_IDLE_MS} milliseconds'
 union
select left(a.application_name, ${TRANSACTION_PREFIX})
  from pg_stat_activity as a
 cross join lateral substring(a.application_name from '^sluice transaction [0-9a-f]{8} @([0-9]+) ') as s (runner)
 where a.usename = session_user and a.datname = current_database() and a.pid <> pg_backend_pid()
   and s.runner is not null
   and a.application_name =
       left(left(a.application_name, ${TRANSACTION_PREFIX}) || '@' || s.runner || ' @schema', ${LONGEST_NAME})
   and not exists (select 1 from @runners as w where w.id = s.runner::bigint and not w.dead)`;
