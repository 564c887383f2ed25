/**
 * The fence. A write is accepted if its run still has the writer's epoch and an owner that is not dead. A statement
 * that updates the run's row needs no more: it waits for another transaction that updates the row, and then checks the
 * new version. A statement that only inserts rows of the journal reads the run's row from its snapshot, and a recovery
 * may commit between that moment and the insert. So each runner has a lock:
 *
 * - A commit with such rows takes it shared, in a separate statement before the others, whose snapshots are then newer
 *   than the lock. It is an advisory lock, which writes nothing to the log.
 * - Recovery takes it exclusively, or skips the runner until later, and declares the runner dead. A commit that waited
 *   for recovery finds its runner dead or missing.
 * - A start of owned runs, a claim, and the record of a user's transaction lock the row of the runner for key share
 *   instead, in a single statement. Renewals do not touch that lock. Recovery locks the row, too.
 *
 * Locks are always taken in the same order: rows of `runners` by id, then the locks of runners, then rows of `runs` by
 * seq, then the rest.
 *
 * @module
 */

// Two 32-bit numbers. A collision of two runners or schemas only delays a recovery a little. The first is random and kept
// in a table that other tenants cannot read: any role of a database may take an advisory lock whose key it knows.
const KEY_OF_SCHEMA = "coalesce((select value::integer from @meta where key = 'lock_key'), 0)";
const keyOf = (id: string): string => `(${id} % 2147483647)::integer`;

/** Takes shared the locks of the runners that own these runs, so that they keep the runs until the transaction ends. */
export const LOCK_OWNERS: string = `
select count(pg_advisory_xact_lock_shared(${KEY_OF_SCHEMA}, ${keyOf("owner")})) as locks
  from (select distinct owner
          from @runs
         where seq = any($1::bigint[]) and owner + 0 is not null) as owners`;

/** Takes the lock of a runner exclusively: a column for a query that has locked the runner's row. */
export const LOCK_ALONE: string = `pg_advisory_xact_lock(${KEY_OF_SCHEMA}, ${keyOf("id")})::text as locked`;

/** The same as a condition, which is false if a commit of the runner holds the lock. */
export const TRY_LOCK_ALONE: string = `pg_try_advisory_xact_lock(${KEY_OF_SCHEMA}, ${keyOf("id")})`;

/** Takes the lock of the exchanges of permits, which no runner has. */
export const LOCK_LIMITS = `select pg_advisory_xact_lock(${KEY_OF_SCHEMA}, -1)::text as locked`;
