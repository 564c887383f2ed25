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
// What programs call, catch and annotate with, and what the compiler must name in their declaration files
// (tests/package/npm_test.ts). The machinery of the types is not exported.
export type { Workflow } from "./lib/definition/builder.ts";
export type { Child } from "./lib/definition/child.ts";
export { type DynamicTask, type DynamicWorkflow, dynamicWorkflow } from "./lib/definition/dynamic.ts";
export type { WorkflowGraph } from "./lib/definition/graph.ts";
export type { Limit } from "./lib/definition/limit.ts";
export { type Poll, poll } from "./lib/definition/poll.ts";
export type { RetryPolicy } from "./lib/definition/retry.ts";
export { type Schedule, schedule } from "./lib/definition/schedule.ts";
export { type Schema, unchecked } from "./lib/definition/schema.ts";
export type { Collected } from "./lib/definition/specs.ts";
export type { EventStep as TypedEvent, SleepStep as TypedSleep, Step as TypedTask } from "./lib/definition/steps.ts";
export type { TaskContext } from "./lib/definition/context.ts";
export { task, type TaskBody } from "./lib/definition/task.ts";
export { type AnyWorkflow, type InputOf, type OutputsOf, type ResultOf, workflow } from "./lib/definition/workflow.ts";
export type { Duration } from "./lib/duration.ts";
export type { BlockedTask } from "./lib/engine/blocked_tasks.ts";
export type { ChildInfo } from "./lib/engine/child_info.ts";
export type { BulkFilter, BulkProgress } from "./lib/engine/bulk.ts";
export { type Client, createClient } from "./lib/engine/client.ts";
export type { ExecutionEvent, RunEvent } from "./lib/engine/events.ts";
export type { Explanation, RunOrigin } from "./lib/engine/explain.ts";
export type { HandleOf, RunHandle } from "./lib/engine/handle.ts";
export type { HistoryEntry } from "./lib/engine/history.ts";
export type { ItemInfo, ItemPage } from "./lib/engine/item_list.ts";
export type { LaneInfo } from "./lib/engine/limits/lane_info.ts";
export { metricsText } from "./lib/engine/metrics_text.ts";
export type { ListOptions, RunPage as RunList } from "./lib/engine/list.ts";
export type { ClientOptions, RunnerOptions } from "./lib/engine/options.ts";
export type { OutcomeOf, RunOutcome } from "./lib/engine/outcome.ts";
export type { RunInfo, RunStatus } from "./lib/engine/run_info.ts";
export type { TaskInfo } from "./lib/engine/run_reader.ts";
export { createRunner } from "./lib/engine/runner.ts";
export type { RunFilter } from "./lib/engine/run_filter.ts";
export type { Runner } from "./lib/engine/runner_interface.ts";
export type { ScheduleHistoryEntry, ScheduleInfo } from "./lib/engine/schedules/info.ts";
export type { StartOptions } from "./lib/engine/start_options.ts";
export type { Stats } from "./lib/engine/stats.ts";
export type { StrandedRun } from "./lib/engine/stranded.ts";
export type { ErrorCode, StoreErrorCode } from "./lib/error_codes.ts";
export { DeferError, NonRetryableError, RetryAfterError, StepTimeoutError } from "./lib/engine/task_errors.ts";
export { WaitTimeoutError } from "./lib/engine/wait.ts";
export {
  DefinitionError,
  type ErrorRecord,
  type Failure,
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
export type { RunState, TaskState } from "./lib/store/batch.ts";
export type { Store } from "./lib/store/port.ts";
