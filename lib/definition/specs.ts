/**
 * The options of tasks, as the compiler checks them.
 *
 * @module
 */
import type { Duration } from "../duration.ts";
import type { ChildInput, ChildResult } from "./child.ts";
import type { TaskContext } from "./context.ts";
import type { ErrorRecord } from "../errors.ts";
import type { Database, Guarantee, OnItemFailure, Trigger } from "./definition.ts";
import type { IsAny, JsonReturn, NotYet } from "./json_types.ts";
import type { Limit, LimitArgs } from "./limit.ts";
import type { RetryPolicy } from "./retry.ts";
import type { StorableSchema } from "./schema.ts";
import type { Ancestors, AnyStep, IdList, OutputArg, Return, Returned } from "./steps.ts";
import type { Time } from "./time.ts";

/** `after` of a task: `List`, or the ids that it may contain. */
export type AfterList<Steps extends AnyStep, List extends readonly string[]> = IdList<
  List,
  Steps["id"],
  "there is no earlier task in this workflow"
>;

/** `reads` of a task: `Ids`, or the ids that it may contain. */
export type ReadsList<Steps extends AnyStep, List extends readonly string[], Ids extends readonly string[]> = IdList<
  Ids,
  Ancestors<Steps, List>,
  "a task without `after` has no ancestors to read"
>;

/** Options that tasks of all kinds have; `Args` is what their functions receive. */
export interface CommonOptions<
  Steps extends AnyStep,
  List extends readonly string[],
  Ids extends readonly string[],
  On extends Trigger,
  When extends boolean,
  Args,
> {
  /** Tasks that must end first; their outputs are arguments of the functions of this task. */
  readonly after?: AfterList<Steps, List>;
  /** Further ancestors whose outputs are arguments too; how they ended does not affect whether this task starts. */
  readonly reads?: ReadsList<Steps, List, Ids>;
  /** How the tasks in `after` must have ended. @default {"success"} none of them failed */
  readonly on?: On | NoInfer<Trigger>;
  /** Evaluated once after `on`; if it returns false, the task is skipped and its output is `undefined`. */
  readonly when?: (args: Args) => When | Promise<When>;
  /** Replaces the code in the content version: change it when the task behaves differently. */
  readonly version?: string;
}

/** Options of a body. */
export interface BodyOptions<Tx> {
  /** Runs the body in a transaction: write `...transaction` of `./sqlite` or `./postgres`. */
  readonly transaction?: InTransaction<Tx>;
  /** Applied when `run` throws: a total number of attempts, or a policy. @default `defaults` of the runner */
  readonly retry?: number | RetryPolicy;
  /** The maximum duration of an attempt. @default `defaults` of the runner */
  readonly timeout?: Duration;
  /**
   * How often the body runs if its runner dies, loses its lease or is stopped: again, or not again without a decision
   * (`resolve()`). With `"atMostOnce"` the default of `retry` is one attempt. @default {"atLeastOnce"}
   */
  readonly guarantee?: [Tx] extends [never] ? Guarantee : "a transaction runs exactly once - leave `guarantee` out";
}

/** Marks a task as a transaction: what `...transaction` of `./sqlite` and `./postgres` adds to its options. */
export interface InTransaction<Tx> {
  /** The kind of database. */
  readonly database: Database;
  /** For the compiler only; this member does not exist at run time. */
  readonly "~tx"?: Tx;
}

/** What the body of a transaction receives in addition. */
export type TxArgs<Tx> = [Tx] extends [never] ? unknown : {
  /** The transaction, which is committed together with the output of the body. */
  readonly tx: Tx;
};

/** Options of `.task()`. */
export interface TaskSpec<
  Steps extends AnyStep,
  List extends readonly string[],
  Ids extends readonly string[],
  On extends Trigger,
  When extends boolean,
  Ret,
  Tx,
  Args,
> extends CommonOptions<Steps, List, Ids, On, When, Args>, BodyOptions<Tx> {
  /** The body. */
  readonly run: (args: Args & TxArgs<Tx>) => Return<Ret, Args>;
  /**
   * What bounds the attempts at the task across all runners, such as `[{ max: 3 }]`: each limit must allow an attempt. At
   * most eight. @default {[]}
   */
  readonly limits?: readonly Limit<LimitArgs<Args>>[];
  /**
   * Called after `run` returned and its output was stored, at most once: not at all if the process dies in between. An
   * error that it throws is logged and has no other effect. Write it after `run`, so that the compiler knows the output.
   */
  readonly onSuccess?: (event: SuccessEvent<Returned<Ret>, Args>) => unknown;
  /** Called at most once, after the last attempt failed. */
  readonly onFailure?: (event: FailureEvent<Args>) => unknown;
  /**
   * Reverts what `run` did, after the run has failed or was cancelled: retried and bounded like `run`, at least once, or
   * exactly once in a transaction. What it returns is ignored. Write it after `run`, so that the compiler knows the output.
   */
  readonly undo?: (args: Args & TxArgs<Tx> & OutputArg<Returned<Ret>>) => unknown;
}

/** What the functions for the items of a map receive in addition. */
export interface ItemArgs<Item> {
  /** The element of the array. */
  readonly item: Item;
  /** The index of the element. */
  readonly index: number;
}

/** `Items` if it is an array that can be stored, otherwise a message. */
export type ListReturn<Items, Args> = IsAny<Awaited<Items>> extends true ? JsonReturn<Items, "over">
  : [Items] extends [NotYet] ? unknown
  : IsAny<Args> extends true ? Items
  : [Awaited<Items>] extends [readonly unknown[]] ? JsonReturn<Items, "over">
  : "`over` must return an array";

/** An element of the array that `over` returns; `any` until it is inferred. */
// deno-lint-ignore no-explicit-any -- see `NotYet`
export type ItemOf<Items> = [Awaited<Items>] extends [NotYet] ? any
  : Awaited<Items> extends readonly (infer Item)[] ? Item
  : never;

/** An item of the output of a map with `onItemFailure: "collect"`. */
export type Collected<Output> =
  | { readonly ok: true; readonly value: Output }
  | { readonly ok: false; readonly error: ErrorRecord };

/** The output of an item of a map: what `run` returns, or the result of the child run. */
export type ItemOutput<Ret, W> = [W] extends [never] ? Awaited<Ret> : ChildResult<W>;

/** The output of a map, given the output of an item. */
export type MapOutput<Output, OnFailure> = OnFailure extends "collect" ? Collected<Output>[] : Output[];

/** Options of `.map()`. */
export interface MapSpec<
  Steps extends AnyStep,
  List extends readonly string[],
  Ids extends readonly string[],
  On extends Trigger,
  When extends boolean,
  Items,
  OnFailure extends OnItemFailure,
  Ret,
  Tx,
  W,
  Args,
> extends CommonOptions<Steps, List, Ids, On, When, Args>, BodyOptions<Tx> {
  /** Returns the array; its result is stored once. Write it before the functions that receive `item`. */
  readonly over: (args: Args) => ListReturn<Items, Args>;
  /**
   * The maximum number of items of this map that have begun and not ended, at most 10,000.
   * @default {undefined} 10,000, or 1,000 with `workflow`
   */
  readonly concurrency?: number;
  /**
   * What bounds the items across all runners, such as `[{ max: 3 }]`: each limit must allow an item. At most eight. Write it
   * after `over`, so that the compiler knows the type of `item`. @default {[]}
   */
  readonly limits?: readonly Limit<LimitArgs<Args> & ItemArgs<ItemOf<Items>>>[];
  /**
   * What a failed item means: `stop` starts no further items, aborts the running ones and fails the task, `finish` runs
   * all items and then fails the task, `collect` completes the task with the errors of its failed items.
   * @default {"stop"}
   */
  readonly onItemFailure?: OnFailure | NoInfer<OnItemFailure>;
  /** The body, called for each item. Excludes `workflow`. */
  readonly run?: (args: Args & ItemArgs<ItemOf<Items>> & TxArgs<Tx>) => Return<Ret, Args>;
  /** Reverts what `run` did for an item, as for `.task()`; the last item comes first. Write it after `run`. */
  readonly undo?: (args: Args & ItemArgs<ItemOf<Items>> & TxArgs<Tx> & OutputArg<Returned<Ret>>) => unknown;
  /** The workflow of the child run of each item; a function as for `.subworkflow()`. Excludes `run`. */
  readonly workflow?: W | (() => W);
  /** Returns the input of the child run of an item. */
  readonly input?: (args: Args & ItemArgs<ItemOf<Items>>) => ChildInput<W>;
}

/** Options of `.subworkflow()`. */
export interface SubworkflowSpec<
  Steps extends AnyStep,
  List extends readonly string[],
  Ids extends readonly string[],
  On extends Trigger,
  When extends boolean,
  W,
  Args,
> extends CommonOptions<Steps, List, Ids, On, When, Args> {
  /** The workflow of the child run; a function for this workflow itself, or one that is defined later (see `Child`). */
  readonly workflow: W | (() => W);
  /** Returns the input of the child run. */
  readonly input?: (args: Args) => ChildInput<W>;
  /** What bounds the child runs across all runners: each limit must allow one. At most eight. @default {[]} */
  readonly limits?: readonly Limit<LimitArgs<Args>>[];
  /** The key of the child run, or a function that returns it. */
  readonly key?: string | ((args: Args) => string);
  /** Lower values run first (see `TaskStartOptions`). @default {undefined} the priority of the parent run */
  readonly priority?: number;
  /** Tags of the child run, in addition to those of its workflow. @default {[]} */
  readonly tags?: readonly string[];
  /** The maximum duration of the child run. @default {undefined} the timeout of its workflow */
  readonly timeout?: Duration;
}

/** Options of `.event()`. */
export interface EventSpec<
  Steps extends AnyStep,
  List extends readonly string[],
  Ids extends readonly string[],
  On extends Trigger,
  When extends boolean,
  Sent,
  Payload,
  Timeout extends Duration,
  Args,
> extends CommonOptions<Steps, List, Ids, On, When, Args> {
  /** Validates the payload and determines its type: any Standard Schema, or `unchecked<T>()`. */
  readonly schema: StorableSchema<Sent, Payload, "payload">;
  /** The maximum duration of the wait, after which the output is `undefined`. @default {undefined} no maximum */
  readonly timeout?: Timeout;
}

/** Options of `.sleep()`. */
export interface SleepSpec<
  Steps extends AnyStep,
  List extends readonly string[],
  Ids extends readonly string[],
  On extends Trigger,
  When extends boolean,
  Args,
> extends CommonOptions<Steps, List, Ids, On, When, Args> {
  /** The duration of the wait, or a function that returns it. Excludes `until`. */
  readonly for?: Duration | ((args: Args) => Duration);
  /** The end of the wait, or a function that returns it. Text is ISO 8601 with a zone. Excludes `for`. */
  readonly until?: Time | ((args: Args) => Time);
}

/** What `onSuccess` receives: what the body received, but for the transaction, and its output. */
export type SuccessEvent<Output, Args = unknown> = WithoutTx<Args> & {
  /** The output of the task. */
  readonly output: Output;
  /** The context of the attempt. */
  readonly ctx: TaskContext;
};

/** What `onFailure` receives: what the body received, but for the transaction, and the error. */
export type FailureEvent<Args = unknown> = WithoutTx<Args> & {
  /** What the last attempt threw. */
  readonly error: unknown;
  /** The context of the attempt. */
  readonly ctx: TaskContext;
};

/** `Args` without the transaction, which has ended when a hook is called. */
export type WithoutTx<Args> = "tx" extends keyof Args ? Omit<Args, "tx"> : Args;
