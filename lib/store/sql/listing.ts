/** Lists of runs, newest first: without a limit on the work for `list()`, within a budget of rows for the inspector. */
import type { RunState } from "../port/batch.ts";
import type { Row } from "../shared/decode.ts";
import type { Search, SearchQuery } from "../port/inspection.ts";
import type { ListQuery } from "../port/listing.ts";
import type { RunRow } from "../port/store.ts";
import { decodeListedRun, LISTED_COLUMNS, SINGLE_COLUMNS } from "../shared/run_rows.ts";
import type { Dialect } from "./dialect.ts";
import { all, first, type Op, pause } from "./operation.ts";
import { keyedRows } from "./key_prefix.ts";
import { canMatch, costOf, filter, isLive, type LiveState } from "./run_filter.ts";
import { firstRows, ofParent, ofSchedule, PAUSED_ROWS, sourceSql, unsuccessful } from "./sources.ts";
import { join, raw, type Sql, sql } from "./statement.ts";

type Unsuccessful = "failed" | "cancelled";

/** A run of a list; numbers are in the order of insertion. */
interface Numbered {
  readonly seq: number;
}

/** Runs with where the search for them stopped. */
interface Found<T> {
  readonly runs: readonly T[];
  readonly stoppedAt: Search["stoppedAt"];
}

/** What is read of each run. */
interface Columns<T> {
  readonly columns: Sql;
  readonly decode: (row: Row) => T;
}

/** How far to look. */
interface Reach {
  /** The most rows that may be read. */
  readonly budget: number;
  /** How far the order of numbers is trusted to be the order of times. */
  readonly slackMs: number;
}

/** What to look for, and how far. */
interface Walk<T> extends Columns<T> {
  readonly query: ListQuery;
  /** The most rows that may be read. */
  readonly budget: number;
  /** Only runs with a smaller number. */
  readonly before: number;
  /** Only runs with this number or a greater one. */
  readonly from: number;
}

const DAY_MS = 86_400_000;

// The slack where rows are counted.
const SLACK_MS = 2_000;

// The newest live runs are mostly near the new end of the table.
const NEAR = 1_000;

// Of more live runs, or runs with keys, a list is found sooner by a walk through the table than by sorting them.
const MOST_LIVE = 10_000;

const NUMBER: Columns<number> = { columns: raw("seq"), decode: (row) => Number(row["seq"]) };

const LISTED: Columns<RunRow> = { columns: raw(LISTED_COLUMNS), decode: decodeListedRun };

const WITH_INPUT: Columns<RunRow> = { columns: raw(SINGLE_COLUMNS), decode: decodeListedRun };

/** The parts that contain all runs of a live state. */
function liveRows(db: Dialect): Readonly<Record<LiveState, readonly Sql[]>> {
  const [held, due, stranded] = (["held", "due", "stranded"] as const).map((source) => sourceSql(db, source));
  return {
    pending: [due!, stranded!],
    running: [held!],
    waiting: [held!, due!, stranded!],
    paused: [raw(PAUSED_ROWS)],
    compensating: [held!, due!, stranded!],
  };
}

const NOTHING: Found<never> = { runs: new Array<never>(), stoppedAt: undefined };

const UNBOUNDED: Reach = { budget: Infinity, slackMs: DAY_MS };

/** All runs that match, newest first. */
export function* listRuns(db: Dialect, query: ListQuery): Op<readonly RunRow[]> {
  return (yield* find(db, query, query.withInput === false ? LISTED : WITH_INPUT, UNBOUNDED)).runs;
}

/** The numbers of all runs that match, newest first. */
export function* listNumbers(db: Dialect, query: ListQuery): Op<readonly number[]> {
  return (yield* find(db, query, NUMBER, UNBOUNDED)).runs;
}

/** Runs that match among those that the budget allows to look at. */
export function* searchRuns(db: Dialect, query: SearchQuery): Op<Search> {
  return yield* find(db, query, LISTED, { budget: query.budget, slackMs: SLACK_MS });
}

function* find<T extends Numbered | number>(
  db: Dialect,
  query: ListQuery,
  columns: Columns<T>,
  { budget, slackMs }: Reach,
): Op<Found<T>> {
  const { states, since, until, parent, parked, schedule } = query;
  if (query.limit <= 0 || !canMatch(query)) return NOTHING;
  const newest = query.before ?? Number.MAX_SAFE_INTEGER;
  const walk: Walk<T> = {
    ...columns,
    query,
    budget,
    before: until === undefined ? newest : Math.min(newest, yield* firstSince(until + slackMs)),
    from: since === undefined ? 0 : yield* firstSince(since - slackMs),
  };
  if (query.seqs !== undefined) return { runs: yield* runsOf(db, walk, undefined), stoppedAt: undefined };
  if (parent !== undefined) return yield* findChildren(db, walk, parent);
  const keyed = yield* findKeyed(db, walk);
  if (keyed !== undefined) return keyed;
  if (schedule !== undefined) return yield* walkTable(db, walk, ofSchedule(schedule));
  if (parked?.wanted === true) {
    const rows = [sourceSql(db, "due"), sourceSql(db, "stranded")];
    return (yield* findFew(db, walk, rows)) ?? (yield* walkTable(db, walk, undefined));
  }
  if (states?.every(isUnsuccessful)) return yield* walkStates(db, walk, [...new Set(states)]);
  if (states?.every(isLive)) return yield* findLive(db, walk, states);
  return yield* walkTable(db, walk, undefined);
}

/** By the index of child runs or, of many, by a walk down to their parent, which was inserted before them. */
function* findChildren<T extends Numbered | number>(db: Dialect, walk: Walk<T>, parent: string): Op<Found<T>> {
  const row = yield* first(sql`select seq from @runs where id = ${parent}`);
  if (row === undefined) return NOTHING;
  const seq = Number(row["seq"]);
  const few = yield* findFew(db, walk, [ofParent(seq)]);
  return few ?? (yield* walkTable(db, { ...walk, from: Math.max(walk.from, seq) }, undefined));
}

/** The runs of these parts; `undefined` if they are so many that a walk finds a page sooner. */
function* findFew<T extends Numbered | number>(
  db: Dialect,
  walk: Walk<T>,
  sources: readonly Sql[],
): Op<Found<T> | undefined> {
  const most = Math.min(walk.budget, MOST_LIVE / costOf(walk.query));
  if ((yield* countUpTo(sources, most + 1)) > most) return undefined;
  return { runs: yield* runsOf(db, walk, sources), stoppedAt: undefined };
}

/** By the indexes of keys; `undefined` without a prefix, or if so many keys begin with it that a walk finds a page sooner. */
function* findKeyed<T extends Numbered | number>(db: Dialect, walk: Walk<T>): Op<Found<T> | undefined> {
  const { workflow, keyPrefix = "" } = walk.query;
  if (keyPrefix === "") return undefined;
  const sources = yield* keyedRows(db, workflow, keyPrefix);
  return sources.length === 0 ? NOTHING : yield* findFew(db, walk, sources);
}

/** Near the new end by a walk, the rest by indexes, or by the walk if too many are live. */
function* findLive<T extends Numbered | number>(
  db: Dialect,
  walk: Walk<T>,
  states: readonly LiveState[],
): Op<Found<T>> {
  const near = yield* walkTable(db, { ...walk, budget: Math.min(walk.budget, NEAR) }, undefined);
  if (near.stoppedAt === undefined) return near;
  const rest: Walk<T> = {
    ...walk,
    before: near.stoppedAt.seq,
    budget: walk.budget - NEAR,
    query: { ...walk.query, limit: walk.query.limit - near.runs.length },
  };
  const rows = liveRows(db);
  const sources = [...new Set(states.flatMap((state) => rows[state]))];
  const few = yield* findFew(db, { ...rest, budget: walk.budget }, sources);
  if (few !== undefined) return { runs: [...near.runs, ...few.runs], stoppedAt: undefined };
  if (rest.budget <= 0) return near;
  const further = yield* walkTable(db, rest, undefined);
  return { runs: [...near.runs, ...further.runs], stoppedAt: further.stoppedAt };
}

/** The number of the first run that was inserted at this time or later, by halving: each step reads two rows. */
export function* firstSince(at: number): Op<number> {
  const isBefore = sql`(select created_at from @runs where seq >= (low + high) / 2 order by seq limit 1) < ${at}`;
  const row = yield* first(sql`
with recursive narrowed (low, high) as (
  select (select min(seq) from @runs), (select max(seq) from @runs) + 1
   union all
  select case when ${isBefore} then (low + high) / 2 + 1 else low end,
         case when ${isBefore} then high else (low + high) / 2 end
    from narrowed
   where low < high
)
select low
  from narrowed
 where low = high`);
  return Number(row?.["low"] ?? 0);
}

/** Goes through the table, or through a part of it that an index has in the order of numbers, from the new end. */
function* walkTable<T extends Numbered | number>(db: Dialect, walk: Walk<T>, part: Sql | undefined): Op<Found<T>> {
  const { query, from } = walk;
  const stride = db.stride / costOf(query);
  const runs: T[] = [];
  let before = walk.before;
  for (let left = walk.budget;; left -= stride) {
    const stretch: Stretch = { part, before, rows: Math.min(left, stride) };
    const limit = query.limit - runs.length;
    runs.push(...yield* matching(db, { ...walk, before, query: { ...query, limit } }, stretch));
    if (stretch.rows === Infinity || runs.length >= query.limit) return { runs, stoppedAt: undefined };
    const last = yield* lastOf(stretch);
    if (last === undefined || last.isOldest || last.seq <= from) return { runs, stoppedAt: undefined };
    if (left <= stretch.rows) return { runs, stoppedAt: { seq: last.seq, createdAt: last.createdAt } };
    before = last.seq;
    yield* pause();
  }
}

/** Each state by its part of the index. What lies behind the walk that stopped first is left for the next page. */
function* walkStates<T extends Numbered | number>(
  db: Dialect,
  walk: Walk<T>,
  states: readonly Unsuccessful[],
): Op<Found<T>> {
  const found: Found<T>[] = [];
  for (const state of states) found.push(yield* walkTable(db, walk, unsuccessful(state)));
  const stops = found.flatMap(({ stoppedAt }) => stoppedAt ?? []).sort((a, b) => b.seq - a.seq);
  const floor = stops[0]?.seq ?? 0;
  const runs = found.flatMap((part) => part.runs)
    .filter((run) => numberOf(run) >= floor)
    .sort((a, b) => numberOf(b) - numberOf(a))
    .slice(0, walk.query.limit);
  return { runs, stoppedAt: runs.length < walk.query.limit ? stops[0] : undefined };
}

/** The next runs below a number: so many of a part or, of all, those with as many numbers. */
interface Stretch {
  readonly part: Sql | undefined;
  readonly before: number;
  readonly rows: number;
}

/** The lowest number of a stretch. */
function floorOf({ part, before, rows }: Stretch): Sql {
  return part === undefined ? sql`(select max(seq) from @runs where seq < ${before}) - ${rows - 1}` : sql`
       coalesce((select seq
                   from ${part} and seq < ${before}
                  order by seq desc
                  limit 1 offset ${rows - 1}), 0)`;
}

/** The last run of a stretch, if there is any. */
function* lastOf(
  stretch: Stretch,
): Op<{ readonly seq: number; readonly createdAt: number; readonly isOldest: boolean } | undefined> {
  const row = yield* first(sql`
select seq, created_at, (select min(seq) from ${rowsOf(stretch)}) as oldest
  from ${rowsOf(stretch)}
   and seq >= ${floorOf(stretch)}
   and seq < ${stretch.before}
 order by seq
 limit 1`);
  if (row === undefined) return undefined;
  const seq = Number(row["seq"]);
  return { seq, createdAt: Number(row["created_at"]), isOldest: seq === row["oldest"] };
}

// `+` keeps the second lower bound out of the index condition: SQLite uses one of two, and would walk to the end.
function* matching<T>(db: Dialect, { query, columns, decode, before, from }: Walk<T>, stretch: Stretch): Op<T[]> {
  const rows = yield* all(sql`
select ${columns}
  from ${rowsOf(stretch)}
   and seq < ${before}
   and ${stretch.rows === Infinity ? sql`seq >= ${from}` : sql`seq >= ${floorOf(stretch)} and +seq >= ${from}`}
   and ${filter(db, query)}
 order by seq desc
 limit ${query.limit}`);
  return rows.map(decode);
}

/** The newest runs of parts of which each has at most `MOST_LIVE`, or of the numbers that the query names. */
function* runsOf<T>(db: Dialect, walk: Walk<T>, sources: readonly Sql[] | undefined): Op<T[]> {
  const { query, columns, decode, before, from } = walk;
  const seqs = sources && join(sources.map((source) => firstRows(source, "seq", MOST_LIVE)), " union all ");
  const rows = yield* all(sql`
select ${columns}
  from @runs
 where ${seqs === undefined ? sql`true` : db.isIn("seq", seqs)}
   and seq < ${before} and seq >= ${from}
   and ${filter(db, query)}
 order by seq desc
 limit ${query.limit}`);
  return rows.map(decode);
}

function* countUpTo(sources: readonly Sql[], most: number): Op<number> {
  const seqs = join(sources.map((source) => firstRows(source, "seq", most)), " union all ");
  const row = yield* first(sql`select count(*) as runs from (${seqs}) as live`);
  return Number(row?.["runs"]);
}

function rowsOf({ part }: Stretch): Sql {
  return part ?? raw("@runs where true");
}

function numberOf(run: Numbered | number): number {
  return typeof run === "number" ? run : run.seq;
}

function isUnsuccessful(state: RunState): state is Unsuccessful {
  return state === "failed" || state === "cancelled";
}
