/** How runs ended: failed ones in groups, and how many ended when. Each read looks at a bounded number of rows. */
import type { FailureGroup, Failures, FailuresQuery, Outcomes, OutcomesQuery } from "../port/inspection.ts";
import type { Dialect } from "./dialect.ts";
import { firstSince } from "./listing.ts";
import { all, first, type Op, pause } from "./operation.ts";
import { unsuccessful } from "./sources.ts";
import { join, raw, type Sql, sql } from "./statement.ts";
import { isStorable } from "./texts.ts";

// A row costs so many times as much to read if its error is parsed.
const ERROR_COST = 10;

// The functions of SQLite end a text at its first null character.
const WITHOUT_NULL = "replace(error, '\\u0000', '\\ufffd')";

const LONGEST_ERROR = 300;
const MOST_WORKFLOWS = 3;

/** The most failed or cancelled runs that are read for all spans together. */
const MOST_UNSUCCESSFUL = 5_000;

/** A span of numbers that is larger than all stretches together is sampled by stretches at equal distances. */
const STRETCHES = 64;
const WIDTH = 256;

/** A statement has this many stretches where it blocks the event loop, so that its text is the same for each. */
const STRETCHES_AT_ONCE = 8;

interface Growing extends Omit<FailureGroup, "workflows"> {
  runs: number;
  firstEndedAt: number;
  lastEndedAt: number;
  readonly workflows: Set<string>;
}

/** Groups the newest failed runs. */
export function* readFailures(db: Dialect, query: FailuresQuery): Op<Failures> {
  const { workflow, endedSince, by, budget, limit } = query;
  const groups = new Map<string, Growing>();
  const stride = Math.min(budget, db.stride / ERROR_COST);
  const columns = by === "workflow" ? raw("null as error") : sql`
       substr(${db.textAt(WITHOUT_NULL, [[["name"], ": "], [["message"], ""]])}, 1, ${LONGEST_ERROR}) as error`;
  if (!isStorable(workflow ?? "")) return { groups: [], groupCount: 0, runs: 0, isCapped: false };
  let before = Number.MAX_SAFE_INTEGER;
  let runs = 0;
  for (let left = budget;; left -= stride) {
    const rows = left <= 0 ? [] : yield* all(sql`
select seq, id, workflow, ended_at, ${columns}
  from ${unsuccessful("failed")} and seq < ${before}
 order by seq desc
 limit ${Math.min(left, stride)}`);
    for (const row of rows) {
      const [of, endedAt] = [String(row["workflow"]), Number(row["ended_at"] ?? 0)];
      if (workflow !== undefined && of !== workflow || endedSince !== undefined && endedAt < endedSince) continue;
      const text = row["error"];
      const error = typeof text === "string" ? text.split(/[\r\n]/, 1)[0]! : undefined;
      runs++;
      add(groups, by === "workflow" ? of : error ?? "", { id: String(row["id"]), workflow: of, error, endedAt });
    }
    before = Number(rows.at(-1)?.["seq"] ?? before);
    if (rows.length < stride || left <= stride) break;
    yield* pause();
  }
  const next = yield* first(sql`select seq from ${unsuccessful("failed")} and seq < ${before} limit 1`);
  const sorted = [...groups.values()].sort((a, b) => b.runs - a.runs || b.lastEndedAt - a.lastEndedAt);
  return {
    groups: sorted.slice(0, limit).map((group) => ({ ...group, workflows: [...group.workflows] })),
    groupCount: groups.size,
    runs,
    isCapped: next !== undefined,
  };
}

function add(
  groups: Map<string, Growing>,
  key: string,
  { id, workflow, error, endedAt }: {
    readonly id: string;
    readonly workflow: string;
    readonly error: string | undefined;
    readonly endedAt: number;
  },
): void {
  const group = groups.get(key);
  if (group === undefined) {
    const ended = { firstEndedAt: endedAt, lastEndedAt: endedAt };
    groups.set(key, { error, runs: 1, workflows: new Set([workflow]), latestId: id, ...ended });
    return;
  }
  group.runs++;
  if (group.workflows.size < MOST_WORKFLOWS) group.workflows.add(workflow);
  group.firstEndedAt = Math.min(group.firstEndedAt, endedAt);
  group.lastEndedAt = Math.max(group.lastEndedAt, endedAt);
}

/** Counts how many runs ended when, for each of the spans. */
export function* readOutcomes(db: Dialect, spans: readonly OutcomesQuery[]): Op<readonly Outcomes[]> {
  const failed = yield* readEnds(db, "failed");
  const cancelled = yield* readEnds(db, "cancelled");
  const outcomes: Outcomes[] = [];
  for (const span of spans) {
    const completed = yield* countCompleted(db, span);
    outcomes.push({
      completed: completed.counts,
      failed: inBuckets(failed, span),
      cancelled: inBuckets(cancelled, span),
      isEstimated: completed.isSampled || failed.length >= MOST_UNSUCCESSFUL || cancelled.length >= MOST_UNSUCCESSFUL,
    });
  }
  return outcomes;
}

/** When the newest unsuccessful runs ended. */
function* readEnds(db: Dialect, state: "failed" | "cancelled"): Op<readonly number[]> {
  const ends: number[] = [];
  const stride = Math.min(MOST_UNSUCCESSFUL, db.stride);
  for (let before = Number.MAX_SAFE_INTEGER; ends.length < MOST_UNSUCCESSFUL;) {
    const rows = yield* all(sql`
select seq, ended_at
  from ${unsuccessful(state)} and seq < ${before}
 order by seq desc
 limit ${stride}`);
    ends.push(...rows.map((row) => Number(row["ended_at"])));
    if (rows.length < stride) break;
    before = Number(rows.at(-1)?.["seq"]);
    yield* pause();
  }
  return ends;
}

function inBuckets(ends: readonly number[], { since, bucketMs, buckets }: OutcomesQuery): readonly number[] {
  const counts = Array.from({ length: buckets }, () => 0);
  for (const at of ends) {
    const bucket = Math.floor((at - since) / bucketMs);
    if (bucket >= 0 && bucket < buckets) counts[bucket]!++;
  }
  return counts;
}

function* countCompleted(
  db: Dialect,
  { since, bucketMs, buckets }: OutcomesQuery,
): Op<{ readonly counts: readonly number[]; readonly isSampled: boolean }> {
  const low = yield* firstSince(since - buckets * bucketMs);
  const newest = yield* first(sql`select max(seq) as seq from @runs`);
  const numbers = Math.max(0, Number(newest?.["seq"] ?? 0) + 1 - low);
  const isSampled = numbers > STRETCHES * WIDTH;
  const step = isSampled ? (numbers - WIDTH) / (STRETCHES - 1) : WIDTH;
  const starts = Array.from({ length: Math.min(STRETCHES, Math.ceil(numbers / WIDTH)) }, (_, i) => low + i * step);
  const counts = Array.from({ length: buckets }, () => 0);
  const atOnce = db.stride === Infinity ? STRETCHES : STRETCHES_AT_ONCE;
  for (let next = 0; next < starts.length; next += atOnce) {
    const some = Array.from({ length: atOnce }, (_, i) => starts[next + i]);
    const ended = some.map((start): Sql => {
      const [from, to] = start === undefined ? [0, 0] : [Math.floor(start), Math.floor(start) + WIDTH];
      return sql`
select ended_at from @runs where seq >= ${from} and seq < ${to} and state = 'completed' and ended_at >= ${since}`;
    });
    const rows = yield* all(sql`
select cast((ended_at - ${since}) / ${bucketMs} as bigint) as bucket, count(*) as runs
  from (${join(ended, "\n union all ")}) as ended
 group by bucket`);
    for (const row of rows) {
      const bucket = Number(row["bucket"]);
      if (bucket < buckets) counts[bucket]! += Number(row["runs"]);
    }
    yield* pause();
  }
  const scale = isSampled ? numbers / (STRETCHES * WIDTH) : 1;
  return { counts: counts.map((count) => Math.round(count * scale)), isSampled };
}
