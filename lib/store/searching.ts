/** How the inspector's search stays bounded, whatever is looked for: the same on every backend. */
import type { RunState } from "./batch.ts";
import type { ListedRun } from "./listing.ts";
import type { Search, SearchQuery } from "./inspection.ts";

/** Where a search stopped. */
export type Stop = NonNullable<Search["stoppedAt"]>;

/** Rows from `before` (not included) down to `from` (included) that match a query; of one unsuccessful state, or of all. */
export interface Stretch {
  /** What they must match. */
  readonly query: SearchQuery;
  /** Only rows with a smaller number. */
  readonly before: number;
  /** Only rows with this number or a greater one. */
  readonly from: number;
  /** Only `failed` or `cancelled` ones, by their index. */
  readonly state: RunState | undefined;
  /** At most so many. */
  readonly limit: number;
}

/** What a backend does for a search. */
export interface SearchWays {
  /** How many rows to look at in one go. */
  readonly stride: number;
  /** Called between two strides. */
  readonly breathe: () => Promise<void>;
  /** The number of the first row that was inserted at this time or later; by halving. */
  readonly seqAt: (at: number) => Promise<number>;
  /** The last of the next `rows` rows below `before`, of one unsuccessful state or of all; `undefined` if there are fewer. */
  readonly stop: (before: number, rows: number, state: RunState | undefined) => Promise<Stop | undefined>;
  /** Matching rows of a stretch, newest first. */
  readonly walk: (stretch: Stretch) => Promise<readonly ListedRun[]>;
  /** Matching live runs, newest first, by their indexes; `undefined` if more than `budget` runs are live. */
  readonly live: (query: SearchQuery, before: number, from: number) => Promise<readonly ListedRun[] | undefined>;
}

// How far clocks are trusted.
const SLACK_MS = 2_000;

/** Looks for runs: by the small index that holds what can match, if there is one; else from the new end of the table. */
export async function searchRuns(query: SearchQuery, ways: SearchWays): Promise<Search> {
  const { states, since, until, limit } = query;
  if (limit <= 0 || states?.length === 0) return { runs: [], stoppedAt: undefined };
  const most = query.before ?? Number.MAX_SAFE_INTEGER;
  const before = until === undefined ? most : Math.min(most, await ways.seqAt(until + SLACK_MS));
  const from = since === undefined ? 0 : await ways.seqAt(since - SLACK_MS);
  if (states?.every(isUnsuccessful)) return await ofStates([...new Set(states)], { query, before, from, ways });
  if (states?.every(isLive)) {
    const runs = await ways.live(query, before, from);
    if (runs !== undefined) return { runs, stoppedAt: undefined };
  }
  return await walk({ query, before, from, ways, state: undefined });
}

/** Whether the id of a run may begin like this. Four digits at least: fewer are more often a key. */
export function isIdPrefix(text: string): boolean {
  return text.length >= 4 && text.length <= 36 && /^[0-9a-f]{1,8}(-[0-9a-f]{0,4}){0,3}(-[0-9a-f]{0,12})?$/i.test(text);
}

interface Walk {
  readonly query: SearchQuery;
  readonly before: number;
  readonly from: number;
  readonly ways: SearchWays;
}

async function walk(
  { query, before, from, ways, state }: Walk & { readonly state: RunState | undefined },
): Promise<Search> {
  const runs: ListedRun[] = [];
  let end = before;
  for (let left = query.budget; left > 0; left -= ways.stride) {
    if (left < query.budget) await ways.breathe();
    const stop = await ways.stop(end, Math.min(left, ways.stride), state);
    const floor = Math.max(from, stop?.seq ?? 0);
    runs.push(...await ways.walk({ query, before: end, from: floor, state, limit: query.limit - runs.length }));
    if (stop === undefined || stop.seq <= from || runs.length >= query.limit) return { runs, stoppedAt: undefined };
    end = stop.seq;
    if (left <= ways.stride) return { runs, stoppedAt: stop };
  }
  return { runs, stoppedAt: undefined };
}

/** Each by its own part of the index; what is further back than the walk that stopped first is left for the next page. */
async function ofStates(states: readonly RunState[], of: Walk): Promise<Search> {
  const found: Search[] = [];
  for (const state of states) found.push(await walk({ ...of, state }));
  const stops = found.flatMap(({ stoppedAt }) => stoppedAt ?? []).sort((a, b) => b.seq - a.seq);
  const floor = stops[0]?.seq ?? 0;
  const all = found.flatMap(({ runs }) => runs).filter(({ seq }) => seq >= floor).sort((a, b) => b.seq - a.seq);
  const runs = all.slice(0, of.query.limit);
  return { runs, stoppedAt: runs.length < of.query.limit ? stops[0] : undefined };
}

function isUnsuccessful(state: RunState): boolean {
  return state === "failed" || state === "cancelled";
}

function isLive(state: RunState): boolean {
  return state !== "completed" && !isUnsuccessful(state);
}
