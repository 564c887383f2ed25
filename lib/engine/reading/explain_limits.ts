/** In words, what a run, a task or the items of a map wait for that wait for a limit. */
import type { ListedRun } from "../../store/port/listing.ts";
import { type LimitStore, MOST_AHEAD, type WaitRow } from "../../store/port/limits.ts";
import { duration } from "./explain_waits.ts";
import { type LaneInfo, laneInfo } from "../limits/lane_info.ts";
import type { TaskInfo } from "./run_reader.ts";
import { isLimitWait } from "../machine/run_state.ts";

/** The lane of a limit that something waits for. */
export interface LimitWait extends Omit<LaneInfo, "waiters"> {
  /** How many that wait for the same lanes come before it: at most 1,000 are counted. */
  readonly ahead: number;
}

/** One reason why a run does not progress that has to do with limits. */
export interface LimitReason {
  readonly kind: "limit";
  readonly message: string;
  readonly taskId?: string;
  readonly limit?: LimitWait;
}

/** Returns a part of a key of a limit as it may be shown. */
export type ShownKey = (limit: string, part: string) => string;

/** What the units of a run wait for. */
export interface LimitWaits {
  /** Returns why the run itself waits. */
  ofRun(): LimitReason[];
  /** Returns why a task waits, or items of it. */
  ofTask(taskId: string): LimitReason[];
  /** Returns how many items of a task wait. */
  itemsOf(taskId: string): number;
}

/** The most groups of units, by task and lanes, that are explained. */
const MOST_WAITS = 20;
/** The most holders of a lane that are named. */
const MOST_HOLDERS = 3;

/** The value of `gateAt` in a run that waits for the slots of its workflow's limits. */
const WAITS = -1;

/** Whether a run waits for a slot of a limit of its workflow. */
export function isHeldByLimit({ gateAt, state }: Pick<ListedRun, "gateAt" | "state">): boolean {
  return gateAt === WAITS && state !== "paused";
}

/** Whether a task waits for a limit. */
export function isHeldTask({ state, reason }: Pick<TaskInfo, "state" | "reason">): boolean {
  return state === "waiting" && isLimitWait(reason);
}

/** Reads what the units of a run wait for. Costs no read if none waits for a limit. */
export async function readLimitWaits(
  limits: LimitStore,
  row: ListedRun,
  { now, tasks, shownKey }: {
    readonly now: number;
    /** Returns a part of a key of a limit as it may be shown. */
    readonly shownKey: ShownKey;
    readonly tasks: readonly Pick<TaskInfo, "state" | "reason" | "items">[];
  },
): Promise<LimitWaits> {
  const mayWait = isHeldByLimit(row) ||
    tasks.some((task) => isHeldTask(task) || (task.items !== undefined && task.items.waiting > 0));
  const waits = mayWait ? await limits.waits({ run: row.seq, waits: MOST_WAITS, holders: MOST_HOLDERS }) : [];
  const byTask = Map.groupBy(waits, ({ task }) => task);
  return {
    ofRun: () => reasons(undefined, { what: "the run", next: "is about to start" }),
    ofTask: (taskId) =>
      reasons(taskId, {
        what: `task "${taskId}"`,
        next: row.state === "paused" ? "requests its limits again when the run continues" : "is about to continue",
      }),
    itemsOf: (taskId) => byTask.get(taskId)?.find(({ items }) => items !== undefined)?.ofTask ?? 0,
  };

  /** A wait that has no permit any more was granted its slots, or has left the queue with the pause of its run. */
  function reasons(
    taskId: string | undefined,
    { what, next }: { readonly what: string; readonly next: string },
  ): LimitReason[] {
    const of = taskId === undefined ? {} : { taskId };
    const own = byTask.get(taskId) ?? [];
    if (own.length === 0) return [{ kind: "limit", ...of, message: `${what} waited for a limit and ${next}` }];
    return own.flatMap((wait) => laneReasons(wait, what).map((reason): LimitReason => ({ ...reason, ...of })));
  }

  /** One reason for each limit that is full. */
  function laneReasons(wait: WaitRow, what: string): LimitReason[] {
    const { items, ahead } = wait;
    const subject = items === undefined
      ? `${what} waits`
      : items === 1
      ? `1 item of ${what} waits`
      : `${items} items of ${what} wait`;
    const lanes = wait.lanes.map(laneInfo).map(({ waiters: _, key, ...lane }): LimitWait => ({
      ...lane,
      key: key.map((part) => shownKey(lane.limit, part)),
      ahead,
    }));
    const full = lanes.filter(({ held, max }) => held >= max);
    return (full.length === 0 ? lanes : full).map((limit) => ({
      kind: "limit",
      message: `${subject} for ${slotsInWords(limit, now)}${aheadInWords(ahead)}`,
      limit,
    }));
  }
}

/** Names a limit with its key, such as `limit "api" of key "acme"`. */
export function laneInWords({ limit, key }: Pick<LaneInfo, "limit" | "key">): string {
  return `limit "${limit}"${key.length === 0 ? "" : ` of key ${key.map((part) => `"${part}"`).join(" / ")}`}`;
}

function slotsInWords(lane: LimitWait, now: number): string {
  const { max, per, held, holders } = lane;
  if (per !== undefined) return `${laneInWords(lane)}: ${held} of ${max} starts per ${duration(per)} are used`;
  const taken = `${laneInWords(lane)}: ${held} of ${max} slots ${max === 1 ? "is" : "are"} in use`;
  if (holders.length === 0) return taken;
  const names = holders.map(({ runId, taskId, item, since }) => {
    const task = taskId === undefined ? "" : `task "${taskId}" of `;
    return `${item === undefined ? "" : `item ${item} of `}${task}run "${runId}" (for ${duration(now - since)})`;
  });
  const more = held - holders.length;
  return `${taken}, by ${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function aheadInWords(ahead: number): string {
  if (ahead === 0) return "";
  const count = ahead === MOST_AHEAD ? `${MOST_AHEAD} or more` : String(ahead);
  return `; ${count} ${ahead === 1 ? "waits" : "wait"} before it`;
}
