import type { StoreErrorCode } from "./error_codes.ts";
import type { JsonValue } from "./json_value.ts";
import { SluiceError } from "./sluice_error.ts";

/** An error as it is stored, of a failed attempt or run. */
export interface ErrorRecord {
  /** Name of the error, such as `"TypeError"`; `"Error"` if the thrown value is not an error. */
  readonly name: string;
  /** Message of the error; longer than 8,192 characters it is cut. */
  readonly message: string;
  /** Code of the error, if it has one. */
  readonly code?: string;
  /** Present if the error is a `SluiceError`: another error may have a code that reads the same. */
  readonly isSluice?: true;
  /** Stack of the error; longer than 16,384 characters it is cut. */
  readonly stack?: string;
  /** Own fields of the error that JSON can represent, such as `status`; up to 4,096 characters. */
  readonly fields?: Readonly<Record<string, JsonValue>>;
  /** Cause of the error; causes and inner errors are recorded to a depth of five errors. */
  readonly cause?: ErrorRecord;
  /** Inner errors: up to ten of an `AggregateError`; of a `SuppressedError` its `error` and then its `suppressed`. */
  readonly errors?: readonly ErrorRecord[];
}

/** One failed attempt of a task. */
export interface Failure {
  /** Id of the task. */
  readonly taskId: string;
  /** Index of the item, counted from 0; absent if the attempt was not at an item of a map. */
  readonly item?: number;
  /** Number of the attempt, counted from 1. */
  readonly attempt: number;
  /** Error of the attempt. */
  readonly error: ErrorRecord;
  /** When the attempt started, in milliseconds since the epoch; absent if it was not recorded. */
  readonly startedAt?: number;
  /** When the attempt ended, in milliseconds since the epoch. */
  readonly endedAt?: number;
}

/** The definition of a workflow, schedule or poll is invalid. */
export class DefinitionError extends SluiceError {
  /** Name of the class. */
  override name = "DefinitionError";
  /** Stable code for programs. */
  declare readonly code: "invalid_definition";
  /** All problems of the definition, each as a clause. */
  readonly problems: readonly string[];
  /** Creates one error for all problems of the definition with a name. @default {"workflow"} for `kind` */
  constructor(name: string, problems: readonly string[], kind: "workflow" | "schedule" | "poll" = "workflow") {
    super("invalid_definition", `Cannot define ${kind} "${name}": ${problems.join("; ")}`);
    this.problems = problems;
  }
}

/** A schema rejected an input or event payload. Nothing was written. */
export class ValidationError extends SluiceError {
  /** Name of the class. */
  override name = "ValidationError";
  /** Stable code for programs. */
  declare readonly code: "validation_failed";
  /** Issues that the schema reported, with their paths. */
  readonly issues: readonly string[];
  /** Creates one error for all issues of a value; `action` begins the message. */
  constructor(action: string, issues: readonly string[]) {
    super("validation_failed", `${action}: ${issues.join("; ")}`);
    this.issues = issues;
  }
}

/** A value cannot be represented as JSON, or is too large to store. An attempt that fails with it is not retried. */
export class PayloadError extends SluiceError {
  /** Name of the class. */
  override name = "PayloadError";
  /** `"payload_too_large"` if the value exceeds `maxPayloadBytes`. */
  declare readonly code: "unstorable_payload" | "payload_too_large";
  /** Path in the value, such as `"output.rows[3].at"`. */
  readonly path: string;
  /** Creates an error for a value that cannot be stored. */
  constructor(code: "unstorable_payload" | "payload_too_large", message: string, path: string) {
    super(code, message);
    this.path = path;
  }
}

/** The workflow is not registered with this runner or client, or another one of its name is. */
export class UnknownWorkflowError extends SluiceError {
  /** Name of the class. */
  override name = "UnknownWorkflowError";
  /** Stable code for programs. */
  declare readonly code: "unknown_workflow";
  /** Name of the requested workflow. */
  readonly workflow: string;
  /** Creates an error whose message names the action and similar names. */
  constructor(workflow: string, message: string) {
    super("unknown_workflow", message);
    this.workflow = workflow;
  }
}

/** The workflow has no task with this id. */
export class UnknownTaskError extends SluiceError {
  /** Name of the class. */
  override name = "UnknownTaskError";
  /** Stable code for programs. */
  declare readonly code: "unknown_task";
  /** Id of the requested task. */
  readonly taskId: string;
  /** Creates an error whose message names the action and similar names. */
  constructor(taskId: string, message: string) {
    super("unknown_task", message);
    this.taskId = taskId;
  }
}

/** The store has no run with this id. */
export class RunNotFoundError extends SluiceError {
  /** Name of the class. */
  override name = "RunNotFoundError";
  /** Stable code for programs. */
  declare readonly code: "run_not_found";
  /** Id of the requested run. */
  readonly runId: string;
  /** Creates an error for a missing run. */
  constructor(runId: string) {
    super("run_not_found", `Cannot find run "${runId}": the store has no run with this id`);
    this.runId = runId;
  }
}

/** The state of the run does not allow the action, such as cancelling a run that has ended. */
export class RunStateError extends SluiceError {
  /** Name of the class. */
  override name = "RunStateError";
  /** Stable code for programs. */
  declare readonly code: "run_state";
  /** Id of the run. */
  readonly runId: string;
  /** State of the run. */
  readonly state: string;
  /** Creates an error for a rejected action; `why` replaces the state as the reason. */
  constructor(action: string, runId: string, state: string, why: string = `it is ${state}`) {
    super("run_state", `Cannot ${action} run "${runId}": ${why}`);
    this.runId = runId;
    this.state = state;
  }
}

/** Thrown by `result()` if the run failed. */
export class RunFailedError extends SluiceError {
  /** Name of the class. */
  override name = "RunFailedError";
  /** Stable code for programs. */
  declare readonly code: "run_failed";
  /** Id of the run. */
  readonly runId: string;
  /** Name of its workflow. */
  readonly workflow: string;
  /** Failed attempts of all failed tasks, in order; of more than ten of one task the first and the nine latest. */
  readonly failures: readonly Failure[];
  /** Creates an error for a failed run; `error`, the decisive one, becomes its cause. */
  constructor(runId: string, workflow: string, error: Error, failures: readonly Failure[]) {
    super("run_failed", `Run "${runId}" of workflow "${workflow}" failed: ${error.message}`, { cause: error });
    this.runId = runId;
    this.workflow = workflow;
    this.failures = failures;
  }
}

/** Thrown by `result()` if the run was cancelled, and the reason of `ctx.signal` while it is being cancelled. */
export class RunCancelledError extends SluiceError {
  /** Name of the class. */
  override name = "RunCancelledError";
  /** Stable code for programs. */
  declare readonly code: "run_cancelled";
  /** Id of the run. */
  readonly runId: string;
  /** The argument of `cancel`. */
  readonly reason: string | undefined;
  /** Creates an error for a cancelled run. */
  constructor(runId: string, reason: string | undefined) {
    super("run_cancelled", `Run "${runId}" was cancelled${reason === undefined ? "" : `: ${reason}`}`);
    this.runId = runId;
    this.reason = reason;
  }
}

/** An attempt took longer than the `timeout` of its task. Also the reason of `ctx.signal`. */
export class TaskTimeoutError extends SluiceError {
  /** Name of the class. */
  override name = "TaskTimeoutError";
  /** Stable code for programs. */
  declare readonly code: "task_timeout";
  /** Id of the task. */
  readonly taskId: string;
  /** The timeout in milliseconds. */
  readonly timeoutMs: number;
  /** Creates an error for an attempt that timed out. */
  constructor(taskId: string, timeoutMs: number) {
    super("task_timeout", `Task "${taskId}" took longer than its timeout of ${timeoutMs} ms`);
    this.taskId = taskId;
    this.timeoutMs = timeoutMs;
  }
}

/** A run took longer than its `timeout`. Also the reason of `ctx.signal`. */
export class RunTimeoutError extends SluiceError {
  /** Name of the class. */
  override name = "RunTimeoutError";
  /** Stable code for programs. */
  declare readonly code: "run_timeout";
  /** Id of the run. */
  readonly runId: string;
  /** The timeout in milliseconds. */
  readonly timeoutMs: number;
  /** Creates an error for a run that timed out. */
  constructor(runId: string, timeoutMs: number) {
    super("run_timeout", `Run "${runId}" took longer than its timeout of ${timeoutMs} ms`);
    this.runId = runId;
    this.timeoutMs = timeoutMs;
  }
}

/**
 * The lease of the runner expired while it owned the run: another runner owns the run, or may claim it at any moment.
 * Results of the aborted body are not recorded. Also the reason of `ctx.signal`.
 */
export class LeaseLostError extends SluiceError {
  /** Name of the class. */
  override name = "LeaseLostError";
  /** Stable code for programs. */
  declare readonly code: "lease_lost";
  /** Id of the run. */
  readonly runId: string;
  /** Creates an error for a run that this runner no longer owns. */
  constructor(runId: string) {
    super("lease_lost", `Run "${runId}" is no longer owned by this runner: its lease expired`);
    this.runId = runId;
  }
}

/**
 * The runner or client stops: the reason of `ctx.signal` when the timeout of `stop()` has elapsed, and the error of calls
 * that still wait for a run. Other runners continue the run.
 */
export class ShutdownError extends SluiceError {
  /** Name of the class. */
  override name = "ShutdownError";
  /** Stable code for programs. */
  declare readonly code: "shutdown";
  /** Creates an error for a runner or client that stops. */
  constructor(message = "The runner was stopped") {
    super("shutdown", message);
  }
}

/** The run failed because too many runners died while they owned it, without progress. */
export class RecoveryLimitError extends SluiceError {
  /** Name of the class. */
  override name = "RecoveryLimitError";
  /** Stable code for programs. */
  declare readonly code: "recovery_limit";
  /** Id of the run. */
  readonly runId: string;
  /** Number of runners that died while they owned it. */
  readonly crashes: number;
  /** Creates an error for a run that exceeded the recovery limit. */
  constructor(runId: string, crashes: number) {
    super("recovery_limit", `Run "${runId}" failed: ${crashes} runners died while they owned it`);
    this.runId = runId;
    this.crashes = crashes;
  }
}

/** The database cannot be opened or used. The message names the database and the remedy; `code` names the reason. */
export class StoreError extends SluiceError {
  /** Name of the class. */
  override name = "StoreError";
  /** The reason. */
  declare readonly code: StoreErrorCode;
  /** Creates an error for a database that cannot be opened or used. */
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}
