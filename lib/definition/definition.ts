import type { TaskArguments } from "./context.ts";
import type { WorkflowGraph } from "./graph.ts";
import type { RetryRule } from "./retry.ts";
import type { Schema } from "./schema.ts";

/** What a node of the graph does. */
export type TaskKind = "task" | "transaction";

/** The database that a transaction is one of. */
export type Database = "sqlite" | "postgres";

/** When a task may start, looking only at how its dependencies ended. */
export type Trigger = "success" | "settled" | "anySucceeded" | "anyFailed" | "allFailed";

/** A task as the engine reads it: every default filled in, every duration in milliseconds. */
export interface TaskDefinition {
  /** Unique in its workflow. */
  readonly id: string;
  /** What it does. */
  readonly kind: TaskKind;
  /** For a transaction, of which database; the store must be of that kind. */
  readonly database: Database | undefined;
  /** Ids of the tasks that must end first. */
  readonly after: readonly string[];
  /** How they must have ended. */
  readonly on: Trigger;
  /** Asked once after `on`; false skips the task. */
  readonly when: ((args: TaskArguments) => unknown) | undefined;
  /** The body. */
  readonly run: (args: TaskArguments) => unknown;
  /** What to do when the body throws. */
  readonly retry: RetryRule;
  /** Longest an attempt may take, in milliseconds. */
  readonly timeoutMs: number | undefined;
  /** Called at most once, after the output was stored. */
  readonly onSuccess:
    | ((event: { readonly output: unknown; readonly ctx: TaskArguments["ctx"] }) => unknown)
    | undefined;
  /** Called at most once, after the last attempt failed. */
  readonly onFailure: ((event: { readonly error: unknown; readonly ctx: TaskArguments["ctx"] }) => unknown) | undefined;
  /** Stands for the code in the content version, if stated. */
  readonly version: string | undefined;
}

/** A workflow as the engine reads it. `Workflow` is one. */
export interface WorkflowDefinition {
  /** Its name. */
  readonly name: string;
  /** What it is for. */
  readonly description: string | undefined;
  /** Tags that each of its runs carries. */
  readonly tags: readonly string[];
  /** Checks the input. */
  readonly input: Schema | undefined;
  /** Longest a run may take, in milliseconds. */
  readonly timeoutMs: number | undefined;
  /** Its tasks, dependencies first. */
  readonly tasks: readonly TaskDefinition[];
  /** The task whose output is the result; without it the result is every output by id. */
  readonly result: string | undefined;
  /** Questions about the graph. */
  readonly graph: WorkflowGraph;
  /** 16 hex digits over everything that makes a run behave as it does. */
  readonly version: string;
  /** The same without the code of its functions. */
  readonly structure: string;
}
