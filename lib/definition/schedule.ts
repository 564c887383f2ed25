import type { Duration } from "../duration.ts";
import { DefinitionError } from "../errors.ts";
import { Workflow } from "./builder.ts";
import { type Checks, newChecks, type Options, shown } from "./checks.ts";
import { readCron } from "./cron.ts";
import { didYouMean } from "./nearest.ts";
import type { Known } from "./options_check.ts";
import { checkFixedInput } from "./schedule_input.ts";
import { parseTime, type Time } from "./time.ts";
import type { AnyWorkflow, InputOf } from "./workflow.ts";

/** What a schedule does with a tick that becomes due while the run of an earlier tick has not ended. */
export type Overlap = "skip" | "queue" | "allow" | "cancelPrevious";

/** What a schedule does with ticks that no runner could start in time. */
export type CatchUp = "none" | "last" | "all";

/** The tick that a run is started for. Times are milliseconds since the epoch. */
export interface ScheduleTick {
  /** The time of the tick, without jitter. */
  readonly tick: number;
  /** The time of the tick before it that a run was started for; `undefined` for the first. */
  readonly previous: number | undefined;
}

/** When a schedule ticks: by a cron expression in a time zone, or at a fixed interval. */
export type ScheduleTiming =
  | {
    /**
     * Five fields: minute, hour, day of month, month, day of week; or six, with seconds first; or `@hourly`, `@daily`,
     * `@weekly`, `@monthly`, `@yearly`. Needs the package `croner`.
     */
    readonly cron: string;
    /** The time zone of the expression, such as `"Europe/Berlin"`. @default {"UTC"} */
    readonly timeZone?: string;
    /** Excluded by `cron`. */
    readonly every?: never;
  }
  | {
    /** At least 100 ms; the ticks are the multiples of it since `startAt` or, without `startAt`, since the epoch. */
    readonly every: Duration;
    /** Excluded by `every`. */
    readonly cron?: never;
    /** Excluded by `every`. */
    readonly timeZone?: never;
  };

/** The input of the runs of a schedule; optional if its type includes `undefined`. */
export type ScheduleInput<Input> = undefined extends Input ? { readonly input?: Input | ((at: ScheduleTick) => Input) }
  : {
    /** The input of each run, or a synchronous function that returns that of a tick. */
    readonly input: Input | ((at: ScheduleTick) => Input);
  };

/** Names of the options of a schedule. */
export type ScheduleOption =
  | "name"
  | "workflow"
  | "cron"
  | "every"
  | "timeZone"
  | "input"
  | "overlap"
  | "catchUp"
  | "maxCatchUp"
  | "jitter"
  | "startAt"
  | "endAt";

/** Options of a schedule in addition to its timing and input. */
export interface ScheduleOptions<W extends AnyWorkflow> {
  /** The name of the schedule, unique in the store. */
  readonly name: string;
  /** The workflow of its runs. */
  readonly workflow: W;
  /**
   * What happens to a tick that becomes due while the latest run of the schedule has not ended. `"skip"`: it starts no run.
   * `"queue"`: its run starts when the earlier ones have ended, one after another. `"allow"`: its run starts at once.
   * `"cancelPrevious"`: the earlier run is cancelled, and its own starts at once.
   *
   * @default {"skip"}
   */
  readonly overlap?: Overlap;
  /**
   * What happens to missed ticks, which no runner could start within ten seconds because none was alive or the database
   * was away. `"none"`: they start no runs. `"last"`: the latest of them starts a run, unless a later tick is in time.
   * `"all"`: each of the latest `maxCatchUp` starts a run, one after another unless `overlap` is `"allow"`. Ticks before
   * the schedule was registered, or while it was paused, are not missed.
   *
   * @default {"last"}
   */
  readonly catchUp?: CatchUp;
  /** How many missed or queued ticks are kept at most; of more, the oldest start no runs. 1 to 10,000. @default {100} */
  readonly maxCatchUp?: number;
  /** Each tick is delayed by a part of this, which follows from the schedule's name and the tick. @default {0} */
  readonly jitter?: Duration;
  /** No ticks before this time. @default {undefined} no bound */
  readonly startAt?: Time;
  /** No ticks at or after this time. @default {undefined} no bound */
  readonly endAt?: Time;
}

/** A rule that starts runs at times, for the option `schedules` of `createRunner`. Immutable. */
export class Schedule {
  /** Distinguishes schedules from polls. */
  readonly kind = "schedule";
  /** The name of the schedule. */
  readonly name: string;
  /** The workflow of its runs. */
  readonly workflow: AnyWorkflow;
  /** The cron expression as it was written; `undefined` for an interval. */
  readonly cron: string | undefined;
  /** The interval in milliseconds; `undefined` for a cron expression. */
  readonly everyMs: number | undefined;
  /** The time zone of the cron expression. */
  readonly timeZone: string;
  /** The input of each run, or a function that returns it. */
  readonly input: unknown;
  /** What happens to ticks that overlap. */
  readonly overlap: Overlap;
  /** What happens to missed ticks. */
  readonly catchUp: CatchUp;
  /** The maximum number of missed or queued ticks that are kept. */
  readonly maxCatchUp: number;
  /** The maximum delay of a tick, in milliseconds. */
  readonly jitterMs: number;
  /** The first time that can be a tick, in milliseconds since the epoch. */
  readonly startAt: number | undefined;
  /** The first time after the last tick, in milliseconds since the epoch. */
  readonly endAt: number | undefined;

  /** @internal For `schedule()`, which validates the parts. */
  constructor(parts: Omit<Schedule, "kind">) {
    this.name = parts.name;
    this.workflow = parts.workflow;
    this.cron = parts.cron;
    this.everyMs = parts.everyMs;
    this.timeZone = parts.timeZone;
    this.input = parts.input;
    this.overlap = parts.overlap;
    this.catchUp = parts.catchUp;
    this.maxCatchUp = parts.maxCatchUp;
    this.jitterMs = parts.jitterMs;
    this.startAt = parts.startAt;
    this.endAt = parts.endAt;
    Object.freeze(this);
  }
}

const OPTIONS: readonly ScheduleOption[] = [
  "name",
  "workflow",
  "cron",
  "every",
  "timeZone",
  "input",
  "overlap",
  "catchUp",
  "maxCatchUp",
  "jitter",
  "startAt",
  "endAt",
];

const LEAST_INTERVAL_MS = 100;
const MOST_CATCH_UP = 10_000;

/**
 * Defines a schedule, which starts runs of a workflow at times. The runners that have it in `schedules` start exactly
 * one run per tick, however many runners there are.
 *
 * A cron expression with fixed seconds, minutes and hours is a time of day: it ticks once per local day, including the
 * days on which daylight saving time begins or ends. An expression with `*` or a step in these fields is an interval in
 * real time. See the table in docs/schedules.md.
 *
 * @throws {DefinitionError} If an option is invalid; `problems` lists every problem.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { schedule, unchecked, workflow } from "@sluice/sluice";
 *
 * const report = workflow("report", { input: unchecked<{ day: string }>() }).task("write", { run: ({ input }) => input.day });
 *
 * const nightly = schedule({
 *   name: "nightly report",
 *   workflow: report,
 *   cron: "30 2 * * *",
 *   timeZone: "Europe/Berlin",
 *   input: ({ tick }) => ({ day: new Date(tick).toISOString().slice(0, 10) }),
 * });
 * assertEquals([nightly.overlap, nightly.catchUp], ["skip", "last"]);
 * ```
 */
export function schedule<const W extends AnyWorkflow, Keys extends string = never>(
  options:
    & ScheduleOptions<W>
    & ScheduleTiming
    & ScheduleInput<InputOf<W>>
    & Known<Keys, ScheduleOption>,
): Schedule {
  const checks = newChecks();
  const read = checks.options(options, "options", OPTIONS);
  const name = checks.name(read["name"], "its name");
  const workflow = checkWorkflow(read["workflow"], checks);
  const { input } = read;
  if (workflow !== undefined && typeof input !== "function") checkFixedInput(workflow.input, input, checks);
  const timing = readTiming(read, checks);
  const parts = {
    name,
    ...timing,
    input,
    overlap: checks.word(read["overlap"], "overlap", { skip: 1, queue: 1, allow: 1, cancelPrevious: 1 }) ?? "skip",
    catchUp: checks.word(read["catchUp"], "catchUp", { none: 1, last: 1, all: 1 }) ?? "last",
    maxCatchUp: checkMost(read["maxCatchUp"], checks),
    jitterMs: checks.duration(read["jitter"], "jitter") ?? 0,
    startAt: checkTime(read["startAt"], "startAt", checks),
    endAt: checkTime(read["endAt"], "endAt", checks),
  };
  const { startAt = -Infinity, endAt = Infinity } = parts;
  if (startAt >= endAt) checks.report("endAt must be after startAt");
  if (parts.everyMs !== undefined && parts.jitterMs >= parts.everyMs && parts.jitterMs > 0) {
    checks.report("jitter must be shorter than every");
  }
  if (workflow === undefined || checks.problems.length > 0) {
    throw new DefinitionError(name, checks.problems, "schedule");
  }
  return new Schedule({ ...parts, workflow });
}

/** Returns the workflow of a schedule or poll. */
export function checkWorkflow(value: unknown, checks: Checks): AnyWorkflow | undefined {
  if (!(value instanceof Workflow)) {
    checks.report(`workflow must be a workflow that workflow() returned, not ${shown(value)}`);
    return undefined;
  }
  if (value.tasks.length === 0) checks.report(`workflow "${value.name}" has no tasks`);
  return value;
}

/** Returns an interval of at least 100 ms. */
export function checkInterval(value: unknown, checks: Checks): number | undefined {
  const ms = checks.duration(value, "every");
  if (ms !== undefined && ms < LEAST_INTERVAL_MS) {
    checks.report(`every must be at least ${LEAST_INTERVAL_MS} ms, not ${ms}`);
  }
  return ms;
}

function readTiming(
  { cron, every, timeZone }: Options,
  checks: Checks,
): Pick<Schedule, "cron" | "everyMs" | "timeZone"> {
  if (cron !== undefined && every !== undefined) checks.report("cron and every exclude each other; leave one out");
  if (cron === undefined && every === undefined) checks.report("it has no cron and no every; state one");
  if (timeZone !== undefined && cron === undefined && every !== undefined) {
    checks.report("timeZone is for cron; an interval has no time zone");
  }
  const text = checks.text(cron, "cron");
  if (text !== undefined) readCron(text, (problem) => checks.report(`cron ${shown(text)}: ${problem}`));
  return {
    cron: text,
    everyMs: checkInterval(every, checks),
    timeZone: checkTimeZone(timeZone, checks),
  };
}

function checkTimeZone(value: unknown, checks: Checks): string {
  if (value === undefined) return "UTC";
  if (typeof value !== "string") {
    checks.report(`timeZone must be a string, not ${shown(value)}`);
    return "UTC";
  }
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: value });
  } catch {
    const known = ["UTC", ...Intl.supportedValuesOf("timeZone")];
    checks.report(`timeZone ${shown(value)} is unknown${didYouMean(value, known)}`);
  }
  return value;
}

function checkTime(value: unknown, what: string, checks: Checks): number | undefined {
  if (value === undefined) return undefined;
  const ms = parseTime(value);
  if (ms === undefined) {
    const is = value instanceof Date ? "an invalid Date" : shown(value);
    checks.report(`${what} must be a Date, milliseconds since the epoch or ISO 8601 text with a zone, not ${is}`);
  }
  return ms;
}

function checkMost(value: unknown, checks: Checks): number {
  if (value === undefined) return 100;
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MOST_CATCH_UP) return Number(value);
  checks.report(`maxCatchUp must be an integer from 1 to 10000, not ${shown(value)}`);
  return 100;
}
