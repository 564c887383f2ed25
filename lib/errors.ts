/** What one failed attempt, task or run left behind, as it is stored and read back. */
export interface ErrorRecord {
  /** The error's class, such as `"TypeError"`; `"Error"` when something else than an error was thrown. */
  readonly name: string;
  /** What it said. */
  readonly message: string;
  /** Its code, where it had one. */
  readonly code?: string;
  /** Where it was thrown. */
  readonly stack?: string;
  /** What caused it; at most five levels deep. */
  readonly cause?: ErrorRecord;
}

/** One failed attempt of a task. */
export interface Failure {
  /** The task that failed. */
  readonly taskId: string;
  /** Which attempt, counted from 1. */
  readonly attempt: number;
  /** What it threw. */
  readonly error: ErrorRecord;
  /** When the attempt began, in milliseconds since the epoch; absent where it was not recorded. */
  readonly startedAt?: number;
  /** When it ended. */
  readonly endedAt?: number;
}

/** The base of every error that Sluice throws for callers to catch. */
export class SluiceError extends Error {
  /** Names the class. */
  override name = "SluiceError";
  /** A stable word for programs, such as `"run_failed"`. */
  readonly code: string;
  /** An error with a stable code. */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A definition that cannot work; `problems` names every one of them. */
export class DefinitionError extends SluiceError {
  /** Names the class. */
  override name = "DefinitionError";
  /** Everything that is wrong, a sentence each. */
  readonly problems: readonly string[];
  /** One error for all problems of a workflow. */
  constructor(workflow: string, problems: readonly string[]) {
    super("invalid_definition", `Cannot define workflow "${workflow}": ${problems.join("; ")}`);
    this.problems = problems;
  }
}

/** An input or event payload that its schema refuses. Nothing was written. */
export class ValidationError extends SluiceError {
  /** Names the class. */
  override name = "ValidationError";
  /** What the schema found, with the path where it said one. */
  readonly issues: readonly string[];
  /** One error for all issues of a value. */
  constructor(action: string, issues: readonly string[]) {
    super("invalid_input", `${action}: ${issues.join("; ")}`);
    this.issues = issues;
  }
}

/** A value that JSON cannot hold or that is too large to store. Never retried. */
export class PayloadError extends SluiceError {
  /** Names the class. */
  override name = "PayloadError";
  /** Where in the value, such as `"output.rows[3].at"`. */
  readonly path: string;
  /** A value that cannot be stored. */
  constructor(code: "unstorable_payload" | "payload_too_large", message: string, path: string) {
    super(code, message);
    this.path = path;
  }
}

/** No workflow of that name is registered with this runner or client. */
export class UnknownWorkflowError extends SluiceError {
  /** Names the class. */
  override name = "UnknownWorkflowError";
  /** The name that was asked for. */
  readonly workflow: string;
  /** Says what was tried and what there is. */
  constructor(workflow: string, message: string) {
    super("unknown_workflow", message);
    this.workflow = workflow;
  }
}

/** The workflow has no task of that id. */
export class UnknownTaskError extends SluiceError {
  /** Names the class. */
  override name = "UnknownTaskError";
  /** The id that was asked for. */
  readonly taskId: string;
  /** Says what was tried and what there is. */
  constructor(taskId: string, message: string) {
    super("unknown_task", message);
    this.taskId = taskId;
  }
}

/** The store has no run of that id. */
export class RunNotFoundError extends SluiceError {
  /** Names the class. */
  override name = "RunNotFoundError";
  /** The id that was asked for. */
  readonly runId: string;
  /** A run that is not there. */
  constructor(runId: string) {
    super("run_not_found", `Cannot find run "${runId}": the store has no run of that id`);
    this.runId = runId;
  }
}

/** The run is in a state that does not allow what was asked, such as cancelling a run that has ended. */
export class RunStateError extends SluiceError {
  /** Names the class. */
  override name = "RunStateError";
  /** The run. */
  readonly runId: string;
  /** The state it is in. */
  readonly state: string;
  /** Says what was refused and why. */
  constructor(action: string, runId: string, state: string) {
    super("run_state", `Cannot ${action} run "${runId}": it is ${state}`);
    this.runId = runId;
    this.state = state;
  }
}

/** Thrown by `result()` when the run failed. */
export class RunFailedError extends SluiceError {
  /** Names the class. */
  override name = "RunFailedError";
  /** The run. */
  readonly runId: string;
  /** Its workflow. */
  readonly workflow: string;
  /** The failed attempts of every failed task, in order; of more than ten of one task the first and the nine latest. */
  readonly failures: readonly Failure[];
  /** A run that failed; `error`, which decided it, becomes the cause. */
  constructor(runId: string, workflow: string, error: Error, failures: readonly Failure[]) {
    super("run_failed", `Run "${runId}" of workflow "${workflow}" failed: ${error.message}`, { cause: error });
    this.runId = runId;
    this.workflow = workflow;
    this.failures = failures;
  }
}

/** Thrown by `result()` when the run was cancelled, and the reason of `ctx.signal` while it is. */
export class RunCancelledError extends SluiceError {
  /** Names the class. */
  override name = "RunCancelledError";
  /** The run. */
  readonly runId: string;
  /** What the canceller said. */
  readonly reason: string | undefined;
  /** A cancelled run. */
  constructor(runId: string, reason: string | undefined) {
    super("run_cancelled", `Run "${runId}" was cancelled${reason === undefined ? "" : `: ${reason}`}`);
    this.runId = runId;
    this.reason = reason;
  }
}

/** An attempt took longer than its task's `timeout`. */
export class TaskTimeoutError extends SluiceError {
  /** Names the class. */
  override name = "TaskTimeoutError";
  /** The task. */
  readonly taskId: string;
  /** The limit in milliseconds. */
  readonly timeoutMs: number;
  /** An attempt that took too long. */
  constructor(taskId: string, timeoutMs: number) {
    super("task_timeout", `Task "${taskId}" took longer than its timeout of ${timeoutMs} ms`);
    this.taskId = taskId;
    this.timeoutMs = timeoutMs;
  }
}

/** A run took longer than its `timeout`. */
export class RunTimeoutError extends SluiceError {
  /** Names the class. */
  override name = "RunTimeoutError";
  /** The run. */
  readonly runId: string;
  /** The limit in milliseconds. */
  readonly timeoutMs: number;
  /** A run that took too long. */
  constructor(runId: string, timeoutMs: number) {
    super("run_timeout", `Run "${runId}" took longer than its timeout of ${timeoutMs} ms`);
    this.runId = runId;
    this.timeoutMs = timeoutMs;
  }
}

/**
 * The runner's lease expired while it held the run: another runner owns the run, or may own it at any moment. Nothing
 * that the aborted body still does is recorded.
 */
export class LeaseLostError extends SluiceError {
  /** Names the class. */
  override name = "LeaseLostError";
  /** The run. */
  readonly runId: string;
  /** A run that is no longer owned. */
  constructor(runId: string) {
    super("lease_lost", `Run "${runId}" is no longer owned by this runner: its lease expired`);
    this.runId = runId;
  }
}

/**
 * The runner stops: the reason of `ctx.signal` when the drain time is over, and what those get who still wait for a run.
 * The run goes on elsewhere.
 */
export class ShutdownError extends SluiceError {
  /** Names the class. */
  override name = "ShutdownError";
  /** A runner that stops. */
  constructor(message = "The runner was stopped") {
    super("shutdown", message);
  }
}

/** The process died too often while it held this run. */
export class RecoveryLimitError extends SluiceError {
  /** Names the class. */
  override name = "RecoveryLimitError";
  /** The run. */
  readonly runId: string;
  /** How many times a runner died with it. */
  readonly crashes: number;
  /** A run that takes its runners down. */
  constructor(runId: string, crashes: number) {
    super("recovery_limit", `Run "${runId}" was given up: ${crashes} runners died while they held it`);
    this.runId = runId;
    this.crashes = crashes;
  }
}

/** The database cannot be opened or used as it is; the message says which and what to do. */
export class StoreError extends SluiceError {
  /** Names the class. */
  override name = "StoreError";
}
