import type { ScheduleHistoryEntry } from "../engine/schedules/info.ts";
import type { ScheduleCounts } from "../engine/schedules/stored.ts";
import type { Answer, RunLink } from "./shapes.ts";

/** A rule that starts runs. */
export interface ScheduleSummary {
  /** Its name. */
  readonly name: string;
  /** What it starts. */
  readonly workflow: string;
  /** `0 9 * * *` or `every 5m`. */
  readonly rule: string;
  /** Whether it starts nothing for now. */
  readonly isPaused: boolean;
  /** Its next ticks; none if it is paused. */
  readonly next: readonly number[];
  /** How many ticks wait for the end of an earlier run. */
  readonly queued: number;
  /** Its latest ticks, newest first, with what became of them and the runs they have started. */
  readonly past: readonly {
    readonly at: number;
    readonly outcome: ScheduleHistoryEntry["outcome"];
    readonly run: RunLink | undefined;
  }[];
  /** Number of ticks by outcome. */
  readonly counts: ScheduleCounts;
  /** Why its latest start has failed. */
  readonly error: string | undefined;
}

/** `/schedules` and `/api/schedules`. */
export interface SchedulesPage extends Answer {
  /** The schedules, by name: the first hundred. */
  readonly schedules: readonly ScheduleSummary[];
  /** Whether there are more. */
  readonly hasMore: boolean;
}
