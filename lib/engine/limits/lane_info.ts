import { newChecks } from "../../definition/checks.ts";
import type { LanePermit, LaneRow } from "../../store/port/limits.ts";
import type { Store } from "../../store/port/store.ts";
import { count, refuse } from "../options.ts";

/** A holder of a slot of a limit, or a waiter for one. */
export interface PermitInfo {
  /** Id of the run. */
  readonly runId: string;
  /** Name of its workflow. */
  readonly workflow: string;
  /** The task; absent if the limit is one of the workflow. */
  readonly taskId?: string;
  /** Index of the item; absent for a task or run. */
  readonly item?: number;
  /** Since when it has held its slot or, if it waits, has waited, in milliseconds since the epoch. */
  readonly since: number;
}

/** A lane: the slots of one key of a limit. */
export interface LaneInfo {
  /** Name of the limit. */
  readonly limit: string;
  /** The key; empty for a limit without keys. */
  readonly key: readonly string[];
  /** Number of slots: the `max` of the limit. */
  readonly max: number;
  /** The period of a rate limit, in milliseconds; `undefined` for a limit of concurrency. */
  readonly per?: number;
  /** Number of slots in use. With a rate limit a start uses its slot for the period. */
  readonly held: number;
  /** Number of tasks, items and runs that wait for a slot. */
  readonly waiting: number;
  /** The holders of slots, oldest first; empty for a rate limit. */
  readonly holders: readonly PermitInfo[];
  /** The waiters, in the order in which they receive slots. */
  readonly waiters: readonly PermitInfo[];
}

/** Which lanes to list. */
export interface LimitsOptions {
  /** Only lanes of the limit with this name. */
  readonly limit?: string;
  /** The most lanes, from 1 to 1,000: those with the most waiters. @default {100} */
  readonly lanes?: number;
  /** The most holders, and the most waiters, of each lane, from 0 to 1,000. @default {10} */
  readonly permits?: number;
}

/** The most lanes, and the most permits of each, that are listed. */
export const MOST_LANES = 1_000;

/** Lists the lanes of limits that have holders or waiters. */
export async function listLanes(store: Store, options: LimitsOptions = {}): Promise<LaneInfo[]> {
  const checks = newChecks();
  const read = checks.options(options, "the options", ["limit", "lanes", "permits"]);
  checks.text(read["limit"], "limit");
  const lanes = count(read["lanes"], "lanes", 100, checks);
  const permits = read["permits"] === 0 ? 0 : count(read["permits"], "permits", 10, checks);
  for (const [name, value] of [["lanes", lanes], ["permits", permits]] as const) {
    if (value > MOST_LANES) checks.report(`${name} must be at most ${MOST_LANES}, not ${value}`);
  }
  refuse("list the lanes of limits", checks);
  return (await store.limits.lanes({ limit: options.limit, lanes, permits })).map(laneInfo);
}

/** Returns a lane as it is reported. */
export function laneInfo({ limit, key, max, perMs, held, waiting, holders, waiters }: LaneRow): LaneInfo {
  return {
    limit,
    key,
    max,
    ...perMs === undefined ? {} : { per: perMs },
    held,
    waiting,
    holders: holders.map(permitInfo),
    waiters: waiters.map(permitInfo),
  };
}

function permitInfo({ runId, workflow, task, item, since }: LanePermit): PermitInfo {
  return {
    runId,
    workflow,
    ...task === undefined ? {} : { taskId: task },
    ...item === undefined ? {} : { item },
    since,
  };
}
