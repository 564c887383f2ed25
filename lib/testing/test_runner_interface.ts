import type { Poll } from "../definition/poll.ts";
import type { Schedule } from "../definition/schedule.ts";
import type { Time } from "../definition/time.ts";
import type { AnyWorkflow } from "../definition/workflow.ts";
import type { Duration } from "../duration.ts";
import type { Client } from "../engine/client.ts";
import type { RunEvent } from "../engine/events.ts";
import type { RunnerOptions } from "../engine/options.ts";
import type { Stats } from "../engine/stats.ts";
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
   * Outputs, or functions that return them, in place of tasks: by the name of the workflow and the id of the task. A stub
   * takes the place of a whole map and of a child run. It may be that of a workflow of child runs. @default {{}}
   */
  readonly stubs?: Stubs<W>;
  /** The first time of the clock. @default {"2026-01-01T00:00:00Z"} */
  readonly now?: Time;
}

/** What a restart may change. */
export interface RestartOptions {
  /** The workflows of the new runner, as after a deploy. @default {undefined} those of before */
  readonly workflows?: readonly AnyWorkflow[];
  /** Its stubs. @default {undefined} those of before, unless `workflows` is stated */
  readonly stubs?: Stubs<AnyWorkflow>;
  /** Its schedules and polls. @default {undefined} those of before */
  readonly schedules?: readonly (Schedule | Poll)[];
}

/** A runner on a store in memory, by a clock that is moved by hand, and a client of it that survives it. */
export interface TestRunner<W extends AnyWorkflow> extends Omit<Client<W>, "stop"> {
  /** The clock of the runner and its store. */
  readonly clock: FakeClock;
  /** What `onEvent` was told, in order. */
  readonly events: readonly RunEvent[];
  /** What was logged, in order. */
  readonly logged: readonly LoggedLine[];
  /** Whether the runner was killed and not restarted. */
  readonly isKilled: boolean;
  /**
   * Starts a run and moves the time on until it has ended, for at most 30 days.
   *
   * @throws What `start` throws.
   * @throws {Error} If it has not ended by then, as a run that waits for a message.
   */
  readonly execute: Client<W>["execute"];
  /**
   * Moves the time on; whatever becomes due on the way happens: retries, time-outs, sleeps, ticks, checks. Time in which
   * nothing happens costs nothing.
   *
   * @throws {RangeError} If `duration` is not a duration.
   */
  advance(duration: Duration): Promise<void>;
  /** Waits, without moving the time, until everything that can happen now has happened. */
  settle(): Promise<void>;
  /**
   * Moves the time on until `promise` settles, and settles as it does: `until(run.result())`.
   *
   * @throws {Error} If it has not settled after `limit`.
   * @default {"30d"} for `limit`
   */
  until<T>(promise: PromiseLike<T>, limit?: Duration): Promise<T>;
  /**
   * Ends the runner as `kill -9` ends a process: from now on it writes nothing, and what was not written is lost. Bodies
   * that run are not interrupted, as nothing in a process can do that; their results are dropped. Runs can be started, sent
   * to and controlled meanwhile.
   */
  kill(): Promise<void>;
  /** Opens a new runner, which recovers the runs of one that was killed at once; one that lives is stopped before. */
  restart(options?: RestartOptions): Promise<void>;
  /** Counts of runs and operations, those of all runners and the client together. */
  stats(): Promise<Stats>;
  /** Stops the runner and closes the store. */
  stop(): Promise<void>;
}
