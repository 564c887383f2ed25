import type { TaskArguments } from "./context.ts";
import type { WorkflowGraph } from "./graph.ts";
import type { ResolvedLimit, WhenFull } from "./limit.ts";
import type { RetryRule } from "./retry.ts";
import type { Schema } from "./schema.ts";

/** A kind of task. */
export type TaskKind = TaskDefinition["kind"];

/** How often a body runs: again after a crash, or never again without a decision from outside. */
export type Guarantee = "atLeastOnce" | "atMostOnce";

/** The database of a transaction. */
export type Database = "sqlite" | "postgres";

/** How the dependencies of a task must have ended for the task to start. */
export type Trigger = "success" | "allSucceeded" | "settled" | "anySucceeded" | "anyFailed" | "allFailed";

/**
 * What a failed item means for its map: `stop` starts no further items, aborts the running ones and fails the task,
 * `finish` runs all items and then fails the task, `collect` completes the task with the errors of its failed items.
 */
export type OnItemFailure = "stop" | "finish" | "collect";

/** A function of the user that receives what a body receives. */
export type TaskFunction = (args: TaskArguments) => unknown;

/** A task as the engine reads it: with all defaults, and with durations in milliseconds. */
export type TaskDefinition =
  | BodyDefinition
  | TransactionDefinition
  | MapDefinition
  | SubworkflowDefinition
  | EventDefinition
  | SleepDefinition;

/** What tasks of all kinds have. */
export interface CommonDefinition {
  /** Unique in the workflow. */
  readonly id: string;
  /** Ids of the tasks that must end first. */
  readonly after: readonly string[];
  /** Ids of further ancestors whose outputs the functions of the task receive. */
  readonly reads: readonly string[];
  /** How the tasks in `after` must have ended. */
  readonly on: Trigger;
  /** Evaluated once after `on`; the task is skipped if it returns a falsy value. */
  readonly when: TaskFunction | undefined;
  /** What bounds the attempts at the task, its items or its child runs; empty for an event or a sleep. */
  readonly limits: readonly ResolvedLimit[];
  /**
   * Applied when a function of the task throws: the body, or what computes items, an input or a time. `undefined` if the
   * task states none: then the default of its runner applies.
   */
  readonly retry: RetryRule | undefined;
  /** The maximum duration of an attempt; `undefined` if the task states none, or has no body. */
  readonly timeoutMs: number | undefined;
  /** Called at most once, after the output was stored. */
  readonly onSuccess: ((event: SuccessArguments) => unknown) | undefined;
  /** Called at most once, after the last attempt failed. */
  readonly onFailure: ((event: FailureArguments) => unknown) | undefined;
  /** Replaces the code in the content version, if stated. */
  readonly version: string | undefined;
}

/** What `onSuccess` receives. */
export interface SuccessArguments extends TaskArguments {
  /** The output of the task. */
  readonly output: unknown;
}

/** What `onFailure` receives. */
export interface FailureArguments extends TaskArguments {
  /** What the last attempt threw. */
  readonly error: unknown;
}

/** A task with a body. */
export interface BodyDefinition extends CommonDefinition {
  /** The kind of the task. */
  readonly kind: "task";
  /** The body. */
  readonly run: TaskFunction;
  /** Reverts what the body did. */
  readonly undo: TaskFunction | undefined;
  /** How often the body runs. */
  readonly guarantee: Guarantee;
}

/** A task whose body runs in a transaction of the store's database. */
export interface TransactionDefinition extends CommonDefinition {
  /** The kind of the task. */
  readonly kind: "transaction";
  /** The kind of database that the store must have. */
  readonly database: Database;
  /** The body. */
  readonly run: TaskFunction;
  /** Reverts what the body did, in a transaction as well. */
  readonly undo: TaskFunction | undefined;
}

/** A task that runs the same for each element of an array; its output is the array of results, in that order. */
export interface MapDefinition extends CommonDefinition {
  /** The kind of the task. */
  readonly kind: "map";
  /** Computes the array. */
  readonly over: TaskFunction;
  /** The maximum number of items that run at once; `undefined` for no bound. */
  readonly concurrency: number | undefined;
  /** What a failed item means. */
  readonly onItemFailure: OnItemFailure;
  /** What is done for each item. */
  readonly each: ItemBody | ItemTransaction | ItemWorkflow;
}

/** A body for each item. */
export interface ItemBody extends Pick<BodyDefinition, "run" | "undo" | "guarantee"> {
  /** What is done for each item. */
  readonly kind: "task";
}

/** A transaction for each item. */
export interface ItemTransaction extends Pick<TransactionDefinition, "database" | "run" | "undo"> {
  /** What is done for each item. */
  readonly kind: "transaction";
}

/** A child run for each item. */
export interface ItemWorkflow extends ChildDefinition {
  /** What is done for each item. */
  readonly kind: "subworkflow";
}

/** How a child run is started. */
export interface ChildDefinition {
  /**
   * Returns the workflow of the child run.
   *
   * @throws {TypeError} If the function of the user does not return a workflow.
   */
  readonly workflow: () => WorkflowDefinition;
  /** Computes the input of the child run; `undefined` for no input. */
  readonly input: TaskFunction | undefined;
  /** The key of the child run, or a function that computes it. */
  readonly key: string | TaskFunction | undefined;
  /** The priority of the child run; `undefined` for that of the parent run. */
  readonly priority: number | undefined;
  /** Tags of the child run in addition to those of its workflow. */
  readonly tags: readonly string[];
  /** The maximum duration of the child run. */
  readonly childTimeoutMs: number | undefined;
}

/** A task that starts a child run, whose result is its output. */
export interface SubworkflowDefinition extends CommonDefinition, ChildDefinition {
  /** The kind of the task. */
  readonly kind: "subworkflow";
}

/** A task that waits for a message from outside, which is its output. */
export interface EventDefinition extends CommonDefinition {
  /** The kind of the task. */
  readonly kind: "event";
  /** Validates the payload of a message. */
  readonly schema: Schema;
  /** The maximum duration of the wait, after which the task completes without output; `undefined` for no bound. */
  readonly waitMs: number | undefined;
}

/** A task that waits for a time. Exactly one of `for` and `until` is stated. */
export interface SleepDefinition extends CommonDefinition {
  /** The kind of the task. */
  readonly kind: "sleep";
  /** The duration of the wait in milliseconds, or a function that returns a duration. */
  readonly for: number | TaskFunction | undefined;
  /** The end of the wait in milliseconds since the epoch, or a function that returns a time. */
  readonly until: number | TaskFunction | undefined;
}

/** A workflow as the engine reads it. `Workflow` implements it. */
export interface WorkflowDefinition {
  /** The name of the workflow. */
  readonly name: string;
  /** The purpose of the workflow. */
  readonly description: string | undefined;
  /** Tags of each run. */
  readonly tags: readonly string[];
  /** Validates the input. */
  readonly input: Schema | undefined;
  /** The maximum duration of a run. */
  readonly timeoutMs: number | undefined;
  /** What bounds the runs. */
  readonly limits: readonly ResolvedLimit[];
  /** What a start does while a limit is full. */
  readonly whenFull: WhenFull;
  /** The tasks, dependencies first. */
  readonly tasks: readonly TaskDefinition[];
  /** The task whose output is the result; `undefined` if the result is all outputs by id. */
  readonly result: string | undefined;
  /** Queries of the graph. */
  readonly graph: WorkflowGraph;
  /** 16 hex digits over everything that determines the behaviour of a run. */
  readonly version: string;
  /** The same without the code of its functions. */
  readonly structure: string;
}
