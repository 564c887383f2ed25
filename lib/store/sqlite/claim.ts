/**
 * Taking due runs. The work is bounded by what is served and asked for, not by what is there: `runs_due` is walked from
 * group to group of equal (priority, workflow, version) by seeking past each, and only the due end of a served group is
 * read. A million runs of others, or of tomorrow, cost one seek.
 *
 * @module
 */
import { StoreError } from "../../errors.ts";
import type { Claim, ClaimedRun, ClaimRequest, JournalRecord } from "../batch.ts";
import { DUE, STRANDED } from "../sql/sources.ts";
import type { Row } from "./driver.ts";
import { decodeRecord, decodeRun, RECORD_COLUMNS, recordOf, RUN_COLUMNS } from "../rows.ts";
import { isJoined } from "./leases.ts";
import type { Session } from "./session.ts";

// One seek each. A comparison of the three as one row value would read every entry of the group that is left behind.
const NEXT_PRIORITY = `
select priority, workflow, version
  from runs indexed by runs_due
 where ${DUE} and priority > $1
 order by priority, workflow, version
 limit 1`;

const NEXT_WORKFLOW = `
select priority, workflow, version
  from runs indexed by runs_due
 where ${DUE} and priority = $1 and workflow > $2
 order by workflow, version
 limit 1`;

const NEXT_VERSION = `
select priority, workflow, version
  from runs indexed by runs_due
 where ${DUE} and priority = $1 and workflow = $2 and version > $3
 order by version
 limit 1`;

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

const ANY_STRANDED = `select 1 from runs indexed by runs_stranded where ${STRANDED} limit 1`;

const DUE_STRANDED = `
select seq, priority, due_at
  from runs indexed by runs_stranded
 where ${STRANDED} and workflow = $1 and version = $2 and due_at <= $3
 order by priority, due_at, seq
 limit $4`;

const TAKE = `
update runs
   set owner = $2,
       epoch = epoch + 1,
       state = 'running',
       started_at = coalesce(started_at, $3),
       deadline_at = coalesce(deadline_at, $3 + timeout_ms),
       stranded_by = null,
       reason = case when cancel_at is null then null else reason end
 where seq in (select value from json_each($1))
returning ${RUN_COLUMNS}`;

const JOURNAL = `select ${RECORD_COLUMNS} from tasks where run = $1`;

const GIVE_UP = `
update runs
   set state = 'failed', owner = null, ended_at = $2, error = $3
 where seq = $1`;

/** The queries that look for due runs, for the test of their plans. */
export const SURVEY_QUERIES: readonly string[] = [
  NEXT_PRIORITY,
  NEXT_WORKFLOW,
  NEXT_VERSION,
  DUE_IN_GROUP,
  NEXT_DUE_IN_GROUP,
  DUE_STRANDED,
];

/** The answer where nothing is due, and nothing will be. */
export const NOTHING_DUE: Claim = { runs: [], more: false, nextDueAt: undefined };

/** Outside of a transaction: the answer if nothing is due, `undefined` if something may be. */
export function peek(session: Session, request: ClaimRequest): Claim | undefined {
  const { due, nextDueAt } = survey(session, { ...request, limit: 1 }, session.now());
  return due.length === 0 ? { ...NOTHING_DUE, nextDueAt } : undefined;
}

/** Takes due runs, inside of a transaction. */
export function claimRuns(session: Session, request: ClaimRequest, now: number): Claim {
  // Who was taken for dead must not take what nobody would renew.
  if (request.limit <= 0 || !isJoined(session, request.runner)) return NOTHING_DUE;
  const { due, nextDueAt } = survey(session, request, now);
  if (due.length === 0) return { ...NOTHING_DUE, nextDueAt };
  const taken = session.returning(TAKE, JSON.stringify(due.map((run) => run.seq)), request.runner, now);
  const bySeq = new Map(taken.map((row) => [row["seq"], row]));
  const runs = due.flatMap(({ seq }) => decodeClaimed(session, bySeq.get(seq), now));
  return { runs, more: due.length === request.limit, nextDueAt };
}

/** A due run, before it is taken. */
interface Due {
  readonly seq: number;
  readonly priority: number;
  readonly dueAt: number;
}

interface Survey {
  readonly due: readonly Due[];
  readonly nextDueAt: number | undefined;
}

/** The runs to take, in order; if they are fewer than asked for, also when the next one is due. */
function survey(session: Session, request: ClaimRequest, now: number): Survey {
  const { limit } = request;
  const due = dueStranded(session, request, now);
  let nextDueAt = Infinity;
  for (const group of servedGroups(session, request)) {
    // All groups of a priority share its places; a later priority gets what they leave.
    if (due.filter((run) => run.priority < group.priority).length >= limit) break;
    const { priority, workflow, version } = group;
    const rows = session.all(DUE_IN_GROUP, priority, workflow, version, now, limit);
    for (const row of rows) due.push({ seq: Number(row["seq"]), priority, dueAt: Number(row["due_at"]) });
    if (rows.length === limit) continue;
    const next = session.get(NEXT_DUE_IN_GROUP, priority, workflow, version, now)?.["due_at"];
    if (typeof next === "number") nextDueAt = Math.min(nextDueAt, next);
  }
  due.sort((a, b) => a.priority - b.priority || a.dueAt - b.dueAt || a.seq - b.seq);
  const full = due.length >= limit;
  return { due: due.slice(0, limit), nextDueAt: full || nextDueAt === Infinity ? undefined : nextDueAt };
}

interface DueGroup {
  readonly priority: number;
  readonly workflow: string;
  readonly version: string;
}

function* servedGroups(session: Session, { served, pinned }: ClaimRequest): Generator<DueGroup> {
  const versions = new Map<string, Set<string>>();
  for (const { workflow, version } of served) {
    versions.set(workflow, (versions.get(workflow) ?? new Set()).add(version));
  }
  for (const group of dueGroups(session, (workflow) => versions.has(workflow))) {
    if (!pinned || versions.get(group.workflow)?.has(group.version)) yield group;
  }
}

/** The groups of runs that nobody owns, by priority; those of other workflows than `wanted` ones are passed over. */
export function* dueGroups(session: Session, wanted: (workflow: string) => boolean): Generator<DueGroup> {
  let row = session.get(NEXT_PRIORITY, Number.MIN_SAFE_INTEGER);
  while (row) {
    const priority = Number(row["priority"]);
    const workflow = String(row["workflow"]);
    const version = String(row["version"]);
    const take = wanted(workflow);
    if (take) yield { priority, workflow, version };
    row = (take ? session.get(NEXT_VERSION, priority, workflow, version) : undefined) ??
      session.get(NEXT_WORKFLOW, priority, workflow) ??
      session.get(NEXT_PRIORITY, priority);
  }
}

/** Runs that another version gave up are for their own version only, even where others may resume. */
function dueStranded(session: Session, { served, limit }: ClaimRequest, now: number): Due[] {
  if (!session.get(ANY_STRANDED)) return [];
  return served.flatMap(({ workflow, version }) =>
    session.all(DUE_STRANDED, workflow, version, now, limit).map((row) => ({
      seq: Number(row["seq"]),
      priority: Number(row["priority"]),
      dueAt: Number(row["due_at"]),
    }))
  );
}

/** The run, or nothing if its rows cannot be read: then it fails, as it would stop every runner that claims it. */
function decodeClaimed(session: Session, row: Row | undefined, now: number): readonly ClaimedRun[] {
  if (!row) return [];
  try {
    return [claimedOf(session, row)];
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    session.run(GIVE_UP, row["seq"], now, JSON.stringify(recordOf(error)));
    session.logger.error(error.message);
    return [];
  }
}

function claimedOf(session: Session, row: Row): ClaimedRun {
  const run = decodeRun(row);
  return {
    id: run.id,
    seq: run.seq,
    epoch: run.epoch,
    workflow: run.workflow,
    version: run.version,
    input: run.input,
    tags: run.tags,
    startedAt: run.startedAt,
    deadlineAt: run.deadlineAt,
    timeoutMs: run.timeoutMs,
    cancel: run.cancelling ? { reason: run.reason } : undefined,
    crashes: run.crashes,
    trace: run.trace,
    // At epoch 1 it was never owned before, and so has none.
    journal: run.epoch === 1 ? [] : readJournal(session, run.seq),
  };
}

/** A run's journal. */
export function readJournal(session: Session, seq: number): readonly JournalRecord[] {
  return session.all(JOURNAL, seq).map(decodeRecord);
}
