import type { RunState } from "../store/batch.ts";
import type { Tally } from "../store/inspection.ts";
import type { ListedRun } from "../store/listing.ts";
import { filterOf, numberOf } from "./query.ts";
import { answer, type Asked, type Reading, Refusal, summaryOf } from "./reading.ts";
import type { BoundedCount, RunsFilter, RunsPage, StateCounts } from "./shapes.ts";

/** How many runs one request may look at where no index helps. */
export const BUDGET = 10_000;

/** Up to how many runs are counted. */
export const COUNTED = 10_000;

const PAGE = 50;
const LONGEST_PAGE = 500;
const MOST_DEFINITIONS = 1_000;

/**
 * Runs, newest first.
 *
 * @throws {Refusal} If the query cannot be understood.
 */
export async function loadRuns(reading: Reading, { query }: Asked): Promise<RunsPage> {
  const { inspection } = reading.context.store;
  const filter = filterOf(query);
  if (reading.redactor.hidesTags && filter.tags.length > 0) {
    throw new Refusal(400, "Cannot search runs by tag: the inspector hides their tags");
  }
  const limit = numberOf(query, "limit", 1, LONGEST_PAGE) ?? PAGE;
  const before = numberOf(query, "cursor", 0, Number.MAX_SAFE_INTEGER);
  const [tally, definitions, found] = await Promise.all([
    inspection.tally(COUNTED),
    inspection.definitions(MOST_DEFINITIONS),
    findRuns(reading, filter, limit, before),
  ]);
  const { runs, next, searchedBackTo } = found;
  const cursor = next === undefined ? undefined : String(next);
  return {
    ...answer(reading),
    filter,
    counts: countsOf(tally),
    workflows: [...new Set([...definitions, ...runs].map(({ workflow }) => workflow))].sort(),
    runs: runs.map((row) => summaryOf(row, reading)),
    isContinued: before !== undefined,
    firstHref: hrefOf(reading, query, undefined),
    nextHref: cursor === undefined ? undefined : hrefOf(reading, query, cursor),
    cursor,
    searchedBackTo,
  };
}

/** Counts as they are told, with those estimated that were not counted to the end. */
export function countsOf({ states, total, sample }: Tally): StateCounts {
  const sampled = Object.values(sample).reduce((sum, runs) => sum + runs, 0);
  const share = (state: RunState): number => Math.round(total * (sample[state] ?? 0) / Math.max(1, sampled));
  const countOf = (state: Exclude<RunState, "completed">): BoundedCount => {
    const { count, isCapped } = states[state];
    if (!isCapped) return { count, precision: "exact" };
    return share(state) > count ? { count: share(state), precision: "about" } : { count, precision: "atLeast" };
  };
  const live = Object.values(states);
  const others = live.reduce((sum, { count }) => sum + count, 0);
  const completed = live.some(({ isCapped }) => isCapped) ? share("completed") : Math.max(0, total - others);
  return {
    pending: countOf("pending"),
    running: countOf("running"),
    waiting: countOf("waiting"),
    paused: countOf("paused"),
    compensating: countOf("compensating"),
    completed: { count: completed, precision: sampled === 0 ? "exact" : "about" },
    failed: countOf("failed"),
    cancelled: countOf("cancelled"),
  };
}

interface Found {
  readonly runs: readonly ListedRun[];
  readonly next: number | undefined;
  readonly searchedBackTo: number | undefined;
}

async function findRuns(
  { context: { store }, redactor }: Reading,
  filter: RunsFilter,
  limit: number,
  before: number | undefined,
): Promise<Found> {
  const { workflow, states, since, until, q } = filter;
  // Matches of an id or a key are on the first page. A hidden key must not be found letter by letter.
  const named = q === undefined || before !== undefined ? [] : (await store.inspection.find(q, limit))
    .filter(({ id }) => !redactor.isHidden(["key"]) || id.startsWith(q.toLowerCase()));
  if (redactor.hidesTags && q !== undefined) {
    return { runs: named.filter((run) => isWanted(run, filter)), next: undefined, searchedBackTo: undefined };
  }
  const { runs, stoppedAt } = await store.inspection.search({
    workflow,
    states: states.length === 0 ? undefined : states,
    tags: q === undefined ? filter.tags : [...filter.tags, q],
    since,
    until,
    // One more than is told, to see whether there is a next page.
    limit: limit + 1,
    before,
    budget: BUDGET,
  });
  const page = runs.slice(0, limit);
  const first = named.filter((run) => isWanted(run, filter) && !page.some(({ seq }) => seq === run.seq));
  return {
    runs: [...first, ...page],
    next: runs.length > limit ? page.at(-1)?.seq : stoppedAt?.seq,
    searchedBackTo: stoppedAt?.createdAt,
  };
}

function isWanted(run: ListedRun, { workflow, states, tags, since, until }: RunsFilter): boolean {
  return (workflow === undefined || run.workflow === workflow) &&
    (states.length === 0 || states.includes(run.state)) &&
    tags.every((tag) => run.tags.includes(tag)) &&
    (since === undefined || run.createdAt >= since) &&
    (until === undefined || run.createdAt < until);
}

function hrefOf({ path }: Reading, query: URLSearchParams, cursor: string | undefined): string {
  const kept = [...query].filter(([name, value]) => name !== "cursor" && value.trim() !== "");
  const all = new URLSearchParams(cursor === undefined ? kept : [...kept, ["cursor", cursor]]);
  return all.size === 0 ? path("runs") : `${path("runs")}?${all}`;
}
