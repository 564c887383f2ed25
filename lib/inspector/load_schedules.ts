import type { ListedRun } from "../store/port/listing.ts";
import type { ScheduleRow } from "../store/port/schedules.ts";
import { historyOf, scheduleInfo } from "../engine/schedules/info.ts";
import { decodeSchedule } from "../engine/schedules/stored.ts";
import { createCalculator, list } from "../engine/schedules/ticks.ts";
import { answer, type Reading } from "./reading.ts";
import type { SchedulesPage, ScheduleSummary } from "./schedule_shape.ts";

/** The most schedules of a page; each costs a query for its latest runs. */
const MOST_SCHEDULES = 100;
const NEXT_TICKS = 3;
const PAST_TICKS = 5;

/** Loads the schedules with their next and past ticks. */
export async function loadSchedules(reading: Reading): Promise<SchedulesPage> {
  const { store } = reading.context;
  const rows = await store.schedules.read({ after: "", limit: MOST_SCHEDULES + 1 });
  const schedules = rows.slice(0, MOST_SCHEDULES);
  return {
    ...answer(reading),
    schedules: await Promise.all(
      schedules.map(async (row) => await summaryOf(reading, row, await store.schedules.runs(row.name, PAST_TICKS))),
    ),
    hasMore: rows.length > MOST_SCHEDULES,
  };
}

async function summaryOf(
  reading: Reading,
  row: ScheduleRow,
  runs: readonly ListedRun[],
): Promise<ScheduleSummary> {
  const { redactor, path } = reading;
  const { name, workflow, state, pausedBy, cron, timeZone, everyMs, queued, counts, error } = scheduleInfo(row);
  const rule = cron === undefined ? `every ${everyMs} ms` : `${cron} ${timeZone}`;
  return {
    name,
    workflow,
    rule: pausedBy === "removal" ? `${rule} (removed)` : rule,
    isPaused: state === "paused",
    next: state === "paused" ? [] : await nextTicks(reading, row),
    queued: queued.length,
    past: historyOf(row, runs, PAST_TICKS).map(({ tick, outcome, at, run }) => ({
      at: tick ?? at,
      outcome,
      run: run === undefined ? undefined : { ...run, href: path("runs", run.id) },
    })),
    counts,
    error: error === undefined ? undefined : redactor.text(["error"], error.message),
  };
}

/** Without the package `croner`, only the stored tick is known. */
async function nextTicks({ context: { store, schedules } }: Reading, row: ScheduleRow): Promise<readonly number[]> {
  const { timing } = decodeSchedule(row);
  const { nextTick, kind } = scheduleInfo(row);
  if (nextTick === undefined) return [];
  if (kind === "poll") return [nextTick];
  try {
    const calculator = timing.cron === undefined ? createCalculator(undefined) : await schedules.calculator();
    return list(calculator.ticks(timing), Math.min(nextTick - 1, store.now()), Infinity, NEXT_TICKS);
  } catch {
    return [nextTick];
  }
}
