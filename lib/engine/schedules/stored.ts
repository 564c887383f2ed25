/**
 * What a schedule is and how far it has come, as its row holds them in JSON.
 *
 * @module
 */
import { readCron } from "../../definition/cron.ts";
import { StoreError } from "../../errors.ts";
import type { Poll } from "../../definition/poll.ts";
import type { CatchUp, Overlap, Schedule } from "../../definition/schedule.ts";
import type { WorkflowDefinition } from "../../definition/definition.ts";
import type { ScheduleRow } from "../../store/port/schedules.ts";
import type { RunLimits } from "../../store/port/limits.ts";
import { runLimitsOf } from "../limits/permit_request.ts";
import type { Timing } from "./ticks.ts";

/** The workflow whose runs a schedule or poll starts. */
export interface StoredTarget {
  readonly workflow: string;
  readonly version: string;
  readonly tags: readonly string[];
  readonly timeoutMs?: number | undefined;
}

/** A schedule. */
export interface StoredSchedule extends StoredTarget {
  readonly timing: Timing;
  /** The cron expression as it was written. */
  readonly expression?: string | undefined;
  readonly overlap: Overlap;
  readonly catchUp: CatchUp;
  readonly maxCatchUp: number;
  readonly jitterMs: number;
  /** The input of each run as JSON text, unless a function returns it. */
  readonly input?: string | undefined;
  /** The places that the limits of the workflow demand of each run, unless a function returns its input. */
  readonly limits?: RunLimits | undefined;
  /** Whether a function returns the input: only a process that has the schedule can start its runs. */
  readonly hasFunction: boolean;
}

/** A poll. */
export interface StoredPoll extends StoredTarget {
  readonly timing: Timing;
  /** The longest that a check may take. */
  readonly checkMs: number;
}

/** Returns a poll as it is stored. */
export function storedPoll({ workflow, everyMs, timeoutMs }: Poll): StoredPoll {
  return { ...storedTarget(workflow), timing: { everyMs }, checkMs: timeoutMs };
}

/** A tick that has started no run. */
export interface LostTick {
  /** The time of the tick. */
  readonly tick: number;
  /** No runner could start it in time, an earlier run had not ended, or its input could not be computed. */
  readonly outcome: "missed" | "overlapped" | "failed";
  /** When that was decided. */
  readonly at: number;
}

/** Why the latest start, or check, has failed. */
export interface ScheduleFailure {
  /** Name and message of the error. */
  readonly message: string;
  /** When it failed, in milliseconds since the epoch. */
  readonly at: number;
  /** The tick; absent for a poll. */
  readonly tick?: number;
}

/** A tick whose input could not be computed, and that is tried again. */
export interface RetriedTick {
  readonly tick: number;
  /** Attempts that have failed. */
  readonly failed: number;
  /** When it is tried again. */
  readonly at: number;
}

/** How many ticks, or checks of a poll, have had which end. */
export interface ScheduleCounts {
  /** Runs that were started; for a poll, inputs that its checks returned, with those whose key had a run already. */
  readonly started: number;
  /** Ticks that started no run because an earlier run had not ended. */
  readonly overlapped: number;
  /** Ticks that no runner could start in time; at most 1,000 are counted at once. */
  readonly missed: number;
  /** Ticks whose input, or checks, have failed for good. */
  readonly failed: number;
}

/** How far a schedule or poll has come. */
export interface Progress extends ScheduleCounts {
  /** The first tick that was not decided yet. */
  readonly nextTick?: number | undefined;
  /** Ticks that wait for the end of an earlier run, oldest first. */
  readonly queue: readonly number[];
  /** The latest tick that a run was started for. */
  readonly lastTick?: number | undefined;
  readonly retry?: RetriedTick | undefined;
  readonly error?: ScheduleFailure | undefined;
  /** The latest ticks that started no run, oldest first. */
  readonly lost: readonly LostTick[];
  /** The cursor of a poll, as JSON text. */
  readonly cursor?: string | undefined;
  /** When the latest check of a poll began. */
  readonly checkedAt?: number | undefined;
}

/** How far a new schedule or poll has come. */
export const NO_PROGRESS: Progress = { queue: [], lost: [], started: 0, overlapped: 0, missed: 0, failed: 0 };

const MOST_LOST = 20;

/** Returns progress with further ticks that started no run. */
export function withLost(
  progress: Progress,
  ticks: readonly number[],
  { outcome, at, count = ticks.length }: Omit<LostTick, "tick"> & { readonly count?: number },
): Progress {
  if (count === 0) return progress;
  const lost = ticks.slice(-MOST_LOST).map((tick) => ({ tick, outcome, at }));
  return {
    ...progress,
    lost: [...progress.lost, ...lost].slice(-MOST_LOST),
    [outcome]: progress[outcome] + count,
  };
}

/** Returns the target of a schedule or poll as it is stored. */
export function storedTarget({ name, version, tags, timeoutMs }: WorkflowDefinition): StoredTarget {
  return { workflow: name, version, tags, timeoutMs };
}

/** Returns a schedule as it is stored; `input` is its fixed input as JSON text. */
export function storedSchedule(schedule: Schedule, input: string | undefined): StoredSchedule {
  const { cron, startAt, endAt, everyMs, timeZone } = schedule;
  const expression = cron === undefined ? undefined : readCron(cron, () => {});
  return {
    ...storedTarget(schedule.workflow),
    timing: expression === undefined
      ? { everyMs, startAt, endAt }
      : { cron: expression.fields, isTimeOfDay: expression.isTimeOfDay, timeZone, startAt, endAt },
    expression: cron,
    overlap: schedule.overlap,
    catchUp: schedule.catchUp,
    maxCatchUp: schedule.maxCatchUp,
    jitterMs: schedule.jitterMs,
    input,
    limits: typeof schedule.input === "function" ? undefined : runLimitsOf(schedule.workflow, input),
    hasFunction: typeof schedule.input === "function",
  };
}

/** Decodes the definition in the row of a schedule. */
export function decodeSchedule(row: Pick<ScheduleRow, "name" | "definition">): StoredSchedule {
  return parse(row.name, row.definition) as StoredSchedule;
}

/** Decodes the progress in the row of a schedule or poll. */
export function decodeProgress(row: Pick<ScheduleRow, "name" | "progress">): Progress {
  return { ...NO_PROGRESS, ...parse(row.name, row.progress) as Partial<Progress> };
}

function parse(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new StoreError("corrupt_row", `Cannot read schedule "${name}": its JSON is not what Sluice wrote`, { cause });
  }
}
