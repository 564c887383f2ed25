import type { Startable } from "./child.ts";
import type { Duration } from "../duration.ts";
import type { RetryPolicy } from "./retry.ts";
import type { StartedRun, TaskStartArgs, TaskStartOptions } from "./task_start.ts";

/** How a task ended, as its dependents see it: a task skipped because of a failure counts as failed. */
export type TaskStatus = "completed" | "failed" | "skipped";

/**
 * Writes a line to the runner's logger, with the run, task and attempt as fields; `ctx.log("…")` is
 * `ctx.log.info("…")`.
 */
export interface TaskLog {
  /** Normal events. */
  (message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Details for debugging. */
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Normal events. */
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Problems from which the task recovered. */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Problems that need an operator. */
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Options of `ctx.step`. */
export interface StepOptions {
  /**
   * Applied when the step throws: a total number of attempts, or a policy. All of them belong to one attempt of the task,
   * and `ctx.signal` ends the delay between two. @default {1} attempt
   */
  readonly retry?: number | RetryPolicy;
  /**
   * The maximum duration of an attempt at the step, which then fails with a `StepTimeoutError`. The body is not stopped,
   * and what it returns later is ignored.
   */
  readonly timeout?: Duration;
}

/** The context of an attempt, which a task body receives as `ctx`. */
export interface TaskContext {
  /** Id of the run. */
  readonly runId: string;
  /** Name of the workflow of the run. */
  readonly workflow: string;
  /** The tenant: on Postgres the name of the schema, on SQLite `undefined`, as each tenant is a separate file. */
  readonly tenant: string | undefined;
  /** Id of the task. */
  readonly taskId: string;
  /** Number of the attempt, counted from 1. */
  readonly attempt: number;
  /** The index of the item of a map, from 0; `undefined` in the body of another task. */
  readonly item: number | undefined;
  /**
   * Aborted on cancel, timeout, shutdown and a lost lease, and when another item of a map has failed. Its `reason` is an
   * error that states the cause, such as a `RunCancelledError`, `TaskTimeoutError` or `ShutdownError`.
   */
  readonly signal: AbortSignal;
  /**
   * A key for external requests: the same in every attempt of this task, or item, of this run, and unique otherwise.
   */
  readonly idempotencyKey: string;
  /**
   * Runs `body` and stores its output under `name`: later attempts of the task receive the stored output, and `body` is
   * not called again. Resolves when the output is durable. A body that throws is repeated according to `retry`, and
   * nothing is stored. A name may be used once per attempt.
   *
   * @throws {TypeError} If an argument is invalid, the name was used before, the step would wait for itself, or the task is
   * a transaction.
   * @throws {PayloadError} If the output cannot be stored as JSON or is too large.
   * @throws {StepTimeoutError} If an attempt at the step takes longer than its `timeout`, and no attempt follows.
   * @throws What `body` throws, after the last attempt at the step.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { createRunner, workflow } from "@sluice/sluice";
   *
   * let charges = 0;
   * const order = workflow("order").task("pay", {
   *   retry: { delay: 0 },
   *   run: async ({ ctx }) => {
   *     const receipt = await ctx.step("charge", () => `receipt ${++charges}`);
   *     if (ctx.attempt === 1) throw new Error("the receipt printer is offline");
   *     return receipt;
   *   },
   * }).returns("pay");
   * await using runner = await createRunner("sqlite::memory:", { workflows: [order] });
   * const outcome = await runner.execute(order);
   * assertEquals(outcome.status === "completed" && outcome.result, "receipt 1");
   * ```
   */
  readonly step: <Output>(name: string, body: () => Output, options?: StepOptions) => Promise<Awaited<Output>>;
  /**
   * Starts a run of a workflow that is registered with the runner, given by value or by name; resolves when the run is
   * durable. The run is independent: nothing waits for it, and a cancel or failure of this run does not reach it. It is
   * started exactly once however often the body is repeated, also by `retry()`. A transaction commits it together with its
   * own work. Of a workflow that is given by name, the type of the input is not checked.
   *
   * @throws {UnknownWorkflowError} If the workflow is not registered.
   * @throws {ValidationError} If the schema of the workflow rejects the input.
   * @throws {KeyConflictError} If `ifExists` does not allow the run that exists.
   * @throws {TypeError} If an option is invalid, or the attempt has started a run of the workflow without a key before.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { createRunner, unchecked, workflow } from "@sluice/sluice";
   *
   * const mail = workflow("mail", { input: unchecked<{ to: string }>() }).task("send", { run: ({ input }) => input.to });
   * const news = workflow("news").map("readers", {
   *   over: () => ["ann", "ben"],
   *   run: async ({ item, ctx }) => (await ctx.start(mail, { to: item })).runId,
   * });
   * await using runner = await createRunner("sqlite::memory:", { workflows: [news, mail] });
   * const outcome = await runner.execute(news);
   * const [ann = ""] = outcome.outputs.readers ?? [];
   * assertEquals(await runner.get(ann).result(), { send: "ann" });
   * ```
   */
  readonly start: <const T extends Startable | string, Options extends TaskStartOptions = TaskStartOptions>(
    workflow: T,
    ...args: TaskStartArgs<T, Options>
  ) => Promise<StartedRun>;
  /**
   * Reports the progress of the task, for `tasks()`, `events()` and the inspector. Never blocks the body: the latest value
   * is stored about ten times a second at most.
   *
   * @throws {TypeError} If `done` or `total` is not a number.
   */
  readonly progress: (done: number, total?: number, message?: string) => void;
  /** Writes to the runner's logger. */
  readonly log: TaskLog;
}

/** What a body receives at run time: the outputs of the tasks it named, by id, and these. */
export interface TaskArguments {
  /** The run's validated input. */
  readonly input: unknown;
  /** The context of the attempt. */
  readonly ctx: TaskContext;
  /** How each dependency ended. */
  readonly status: Readonly<Record<string, TaskStatus>>;
  /** The output of a dependency. */
  readonly [taskId: string]: unknown;
}
