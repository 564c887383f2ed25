import { type Checks, newChecks, shown } from "../definition/checks.ts";
import type { RunState } from "../store/batch.ts";
import type { ListQuery } from "../store/listing.ts";
import type { Store } from "../store/port.ts";
import { count, refuse } from "./options.ts";
import { type RunInfo, runInfo } from "./run_reader.ts";

/** Which runs to list. */
export interface ListOptions {
  /** Of this workflow. */
  readonly workflow?: string;
  /** In this state, or in one of these. */
  readonly state?: RunState | readonly RunState[];
  /** With all of these tags. */
  readonly tags?: readonly string[];
  /** Inserted at this time or later. */
  readonly since?: Date | number;
  /** Inserted before this time. */
  readonly until?: Date | number;
  /** At most so many, up to 1,000. @default {50} */
  readonly limit?: number;
  /** What the page before answered. */
  readonly cursor?: string;
}

/** A page of runs, newest first. */
export interface RunPage {
  /** The runs. */
  readonly runs: readonly RunInfo[];
  /** For the next page; `undefined` on the last. */
  readonly cursor: string | undefined;
}

/**
 * Lists runs, newest first, by keyset: a page stays as fast as the first, and no run is listed twice.
 *
 * @throws {TypeError} If an option is wrong.
 */
export async function listRuns(store: Store, options: ListOptions = {}): Promise<RunPage> {
  const query = checkQuery(options);
  // One more than asked for, to see whether there is a next page.
  const rows = await store.list({ ...query, limit: query.limit + 1 });
  const page = rows.slice(0, query.limit);
  return {
    runs: page.map(runInfo),
    cursor: rows.length > query.limit ? `${page.at(-1)!.seq}` : undefined,
  };
}

const OPTIONS = ["workflow", "state", "tags", "since", "until", "limit", "cursor"];
const MOST = 1_000;
const STATES: Readonly<Record<RunState, true>> = {
  pending: true,
  running: true,
  waiting: true,
  paused: true,
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
    workflow: checks.text(read["workflow"], "workflow"),
    states: checkStates(read["state"], checks),
    tags: read["tags"] === undefined ? undefined : checks.list(read["tags"], "tags", "strings"),
    since: checkTime(read["since"], "since", checks),
    until: checkTime(read["until"], "until", checks),
    limit,
    before: checkCursor(read["cursor"], checks),
  };
  refuse("list runs", checks);
  return query;
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
  checks.report(`cursor must be what list() answered, not ${shown(value)}`);
  return undefined;
}
