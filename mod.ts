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
export { Workflow } from "./lib/definition/builder.ts";
export type { Clock } from "./lib/clock.ts";
export type { Child, ChildInput, ChildResult, Startable } from "./lib/definition/child.ts";
export type { StepOptions, TaskArguments, TaskContext, TaskLog, TaskStatus } from "./lib/definition/context.ts";
export type * from "./lib/definition/definition.ts";
export {
  type DynamicBody,
  type DynamicDefinition,
  type DynamicEvent,
  type DynamicMap,
  type DynamicOptions,
  type DynamicSleep,
  type DynamicSubworkflow,
  type DynamicTask,
  type DynamicWorkflow,
  dynamicWorkflow,
} from "./lib/definition/dynamic.ts";
export type { WorkflowGraph } from "./lib/definition/graph.ts";
export type {
  GenericReturn,
  HttpMessage,
  IsAny,
  IsUnion,
  Json,
  JsonElement,
  JsonReturn,
  Methods,
  NotYet,
  Remedy,
  Unstorable,
  Why,
} from "./lib/definition/json_types.ts";
export type * from "./lib/definition/option_names.ts";
export type * from "./lib/definition/options_check.ts";
export type { Limit, LimitArgs, ResolvedLimit, WhenFull } from "./lib/definition/limit.ts";
export type { RetryPolicy, RetryRule, TaskDefaults } from "./lib/definition/retry.ts";
export {
  Poll,
  poll,
  type PollCheck,
  type PollOption,
  type PollOptions,
  type PollResult,
  type PollStart,
} from "./lib/definition/poll.ts";
export {
  type CatchUp,
  type Overlap,
  Schedule,
  schedule,
  type ScheduleInput,
  type ScheduleOption,
  type ScheduleOptions,
  type ScheduleTick,
  type ScheduleTiming,
} from "./lib/definition/schedule.ts";
export {
  type Schema,
  type StorableSchema,
  unchecked,
  type ValidationIssue,
  type ValidationResult,
} from "./lib/definition/schema.ts";
export type * from "./lib/definition/specs.ts";
export type * from "./lib/definition/steps.ts";
export type {
  ExecuteArgs,
  Readable,
  Registered,
  RegisteredTarget,
  Resolve,
  Unnamed,
} from "./lib/definition/targets.ts";
export type {
  Compatible,
  Debouncable,
  IfExists,
  Keyed,
  KeyScope,
  StartArguments,
  StartedRun,
  TaskStartArgs,
  TaskStartOptions,
} from "./lib/definition/task_start.ts";
export { task, type TaskBody } from "./lib/definition/task.ts";
export type { Time } from "./lib/definition/time.ts";
export type { Transaction, TransactionBody, Undeclared } from "./lib/definition/transaction.ts";
export {
  type AnyWorkflow,
  type EventsOf,
  type InputOf,
  type OutputsOf,
  type ResultOf,
  workflow,
  type WorkflowOption,
  type WorkflowOptions,
} from "./lib/definition/workflow.ts";
export { WorkflowValue } from "./lib/definition/workflow_value.ts";
export type { Duration } from "./lib/duration.ts";
export type { BlockedTask } from "./lib/engine/blocked_tasks.ts";
export { type Client, createClient, type StartArgs } from "./lib/engine/client.ts";
export type { ExecutionEvent, Progress, RunEvent, RunLevelEvent, TaskLevelEvent } from "./lib/engine/events.ts";
export type { ChildInfo } from "./lib/engine/child_info.ts";
export type { HistoryEntry, HistoryEvent, TaskHistoryEvent } from "./lib/engine/history.ts";
export type { Explanation, Reason } from "./lib/engine/explain.ts";
export type {
  CancelOptions,
  EventIds,
  ForkOptions,
  HandleOf,
  IdsOf,
  PayloadArgs,
  PayloadOf,
  RunHandle,
} from "./lib/engine/handle.ts";
export type { LaneInfo, LimitsOptions, PermitInfo } from "./lib/engine/limits/lane_info.ts";
export type { ListOptions, RunPage } from "./lib/engine/list.ts";
export type { RunFilter } from "./lib/engine/run_filter.ts";
export type { ClientOptions, RunnerOptions } from "./lib/engine/options.ts";
export type { ArrayIds, ItemInfo, ItemListOptions, ItemPage, MapIds, OutputOfItem } from "./lib/engine/item_list.ts";
export type { ItemState } from "./lib/engine/item_page.ts";
export type { ItemsInfo } from "./lib/engine/items_info.ts";
export type { OutcomeOf, RunOutcome } from "./lib/engine/outcome.ts";
export type { Compensated } from "./lib/engine/run_end.ts";
export type { UndoInfo } from "./lib/engine/undo_info.ts";
export type { Resolution, ResolveOptions } from "./lib/engine/resolve.ts";
export type { DebounceInfo, RunInfo, RunStatus } from "./lib/engine/run_info.ts";
export type { TaskInfo } from "./lib/engine/run_reader.ts";
export type { EventsOptions } from "./lib/engine/run_events.ts";
export { type WaitOptions, WaitTimeoutError } from "./lib/engine/wait.ts";
export { createRunner } from "./lib/engine/runner.ts";
export type { Runner, StopOptions } from "./lib/engine/runner_interface.ts";
export type { DebounceOptions, StartManyOptions, StartOptions, Transactional } from "./lib/engine/start_options.ts";
export type { RunnerStats, RunnerTotals, ScheduleTotals, Stats } from "./lib/engine/stats.ts";
export type { BackfillOptions, BackfillResult, Schedules } from "./lib/engine/schedules/api.ts";
export type { ScheduleEvent } from "./lib/engine/schedules/schedule_events.ts";
export type { ScheduleHistoryEntry, ScheduleInfo } from "./lib/engine/schedules/info.ts";
export type { LostTick, ScheduleCounts, ScheduleFailure } from "./lib/engine/schedules/stored.ts";
export type { StrandedRun } from "./lib/engine/stranded.ts";
export type {
  AttemptTrace,
  RunLeave,
  RunTrace,
  TracedAttempt,
  TracedEnd,
  TracedRun,
  Tracing,
} from "./lib/engine/tracing.ts";
export type { Password } from "./lib/store/url.ts";
export { DeferError, NonRetryableError, RetryAfterError, StepTimeoutError } from "./lib/engine/task_errors.ts";
export {
  DefinitionError,
  type ErrorCode,
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
export { UnknownScheduleError } from "./lib/schedule_errors.ts";
export { KeyConflictError, LimitReachedError, QueueFullError } from "./lib/start_errors.ts";
export { SluiceError } from "./lib/sluice_error.ts";
export type { JsonPrimitive, JsonValue } from "./lib/json_value.ts";
export type { Logger } from "./lib/logger.ts";
export type { RunState, TaskState } from "./lib/store/batch.ts";
export type { RunCounts, Store, StoreCounters } from "./lib/store/port.ts";
export type { ScheduleRowCounts } from "./lib/store/schedules.ts";
