/** Lists of runs, newest first: without a limit on the work for `list()`, within a budget of rows for the inspector. */
import type { RunState } from "../batch.ts";
import type { Search, SearchQuery } from "../inspection.ts";
import type { ListQuery } from "../listing.ts";
import type { RunRow } from "../port.ts";
import { SHOWN_STATE } from "../hand_over.ts";
import { decodeListedRun, LISTED_COLUMNS, SINGLE_COLUMNS } from "../run_rows.ts";
import { type Dialect, texts } from "./dialect.ts";
import { all, first, type Op, pause } from "./operation.ts";
import { keyedRows } from "./key_prefix.ts";
import { firstRows, PAUSED_ROWS, sourceSql, unsuccessful } from "./sources.ts";
import { and, join, raw, type Sql, sql } from "./statement.ts";
import { isStorable } from "./texts.ts";

type Unsuccessful = "failed" | "cancelled";
type LiveState = "pending" | "running" | "waiting" | "paused" | "compensating";

/** Runs with where the search for them stopped. */
interface Found extends Search {
  readonly runs: readonly RunRow[];
}

/** What to look for, and how far. */
interface Walk {
  readonly query: ListQuery;
  readonly columns: Sql;
  /** How many rows may be looked at. */
  readonly budget: number;
  /** Only runs with a smaller number. */
  readonly before: number;
  /** Only runs with this number or a greater one. */
  readonly from: number;
}

const DAY_MS = 86_400_000;

// How far the order of numbers is trusted to be the order of times, where rows are counted.
const SLACK_MS = 2_000;

// The newest live runs are mostly near the new end of the table.
const NEAR = 1_000;

// Of more live runs, or runs with keys, a list is found sooner by a walk through the table than by sorting them.
const MOST_LIVE = 10_000;

// A row costs more to read by this factor where its tags are parsed: a hundred long ones.
const TAGS_COST = 10;

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

const NOTHING: Found = { runs: [], stoppedAt: undefined };

/** All runs that match, newest first. */
export function* listRuns(db: Dialect, query: ListQuery): Op<readonly RunRow[]> {
  return (yield* find(db, query, { columns: SINGLE_COLUMNS, budget: Infinity, slackMs: DAY_MS })).runs;
}

/** Runs that match among those that the budget allows to look at. */
export function* searchRuns(db: Dialect, query: SearchQuery): Op<Search> {
  return yield* find(db, query, { columns: LISTED_COLUMNS, budget: query.budget, slackMs: SLACK_MS });
}

function* find(
  db: Dialect,
  query: ListQuery,
  options: { readonly columns: string; readonly budget: number; readonly slackMs: number },
): Op<Found> {
  const { states, since, until } = query;
  const { budget, slackMs } = options;
  if (query.limit <= 0 || states?.length === 0 || !isStorable(textsIn(query))) return NOTHING;
  const newest = query.before ?? Number.MAX_SAFE_INTEGER;
  const walk: Walk = {
    query,
    columns: raw(options.columns),
    budget,
    before: until === undefined ? newest : Math.min(newest, yield* firstSince(until + slackMs)),
    from: since === undefined ? 0 : yield* firstSince(since - slackMs),
  };
  const keyed = yield* findKeyed(db, walk);
  if (keyed !== undefined) return keyed;
  if (states?.every(isUnsuccessful)) return yield* walkStates(db, walk, [...new Set(states)]);
  if (states?.every(isLive)) return yield* findLive(db, walk, states);
  return yield* walkTable(db, walk, undefined);
}

/** By the indexes of keys; `undefined` without a prefix, or if so many keys begin with it that a walk finds a page sooner. */
function* findKeyed(db: Dialect, walk: Walk): Op<Found | undefined> {
  const { workflow, keyPrefix = "" } = walk.query;
  if (keyPrefix === "") return undefined;
  const sources = yield* keyedRows(db, workflow, keyPrefix);
  if (sources.length === 0) return NOTHING;
  const most = Math.min(walk.budget, MOST_LIVE / costOf(walk.query));
  if ((yield* countUpTo(sources, most + 1)) > most) return undefined;
  return { runs: yield* runsOf(db, walk, sources), stoppedAt: undefined };
}

/** Near the new end by a walk, the rest by indexes, or by the walk if too many are live. */
function* findLive(db: Dialect, walk: Walk, states: readonly LiveState[]): Op<Found> {
  const near = yield* walkTable(db, { ...walk, budget: Math.min(walk.budget, NEAR) }, undefined);
  if (near.stoppedAt === undefined) return near;
  const rest: Walk = {
    ...walk,
    before: near.stoppedAt.seq,
    budget: walk.budget - NEAR,
    query: { ...walk.query, limit: walk.query.limit - near.runs.length },
  };
  const rows = liveRows(db);
  const sources = [...new Set(states.flatMap((state) => rows[state]))];
  const most = Math.min(walk.budget, MOST_LIVE / costOf(walk.query));
  if ((yield* countUpTo(sources, most + 1)) <= most) {
    return { runs: [...near.runs, ...yield* runsOf(db, rest, sources)], stoppedAt: undefined };
  }
  if (rest.budget <= 0) return near;
  const further = yield* walkTable(db, rest, undefined);
  return { runs: [...near.runs, ...further.runs], stoppedAt: further.stoppedAt };
}

/** The number of the first run that was inserted at this time or later, by halving: each step reads two rows. */
function* firstSince(at: number): Op<number> {
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

/** Goes through the table, or through the runs of one state, from the new end. */
function* walkTable(db: Dialect, walk: Walk, state: Unsuccessful | undefined): Op<Found> {
  const { query, from } = walk;
  const stride = db.stride / costOf(query);
  const runs: RunRow[] = [];
  let before = walk.before;
  for (let left = walk.budget;; left -= stride) {
    const stretch: Stretch = { state, before, rows: Math.min(left, stride) };
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
function* walkStates(db: Dialect, walk: Walk, states: readonly Unsuccessful[]): Op<Found> {
  const found: Found[] = [];
  for (const state of states) found.push(yield* walkTable(db, walk, state));
  const stops = found.flatMap(({ stoppedAt }) => stoppedAt ?? []).sort((a, b) => b.seq - a.seq);
  const floor = stops[0]?.seq ?? 0;
  const runs = found.flatMap((part) => part.runs)
    .filter(({ seq }) => seq >= floor)
    .sort((a, b) => b.seq - a.seq)
    .slice(0, walk.query.limit);
  return { runs, stoppedAt: runs.length < walk.query.limit ? stops[0] : undefined };
}

/** The next runs below a number: so many of one state or, of all, those with as many numbers. */
interface Stretch {
  readonly state: Unsuccessful | undefined;
  readonly before: number;
  readonly rows: number;
}

/** The lowest number of a stretch. */
function floorOf({ state, before, rows }: Stretch): Sql {
  return state === undefined ? sql`(select max(seq) from @runs where seq < ${before}) - ${rows - 1}` : sql`
       coalesce((select seq
                   from ${tableOf(state)} and seq < ${before}
                  order by seq desc
                  limit 1 offset ${rows - 1}), 0)`;
}

/** The last run of a stretch, if there is any. */
function* lastOf(
  stretch: Stretch,
): Op<{ readonly seq: number; readonly createdAt: number; readonly isOldest: boolean } | undefined> {
  const row = yield* first(sql`
select seq, created_at, (select min(seq) from ${tableOf(stretch.state)}) as oldest
  from ${tableOf(stretch.state)}
   and seq >= ${floorOf(stretch)}
   and seq < ${stretch.before}
 order by seq
 limit 1`);
  if (row === undefined) return undefined;
  const seq = Number(row["seq"]);
  return { seq, createdAt: Number(row["created_at"]), isOldest: seq === row["oldest"] };
}

// `+` keeps the second lower bound out of the index condition: SQLite uses one of two, and would walk to the end.
function* matching(db: Dialect, { query, columns, before, from }: Walk, stretch: Stretch): Op<RunRow[]> {
  const rows = yield* all(sql`
select ${columns}
  from ${tableOf(stretch.state)}
   and seq < ${before}
   and ${stretch.rows === Infinity ? sql`seq >= ${from}` : sql`seq >= ${floorOf(stretch)} and +seq >= ${from}`}
   and ${filter(db, query)}
 order by seq desc
 limit ${query.limit}`);
  return rows.map(decodeListedRun);
}

/** The newest runs of parts of which each has at most `MOST_LIVE`. */
function* runsOf(db: Dialect, { query, columns, before, from }: Walk, sources: readonly Sql[]): Op<RunRow[]> {
  const seqs = join(sources.map((source) => firstRows(source, "seq", MOST_LIVE)), " union all ");
  const rows = yield* all(sql`
select ${columns}
  from @runs
 where ${db.isIn("seq", seqs)}
   and seq < ${before} and seq >= ${from}
   and ${filter(db, query)}
 order by seq desc
 limit ${query.limit}`);
  return rows.map(decodeListedRun);
}

function* countUpTo(sources: readonly Sql[], most: number): Op<number> {
  const seqs = join(sources.map((source) => firstRows(source, "seq", most)), " union all ");
  const row = yield* first(sql`select count(*) as runs from (${seqs}) as live`);
  return Number(row?.["runs"]);
}

function tableOf(state: Unsuccessful | undefined): Sql {
  return state === undefined ? raw("@runs where true") : unsuccessful(state);
}

function filter(db: Dialect, { workflow, states, since, until, tags, keyPrefix = "" }: ListQuery): Sql {
  const conditions: Sql[] = [];
  if (workflow !== undefined) conditions.push(sql`workflow = ${workflow}`);
  if (states !== undefined) conditions.push(db.isIn(states.some(isShown) ? SHOWN_STATE : "state", texts(states)));
  // In code points, which both databases count.
  if (keyPrefix !== "") conditions.push(sql`substr(key, 1, ${[...keyPrefix].length}) = ${keyPrefix}`);
  if (since !== undefined) conditions.push(sql`created_at >= ${since}`);
  if (until !== undefined) conditions.push(sql`created_at < ${until}`);
  if (tags !== undefined && tags.length > 0) conditions.push(db.holdsAll("tags", tags));
  return and(conditions);
}

function textsIn({ workflow = "", tags = [], keyPrefix = "" }: ListQuery): string {
  return [workflow, keyPrefix, ...tags].join(" ");
}

function costOf({ tags = [] }: ListQuery): number {
  return tags.length === 0 ? 1 : TAGS_COST;
}

function isUnsuccessful(state: RunState): state is Unsuccessful {
  return state === "failed" || state === "cancelled";
}

function isLive(state: RunState): state is LiveState {
  return isShown(state) || state === "paused";
}

/** Whether the column does not decide who has a state: a run that is compensated is reported as such. */
function isShown(state: RunState): state is Exclude<LiveState, "paused"> {
  return state === "pending" || state === "running" || state === "waiting" || state === "compensating";
}
