import { type Checks, newChecks, type Options, shown } from "../definition/checks.ts";
import type { Poll } from "../definition/poll.ts";
import type { Schedule } from "../definition/schedule.ts";
import type { AnyWorkflow } from "../definition/workflow.ts";
import { readRetry, type TaskDefaults } from "../definition/retry.ts";
import { type Clock, systemClock } from "../clock.ts";
import type { Duration } from "../duration.ts";
import { harmless, type Logger, silent } from "../logger.ts";
import type { RunEvent } from "./reading/events.ts";
import type { Password } from "../store/url.ts";
import { type AttemptPolicy, DEFAULT_POLICY } from "./machine/plan.ts";
import type { RetentionTimes } from "./retention.ts";
import { harmlessTracing, type Tracing } from "./telemetry/tracing.ts";

/** Options of `createClient`. */
export interface ClientOptions<W extends AnyWorkflow> {
  /** Workflows that can be started. @default {[]} */
  readonly workflows?: readonly W[];
  /** Postgres: the schema of the tenant. Refused with SQLite, where each tenant has a file. @default {"sluice"} */
  readonly schema?: string;
  /**
   * Postgres: the password of the login, or a function that returns the current one, for credentials that rotate. The
   * function is called before each connection. Refused with SQLite. @default {undefined} the password of the URL
   */
  readonly password?: Password;
  /**
   * SQLite: what a commit survives. `"power"` (synchronous FULL): a loss of power. `"process"` (NORMAL): a crash of the
   * process; a loss of power may undo the latest commits. @default {"power"}
   */
  readonly durability?: "power" | "process";
  /** Largest input or output, in bytes of JSON. @default {1_048_576} */
  readonly maxPayloadBytes?: number;
  /**
   * Receives log lines; `console` is a logger. Without one a runner reports failed runs on `console.error`, and parked
   * runs and lost leases on `console.warn`, in one line each. `false`: no line at all.
   *
   * @default {undefined} the reports
   */
  readonly logger?: Logger | false;
  /**
   * Observes runs that are started here and, in a runner, their execution: `createTracing()` of `./otel` creates spans.
   * @default {undefined} no tracing
   */
  readonly tracing?: Tracing;
  /**
   * Schedules and polls that start runs: a runner registers and fires them, a client can `trigger` and `backfill` those whose input
   * is a function. A runner pauses the schedules that its program no longer has; without this option it changes none.
   * @default {undefined} none
   */
  readonly schedules?: readonly (Schedule | Poll)[];
  /** Clock of timers and leases, for tests. @default {undefined} the clock of the machine */
  readonly clock?: Clock;
}

/** Options of `createRunner`. */
export interface RunnerOptions<W extends AnyWorkflow> extends ClientOptions<W> {
  /** Workflows that this runner executes. It never claims runs of other workflows. */
  readonly workflows: readonly W[];
  /**
   * The `retry` and `timeout` of tasks, transactions and maps that state none. Not part of the version of a workflow:
   * with another value, the runs in progress continue with it. A task with `guarantee: "atMostOnce"` that states no
   * `retry` has one attempt in any case. @default {{}}
   */
  readonly defaults?: TaskDefaults;
  /** Task bodies that run at once. @default {64} */
  readonly concurrency?: number;
  /**
   * Runs in memory at once, without those that wait for child runs, of which half as many stay in memory.
   * @default {1000}
   */
  readonly maxRuns?: number;
  /**
   * How long this runner owns its runs without a renewal, from 1 s. If a runner dies, other runners recover its runs
   * after this time, and on the same host within seconds. @default {"30s"}
   */
  readonly lease?: Duration;
  /**
   * How long after their end runs are deleted: a duration, or one for each final state, such as
   * `{ completed: "1d", failed: "30d" }`. Runs of a state without one are kept. Child runs are deleted by their own state,
   * and never before their parent. @default {undefined} never
   */
  readonly retention?: Duration | Retention;
  /**
   * What to do with a run that started with another version of its workflow. `"resume"`: continue it if each of its
   * recorded tasks still exists with the same kind and dependencies, or else park it. `"pin"`: leave it to a runner with
   * its version. Parked runs are listed by `stranded()`. @default {"resume"}
   */
  readonly onVersionChange?: "resume" | "pin";
  /** A run fails when this many runners died while they owned it, without progress. @default {5} */
  readonly recoveryLimit?: number;
  /** Receives the events of the runs, schedules and polls of this runner as they happen. An error that it throws is logged. */
  readonly onEvent?: (event: RunEvent) => void;
  /**
   * How to treat unhandled promise rejections of the process, such as one of a promise that a body did not await. They
   * would end the process and every run in it. `"log"`: while the runner is open they are logged instead; without a
   * logger they are warnings of the process. `"ignore"`: the runtime handles them.
   * @default {"log"}
   */
  readonly unhandledRejections?: "log" | "ignore";
}

/** How long runs are kept after their end, by the state in which they ended. */
export interface Retention {
  /** Runs that completed. @default {undefined} they are kept */
  readonly completed?: Duration;
  /** Runs that failed. @default {undefined} they are kept */
  readonly failed?: Duration;
  /** Runs that were cancelled. @default {undefined} they are kept */
  readonly cancelled?: Duration;
}

/** Options of a client after validation, with defaults. */
export interface ClientSettings {
  readonly workflows: readonly AnyWorkflow[];
  readonly schema: string | undefined;
  readonly password: Password | undefined;
  readonly durability: "power" | "process";
  readonly maxPayloadBytes: number;
  readonly logger: Logger;
  /** Whether failed runs, parked runs and lost leases are reported on the console: there is no logger. */
  readonly reportsToConsole: boolean;
  readonly tracing: Tracing | undefined;
  readonly clock: Clock;
  /** `undefined` if the option was not given. */
  readonly schedules: readonly (Schedule | Poll)[] | undefined;
}

/** Options of a runner after validation, with defaults. */
export interface RunnerSettings extends ClientSettings {
  readonly defaults: AttemptPolicy;
  readonly concurrency: number;
  readonly maxRuns: number;
  readonly leaseMs: number;
  readonly retention: RetentionTimes;
  readonly onVersionChange: "resume" | "pin";
  readonly recoveryLimit: number;
  readonly onEvent: ((event: RunEvent) => void) | undefined;
  readonly unhandledRejections: "log" | "ignore";
}

const CLIENT_OPTIONS = [
  "workflows",
  "schema",
  "password",
  "durability",
  "maxPayloadBytes",
  "logger",
  "tracing",
  "schedules",
  "clock",
];
const RUNNER_OPTIONS = [
  ...CLIENT_OPTIONS,
  "defaults",
  "concurrency",
  "maxRuns",
  "lease",
  "retention",
  "onVersionChange",
  "recoveryLimit",
  "onEvent",
  "unhandledRejections",
];

/**
 * Validates the options of a client.
 *
 * @throws {TypeError} If an option is invalid; the message names every one.
 */
export function clientSettings(options: unknown): ClientSettings {
  const checks = newChecks();
  const settings = readClient(checks.options(options ?? {}, "the options", CLIENT_OPTIONS), checks);
  refuse("create a client", checks);
  return settings;
}

/**
 * Validates the options of a runner.
 *
 * @throws {TypeError} If an option is invalid; the message names every one.
 */
export function runnerSettings(options: unknown): RunnerSettings {
  const checks = newChecks();
  const read = checks.options(options ?? {}, "the options", RUNNER_OPTIONS);
  const settings: RunnerSettings = {
    ...readClient(read, checks),
    defaults: readDefaults(read["defaults"], checks),
    concurrency: count(read["concurrency"], "concurrency", 64, checks),
    maxRuns: count(read["maxRuns"], "maxRuns", 1_000, checks),
    leaseMs: checks.duration(read["lease"], "lease") ?? 30_000,
    retention: readRetention(read["retention"], checks),
    onVersionChange: checks.word(read["onVersionChange"], "onVersionChange", { resume: 1, pin: 1 }) ?? "resume",
    recoveryLimit: count(read["recoveryLimit"], "recoveryLimit", 5, checks),
    onEvent: checks.fn<(event: RunEvent) => void>(read["onEvent"], "onEvent"),
    unhandledRejections: checks.word(read["unhandledRejections"], "unhandledRejections", { log: 1, ignore: 1 }) ??
      "log",
  };
  if (settings.leaseMs < 1_000) checks.report(`lease must be at least 1 s, not ${settings.leaseMs} ms`);
  if (read["workflows"] === undefined) checks.report("workflows is missing");
  refuse("create a runner", checks);
  return settings;
}

/**
 * Throws all problems of a call as one error.
 *
 * @throws {TypeError} If there is a problem.
 */
export function refuse(action: string, { problems }: Checks): void {
  if (problems.length > 0) throw new TypeError(`Cannot ${action}: ${problems.join("; ")}`);
}

/** Returns a positive integer, or its default if it is `undefined`; reports any other value to `checks`. */
export function count(value: unknown, name: string, otherwise: number, checks: Checks): number {
  if (value === undefined) return otherwise;
  if (Number.isSafeInteger(value) && Number(value) >= 1) return Number(value);
  checks.report(`${name} must be a positive integer, not ${shown(value)}`);
  return otherwise;
}

function readDefaults(value: unknown, checks: Checks): AttemptPolicy {
  if (value === undefined) return DEFAULT_POLICY;
  const { retry, timeout } = checks.options(value, "defaults", ["retry", "timeout"]);
  return {
    retry: readRetry(retry, "defaults.retry", checks),
    timeoutMs: checks.timeout(timeout, "defaults.timeout"),
  };
}

function readRetention(value: unknown, checks: Checks): RetentionTimes {
  if (value === undefined) return {};
  if (typeof value !== "object" || value === null) {
    const ms = checks.duration(value, "retention");
    return ms === undefined ? {} : { completed: ms, failed: ms, cancelled: ms };
  }
  const read = checks.options(value, "retention", ["completed", "failed", "cancelled"]);
  const times = Object.entries(read).map(([state, time]) => [state, checks.duration(time, `retention.${state}`)]);
  return Object.fromEntries(times.filter(([, ms]) => ms !== undefined));
}

function readClient(read: Options, checks: Checks): ClientSettings {
  const { workflows = [], password, logger, tracing, clock, schedules } = read;
  if (!Array.isArray(workflows)) checks.report(`workflows must be an array, not ${shown(workflows)}`);
  if (schedules !== undefined && !Array.isArray(schedules)) {
    checks.report(`schedules must be an array, not ${shown(schedules)}`);
  }
  if (logger !== undefined && logger !== false && !has(logger, ["debug", "info", "warn", "error"])) {
    checks.report("logger must have the methods debug, info, warn and error, as console has");
  }
  if (tracing !== undefined && !has(tracing, ["currentContext", "startRun"])) {
    checks.report("tracing must have currentContext and startRun, as createTracing() returns them");
  }
  // Not shown in the message: it may be a password in another form.
  if (password !== undefined && typeof password !== "string" && typeof password !== "function") {
    checks.report("password must be text, or a function that returns the current one");
  }
  if (clock !== undefined && !has(clock, ["now", "after"])) checks.report("clock must have now and after");
  const writer = logger === undefined || logger === false ? silent : harmless(logger as Logger);
  return {
    workflows: Array.isArray(workflows) ? workflows : [],
    schema: checks.text(read["schema"], "schema"),
    password: password as Password | undefined,
    durability: checks.word(read["durability"], "durability", { power: 1, process: 1 }) ?? "power",
    maxPayloadBytes: count(read["maxPayloadBytes"], "maxPayloadBytes", 1024 * 1024, checks),
    logger: writer,
    reportsToConsole: logger === undefined,
    tracing: tracing === undefined ? undefined : harmlessTracing(tracing as Tracing, writer),
    clock: clock === undefined ? systemClock : clock as Clock,
    schedules: Array.isArray(schedules) ? schedules : undefined,
  };
}

function has(value: unknown, methods: readonly string[]): boolean {
  return typeof value === "object" && value !== null &&
    methods.every((name) => typeof (value as Options)[name] === "function");
}
