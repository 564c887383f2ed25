import type { Poll } from "../definition/poll.ts";
import type { Schedule } from "../definition/schedule.ts";
import type { Time } from "../definition/time.ts";
import type { AnyWorkflow } from "../definition/workflow.ts";
import type { Duration } from "../duration.ts";
import type { Client } from "../engine/client/client.ts";
import type { RunEvent } from "../engine/reading/events.ts";
import type { RunnerOptions } from "../engine/options.ts";
import type { Stats } from "../engine/telemetry/stats.ts";
import type { FakeClock } from "./fake_clock.ts";
import type { Stubs } from "./stubs.ts";
import type { LoggedLine } from "./test_context.ts";

/** Options of `createTestRunner`. */
export interface TestRunnerOptions<W extends AnyWorkflow> extends
  Pick<
    RunnerOptions<W>,
    | "workflows"
    | "schedules"
    | "defaults"
    | "concurrency"
    | "maxRuns"
    | "lease"
    | "retention"
    | "maxPayloadBytes"
    | "onVersionChange"
    | "recoveryLimit"
    | "onEvent"
    | "tracing"
  > {
  /**
   * Outputs, or functions that return them, in place of tasks: by the name of the workflow and the id of the task. A
   * stub of a map or subworkflow replaces the whole task. The workflows of child runs can have stubs, too. @default
   * {{}}
   */
  readonly stubs?: Stubs<W>;
  /** The initial time of the clock. @default {"2026-01-01T00:00:00Z"} */
  readonly now?: Time;
}

/** Options of `restart`. */
export interface RestartOptions {
  /** The workflows of the new runner, as after a deploy. @default {undefined} the previous ones */
  readonly workflows?: readonly AnyWorkflow[];
  /** The stubs of the new runner. @default {undefined} the previous ones, unless `workflows` is stated */
  readonly stubs?: Stubs<AnyWorkflow>;
  /** The schedules and polls of the new runner. @default {undefined} the previous ones */
  readonly schedules?: readonly (Schedule | Poll)[];
}

/** A runner on a store in memory, with a clock that the test advances, and a client that outlives the runner. */
export interface TestRunner<W extends AnyWorkflow> extends Omit<Client<W>, "stop"> {
  /** The clock of the runner and its store. */
  readonly clock: FakeClock;
  /** The events that `onEvent` received, in order. */
  readonly events: readonly RunEvent[];
  /** The log lines, in order. */
  readonly logged: readonly LoggedLine[];
  /** Whether the runner was killed and not restarted. */
  readonly isKilled: boolean;
  /**
   * Starts a run and advances the time until it has ended, by at most 30 days.
   *
   * @throws What `start` throws.
   * @throws {Error} If the run has not ended by then, such as one that waits for a message.
   */
  readonly execute: Client<W>["execute"];
  /**
   * Advances the time and executes all that becomes due: retries, timeouts, sleeps, ticks, checks. Idle time costs
   * nothing.
   *
   * @throws {RangeError} If `duration` is not a duration.
   */
  advance(duration: Duration): Promise<void>;
  /** Waits, without advancing the time, until all work that is due has settled. */
  settle(): Promise<void>;
  /**
   * Advances the time until `promise` settles, and settles like it: `until(run.result())`.
   *
   * @throws {Error} If the promise has not settled after `limit`.
   * @default {"30d"} for `limit`
   */
  until<T>(promise: PromiseLike<T>, limit?: Duration): Promise<T>;
  /**
   * Ends the runner like `kill -9` ends a process: it writes nothing from now on, and uncommitted results are lost.
   * Running bodies are not interrupted, which is impossible within a process; their results are dropped. Meanwhile runs
   * can be started, sent to and controlled.
   */
  kill(): Promise<void>;
  /** Opens a new runner, which recovers the runs of a killed one at once. A live one is stopped first. */
  restart(options?: RestartOptions): Promise<void>;
  /** Counts of runs and operations, of all runners and the client together. */
  stats(): Promise<Stats>;
  /** Stops the runner and closes the store. */
  stop(): Promise<void>;
}
