/**
 * The fence, and the order of locks.
 *
 * A write is accepted if its run still has the writer's epoch and an owner. Reading that without a lock would leave a
 * gap: a takeover may commit between the moment a statement sees and the moment it writes. To lock each run would cost
 * a log record for each write. So there is one lock for all: who writes for a runner holds its row in `runners` for key
 * share, which heartbeats do not touch, and who takes runs from a runner holds it for update and marks it as dead, or
 * deletes it. A flush that had to wait for that finds its runner gone, however old what it saw of the runs is.
 *
 * Locks are taken in this order by everybody: rows of `runners` by id, then rows of `runs` by seq, then the rest.
 *
 * @module
 */

/** Locks a runner so that its runs are its own until the transaction ends. */
export const HOLD_RUNNER = `
select id
  from @runners
 where id = $1::bigint and not dead
   for key share`;

/** Locks runners whose runs are to be taken; those that are held right now are left for another time. */
export const SEIZE_RUNNERS = `
select id
  from @runners
 where id = any($2::bigint[]) and (dead or lease_until <= @now or id = any($3::bigint[]))
 order by id
   for update skip locked`;

/** Marks runners that are locked for update: from here on nothing that they have under way is accepted. */
export const BURY_RUNNERS = `
update @runners
   set dead = true, lease_until = least(lease_until, @now)
 where id = any($2::bigint[])`;
