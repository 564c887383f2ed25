/**
 * Sluice: typed, durable task pipelines inside a Deno, Bun or Node process. All state is in SQLite or Postgres.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createRunner, unchecked, workflow } from "@sluice/sluice";
 *
 * const etl = workflow("etl", { input: unchecked<{ lines: string[] }>() })
 *   .task("parse", { run: ({ input }) => input.lines.map(Number) })
 *   .task("sum", { after: ["parse"], run: ({ parse }) => parse.reduce((a, b) => a + b, 0) })
 *   .returns("sum");
 *
 * await using runner = await createRunner("sqlite::memory:", { workflows: [etl] });
 * const outcome = await runner.execute(etl, { lines: ["1", "2"] });
 * assertEquals(outcome.status === "completed" && outcome.result, 3);
 * ```
 *
 * @module
 */
// What programs call, catch, hold and pass in; the shapes of what calls return are in lib/types/mod.ts. The machinery of
// the types is not exported.
export type { Workflow } from "./lib/definition/builder.ts";
export { type DynamicTask, type DynamicWorkflow, dynamicWorkflow } from "./lib/definition/dynamic.ts";
export type { Limit } from "./lib/definition/limit.ts";
export { type Poll, poll } from "./lib/definition/poll.ts";
export type { RetryPolicy } from "./lib/definition/retry.ts";
export { type Schedule, schedule } from "./lib/definition/schedule.ts";
export { type Schema, unchecked } from "./lib/definition/schema.ts";
export type { TaskContext } from "./lib/definition/context.ts";
export { task, type TaskBody } from "./lib/definition/task.ts";
export { type AnyWorkflow, type InputOf, type OutputsOf, type ResultOf, workflow } from "./lib/definition/workflow.ts";
export type { Duration } from "./lib/duration.ts";
export type { BulkFilter } from "./lib/engine/client/bulk.ts";
export { type Client, createClient } from "./lib/engine/client/client.ts";
export type { RunEvent } from "./lib/engine/reading/events.ts";
export type { HandleOf, RunHandle } from "./lib/engine/client/handle.ts";
export { metricsText } from "./lib/engine/telemetry/metrics_text.ts";
export type { ListOptions } from "./lib/engine/client/list.ts";
export type { ClientOptions, RunnerOptions } from "./lib/engine/options.ts";
export type { OutcomeOf, RunOutcome } from "./lib/engine/client/outcome.ts";
export { createRunner } from "./lib/engine/runner.ts";
export type { RunFilter } from "./lib/engine/client/run_filter.ts";
export type { Runner } from "./lib/engine/runner_interface.ts";
export type { StartOptions } from "./lib/engine/client/start_options.ts";
export type { ErrorCode, StoreErrorCode } from "./lib/error_codes.ts";
export { DeferError, NonRetryableError, RetryAfterError, StepTimeoutError } from "./lib/engine/errors/task_errors.ts";
export { WaitTimeoutError } from "./lib/engine/client/wait.ts";
export {
  DefinitionError,
  LeaseLostError,
  PayloadError,
  RecoveryLimitError,
  RunCancelledError,
  RunFailedError,
  RunNotFoundError,
  RunStateError,
  RunTimeoutError,
  ShutdownError,
  StoreError,
  TaskTimeoutError,
  UnknownTaskError,
  UnknownWorkflowError,
  ValidationError,
} from "./lib/errors.ts";
export type { Logger } from "./lib/logger.ts";
export { UnknownScheduleError } from "./lib/schedule_errors.ts";
export { SluiceError } from "./lib/sluice_error.ts";
export { KeyConflictError, LimitReachedError, QueueFullError } from "./lib/start_errors.ts";
export type { Store } from "./lib/store/port/store.ts";
export type { RunState, TaskState } from "./lib/types/mod.ts";
