/** Filters of runs, which `list()` and all bulk operations share. */
import { type Checks, type Options, shown } from "../../definition/checks.ts";
import type { RunState } from "../../store/port/batch.ts";
import type { RunQuery } from "../../store/port/listing.ts";
import type { Store } from "../../store/port/store.ts";
import { type TextKind, textProblem } from "../../text_limits.ts";
import { parkedFilter } from "../reading/stranded.ts";

/** Which runs are listed or changed: those that match all of these filters. Without a filter all runs match. */
export interface RunFilter {
  /** Name of the workflow. */
  readonly workflow?: string;
  /** Version of the workflow that the run started with. */
  readonly version?: string;
  /** A state, or several of which the run has one. */
  readonly state?: RunState | readonly RunState[];
  /** Tags, all of which the run has. */
  readonly tags?: readonly string[];
  /** Beginning of the key of the run. Runs without a key do not match. */
  readonly keyPrefix?: string;
  /**
   * Text that the error of the run contains, upper and lower case distinguished: in `name: message` or the code of the
   * error, or of its cause.
   */
  readonly error?: string;
  /** Id of a task that has failed in the run, whether or not its failure was handled. */
  readonly failedTask?: string;
  /** The run was created at this time or later (a number is milliseconds since the epoch). */
  readonly since?: Date | number;
  /** The run was created before this time (a number is milliseconds since the epoch). */
  readonly until?: Date | number;
  /** The run ended at this time or later. Runs that have not ended do not match. */
  readonly endedSince?: Date | number;
  /** The run ended before this time. Runs that have not ended do not match. */
  readonly endedUntil?: Date | number;
  /** Id of the run that started the run as a child. */
  readonly parent?: string;
  /** Name of the schedule or poll that started the run. */
  readonly schedule?: string;
  /** Whether the run is parked: `stranded()` lists it, as no live runner can continue it. */
  readonly parked?: boolean;
}

/** The names of the filters. */
export const FILTERS: readonly string[] = Object.keys(
  {
    workflow: 1,
    version: 1,
    state: 1,
    tags: 1,
    keyPrefix: 1,
    error: 1,
    failedTask: 1,
    since: 1,
    until: 1,
    endedSince: 1,
    endedUntil: 1,
    parent: 1,
    schedule: 1,
    parked: 1,
  } satisfies Readonly<Record<keyof RunFilter, 1>>,
);

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

/** A filter whose values are valid. */
export interface CheckedFilter extends Omit<RunQuery, "parked"> {
  readonly parked: boolean | undefined;
}

/** Checks the filters among the options of a call. */
export function checkFilter(read: Options, checks: Checks): CheckedFilter {
  const { parked } = read;
  if (parked !== undefined && typeof parked !== "boolean") {
    checks.report(`parked must be true or false, not ${shown(parked)}`);
  }
  const text = (option: keyof RunFilter, kind: TextKind): string | undefined =>
    checkText(read[option], { option, kind }, checks);
  const time = (option: keyof RunFilter): number | undefined => checkTime(read[option], option, checks);
  return {
    workflow: text("workflow", "name"),
    version: text("version", "name"),
    states: checkStates(read["state"], checks),
    tags: read["tags"] === undefined ? undefined : checks.tags(read["tags"], "tags"),
    keyPrefix: text("keyPrefix", "key"),
    error: text("error", "search"),
    failedTask: text("failedTask", "name"),
    since: time("since"),
    until: time("until"),
    endedSince: time("endedSince"),
    endedUntil: time("endedUntil"),
    parent: text("parent", "name"),
    schedule: text("schedule", "name"),
    parked: typeof parked === "boolean" ? parked : undefined,
  };
}

/** Whether all runs match a filter. */
export function isEmpty({ tags = [], keyPrefix = "", error = "", ...others }: CheckedFilter): boolean {
  return tags.length === 0 && keyPrefix === "" && error === "" &&
    Object.values(others).every((value) => value === undefined);
}

/** Completes a filter with what is read from the store. */
export async function toQuery(store: Store, { parked, ...filter }: CheckedFilter): Promise<RunQuery> {
  if (parked === undefined) return filter;
  return { ...filter, parked: { groups: await parkedFilter(store), wanted: parked } };
}

function checkText(
  value: unknown,
  { option, kind }: { readonly option: string; readonly kind: TextKind },
  checks: Checks,
): string | undefined {
  const text = checks.text(value, option);
  const problem = text === undefined ? undefined : textProblem(text, kind);
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
