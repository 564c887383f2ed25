import type { Startable } from "./child.ts";
import type { Duration } from "../duration.ts";
import type { RetryPolicy } from "./retry.ts";
import type { StartedRun, TaskStartArgs, TaskStartOptions } from "./task_start.ts";

/** How a task ended, as its dependents see it: a task skipped because of a failure counts as failed. */
export type TaskStatus = "completed" | "failed" | "skipped";

/** Writes a line to the runner's logger, with the run, task and attempt beside it; `ctx.log("…")` is `ctx.log.info("…")`. */
export interface TaskLog {
  /** What is good to know. */
  (message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Details for somebody who looks for a fault. */
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** What is good to know. */
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** What went wrong and was mended. */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** What went wrong and needs somebody. */
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

/** What the engine tells a task about its run. */
export interface TaskContext {
  /** The run. */
  readonly runId: string;
  /** Name of the workflow of the run. */
  readonly workflow: string;
  /** The tenant: the schema of the database on Postgres; `undefined` on SQLite, where a tenant is a file of its own. */
  readonly tenant: string | undefined;
  /** The task. */
  readonly taskId: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** The index of the item of a map, from 0; `undefined` in the body of another task. */
  readonly item: number | undefined;
  /** Aborted on cancel, timeout, shutdown and a lost lease; its reason is the error that says which. */
  readonly signal: AbortSignal;
  /** The same for every attempt at this task of this run, and different for all others. */
  readonly idempotencyKey: string;
  /**
   * Runs `body` once per run and remembers its output: a later attempt gets the stored one. Durable when the promise
   * resolves. A body that throws is repeated as `retry` states, and not remembered. Names are unique within the task.
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
  /** Says how far the task is; stored now and then, never a reason to wait. */
  readonly progress: (done: number, total?: number, message?: string) => void;
  /** Writes to the runner's logger. */
  readonly log: TaskLog;
}

/** What a body receives at run time: the outputs of the tasks it named, by id, and these. */
export interface TaskArguments {
  /** The run's validated input. */
  readonly input: unknown;
  /** What the engine tells it. */
  readonly ctx: TaskContext;
  /** How each dependency ended. */
  readonly status: Readonly<Record<string, TaskStatus>>;
  /** The output of a dependency. */
  readonly [taskId: string]: unknown;
}
