import { COUNTED, countsOf } from "../engine/telemetry/run_counts.ts";
import { parkedFilter } from "../engine/reading/stranded.ts";
import type { ListedRun } from "../store/port/listing.ts";
import { filterOf, numberOf } from "./query.ts";
import { answer, type Asked, type Reading, Refusal, summaryOf } from "./reading.ts";
import type { RunsFilter, RunsPage } from "./shapes.ts";

/** The most runs that one request reads where no index helps. */
export const BUDGET = 10_000;

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
  if (reading.redactor.hidesErrors && filter.error !== undefined) {
    throw new Refusal(400, "Cannot search runs by error: the inspector hides parts of errors");
  }
  const limit = numberOf(query, "limit", 1, LONGEST_PAGE) ?? PAGE;
  const before = numberOf(query, "cursor", 0, Number.MAX_SAFE_INTEGER);
  const [tally, workflows, found] = await Promise.all([
    inspection.tally(COUNTED),
    distinctWorkflows(reading),
    findRuns(reading, filter, limit, before),
  ]);
  const { runs, next, searchedBackTo } = found;
  const cursor = next === undefined ? undefined : String(next);
  return {
    ...answer(reading),
    filter,
    counts: countsOf(tally),
    workflows: [...new Set([...workflows, ...runs.map(({ workflow }) => workflow)])].sort(),
    runs: runs.map((row) => summaryOf(row, reading)),
    isContinued: before !== undefined,
    firstHref: hrefOf(reading, query, undefined),
    nextHref: cursor === undefined ? undefined : hrefOf(reading, query, cursor),
    cursor,
    searchedBackTo,
  };
}

/** The names of all workflows with stored definitions, for the filter. */
export async function distinctWorkflows({ context: { store } }: Reading): Promise<readonly string[]> {
  const definitions = await store.inspection.definitions(MOST_DEFINITIONS);
  return [...new Set(definitions.map(({ workflow }) => workflow))].sort();
}

interface Found {
  readonly runs: readonly ListedRun[];
  readonly next: number | undefined;
  readonly searchedBackTo: number | undefined;
}

async function findRuns(
  { context: { store }, redactor }: Reading,
  { workflow, states, tags, since, until, q, error, isParked }: RunsFilter,
  limit: number,
  before: number | undefined,
): Promise<Found> {
  const wanted = {
    workflow,
    states: states.length === 0 ? undefined : states,
    tags,
    since,
    until,
    error,
    ...isParked && { parked: { groups: await parkedFilter(store), wanted: true } },
    budget: BUDGET,
  };
  // Matches of an id or a key are on the first page. A redacted key must not be guessed letter by letter.
  const named = q === undefined || before !== undefined ? [] : (await store.inspection.find(q, limit))
    .filter(({ id }) => !redactor.isHidden(["key"]) || id.startsWith(q.toLowerCase()));
  const seqs = named.map(({ seq }) => seq);
  const first = seqs.length === 0
    ? []
    : (await store.inspection.search({ ...wanted, seqs, limit: seqs.length, before: undefined })).runs;
  if (redactor.hidesTags && q !== undefined) return { runs: first, next: undefined, searchedBackTo: undefined };
  const { runs, stoppedAt } = await store.inspection.search({
    ...wanted,
    tags: q === undefined ? tags : [...tags, q],
    // One more than is shown, to know whether there is a next page.
    limit: limit + 1,
    before,
  });
  const page = runs.slice(0, limit);
  return {
    runs: [...first.filter(({ seq }) => !page.some((run) => run.seq === seq)), ...page],
    next: runs.length > limit ? page.at(-1)?.seq : stoppedAt?.seq,
    searchedBackTo: stoppedAt?.createdAt,
  };
}

function hrefOf({ path }: Reading, query: URLSearchParams, cursor: string | undefined): string {
  const kept = [...query].filter(([name, value]) => name !== "cursor" && value.trim() !== "");
  const all = new URLSearchParams(cursor === undefined ? kept : [...kept, ["cursor", cursor]]);
  return all.size === 0 ? path("runs") : `${path("runs")}?${all}`;
}
