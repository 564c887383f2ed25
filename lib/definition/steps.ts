/**
 * How the compiler remembers a workflow: a union of one `Step` per task. What a task may name, reads and must answer is
 * computed from it. Other encodings were measured and are slower by far: a flattened record of outputs, intersections,
 * tuples.
 *
 * @module
 */
import type { Duration } from "../duration.ts";
import type { TaskContext, TaskStatus } from "./context.ts";
import type { Database, Trigger } from "./definition.ts";
import type { JsonReturn } from "./json_types.ts";
import type { RetryPolicy } from "./retry.ts";

/** A task as the compiler remembers it: its id and what it produces. */
export interface Step<Id extends string, Output> {
  /** Its id. */
  readonly id: Id;
  /** What it produces. */
  readonly output: Output;
}

/** Any step. */
export type AnyStep = Step<string, unknown>;

/** What a task body receives: the outputs of the tasks it named, the workflow's input, and what the engine tells it. */
export type TaskArgs<Input = undefined, Deps = Record<never, never>> = Deps & {
  /** The run's validated input. */
  readonly input: Input;
  /** What the engine tells it. */
  readonly ctx: TaskContext;
  /** How each dependency ended. */
  readonly status: { readonly [K in keyof Deps]: TaskStatus };
};

/** The outputs of some steps, by id. */
export type Outputs<Steps extends AnyStep> = { readonly [S in Steps as S["id"]]: S["output"] };

/**
 * What stands in `after` besides the ids of `Steps`: nothing, but for a workflow without tasks, where a sentence says
 * better than `never` that there is nothing to name.
 */
export type NoneYet<Steps extends AnyStep> = [Steps] extends [never] ? "there is no earlier task in this workflow"
  : never;

/** What a task reads: the outputs of the steps it named; `undefined` is possible once it tolerates failure. */
export type Reads<Steps extends AnyStep, After extends readonly unknown[], On> =
  // `infer` keeps hovers and errors short (they show the object, not this alias) and blocks inference through it.
  {
    readonly [S in Steps as S["id"] extends After[number] ? S["id"] : never]: S["output"] | Unsure<After, On>;
  } extends infer R ? R : never;

/** `undefined` unless the named tasks certainly ended well: a computed list may leave some out. */
export type Unsure<After extends readonly unknown[], On> = On extends "success"
  ? number extends After["length"] ? undefined : IsUnion<After> extends true ? undefined : never
  : undefined;

/** `undefined` if the task may be skipped. */
export type Skipped<On, When> = On extends "success" | "settled" ? [When] extends [never] ? never : undefined
  : undefined;

/**
 * `Id` if it is a literal, not reserved and not taken; otherwise a message. The messages say `Name` because `Id`
 * would be intersected with every taken id there, which makes n tasks cost n².
 */
export type NewId<Id extends string, Taken, Name extends string = Id> = string extends Id
  ? "a task id must be a string literal"
  : IsUnion<Id> extends true ? "a task id must be one string literal"
  : Id extends Taken ? `there is already a task '${Name}' in this workflow`
  : Id extends "input" | "ctx" | "status" | "item" | "index" ? `'${Name}' is reserved: it names a task argument`
  : Id extends "__proto__" ? "'__proto__' is reserved: JavaScript gives it a meaning of its own"
  : Id extends "" ? "a task id must not be empty"
  : Id;

/** Whether `T` is a union. */
export type IsUnion<T, U = T> = T extends U ? [U] extends [T] ? false : true : never;

/** Options that every kind of task has. */
export interface TaskOptions<After extends readonly string[], On extends Trigger, When extends boolean, Args> {
  /** Tasks that must end first; their outputs become arguments of `run`. */
  readonly after?: After;
  /** When to start, by how `after` ended. @default {"success"} none of them failed */
  readonly on?: On;
  /** Skips the task when it answers false; its output is then `undefined` downstream. Asked once, after `on`. */
  readonly when?: (args: Args) => When | Promise<When>;
  /** What to do when `run` throws: a number of attempts in all, or a policy. @default {3} attempts, exponential */
  readonly retry?: number | RetryPolicy;
  /** Longest a single attempt may take. */
  readonly timeout?: Duration;
  /** Called after the last attempt failed, as `onSuccess` is after a success. */
  readonly onFailure?: (event: FailureEvent) => unknown;
  /** Stands for the code in the content version: change it when the task behaves differently. */
  readonly version?: string;
}

/** Marks a task as a transaction: what `...transaction` of `./sqlite` and `./postgres` adds to its options. */
export interface InTransaction<Tx> {
  /** Of which database. */
  readonly database: Database;
  /** For the compiler only; there is no such member at run time. */
  readonly "~tx"?: Tx;
}

/** What the body of a transaction receives besides what every body does. */
export type TxArgs<Tx> = [Tx] extends [never] ? unknown : {
  /** The transaction, which is committed together with what the body returns. */
  readonly tx: Tx;
};

/** Options of `.task()`. */
export type TaskSpec<
  Input,
  Steps extends AnyStep,
  After extends readonly string[],
  On extends Trigger,
  When extends boolean,
  Ret,
  Tx = never,
> =
  & TaskOptions<After, On, When, TaskArgs<Input, Reads<Steps, After, On>>>
  & {
    /** The body. */
    readonly run: (args: TaskArgs<Input, Reads<Steps, After, On>> & TxArgs<Tx>) => JsonReturn<Ret>;
    /** Runs the body inside of a transaction: write `...transaction`, of `./sqlite` or `./postgres`. */
    readonly transaction?: InTransaction<Tx>;
    /**
     * Called after `run` succeeded and its output was stored: at most once, as nobody calls it again if the process
     * dies before. What it throws is logged and changes nothing. Stands after `run`, where its type is known.
     */
    readonly onSuccess?: (event: SuccessEvent<Awaited<Ret>>) => unknown;
  };

/** What `onSuccess` receives. */
export interface SuccessEvent<Output> {
  /** What the task produced. */
  readonly output: Output;
  /** The context of the attempt. */
  readonly ctx: TaskContext;
}

/** What `onFailure` receives. */
export interface FailureEvent {
  /** What the last attempt threw. */
  readonly error: unknown;
  /** The context of the attempt. */
  readonly ctx: TaskContext;
}
