import type { AnyWorkflow, EventsOf, InputOf, OutputsOf, ResultOf } from "../../definition/workflow.ts";
import type { ChildInfo } from "../reading/child_info.ts";
import type { ExecutionEvent } from "../reading/events.ts";
import type { HistoryEntry } from "../reading/history.ts";
import type { ItemListOptions, ItemPage, MapIds, OutputOfItem } from "../reading/item_list.ts";
import type { RunOutcome } from "./outcome.ts";
import type { Resolution, ResolveOptions } from "./resolve.ts";
import type { EventsOptions } from "../reading/run_events.ts";
import type { RunStatus } from "../reading/run_info.ts";
import type { TaskInfo } from "../reading/run_reader.ts";
import type { WaitOptions } from "./wait.ts";

/** The keys of a record that are strings; for a union of records, those of all of them. */
export type IdsOf<Outputs> = Outputs extends unknown ? keyof Outputs & string : never;

/** Ids of the event tasks of a workflow, or a message if there are none. */
export type EventIds<Events> = [IdsOf<Events>] extends [never] ? "this workflow has no event tasks" : IdsOf<Events>;

/** The member of a record with a key; for a union of records, of those that have it. */
export type PayloadOf<Events, Id> = Events extends unknown ? Id extends keyof Events ? Events[Id] : never : never;

/** Arguments for a payload, which is optional if its type includes `undefined`. */
export type PayloadArgs<Payload> = undefined extends Payload ? [payload?: Payload] : [payload: Payload];

/** A handle on a run of a workflow; for a union of workflows, on a run of one of them. */
export type HandleOf<W extends AnyWorkflow> = RunHandle<ResultOf<W>, OutputsOf<W>, InputOf<W>, EventsOf<W>>;

/** Options of `cancel`. */
export interface CancelOptions {
  /** Whether completed tasks with an `undo` are undone, also those of child runs. @default {true} */
  readonly compensate?: boolean;
}

/** Options of `fork`, by the types of the outputs by task id and of the input. */
export interface ForkOptions<Outputs, Input> {
  /**
   * The first task to run again, together with its descendants.
   * @default {undefined} run the tasks that have not completed, and their descendants
   */
  readonly from?: IdsOf<Outputs>;
  /** A new input; without `from`, every task runs again. @default {undefined} the input of this run */
  readonly input?: Input;
  /** Outputs by task id, used instead of running these tasks; their descendants run again. @default {{}} */
  readonly outputs?: Partial<Outputs>;
}

/**
 * A run, seen from any process, by the types of its result, of its outputs and payloads by task id, and of its input.
 * Every method throws a `RunNotFoundError` if the run does not exist.
 */
export interface RunHandle<
  Result = unknown,
  Outputs = Readonly<Record<string, unknown>>,
  Input = unknown,
  Events = Readonly<Record<string, unknown>>,
> {
  /** Id of the run. */
  readonly id: string;
  /**
   * Whether the call that returned this handle created the run: false if a run with the same key existed, and for
   * `get()`.
   */
  readonly isNew: boolean;
  /** Reads the state, input, tags and times of the run, in one read. */
  status(): Promise<RunStatus>;
  /**
   * Waits until the run ends and returns its result.
   *
   * @throws {RunFailedError} If the run failed.
   * @throws {RunCancelledError} If the run was cancelled.
   * @throws {ShutdownError} If the runner or client is stopped before the run has ended.
   * @throws {WaitTimeoutError} If the timeout of this call elapses before; the run continues.
   *
   * @example
   * ```ts
   * import { assertEquals, assertRejects } from "@std/assert";
   * import { createRunner, unchecked, WaitTimeoutError, workflow } from "@sluice/sluice";
   *
   * const review = workflow("review").event("approval", { schema: unchecked<boolean>() }).returns("approval");
   * await using runner = await createRunner("sqlite::memory:", { workflows: [review] });
   * const run = await runner.start(review);
   * await assertRejects(() => run.result({ timeout: "10ms" }), WaitTimeoutError);
   * await run.send("approval", true);
   * assertEquals(await run.result(), true);
   * ```
   */
  result(options?: WaitOptions): Promise<Result>;
  /**
   * Waits until the run ends and returns how it ended.
   *
   * @throws {ShutdownError} If the runner or client is stopped before the run has ended.
   * @throws {WaitTimeoutError} If the timeout of this call elapses before; the run continues.
   */
  outcome(options?: WaitOptions): Promise<RunOutcome<Result, Outputs>>;
  /**
   * Cancels the run: pending tasks never start, running bodies are aborted, child runs are cancelled. Resolves when the
   * request is durable. When its bodies and child runs have settled, or after 5 s, completed tasks with an `undo` are
   * undone (`compensating`), and then the run becomes `cancelled`. Has no effect on a run that is `compensating`. If this
   * process dies before the promise resolves, some of more than 1,000 descendants may be left: another call cancels them.
   *
   * @throws {RunStateError} If the run has ended.
   * @throws {TypeError} If `reason` is not a string, or an option is invalid.
   */
  cancel(reason?: string, options?: CancelOptions): Promise<void>;
  /**
   * Pauses the run and its child runs: running bodies finish, and no task, retry or timer starts until `resume()`.
   *
   * @throws {RunStateError} If the run has ended.
   * @throws {TypeError} If `reason` is not a string.
   */
  pause(reason?: string): Promise<void>;
  /**
   * Resumes a paused run and its child runs; has no effect on a run that is not paused. A run with more than 1,000
   * descendants is paused while these are being cancelled: then this finishes the cancel, also if its process has died.
   *
   * @throws {RunStateError} If the run has ended.
   */
  resume(): Promise<void>;
  /**
   * Sends a message to an event task of the run, from any process. Resolves when the message is durable. A message may
   * arrive before the task waits. The first message to a task is accepted; `accepted` is false for every later one, and
   * after the task has stopped waiting.
   *
   * @throws {RunStateError} If the run has ended, or is being compensated.
   * @throws {UnknownTaskError} If the workflow has no event task with this id.
   * @throws {UnknownWorkflowError} If the workflow is not registered here: its schema validates the payload.
   * @throws {ValidationError} If the schema of the task rejects the payload; nothing was written.
   * @throws {PayloadError} If the payload cannot be stored as JSON or is too large.
   */
  send<const Id extends EventIds<Events>>(
    taskId: Id,
    ...payload: PayloadArgs<PayloadOf<Events, Id>>
  ): Promise<{ readonly accepted: boolean }>;
  /**
   * Decides about a blocked task, whose attempt has ended without a result and which runs at most once: with its output,
   * its error, or another attempt. Resolves when the decision is durable.
   *
   * @throws {RunStateError} If the run has ended or is being compensated, or the task is not blocked.
   * @throws {UnknownTaskError} If the workflow of the run has no task with this id.
   * @throws {PayloadError} If the output cannot be stored as JSON or is too large.
   * @throws {TypeError} If the decision or an option is invalid.
   */
  resolve<const Id extends IdsOf<Outputs>>(
    taskId: Id,
    resolution: Resolution<PayloadOf<Outputs, Id>>,
    options?: ResolveOptions,
  ): Promise<void>;
  /** Reads the tasks of the run, in the order of their definition. */
  tasks(): Promise<TaskInfo[]>;
  /**
   * Reads a page of the items of a map, in ascending order, those that have not started included. There are none until the
   * array of the map is computed. Each page costs the same as the first, and no item is listed twice.
   *
   * @throws {UnknownTaskError} If the workflow of the run has no map with this id.
   * @throws {TypeError} If an option is invalid.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { createRunner, workflow } from "@sluice/sluice";
   *
   * const square = workflow("square").map("squares", { over: () => [1, 2, 3], run: ({ item }) => item * item });
   * await using runner = await createRunner("sqlite::memory:", { workflows: [square] });
   * const run = await runner.start(square);
   * await run.result();
   * const outputs: (number | undefined)[] = [];
   * let cursor: string | undefined;
   * do {
   *   const page = await run.items("squares", { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
   *   outputs.push(...page.items.map(({ output }) => output));
   *   cursor = page.cursor;
   * } while (cursor !== undefined);
   * assertEquals(outputs, [1, 4, 9]);
   * ```
   */
  items<const Id extends MapIds<Outputs>>(
    taskId: Id,
    options?: ItemListOptions,
  ): Promise<ItemPage<OutputOfItem<PayloadOf<Outputs, Id>>>>;
  /** Reads the child runs of the run, in the order of their start, those of retried tasks included; at most 1,000. */
  children(): Promise<ChildInfo[]>;
  /**
   * Reads the history of the run, oldest entry first: its start by a first runner, pauses, resumes, cancels, recoveries
   * and retries of the run, releases by runners that stop, the claims that follow any of these, and the attempts,
   * steps, messages, decisions and child runs of its tasks. It is derived from rows that exist anyway and from one row
   * for each such rare change of the run; a run that only waits and continues adds none. The entries are numbered, and
   * those of a run that has ended keep their numbers. Of several attempts at a task the first and the nine latest are
   * listed, of child runs the first 1,000. The attempts of the items of a map are part of `items()`.
   */
  history(): Promise<HistoryEntry[]>;
  /**
   * Yields past and future events of the run, until the run ends or the runner or client is stopped. Each event is
   * delivered once per iterator, in the order of the journal. Events are derived from the rows of the run, so every
   * process sees the same ones; of a task with more than ten failed attempts those that are not recorded are missing.
   * `return()` settles at once, also while `next()` is pending. The run is read only while `next()` is pending and
   * after it has changed; it learns of a change by a notification, or by a poll within about a second.
   *
   * @throws {TypeError} If an option is invalid.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { createRunner, workflow } from "@sluice/sluice";
   *
   * const greet = workflow("greet").task("say", { run: () => "hello" });
   * await using runner = await createRunner("sqlite::memory:", { workflows: [greet] });
   * const run = await runner.start(greet);
   * const types: string[] = [];
   * for await (const { type } of run.events({ signal: AbortSignal.timeout(60_000) })) types.push(type);
   * assertEquals(types, ["run.started", "task.started", "task.completed", "run.completed"]);
   * ```
   */
  events(options?: EventsOptions): AsyncIterableIterator<ExecutionEvent, void, void>;
  /**
   * Retries a failed run: its failed tasks, the tasks that never ran, those that were compensated, and their descendants
   * run again. Results of other tasks are kept. A task whose child run failed starts a new one.
   *
   * @throws {RunStateError} If the run is not in state `failed`.
   */
  retry(): Promise<void>;
  /**
   * Deletes the run with its child runs and all their rows. Its key can be used again.
   *
   * @throws {RunStateError} If the run or a child run has not ended, or if the run is a child of another run, with
   * which it is deleted.
   */
  delete(): Promise<void>;
  /**
   * Starts a new run that reuses results of this one: those of completed tasks that are not compensated and do not descend
   * from a task that runs again. The new run never undoes them. The new run executes the workflow as it is registered here,
   * which may be a newer version. This run does not change.
   *
   * @throws {UnknownTaskError} If `from` or `outputs` name a task that the workflow does not have.
   * @throws {UnknownWorkflowError} If the workflow is not registered here.
   * @throws {ValidationError} If the schema of the workflow rejects the input.
   * @throws {PayloadError} If the input or an output cannot be stored as JSON or is too large.
   * @throws {TypeError} If an option is invalid.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { createRunner, unchecked, workflow } from "@sluice/sluice";
   *
   * let fetched = 0;
   * const price = workflow("price", { input: unchecked<{ discount: number }>() })
   *   .task("fetch", { run: () => (fetched++, 100) })
   *   .task("total", { after: ["fetch"], run: ({ fetch, input }) => fetch - input.discount })
   *   .returns("total");
   *
   * await using runner = await createRunner("sqlite::memory:", { workflows: [price] });
   * const run = await runner.start("price", { discount: 10 });
   * assertEquals(await run.result(), 90);
   * const again = await run.fork({ from: "total", input: { discount: 20 } });
   * assertEquals(await again.result(), 80);
   * assertEquals(fetched, 1);
   * ```
   */
  fork(options?: ForkOptions<Outputs, Input>): Promise<RunHandle<Result, Outputs, Input, Events>>;
}
