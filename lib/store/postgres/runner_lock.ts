/**
 * The fence. A write is accepted if its run still has the writer's epoch and an owner that is not dead. A statement that
 * updates the run's row needs no more: it waits for another transaction that updates the row, and then looks at the new
 * version. A statement that only inserts rows of the journal reads the run's row as its snapshot has it, and a recovery may
 * commit between that moment and the insert. So there is a lock for each runner:
 *
 * - A commit with such rows takes it shared, by a statement of its own before the others, whose snapshots are then newer
 *   than the lock. It is an advisory lock, which writes nothing to the log.
 * - Recovery takes it exclusively, or leaves the runner for another time, and declares the runner dead. A commit that had to
 *   wait for that finds its runner dead or gone.
 * - A claim, and the record of a user's transaction, lock the row of the runner for key share instead, in one statement.
 *   Renewals do not touch that lock. Recovery locks the row, too.
 *
 * Locks are taken in one order: rows of `runners` by id, then the locks of runners, then rows of `runs` by seq, then the
 * rest.
 *
 * @module
 */

// Two numbers of 32 bits. If two runners or schemas share one, a recovery comes a little later.
const KEY_OF_SCHEMA = "hashtext('sluice @schema')";
const keyOf = (id: string): string => `(${id} % 2147483647)::integer`;

/** Takes the locks of the runners that own these runs, shared, so that the runs are theirs until the transaction ends. */
export const LOCK_OWNERS = `
select count(pg_advisory_xact_lock_shared(${KEY_OF_SCHEMA}, ${keyOf("owner")})) as locks
  from (select distinct owner
          from @runs
         where seq = any($1::bigint[]) and owner + 0 is not null) as owners`;

/** Takes the lock of a runner exclusively: a column of a query for a runner whose row is locked. */
export const LOCK_ALONE = `pg_advisory_xact_lock(${KEY_OF_SCHEMA}, ${keyOf("id")})::text as locked`;

/** The same as a condition, which is false if a commit of the runner holds it. */
export const TRY_LOCK_ALONE = `pg_try_advisory_xact_lock(${KEY_OF_SCHEMA}, ${keyOf("id")})`;
