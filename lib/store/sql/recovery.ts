/**
 * Dead runners, and what becomes of their runs. This is the only place that decides which runners are dead: those that
 * were declared dead or are named as dead, and those whose lease has expired unless they are named as alive. An owner
 * always has a row: a run becomes owned under a lock of the owner's row, and the row is deleted after the last of its runs.
 *
 * Locks are taken in the order: rows of `runners` by id, then rows of `runs` by number. A runner that is locked because
 * it commits at the moment is alive, and skipped.
 *
 * @module
 */
import { RecoveryLimitError } from "../../errors.ts";
import { endSql, mayUndoSql, releaseSql } from "../shared/hand_over.ts";
import type { RecoverRequest, Recovery } from "../port/runners.ts";
import type { Row } from "../shared/decode.ts";
import { recordOf } from "../shared/rows.ts";
import { wakeParents } from "./children.ts";
import {
  CANCEL_WITH_PARENT,
  controlChildren,
  controlInParts,
  type Descendants,
  isFew,
  NO_DESCENDANTS,
  readDescendants,
  settleRelatives,
} from "./descendants.ts";
import type { Dialect, Items } from "./dialect.ts";
import { makeDueAgain } from "./due_again.ts";
import { notify } from "./facts.ts";
import { all, change, first, type Op, pause, transaction, write } from "./operation.ts";
import { fill, raw, type Sql, sql } from "./statement.ts";

const NOTHING: Recovery = { released: [], failed: [], more: false };

/** Recovers runs of dead runners. */
export function* recover(db: Dialect, request: RecoverRequest): Op<Recovery> {
  if (request.wasClockSetBack === true) yield* makeDueAgain(db);
  yield* shortenLeases(db);
  // Nearly always none is dead, and to find that out takes no lock.
  const dead = yield* readDead(db, request);
  if (dead.length === 0) return NOTHING;
  const { recovery, doomed } = yield* transaction(() => recoverAll(db, request));
  yield* controlInParts(db, doomed, CANCEL_WITH_PARENT);
  return recovery;
}

/**
 * Ends leases a whole lease from now that end later: the clock was set back after their last renewal, and a runner that
 * has died since would otherwise keep its runs until the clock has reached that time again.
 */
function* shortenLeases(db: Dialect): Op<void> {
  const tooLong = sql`lease_until > ${db.now()} + lease_ms`;
  const rows = yield* all(sql`select id from @runners where ${tooLong}`);
  if (rows.length === 0) return;
  yield* transaction(function* () {
    const ids = idsOf(yield* all(db.lockRunners(tooLong, "leave out")));
    yield* change(sql`update @runners set lease_until = ${db.now()} + lease_ms where ${db.isIn("id", numbers(ids))}`);
  });
}

/** What a transaction has recovered. */
interface Recovered {
  readonly recovery: Recovery;
  /**
   * Descendants of runs that will end, too many for the transaction. They are cancelled before the next one: their
   * parents stay with their dead runner until then, so that a process that dies in between orphans none.
   */
  readonly doomed: Descendants;
}

/** The most runs that a runner hands back in one transaction. */
const RELEASED_AT_ONCE = 500;

/** Hands back what a runner owns, without counting anything, and deletes its row. */
export function* leave(db: Dialect, runner: number): Op<void> {
  while ((yield* release(db, runner)) === RELEASED_AT_ONCE) yield* pause();
}

/** Hands back some runs; deletes the row of the runner with the last of them. Returns how many it has handed back. */
function* release(db: Dialect, runner: number): Op<number> {
  return yield* transaction(function* () {
    yield* all(db.lockRunners(sql`id = ${runner}`, "wait"));
    const released = yield* write(sql`
update @runs
   set ${fill(RELEASE, { now: db.now() })}
 where ${
      db.isIn(
        "seq",
        sql`select seq
                      from @runs
                     where owner = ${runner} and ${db.isIn("seq", db.ownedBy(numbers([runner])))}
                     order by seq
                     limit ${RELEASED_AT_ONCE}${db.forUpdate}`,
      )
    }
returning seq, state, ended_at`);
    yield* addHandBacks(db, runner, released.flatMap((row) => row["state"] === "pending" ? [Number(row["seq"])] : []));
    if (released.length < RELEASED_AT_ONCE) yield* change(sql`delete from @runners where id = ${runner}`);
    // A recorded cancel ends them; their descendants were cancelled with them.
    yield* wakeParents(db, released.flatMap((row) => row["ended_at"] === null ? [] : [Number(row["seq"])]));
    if (released.length > 0) yield* notify(db, RELEASED);
    return released.length;
  });
}

function* addHandBacks(db: Dialect, runner: number, seqs: readonly number[]): Op<void> {
  if (seqs.length === 0) return;
  yield* change(sql`
insert into @events (run, kind, at, detail)
select run, 'handBack', ${db.now()}, ${String(runner)} from ${db.rows("handed", { run: numbers(seqs) })}`);
}

/**
 * Declares a runner dead if it has been silent for a whole lease after its lease expired, and holds no lock: until then
 * it may come back. Returns whether it is dead.
 */
export function* declareDeadIfSilent(db: Dialect, runner: number): Op<boolean> {
  // The time shows whether the clock was set: then the lease of a runner that is alive may look expired.
  const row = yield* first(sql`select dead, lease_ms, ${db.now()} as server_now from @runners where id = ${runner}`);
  if (row === undefined || row["dead"] === 1 || row["dead"] === true) return true;
  if (db.steadyMs() < Number(row["lease_ms"])) return false;
  const isSilent = sql`id = ${runner} and not dead and lease_until + lease_ms <= ${db.now()}`;
  const silent = yield* all(db.lockRunners(isSilent, "leave out"));
  if (silent.length === 0) return false;
  yield* declareDead(db, [runner]);
  return true;
}

/** Releases one run of a dead owner, whose row is locked. */
export function* recoverRun(db: Dialect, seq: number): Op<void> {
  const owned = yield* all(ownedRuns(db, sql`r.seq = ${seq}`, 1));
  yield* takeOver(db, owned.map((row) => lostRun(row, Infinity)));
}

const RELEASE = releaseSql({ now: ":now", state: "'pending'", dueAt: ":now", at: "@" });

const RELEASED = { due: true, ended: true, attention: [] };

function* readDead(db: Dialect, { dead, alive = [] }: RecoverRequest): Op<readonly number[]> {
  return idsOf(
    yield* all(sql`
select id
  from @runners
 where dead or ${db.isIn("id", numbers(dead))}
    or (lease_until <= ${db.now()} and not (${db.isIn("id", numbers(alive))}))
 order by id`),
  );
}

function* recoverAll(db: Dialect, request: RecoverRequest): Op<Recovered> {
  const { recoveryLimit, limit } = request;
  const suspects = yield* readDead(db, request);
  const dead = idsOf(
    yield* all(db.lockRunners(
      sql`${db.isIn("id", numbers(suspects))}
       and (dead or lease_until <= ${db.now()} or ${db.isIn("id", numbers(request.dead))})`,
      "leave out",
    )),
  );
  if (dead.length === 0) return { recovery: NOTHING, doomed: NO_DESCENDANTS };
  yield* declareDead(db, dead);
  const owned = yield* all(ownedRuns(db, ownedBySql(db, dead), limit));
  const found = owned.map((row) => lostRun(row, recoveryLimit));
  const ending = found.flatMap(({ seq, end }) => end === "released" ? [] : [seq]);
  const live = yield* readDescendants(db, ending, { request: CANCEL_WITH_PARENT });
  const doomed = isFew(live) ? NO_DESCENDANTS : live;
  const lost = doomed.runs.length === 0 ? found : found.filter(({ end }) => end === "released");
  yield* takeOver(db, lost);
  const remaining = owned.length < limit && doomed.runs.length === 0 ? [] : yield* readOwners(db, dead);
  const done = dead.filter((runner) => !remaining.includes(runner));
  yield* change(sql`delete from @runners where ${db.isIn("id", numbers(done))}`);
  const released = [...summary(lost, "released"), ...summary(lost, "compensating")];
  const more = done.length < dead.length;
  return { recovery: { released, failed: summary(lost, "failed"), more }, doomed };
}

/** A condition on `r`: these runners own the run. */
function ownedBySql(db: Dialect, runners: readonly number[]): Sql {
  return sql`${db.isIn("r.seq", db.ownedBy(numbers(runners)))} and ${db.isIn("r.owner", numbers(runners))}`;
}

/** Those of these runners that own runs. */
function* readOwners(db: Dialect, runners: readonly number[]): Op<readonly number[]> {
  return idsOf(yield* all(sql`select distinct r.owner as id from @runs as r where ${ownedBySql(db, runners)}`));
}

function* declareDead(db: Dialect, runners: readonly number[]): Op<void> {
  if (runners.length === 0) return;
  yield* change(sql`
update @runners
   set dead = true,
       lease_until = case when lease_until > ${db.now()} then ${db.now()} else lease_until end
 where ${db.isIn("id", numbers(runners))}`);
  // A runner that was declared dead by mistake learns it at once.
  yield* notify(db, { due: false, ended: false, attention: runners });
}

// A row carries the epoch under which it was written, so that progress since the last crash needs no clock.
function ownedRuns(db: Dialect, where: Sql, limit: number): Sql {
  return sql`
select r.seq, r.id, r.workflow, r.closing, r.crashes, r.owner, ${raw(mayUndoSql("@", "r"))} as may_undo,
       exists (select 1
                 from @tasks as t
                where t.run = r.seq and t.epoch > coalesce(r.crashed_epoch, 0)
                  and not (t.state = 'running' or t.state = 'waiting' or t.state = 'blocked' or t.state = 'pending')) as progressed
  from @runs as r
 where r.owner is not null and ${where}
 order by r.seq
 limit ${limit}${db.forUpdate}`;
}

interface LostRun {
  readonly seq: number;
  readonly id: string;
  readonly workflow: string;
  readonly crashes: number;
  readonly end: "released" | "cancelled" | "failed" | "compensating";
  readonly detail: string;
}

function lostRun(row: Row, recoveryLimit: number): LostRun {
  const hasProgressed = row["progressed"] === true || row["progressed"] === 1;
  const crashes = hasProgressed ? 1 : Number(row["crashes"]) + 1;
  return {
    seq: Number(row["seq"]),
    id: String(row["id"]),
    workflow: String(row["workflow"]),
    crashes,
    end: endOf(row, crashes >= recoveryLimit),
    detail: `runner ${row["owner"]} died (${crashes} without progress)`,
  };
}

/** A run that was given up is compensated; one that was given up in its compensation fails. */
function endOf(row: Row, isGivenUp: boolean): LostRun["end"] {
  const closing = row["closing"];
  if (closing === "cancel" || closing === "cancelOnly") return "cancelled";
  if (!isGivenUp) return "released";
  return closing === null && (row["may_undo"] === true || row["may_undo"] === 1) ? "compensating" : "failed";
}

function summary(lost: readonly LostRun[], as: LostRun["end"]): Recovery["released"] {
  return lost.filter(({ end }) => end === as).map(({ id, workflow, crashes }) => ({ id, workflow, crashes }));
}

function* takeOver(db: Dialect, lost: readonly LostRun[]): Op<void> {
  const failed = lost.filter(({ end }) => end === "failed");
  const compensating = lost.filter(({ end }) => end === "compensating");
  const others = lost.filter(({ end }) => end === "released" || end === "cancelled");
  yield* update(db, others, fill(RELEASE, { now: db.now() }));
  yield* update(db, failed, fill(FAIL, { at: db.now() }));
  yield* update(db, compensating, fill(COMPENSATE, { now: db.now() }));
  if (lost.length === 0) return;
  const notes = db.rows("note", {
    run: numbers(lost.map(({ seq }) => seq)),
    detail: { type: "text", items: lost.map(({ detail }) => detail) },
  });
  yield* change(sql`
insert into @events (run, kind, at, detail)
select run, 'recovery', ${db.now()}, detail from ${notes}`);
  yield* settleRelatives(db, lost.flatMap(({ seq, end }) => end === "released" ? [] : [seq]));
  yield* notify(db, RELEASED);
}

const COMPENSATE = `owner = null, state = 'pending', closing = 'undoFailed', error = lost.error, reason = null,
       due_at = :now, acknowledged = attention`;

const FAIL = `${endSql({ state: "'failed'", at: ":at" })}, error = lost.error`;

/** A run whose rows are invalid, as its owner has found. */
export interface CorruptRun {
  readonly seq: number;
  readonly epoch: number;
  /** The error of the run, as JSON text. */
  readonly error: string;
}

/** Fails a run with invalid rows: otherwise it would stop every runner that claims it. */
export function* giveUp(db: Dialect, { seq, epoch, error }: CorruptRun): Op<void> {
  const held = yield* first(sql`
select 1 as one from @runs where seq = ${seq} and epoch = ${epoch} and owner + 0 is not null`);
  if (held === undefined) return;
  yield* controlChildren(db, seq, CANCEL_WITH_PARENT, undefined);
  yield* transaction(function* () {
    const failed = yield* change(sql`
update @runs
   set ${fill(GIVE_UP, { at: db.now() })}, error = ${error}
 where seq = ${seq} and epoch = ${epoch} and owner + 0 is not null`);
    if (failed > 0) yield* settleRelatives(db, [seq]);
  });
}

const GIVE_UP = endSql({ state: "'failed'", at: ":at" });

function* update(db: Dialect, runs: readonly LostRun[], assignments: Sql): Op<void> {
  if (runs.length === 0) return;
  const lost = db.rows("lost", {
    run: numbers(runs.map(({ seq }) => seq)),
    lost_crashes: { type: "integer", items: runs.map(({ crashes }) => crashes) },
    error: {
      type: "text",
      items: runs.map(({ id, crashes }) => JSON.stringify(recordOf(new RecoveryLimitError(id, crashes)))),
    },
  });
  yield* change(sql`
update @runs
   set epoch = epoch + 1, crashed_epoch = epoch, crashes = lost_crashes, ${assignments}
  from ${lost}
 where seq = lost.run and ${db.isIn("seq", numbers(runs.map(({ seq }) => seq)))}`);
}

function numbers(items: readonly number[]): Items {
  return { type: "bigint", items };
}

function idsOf(rows: readonly Row[]): number[] {
  return rows.map((row) => Number(row["id"]));
}
