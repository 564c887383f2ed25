import { type Checks, newChecks, shown } from "../../definition/checks.ts";
import { didYouMean } from "../../definition/nearest.ts";
import { parseTime, type Time } from "../../definition/time.ts";
import { UnknownScheduleError } from "../../schedule_errors.ts";
import type { NewRun } from "../../store/port/batch.ts";
import type { ScheduleRow } from "../../store/port/schedules.ts";
import type { ClientContext } from "../client/client_context.ts";
import type { RunHandle } from "../client/handle.ts";
import { count, refuse } from "../options.ts";
import { runLimitsOf } from "../limits/permit_request.ts";
import { runHandle } from "../client/run_handle.ts";
import { armed, nextLook, type Rule } from "./decide.ts";
import { pickRule } from "./entries.ts";
import { historyOf, type ScheduleHistoryEntry, type ScheduleInfo, scheduleInfo } from "./info.ts";
import { inputOf, scheduledRun } from "./scheduled_run.ts";
import { decodeProgress, decodeSchedule, type Progress, type StoredSchedule } from "./stored.ts";
import { createCalculator, list, type Ticks } from "./ticks.ts";

/** The period of a backfill. */
export interface BackfillOptions {
  /** The first time that can be a tick of it. */
  readonly from: Time;
  /** The first time after its last tick. */
  readonly to: Time;
}

/** The result of a backfill. */
export interface BackfillResult {
  /** Runs that were started. */
  readonly started: number;
  /** Ticks that had a run already. */
  readonly existing: number;
}

/**
 * The schedules and polls of a store. Every method but `list` throws an `UnknownScheduleError` if the store has none of
 * the name: a runner registers its own when it opens. `trigger`, `backfill` and `next` are for schedules only.
 */
export interface Schedules {
  /** Returns all schedules and polls, in the order of their names. */
  list(): Promise<ScheduleInfo[]>;
  /** Returns a schedule. */
  get(name: string): Promise<ScheduleInfo>;
  /** Stops a schedule from starting runs, also in runners that open later. Runs that were started go on. */
  pause(name: string): Promise<void>;
  /** Lets a schedule tick again, from now on: ticks while it was paused start no runs. */
  resume(name: string): Promise<void>;
  /**
   * Starts a run now, whatever runs already; a paused schedule, too. A function as `input` receives the time as its tick.
   *
   * @throws {TypeError} If the input is a function of a schedule that was not passed to this runner or client.
   */
  trigger(name: string): Promise<RunHandle>;
  /**
   * Starts a run for each tick of a past period that has none, at most 100 in a commit. It may be repeated, as after a
   * crash: no tick gets a second run. Neither `overlap` nor `maxCatchUp` applies, and neither `startAt` nor `jitter`.
   *
   * @throws {TypeError} If an option is invalid, or as `trigger`.
   */
  backfill(name: string, options: BackfillOptions): Promise<BackfillResult>;
  /** Returns past ticks, the latest first: those with a run, and of those without a run the latest twenty. */
  history(name: string, options?: {
    /** At most this many. @default {50} */
    readonly limit?: number;
  }): Promise<readonly ScheduleHistoryEntry[]>;
  /** Returns the next `n` ticks, also of a paused schedule. Without jitter. @default {1} for `n` */
  next(name: string, n?: number): Promise<readonly number[]>;
}

const ROWS_AT_ONCE = 200;
const RUNS_AT_ONCE = 100;
const MOST_LISTED = 1_000;

/** Creates the operations on schedules of a client or runner. */
export function createSchedules(context: ClientContext): Schedules {
  const { store, newId, maxPayloadBytes } = context;
  return {
    async list() {
      const infos: ScheduleInfo[] = [];
      for (let after = "";;) {
        const rows = await store.schedules.read({ after, limit: ROWS_AT_ONCE });
        infos.push(...rows.map(scheduleInfo));
        if (rows.length < ROWS_AT_ONCE) return infos;
        after = rows.at(-1)!.name;
      }
    },
    get: async (name) => scheduleInfo(await find(name, "read")),
    pause: (name) => setState(name, "pause"),
    resume: (name) => setState(name, "resume"),
    trigger,
    backfill,
    async history(name, options = {}) {
      const checks = newChecks();
      const limit = countUpTo(checks.options(options, "the options", ["limit"])["limit"], "limit", 50, checks);
      refuse(`read the history of schedule ${shown(name)}`, checks);
      const row = await find(name, "read the history of");
      return historyOf(row, await store.schedules.runs(name, limit), limit);
    },
    async next(name, n) {
      const checks = newChecks();
      const most = countUpTo(n, "n", 1, checks);
      refuse(`compute ticks of schedule ${shown(name)}`, checks);
      const row = await findSchedule(name, "compute ticks of");
      return list(await ticksOf(decodeSchedule(row)), store.now(), Infinity, most);
    },
  };

  async function setState(name: string, action: "pause" | "resume"): Promise<void> {
    for (;;) {
      const row = await find(name, action);
      const isPaused = action === "pause";
      if (row.state === (isPaused ? "paused" : "active") && row.pausedBy !== "removal") return;
      const resumed = isPaused ? undefined : await resumedProgress(row, store.now());
      const progress = resumed?.progress ?? decodeProgress(row);
      const [verdict] = await store.schedules.write([{
        ...row,
        state: isPaused ? "paused" : "active",
        pausedBy: isPaused ? "user" : undefined,
        nextAt: resumed?.nextAt,
        progress: JSON.stringify(progress),
        runs: [],
        isChange: true,
      }]);
      if (verdict?.kind === "written") return context.lookAtSchedule(name);
    }
  }

  async function trigger(name: string): Promise<RunHandle> {
    let run: NewRun | undefined;
    for (;;) {
      const row = await findSchedule(name, "trigger");
      const progress = decodeProgress(row);
      // The same run for each try: an earlier one may have been committed, and its answer lost.
      run ??= await runOf(row, { tick: store.now(), previous: progress.lastTick }, false);
      const [verdict] = await store.schedules.write([{
        ...row,
        lastRun: run.id,
        progress: JSON.stringify({ ...progress, started: progress.started + 1, error: undefined }),
        runs: [run],
      }]);
      if (verdict?.kind === "written") break;
    }
    void context.applyChanges();
    return runHandle(context, run.id, { isNew: true, seq: undefined });
  }

  async function backfill(name: string, options: BackfillOptions): Promise<BackfillResult> {
    const checks = newChecks();
    const read = checks.options(options, "the options", ["from", "to"]);
    const from = checkTime(read["from"], "from", checks);
    const to = checkTime(read["to"], "to", checks);
    if (from !== undefined && to !== undefined && from >= to) checks.report("to must be after from");
    if (to !== undefined && to > store.now()) checks.report("to must not be in the future");
    refuse(`backfill schedule ${shown(name)}`, checks);
    const row = await findSchedule(name, "backfill");
    const stored = decodeSchedule(row);
    const ticks = await ticksOf({ ...stored, timing: { ...stored.timing, startAt: undefined } });
    let [started, all] = [0, 0];
    let previous: number | undefined;
    for (let after = from! - 1;;) {
      const part = list(ticks, after, to! - 1, RUNS_AT_ONCE);
      const runs: NewRun[] = [];
      for (const tick of part) {
        runs.push(await runOf(row, { tick, previous }, true));
        previous = tick;
      }
      if (runs.length > 0) started += (await store.schedules.insert(runs)).size;
      all += runs.length;
      if (part.length < RUNS_AT_ONCE) break;
      after = part.at(-1)!;
    }
    if (started > 0) void context.applyChanges();
    return { started, existing: all - started };
  }

  async function find(name: string, action: string): Promise<ScheduleRow> {
    if (typeof name !== "string") {
      throw new TypeError(`Cannot ${action} a schedule: its name must be a string, not ${shown(name)}`);
    }
    const [row] = await store.schedules.read({ names: [name] });
    if (row !== undefined) return row;
    const known = (await store.schedules.read({ after: "", limit: ROWS_AT_ONCE })).map((row) => row.name);
    throw new UnknownScheduleError(name, action, didYouMean(name, known));
  }

  /** Finds a schedule, which has ticks. */
  async function findSchedule(name: string, action: string): Promise<ScheduleRow> {
    const row = await find(name, action);
    if (row.kind === "schedule") return row;
    throw new TypeError(`Cannot ${action} "${name}": it is a poll, which has no ticks`);
  }

  async function runOf(
    row: ScheduleRow,
    at: { readonly tick: number; readonly previous: number | undefined },
    isTick: boolean,
  ): Promise<NewRun> {
    const { name } = row;
    const known = context.schedules.byName.get(name);
    const entry = known?.kind === "schedule" ? known : undefined;
    const stored = entry?.stored ?? decodeSchedule(row);
    if (entry === undefined && stored.hasFunction) {
      throw new TypeError(
        `Cannot start a run of schedule "${name}": its input is a function; ` +
          "pass the schedule to this runner or client in schedules",
      );
    }
    const input = entry === undefined ? stored.input : await inputOf(entry, at, maxPayloadBytes);
    const limits = entry === undefined ? stored.limits : runLimitsOf(entry.plan.workflow, input);
    const start = { schedule: name, tick: isTick ? at.tick : undefined, dueAt: at.tick, input, limits };
    return scheduledRun(stored, start, newId);
  }

  /** A schedule ticks from now on, a poll is checked at once. */
  async function resumedProgress(
    row: ScheduleRow,
    now: number,
  ): Promise<{ readonly progress: Progress; readonly nextAt: number | undefined }> {
    const before = decodeProgress(row);
    if (row.kind === "poll") return { progress: { ...before, nextTick: now }, nextAt: now };
    const stored = decodeSchedule(row);
    const rule: Rule = { ...pickRule(stored), name: row.name, ticks: await ticksOf(stored) };
    const progress = armed(rule, before, now);
    return { progress, nextAt: nextLook(rule, progress, now) };
  }

  async function ticksOf({ timing }: StoredSchedule): Promise<Ticks> {
    const calculator = timing.cron === undefined ? createCalculator(undefined) : await context.schedules.calculator();
    return calculator.ticks(timing);
  }
}

function countUpTo(value: unknown, name: string, otherwise: number, checks: Checks): number {
  const wanted = count(value, name, otherwise, checks);
  if (wanted > MOST_LISTED) checks.report(`${name} must be at most ${MOST_LISTED}, not ${wanted}`);
  return wanted;
}

function checkTime(value: unknown, name: string, checks: Checks): number | undefined {
  const ms = parseTime(value);
  if (ms === undefined) {
    checks.report(
      `${name} must be a Date, milliseconds since the epoch or ISO 8601 text with a zone, not ${shown(value)}`,
    );
  }
  return ms;
}
