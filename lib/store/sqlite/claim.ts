/**
 * Claims due runs. The work depends on the groups and on the limit, not on the number of runs: the survey seeks in
 * `runs_due` from group to group of equal (priority, workflow, version), and reads only the due rows of served groups that
 * may be claimed. A million runs of an unserved group, or that are due tomorrow, cost one seek.
 *
 * One short transaction claims the runs. Their journals are read afterwards, in slices between which the event loop
 * runs: the fence prevents all other writes to these journals.
 *
 * @module
 */
import { isCorruptRow } from "../shared/corrupt_row.ts";
import type { Claim, ClaimedRun, ClaimRequest } from "../port/batch.ts";
import { createSlices } from "../shared/breathe.ts";
import { byRank, type Ranked, rankOf } from "../shared/claim_order.ts";
import { HEAD_BYTES, MOST_CLAIM_BYTES, MOST_HEADS, RUN_BYTES } from "../shared/claim_bounds.ts";
import { hasMessagesSql } from "../port/messages.ts";
import { recordOf } from "../shared/rows.ts";
import { CLAIMED_COLUMNS, decodeClaimed } from "../shared/run_rows.ts";
import { isHandOverSql } from "../sql/facts.ts";
import type { CorruptRun } from "../sql/recovery.ts";
import { DUE, STRANDED } from "../sql/sources.ts";
import type { Row } from "./driver.ts";
import { dueGroups, FIRST_DUE } from "./first_due.ts";
import { readHeads } from "./journal.ts";
import { isJoined } from "./leases.ts";
import type { Session } from "./session.ts";

/** Fails a run whose rows are invalid. */
type GiveUp = (run: CorruptRun) => Promise<void>;

const DUE_IN_GROUP = `
select seq, due_at
  from runs indexed by runs_due
 where ${DUE} and priority = $1 and workflow = $2 and version = $3 and due_at <= $4
 order by due_at, seq
 limit $5`;

const NEXT_DUE_IN_GROUP = `
select due_at
  from runs indexed by runs_due
 where ${DUE} and priority = $1 and workflow = $2 and version = $3 and due_at > $4
 order by due_at
 limit 1`;

const NEXT_STRANDED_PRIORITY = `
select priority
  from runs indexed by runs_stranded
 where ${STRANDED} and workflow = $1 and version = $2 and priority > $3
 order by priority
 limit 1`;

const DUE_STRANDED = `
select seq, due_at
  from runs indexed by runs_stranded
 where ${STRANDED} and workflow = $1 and version = $2 and priority = $3 and stranded_by <> version and due_at <= $4
 order by due_at, seq
 limit $5`;

const TAKE = `
update runs
   set owner = $2,
       epoch = epoch + 1,
       state = 'running',
       started_at = coalesce(started_at, $3),
       deadline_at = coalesce(deadline_at, $3 + timeout_ms),
       stranded_by = null,
       acknowledged = attention,
       reason = case when closing is null then null else reason end
 where seq in (select value from json_each($1))
returning ${CLAIMED_COLUMNS.join(", ")}, ${hasMessagesSql("messages")}`;

const NOTE_HAND_OVERS = `
insert into events (run, kind, at, detail)
select r.seq, 'claim', $3, $2
  from json_each($1) as wanted
 cross join runs as r
 where r.seq = wanted.value and ${isHandOverSql("r", "")}`;

// Counts the runs of a list that are preceded by fewer than $2 bytes, in the order of the list, and sums the bytes of
// these runs.
const FITTING = `
select count(*) as runs, total(bytes) as bytes, total(resumed) as resumed
  from (select resumed, bytes, sum(bytes) over (order by place) - bytes as bytes_before
          from (select wanted.key as place,
                       state = 'pending' and started_at is not null as resumed,
                       ${RUN_BYTES} + ifnull(octet_length(input), 0) + ifnull(octet_length(tags), 0) +
                       case epoch when 0 then 0
                                  else (select ${HEAD_BYTES} * count(*) + total(octet_length(failures))
                                          from (select failures from tasks where run = runs.seq limit ${MOST_HEADS})) +
                                       (select ${HEAD_BYTES} * count(*)
                                          from (select 1 from runs as c where c.parent = runs.seq limit ${MOST_HEADS}))
                       end as bytes
                  from json_each($1) as wanted
                 cross join runs
                 where runs.seq = wanted.value))
 where bytes_before < $2`;

// The number of runs per measurement, which bounds the runs that are measured but not claimed.
const MEASURED_RUNS = 64;

/** The queries that find due runs, for the test of their query plans. */
export const SURVEY_QUERIES: readonly string[] = [
  FIRST_DUE,
  DUE_IN_GROUP,
  NEXT_DUE_IN_GROUP,
  NEXT_STRANDED_PRIORITY,
  DUE_STRANDED,
];

/** The most runs that one transaction claims: about ten milliseconds of work. */
const MOST_AT_ONCE = 400;

/** Claims due runs and reads their journals; `giveUp` fails a run whose rows are invalid. */
export async function claim(session: Session, request: ClaimRequest, giveUp: GiveUp): Promise<Claim> {
  if (request.limit <= 0) return { runs: [], more: false, nextDueAt: undefined };
  // A claim without due runs must not take the write lock.
  const { isDue, nextDueAt } = await session.read("read", () => look(session, request, session.now()));
  if (!isDue) return { runs: [], more: false, nextDueAt };
  return await claimDue(session, request, giveUp);
}

/** Returns whether a run is due, without the write lock. */
function look(session: Session, request: ClaimRequest, now: number): Pick<Claim, "nextDueAt"> & { isDue: boolean } {
  const { groups, hasParked } = dueGroups(session, request);
  const nextDueAt = groups.reduce((first, { dueAt }) => Math.min(first, dueAt), Infinity);
  const isDue = nextDueAt <= now || (hasParked && dueStranded(session, { ...request, limit: 1 }, now).length > 0);
  return { isDue, nextDueAt: nextDueAt === Infinity ? undefined : nextDueAt };
}

async function claimDue(session: Session, request: ClaimRequest, giveUp: GiveUp): Promise<Claim> {
  const { rows, more, nextDueAt } = await session.write("write to", () => take(session, request, session.now()));
  const runs: ClaimedRun[] = [];
  const slices = createSlices();
  for (const row of rows) {
    try {
      runs.push(
        decodeClaimed(
          row,
          row["epoch"] === 1
            ? { journal: [], completedItems: [] }
            : await readHeads(session, Number(row["seq"]), slices),
        ),
      );
    } catch (error) {
      if (!isCorruptRow(error)) throw error;
      session.logger.error(error.message);
      await giveUp({ seq: Number(row["seq"]), epoch: Number(row["epoch"]), error: JSON.stringify(recordOf(error)) });
    }
  }
  return { runs, more, nextDueAt };
}

/** The result of the claim transaction. */
interface Taken extends Omit<Claim, "runs"> {
  /** The rows of the claimed runs, in claim order. */
  readonly rows: readonly Row[];
}

/** Claims due runs inside a transaction. */
function take(session: Session, request: ClaimRequest, now: number): Taken {
  // A runner whose row is gone must not claim: its runs would have no lease.
  if (!isJoined(session, request.runner)) return { rows: [], more: false, nextDueAt: undefined };
  const limit = Math.min(request.limit, MOST_AT_ONCE);
  const { due, nextDueAt } = survey(session, { ...request, limit }, now);
  const { count, mayBeHandOver } = measure(session, due);
  const fitting = due.slice(0, count);
  if (fitting.length === 0) return { rows: [], more: false, nextDueAt };
  const seqs = JSON.stringify(fitting.map((run) => run.seq));
  if (mayBeHandOver) session.run(NOTE_HAND_OVERS, seqs, String(request.runner), now);
  const taken = session.returning(TAKE, seqs, request.runner, now);
  const bySeq = new Map(taken.map((row) => [row["seq"], row]));
  const rows = fitting.map(({ seq }) => bySeq.get(seq)).filter((row) => row !== undefined);
  return { rows, more: due.length === limit || fitting.length < due.length, nextDueAt };
}

/** The due runs that a claim may take without exceeding its bytes. */
interface Fitting {
  readonly count: number;
  /** Whether one of them may have been handed back, recovered, resumed or retried. */
  readonly mayBeHandOver: boolean;
}

function measure(session: Session, due: readonly Ranked[]): Fitting {
  let bytes = 0;
  let mayBeHandOver = false;
  for (let from = 0; from < due.length; from += MEASURED_RUNS) {
    const measured = due.slice(from, from + MEASURED_RUNS);
    const fitting = session.get(
      FITTING,
      JSON.stringify(measured.map(({ seq }) => seq)),
      MOST_CLAIM_BYTES - bytes,
    );
    bytes += Number(fitting?.["bytes"]);
    mayBeHandOver ||= Number(fitting?.["resumed"]) > 0;
    const fits = Number(fitting?.["runs"]);
    if (fits < measured.length) return { count: from + fits, mayBeHandOver };
  }
  return { count: due.length, mayBeHandOver };
}

interface Survey {
  readonly due: readonly Ranked[];
  readonly nextDueAt: number | undefined;
}

/**
 * Returns the runs to claim, in order; if they are fewer than the limit, also when the next run is due. Of a group only the
 * runs are read that come before the last of those that were found, so that hardly more are read than claimed.
 */
function survey(session: Session, request: ClaimRequest, now: number): Survey {
  const { limit } = request;
  const { groups, hasParked } = dueGroups(session, request);
  let due = hasParked ? first(dueStranded(session, request, now), limit) : [];
  let nextDueAt = Infinity;
  for (const group of groups.toSorted((a, b) => rankOf(a) - rankOf(b))) {
    const { priority, workflow, version, dueAt } = group;
    if (dueAt > now) {
      nextDueAt = Math.min(nextDueAt, dueAt);
      continue;
    }
    const last = due.length < limit ? Infinity : rankOf(due.at(-1)!);
    if (rankOf(group) > last) break;
    const until = Math.min(now, last - rankOf({ priority, dueAt: 0 }));
    const rows = session.all(DUE_IN_GROUP, priority, workflow, version, until, limit);
    due = first([...due, ...rows.map((row) => rankedOf(row, priority))], limit);
    if (due.length === limit) continue;
    const next = session.get(NEXT_DUE_IN_GROUP, priority, workflow, version, now)?.["due_at"];
    if (typeof next === "number") nextDueAt = Math.min(nextDueAt, next);
  }
  return { due, nextDueAt: due.length === limit || nextDueAt === Infinity ? undefined : nextDueAt };
}

/** The first of these runs in the order of claims. */
function first(runs: Ranked[], limit: number): readonly Ranked[] {
  return runs.sort(byRank).slice(0, limit);
}

function rankedOf(row: Row, priority: number): Ranked {
  return { seq: Number(row["seq"]), priority, dueAt: Number(row["due_at"]) };
}

/** Returns due parked runs. Only their own version can claim them, even if the request is not pinned. */
function dueStranded(session: Session, { served, limit }: ClaimRequest, now: number): Ranked[] {
  const due: Ranked[] = [];
  for (const { workflow, version } of served) {
    const next = (after: number): Row | undefined => session.get(NEXT_STRANDED_PRIORITY, workflow, version, after);
    for (let row = next(Number.MIN_SAFE_INTEGER); row !== undefined; row = next(Number(row["priority"]))) {
      const priority = Number(row["priority"]);
      const rows = session.all(DUE_STRANDED, workflow, version, priority, now, limit);
      due.push(...rows.map((row) => rankedOf(row, priority)));
    }
  }
  return due;
}
