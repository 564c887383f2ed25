/**
 * Exchanges of permits: in one transaction permits are released, others are requested, and the slots that are free are
 * granted. One exchange of a store happens at a time, so that no two grant the same slot. What an exchange does not touch
 * costs it nothing: it reads the lanes that it changes, the queues that wait for their free slots, and the first permits of
 * these. Lanes and queues remain when nothing uses them, as their keys mostly return, until an exchange tidies up.
 *
 * Nothing else writes these tables, and the end of a run needs not: a permit of a run that has ended, or of a runner that
 * has died, is found and released by an exchange that recovers. A permit that is granted to a unit in another process is
 * found by its owner when that asks again; a run without an owner is made due.
 *
 * @module
 */
import { permitKey } from "../../shared/run_limits.ts";
import { rankOf } from "../../shared/claim_order.ts";
import type { Row } from "../../shared/decode.ts";
import type { Granted, HeldStart, LimitAnswer, LimitExchange, PermitAsk, PermitHolder } from "../../port/limits.ts";
import { type Dialect, seqs } from "../dialect.ts";
import { notify } from "../facts.ts";
import { all, change, first, type Op, transaction, write } from "../operation.ts";
import { raw, type Sql, sql } from "../statement.ts";
import { type Grant, grantSlots, type Waiter } from "./book.ts";
import { HELD_BY_RUN, NO_QUEUE } from "./book_state.ts";
import { type Gated, readGated } from "./gated.ts";
import { holderRows, ofUnits } from "./holder_rows.ts";
import { refuse } from "./refusals.ts";
import { readStale, staleRuns } from "./stale.ts";
import { beginStarts, endStarts, endUnbegun, leaveStarts, recoverStarts, takeStarts } from "./starts.ts";
import { tidy } from "./tidy.ts";
import { type Book, createBook } from "./store_book.ts";
import { QUEUED, wakeUnits } from "./wake_units.ts";

/** The most runs that one exchange admits. */
const ADMITTED_AT_ONCE = 500;

/** Changes permits. */
export function exchange(db: Dialect, request: LimitExchange): Op<LimitAnswer> {
  return transaction(() => exchangeLocked(db, request));
}

function* exchangeLocked(db: Dialect, request: LimitExchange): Op<LimitAnswer> {
  const { runner, asks = [], releases = [], postponed = [], ended = [], over = [], begun = [], started = [] } = request;
  if (db.lockLimits !== undefined) yield* all(db.lockLimits);
  const book = createBook(db, runner);
  yield* giveBack(db, request);
  const stale = request.recovers === true ? yield* readStale(db) : undefined;
  yield* leaveStarts(db, request);
  yield* release(db, book, ofUnits(db, "@permits", releases));
  yield* postpone(db, book, ofUnits(db, "@permits", postponed));
  yield* release(db, book, among(db, "run", [...ended, ...stale?.endedRuns ?? []]));
  const untaken = stale?.untaken ?? [];
  // The next owner of a run asks again for its units.
  if (untaken.length > 0) yield* wakeUnits(db, untaken.map(({ run }) => run));
  yield* postpone(db, book, among(db, "seq", [...stale?.permits ?? [], ...untaken.map(({ seq }) => seq)]));
  yield* endStarts(db, book, [...over, ...stale?.starts ?? []], ended);
  const takenOver = stale === undefined ? [] : yield* recoverStarts(db, runner);
  const known = yield* readKnown(db, runner, asks);
  const fresh = asks.filter((ask) => ask.request !== undefined && !known.holders.has(permitKey(ask)));
  const now = Number((yield* first(sql`select ${db.now()} as now`))?.["now"]);
  const { gated, more, nextAt } = yield* readGated(db, { now, started, limit: ADMITTED_AT_ONCE });
  yield* book.join([
    ...fresh.map((ask) => ({
      request: ask.request!,
      waiter: waiterOf(ask, { now, runner, turn: known.postponed.get(permitKey(ask)) }),
    })),
    ...gated.map((run) => ({ request: run.limits, waiter: waiterOfRun(run) })),
  ]);
  if (stale !== undefined) yield* book.touchWaiting();
  const grants = yield* grantAll(book);
  const refused = yield* refuse(db, book, gated, grants);
  const heldStarts = yield* book.save(grants, now);
  const wakes = yield* wakeRuns(db, grants, gated);
  const answered = [...known.granted, ...grants.flatMap((grant) => grantedTo(runner, grant, heldStarts))];
  const isUntidy = request.tidies === true && (yield* tidy(db));
  const stuck = stale === undefined ? false : yield* staleRuns(db);
  return {
    granted: answered,
    unknown: asks.filter((ask) => ask.request === undefined && !known.holders.has(permitKey(ask))),
    begun: yield* beginStarts(db, runner, begun),
    takenOver,
    ...refused,
    isDue: wakes || stuck,
    more,
    isUntidy,
    nextAt,
  };
}

/** The turn that a unit has kept since it first asked. */
type Turn = Pick<Waiter, "seq" | "rank" | "since">;

function waiterOf(
  { run, task, item, priority, isLasting }: PermitAsk,
  { now, runner, turn }: {
    readonly now: number;
    readonly runner: number | undefined;
    readonly turn: Turn | undefined;
  },
): Waiter {
  const { seq, rank, since } = turn ?? { seq: undefined, rank: rankOf({ priority, dueAt: now }), since: now };
  return { seq, run, task, item, rank, since, holder: isLasting ? HELD_BY_RUN : runner, owner: runner };
}

function waiterOfRun({ seq: run, priority, gateAt, isPaused }: Gated): Waiter {
  const rank = rankOf({ priority, dueAt: gateAt });
  return {
    seq: undefined,
    run,
    task: "",
    item: -1,
    rank,
    since: gateAt,
    holder: undefined,
    owner: undefined,
    isPaused,
  };
}

function among(db: Dialect, column: string, numbers: readonly number[]): Sql | undefined {
  return numbers.length === 0 ? undefined : db.isIn(column, seqs(numbers));
}

function* release(db: Dialect, book: Book, where: Sql | undefined): Op<void> {
  if (where === undefined) return;
  const rows = yield* write(sql`
delete from @permits
 where ${where}
returning run, task, item, queue, case when granted_at is null then 0 else 1 end as is_granted`);
  const permits = rows.map((row) => ({
    ...holderOf(row),
    queue: Number(row["queue"]),
    isGranted: row["is_granted"] === 1,
  }));
  yield* endUnbegun(db, book, yield* book.leave(permits));
}

/** Makes the slots of granted permits free; their units keep their turns until they ask again. */
function* postpone(db: Dialect, book: Book, where: Sql | undefined): Op<void> {
  if (where === undefined) return;
  const rows = yield* all(sql`
select seq, run, task, item, queue
  from @permits
 where granted_at is not null and ${where}`);
  if (rows.length === 0) return;
  yield* change(sql`
update @permits
   set queue = ${NO_QUEUE},
       granted_at = null,
       holder = null
 where ${db.isIn("seq", seqs(rows.map((row) => Number(row["seq"]))))}`);
  const permits = rows.map((row) => ({ ...holderOf(row), queue: Number(row["queue"]), isGranted: true }));
  yield* endUnbegun(db, book, yield* book.leave(permits));
}

function holderOf(row: Row): PermitHolder {
  return { run: Number(row["run"]), task: String(row["task"]), item: Number(row["item"]) };
}

function* giveBack(db: Dialect, { untaken = [], unbegun = [] }: LimitExchange): Op<void> {
  if (unbegun.length > 0) {
    yield* change(sql`update @starts set holder = null where until is null and ${db.isIn("seq", seqs(unbegun))}`);
  }
  const where = ofUnits(db, "@permits", untaken);
  if (where === undefined) return;
  yield* change(sql`
update @permits
   set holder = null
 where granted_at is not null and is_lasting = 0 and ${where}`);
}

/** What these units have asked for before. */
interface Known {
  /** Those that hold a permit or wait for one, by `permitKey()`. */
  readonly holders: ReadonlySet<string>;
  readonly granted: readonly Granted[];
  /** The turns of those that have postponed what they were granted, by `permitKey()`. */
  readonly postponed: ReadonlyMap<string, Turn>;
}

function* readKnown(db: Dialect, runner: number | undefined, asks: readonly PermitAsk[]): Op<Known> {
  if (asks.length === 0) return { holders: new Set(), granted: [], postponed: new Map() };
  const rows = yield* all(sql`
select p.run, p.task, p.item, p.seq, p.queue, p.rank, p.since, case when p.granted_at is null then 0 else 1 end as is_granted
  from ${holderRows(db, asks)}
 cross join @permits as p
 where p.run = h.of_run and p.task = h.of_task and p.item = h.of_item`);
  const found = rows.map((row) => ({
    ...holderOf(row),
    seq: Number(row["seq"]),
    rank: Number(row["rank"]),
    since: Number(row["since"]),
    isGranted: row["is_granted"] === 1,
    isPostponed: Number(row["queue"]) === NO_QUEUE,
  }));
  const granted = found.filter(({ isGranted }) => isGranted);
  if (granted.length > 0) {
    yield* change(sql`
update @permits
   set holder = case when is_lasting = 1 then ${raw(String(HELD_BY_RUN))} else cast(${
      runner ?? HELD_BY_RUN
    } as bigint) end
 where ${db.isIn("seq", seqs(granted.map(({ seq }) => seq)))}`);
  }
  const starts = yield* takeStarts(runner, ofUnits(db, "@starts", granted));
  return {
    holders: new Set(found.filter(({ isPostponed }) => !isPostponed).map(permitKey)),
    postponed: new Map(found.filter(({ isPostponed }) => isPostponed).map((unit) => [permitKey(unit), unit])),
    granted: granted.map(({ run, task, item }) => ({
      run,
      task,
      item,
      starts: starts.get(permitKey({ run, task, item })) ?? [],
    })),
  };
}

/** Grants slots until none of the lanes that were touched has both a free one and a permit that could take it. */
function* grantAll(book: Book): Op<readonly Grant[]> {
  const grants: Grant[] = [];
  yield* book.loadQueues(book.touched);
  for (;;) {
    const { grants: some, unknown: { queues, lanes } } = grantSlots(book.touched);
    grants.push(...some);
    if (queues.size + lanes.size === 0) return grants;
    yield* book.loadQueues(lanes);
    yield* book.loadWaiters(queues);
  }
}

function grantedTo(
  runner: number | undefined,
  { waiter: { run, task, item, owner } }: Grant,
  starts: ReadonlyMap<string, readonly HeldStart[]>,
): Granted[] {
  if (task === "" || owner === undefined || owner !== runner) return [];
  return [{ run, task, item, starts: starts.get(permitKey({ run, task, item })) ?? [] }];
}

/** Runs that were granted their slots become due; the owners of other runs are notified. Returns whether any run is due. */
function* wakeRuns(db: Dialect, grants: readonly Grant[], gated: readonly Gated[]): Op<boolean> {
  const admitted = new Set(grants.flatMap(({ waiter: { run, task } }) => task === "" ? [run] : []));
  const queued = gated.map(({ seq }) => seq).filter((seq) => !admitted.has(seq));
  const units = grants.filter(({ waiter: { task, owner } }) => task !== "" && owner === undefined);
  let due = 0;
  if (queued.length > 0) {
    yield* change(sql`
update @runs
   set gate_at = ${QUEUED},
       state = case when state = 'pending' then 'waiting' else state end
 where ${db.isIn("seq", seqs(queued))} and ended_at is null`);
  }
  if (admitted.size > 0) {
    due += yield* change(sql`
update @runs
   set gate_at = null,
       due_at = ${db.now()},
       state = case when state = 'waiting' then 'pending' else state end
 where ${db.isIn("seq", seqs([...admitted]))} and gate_at is not null and owner is null and ended_at is null`);
  }
  if (units.length > 0) due += yield* wakeUnits(db, [...new Set(units.map(({ waiter: { run } }) => run))]);
  const owners = new Set(
    grants.flatMap(({ waiter: { owner, task } }) => task === "" || owner === undefined ? [] : [owner]),
  );
  if (due > 0 || owners.size > 0) yield* notify(db, { due: due > 0, ended: false, attention: [...owners] });
  return due > 0;
}
