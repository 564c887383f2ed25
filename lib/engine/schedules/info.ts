import type { CatchUp, Overlap } from "../../definition/schedule.ts";
import { decodeJson } from "../../definition/json.ts";
import type { RunState } from "../../store/port/batch.ts";
import type { ListedRun } from "../../store/port/listing.ts";
import type { ScheduleRow } from "../../store/port/schedules.ts";
import {
  decodeProgress,
  decodeSchedule,
  type LostTick,
  type Progress,
  type ScheduleCounts,
  type ScheduleFailure,
  type StoredSchedule,
} from "./stored.ts";

/** A schedule or poll, as `schedules.get()` and `schedules.list()` return it. Times are milliseconds since the epoch. */
export interface ScheduleInfo {
  /** Name of the schedule or poll. */
  readonly name: string;
  /** Whether it is a schedule or a poll. */
  readonly kind: "schedule" | "poll";
  /** Name of the workflow of its runs. */
  readonly workflow: string;
  /** Whether it starts runs. */
  readonly state: "active" | "paused";
  /** What paused it: a call of `pause()`, or a program that no longer registers it; `undefined` if it is active. */
  readonly pausedBy: "user" | "removal" | undefined;
  /** The cron expression; `undefined` for an interval. */
  readonly cron: string | undefined;
  /** The time zone of the cron expression; `undefined` for an interval. */
  readonly timeZone: string | undefined;
  /** The interval in milliseconds; `undefined` for a cron expression. */
  readonly everyMs: number | undefined;
  /** What happens to ticks that overlap; `"allow"` for a poll. */
  readonly overlap: Overlap;
  /** What happens to missed ticks; `"none"` for a poll. */
  readonly catchUp: CatchUp;
  /** The cursor of a poll, and when its latest check started; `undefined` for a schedule. */
  readonly poll: { readonly cursor: unknown; readonly checkedAt: number | undefined } | undefined;
  /** The next tick, or check; `undefined` if there is none, or the schedule is paused. */
  readonly nextTick: number | undefined;
  /** Ticks that wait for the end of an earlier run, oldest first. */
  readonly queued: readonly number[];
  /** The latest tick that a run was started for. */
  readonly lastTick: number | undefined;
  /** Id of the latest run, and whether it has not ended; `undefined` before the first. */
  readonly lastRun: { readonly id: string; readonly isLive: boolean } | undefined;
  /** Why the latest start, or check, has failed; `undefined` once another has succeeded. */
  readonly error: ScheduleFailure | undefined;
  /** Number of ticks by outcome. */
  readonly counts: ScheduleCounts;
}

/** A past tick of a schedule. Times are milliseconds since the epoch. */
export interface ScheduleHistoryEntry {
  /** The tick; `undefined` for a run that was triggered. */
  readonly tick: number | undefined;
  /** The outcome of the tick: a run, or the reason why there is none. */
  readonly outcome: "started" | LostTick["outcome"];
  /** When the run was created, or the tick was dropped. */
  readonly at: number;
  /** The run; `undefined` without one. */
  readonly run: { readonly id: string; readonly state: RunState } | undefined;
}

/** Decodes the row of a schedule. */
export function scheduleInfo(row: ScheduleRow): ScheduleInfo {
  const { name, kind, workflow, state, pausedBy, lastRun, isLastRunLive } = row;
  const { timing, expression, overlap = "allow", catchUp = "none" }: Partial<StoredSchedule> = decodeSchedule(row);
  const progress = decodeProgress(row);
  return {
    name,
    kind,
    workflow,
    state,
    pausedBy,
    cron: expression,
    timeZone: timing?.timeZone,
    everyMs: timing?.everyMs,
    overlap,
    catchUp,
    poll: kind === "poll"
      ? { cursor: decodeJson(progress.cursor, "the cursor"), checkedAt: progress.checkedAt }
      : undefined,
    nextTick: state === "active" ? progress.nextTick : undefined,
    queued: progress.queue,
    lastTick: progress.lastTick,
    lastRun: lastRun === undefined ? undefined : { id: lastRun, isLive: isLastRunLive },
    error: progress.error,
    counts: countsOf(progress),
  };
}

function countsOf({ started, overlapped, missed, failed }: Progress): ScheduleCounts {
  return { started, overlapped, missed, failed };
}

/** Merges the runs of a schedule and its ticks without runs, the latest first, at most `limit`. */
export function historyOf(
  row: ScheduleRow,
  runs: readonly ListedRun[],
  limit: number,
): readonly ScheduleHistoryEntry[] {
  const started = runs.map(({ tick, createdAt, id, state }): ScheduleHistoryEntry => ({
    tick,
    outcome: "started",
    at: createdAt,
    run: { id, state },
  }));
  const lost = decodeProgress(row).lost.map((entry): ScheduleHistoryEntry => ({ ...entry, run: undefined }));
  const timeOf = ({ tick, at }: ScheduleHistoryEntry): number => tick ?? at;
  return [...started, ...lost].sort((a, b) => timeOf(b) - timeOf(a)).slice(0, limit);
}
