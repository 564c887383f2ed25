import { textProblem } from "../text_limits.ts";
import { type Checks, newChecks, shown } from "../definition/checks.ts";
import type { RunState } from "../store/batch.ts";
import type { ListQuery } from "../store/listing.ts";
import type { Store } from "../store/port.ts";
import { count, refuse } from "./options.ts";
import { type RunInfo, runInfo } from "./run_info.ts";

/** Filter and page of a list of runs. A run must match all filters. */
export interface ListOptions {
  /** Name of the workflow. */
  readonly workflow?: string;
  /** A state, or several of which the run has one. */
  readonly state?: RunState | readonly RunState[];
  /** Tags, all of which the run has. */
  readonly tags?: readonly string[];
  /** Beginning of the key of the run. Runs without a key do not match. */
  readonly keyPrefix?: string;
  /** The run was inserted at this time or later (a number is milliseconds since the epoch). */
  readonly since?: Date | number;
  /** The run was inserted before this time (a number is milliseconds since the epoch). */
  readonly until?: Date | number;
  /** Runs per page, from 1 to 1,000. @default {50} */
  readonly limit?: number;
  /** `cursor` of the previous page. @default {undefined} the first page */
  readonly cursor?: string;
}

/** A page of runs, newest first. */
export interface RunPage {
  /** Runs of the page. */
  readonly runs: readonly RunInfo[];
  /** Cursor of the next page; `undefined` on the last page. */
  readonly cursor: string | undefined;
}

/**
 * Lists runs, newest first. Pages follow a keyset: each costs the same as the first, and no run is listed twice.
 *
 * @throws {TypeError} If an option is invalid.
 */
export async function listRuns(store: Store, options: ListOptions = {}): Promise<RunPage> {
  const query = checkQuery(options);
  // One more than the limit, to know whether there is a next page.
  const rows = await store.list({ ...query, limit: query.limit + 1 });
  const page = rows.slice(0, query.limit);
  return {
    runs: page.map(runInfo),
    cursor: rows.length > query.limit ? `${page.at(-1)!.seq}` : undefined,
  };
}

const OPTIONS = ["workflow", "state", "tags", "keyPrefix", "since", "until", "limit", "cursor"];
const MOST = 1_000;
const STATES: Readonly<Record<RunState, true>> = {
  pending: true,
  running: true,
  waiting: true,
  paused: true,
  compensating: true,
  completed: true,
  failed: true,
  cancelled: true,
};

function checkQuery(options: unknown): ListQuery {
  const checks = newChecks();
  const read = checks.options(options, "the options", OPTIONS);
  const limit = count(read["limit"], "limit", 50, checks);
  if (limit > MOST) checks.report(`limit must be at most ${MOST}, not ${limit}`);
  const query: ListQuery = {
    workflow: checkName(read["workflow"], "workflow", checks),
    states: checkStates(read["state"], checks),
    tags: read["tags"] === undefined ? undefined : checks.tags(read["tags"], "tags"),
    keyPrefix: checkName(read["keyPrefix"], "keyPrefix", checks),
    since: checkTime(read["since"], "since", checks),
    until: checkTime(read["until"], "until", checks),
    limit,
    before: checkCursor(read["cursor"], checks),
  };
  refuse("list runs", checks);
  return query;
}

function checkName(value: unknown, option: "workflow" | "keyPrefix", checks: Checks): string | undefined {
  const text = checks.text(value, option);
  const problem = text === undefined ? undefined : textProblem(text, option === "workflow" ? "name" : "key");
  if (problem !== undefined) checks.report(`${option} ${problem}: ${shown(text)}`);
  return text;
}

function checkStates(value: unknown, checks: Checks): readonly RunState[] | undefined {
  if (value === undefined) return undefined;
  const states: readonly unknown[] = Array.isArray(value) ? value : [value];
  const known = states.filter((state): state is RunState => typeof state === "string" && Object.hasOwn(STATES, state));
  if (known.length < states.length) {
    const wrong = states.find((state) => !known.includes(state as RunState));
    checks.report(`state must be one of ${Object.keys(STATES).join(", ")}, not ${shown(wrong)}`);
  }
  return known;
}

function checkTime(value: unknown, name: string, checks: Checks): number | undefined {
  if (value === undefined) return undefined;
  const ms = value instanceof Date ? value.getTime() : value;
  if (typeof ms === "number" && Number.isFinite(ms)) return Math.round(ms);
  checks.report(`${name} must be a Date or milliseconds since the epoch, not ${shown(value)}`);
  return undefined;
}

function checkCursor(value: unknown, checks: Checks): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" && /^\d{1,16}$/.test(value)) return Number(value);
  checks.report(`cursor must be the cursor of a page that list() returned, not ${shown(value)}`);
  return undefined;
}
