import { type Checks, newChecks, shown } from "../../definition/checks.ts";
import type { RunQuery } from "../../store/port/listing.ts";
import type { RunRow, Store } from "../../store/port/store.ts";
import { count, refuse } from "../options.ts";
import { checkFilter, FILTERS, type RunFilter, toQuery } from "./run_filter.ts";
import { type RunInfo, runInfo, runStatus } from "../reading/run_info.ts";

/** Filter and page of a list of runs. */
export interface ListOptions extends RunFilter {
  /** Runs per page, from 1 to 1,000. @default {50} */
  readonly limit?: number;
  /** `cursor` of the previous page. @default {undefined} the first page */
  readonly cursor?: string;
  /**
   * Whether the runs are listed with their inputs. A page then ends early after four million characters of inputs; it has
   * a `cursor` if more runs follow. @default {false}
   */
  readonly input?: boolean;
}

/** A page of runs, newest first. */
export interface RunPage {
  /** Runs of the page. */
  readonly runs: readonly RunInfo[];
  /** Cursor of the next page; `undefined` on the last page. */
  readonly cursor: string | undefined;
}

const OPTIONS = [...FILTERS, "limit", "cursor", "input"];
const MOST = 1_000;

/** Runs whose inputs are read by one query. */
const INPUTS_AT_ONCE = 50;

/** A page ends with the run by which the inputs exceed this number of characters. */
const LONGEST_INPUTS = 4_000_000;

/**
 * Lists runs, newest first. Pages follow a keyset: each costs the same as the first, and no run is listed twice.
 *
 * @throws {TypeError} If an option is invalid.
 */
export async function listRuns(store: Store, options: ListOptions = {}): Promise<RunPage> {
  const checks = newChecks();
  const read = checks.options(options, "the options", OPTIONS);
  const filter = checkFilter(read, checks);
  const limit = count(read["limit"], "limit", 50, checks);
  if (limit > MOST) checks.report(`limit must be at most ${MOST}, not ${limit}`);
  const before = checkCursor(read["cursor"], checks);
  const { input = false } = read;
  if (typeof input !== "boolean") checks.report(`input must be true or false, not ${shown(input)}`);
  refuse("list runs", checks);
  const query = await toQuery(store, filter);
  const wanted = { query, limit, before };
  const { rows, isLast } = input === true ? await withInputs(store, wanted) : await withoutInputs(store, wanted);
  return {
    runs: rows.map(input === true ? runStatus : runInfo),
    cursor: isLast ? undefined : `${rows.at(-1)!.seq}`,
  };
}

/** The page to read. */
interface Wanted {
  readonly query: RunQuery;
  readonly limit: number;
  readonly before: number | undefined;
}

/** A page that was read. */
interface Rows {
  readonly rows: readonly RunRow[];
  readonly isLast: boolean;
}

async function withoutInputs(store: Store, { query, limit, before }: Wanted): Promise<Rows> {
  // One more than the limit, to know whether there is a next page.
  const rows = await store.list({ ...query, limit: limit + 1, before, withInput: false });
  return { rows: rows.slice(0, limit), isLast: rows.length <= limit };
}

async function withInputs(store: Store, { query, limit, before }: Wanted): Promise<Rows> {
  const rows: RunRow[] = [];
  let characters = 0;
  for (;;) {
    const most = Math.min(INPUTS_AT_ONCE, limit - rows.length);
    const next = await store.list({ ...query, limit: most + 1, before: rows.at(-1)?.seq ?? before });
    for (const row of next.slice(0, most)) {
      rows.push(row);
      characters += row.input?.length ?? 0;
      if (characters > LONGEST_INPUTS) return { rows, isLast: next.length <= most && row === next.at(-1) };
    }
    if (next.length <= most) return { rows, isLast: true };
    if (rows.length === limit) return { rows, isLast: false };
  }
}

function checkCursor(value: unknown, checks: Checks): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" && /^\d{1,16}$/.test(value)) return Number(value);
  checks.report(`cursor must be the cursor of a page that list() returned, not ${shown(value)}`);
  return undefined;
}
