import { shown } from "../definition/checks.ts";
import type { Readable, Registered, Resolve } from "../definition/targets.ts";
import type { AnyWorkflow, InputOf } from "../definition/workflow.ts";
import { openStore } from "../store/open.ts";
import type { Store } from "../store/port.ts";
import { catalogOf } from "./catalog.ts";
import { type ClientContext, createClientContext, withContext } from "./client_context.ts";
import { explain, type Explanation } from "./explain.ts";
import { type RunHandle, runHandle } from "./handle.ts";
import { type ListOptions, listRuns, type RunPage } from "./list.ts";
import { type ClientOptions, clientSettings } from "./options.ts";
import { createOutbox } from "./outbox.ts";
import type { RunOutcome } from "./outcome.ts";
import type { StartManyOptions, StartOptions } from "./start_options.ts";
import { executeRun, startRun, startRuns } from "./start_run.ts";
import { type Stats, storeStats } from "./stats.ts";
import { stranded, type StrandedRun } from "./stranded.ts";

/** Arguments after the target of `start` and `execute`: no input is needed if it may be `undefined`. */
export type StartArgs<Input> = undefined extends Input ? [input?: Input, options?: StartOptions]
  : [input: Input, options?: StartOptions];

/** Starts, reads and steers runs. */
export interface Client<W extends AnyWorkflow> {
  /**
   * Starts a run of a workflow, given by value or by name; resolves when it is durable.
   *
   * @throws {UnknownWorkflowError} If it is not registered.
   * @throws {ValidationError} If its schema refuses the input.
   * @throws {PayloadError} If the input cannot be stored.
   * @throws {TypeError} If an option is wrong.
   * @throws {StoreError} If `tx` is no open transaction on the store's database. In every case nothing was written.
   */
  start<const T extends W["name"] | AnyWorkflow>(
    target: Registered<W, T>,
    ...args: StartArgs<InputOf<Resolve<W, T>>>
  ): Promise<RunHandle<Resolve<W, T>>>;
  /**
   * Starts a run for each input, all of them in one commit; answers their handles in the same order.
   *
   * @throws What `start` throws, before anything is written, however many of the inputs are right.
   */
  startMany<const T extends W["name"] | AnyWorkflow>(
    target: Registered<W, T>,
    inputs: readonly InputOf<Resolve<W, T>>[],
    options?: StartManyOptions,
  ): Promise<RunHandle<Resolve<W, T>>[]>;
  /**
   * Starts a run and waits for its end. Never throws because the run failed.
   *
   * @throws What `start` throws.
   * @throws {ShutdownError} If this is stopped before the run has ended.
   */
  execute<const T extends W["name"] | AnyWorkflow>(
    target: Registered<W, T>,
    ...args: StartArgs<InputOf<Resolve<W, T>>>
  ): Promise<RunOutcome<Resolve<W, T>>>;
  /**
   * A handle on a run. Nothing is read until one of its methods is called; those throw a `RunNotFoundError` if there is
   * no such run. Its types are those of the workflows given here, whatever the run is of: `status()` tells.
   *
   * @throws {TypeError} If the id is no string.
   */
  get(runId: string): RunHandle<Readable<W>>;
  /**
   * Lists runs, newest first.
   *
   * @throws {TypeError} If an option is wrong.
   */
  list(options?: ListOptions): Promise<RunPage>;
  /**
   * Says why a run is not further.
   *
   * @throws {RunNotFoundError} If there is no such run.
   */
  explain(runId: string): Promise<Explanation>;
  /** Runs that no living runner can carry on: at most a hundred of each workflow and version. */
  stranded(): Promise<StrandedRun[]>;
  /** Counts of runs and of what was done. */
  stats(): Promise<Stats>;
  /** Waits for what is being written and closes the store, if it was opened here. Who still waits for a run is told. */
  stop(): Promise<void>;
  /** The same as `stop()`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Opens a store to start, read and steer runs without executing any.
 *
 * @param target Where runs are kept: `sqlite://./app.db`, `sqlite:///abs/app.db`, `sqlite::memory:`, `postgres://…`, or an
 * open store.
 * @throws {StoreError} If it cannot be opened; the message says what to do.
 * @throws {DefinitionError} If a workflow could not be executed.
 * @throws {TypeError} If an option is wrong.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createClient, workflow } from "@sluice/sluice";
 *
 * const greet = workflow("greet").task("hello", { run: () => "hello" }).returns("hello");
 * await using client = await createClient("sqlite::memory:", { workflows: [greet] });
 * const run = await client.start("greet"); // a runner on the same file would execute it
 * assertEquals((await run.status()).state, "pending");
 * assertEquals((await client.explain(run.id)).summary, 'no runner is alive; task "hello" is about to start');
 * ```
 */
export async function createClient<W extends AnyWorkflow = never>(
  target: string | Store,
  options: ClientOptions<W> = {},
): Promise<Client<W>> {
  const settings = clientSettings(options);
  const catalog = catalogOf(settings.workflows);
  const { store, close } = await openStore(target, settings);
  const outbox = createOutbox(store);
  const context = createClientContext(store, catalog, settings, { insert: (runs) => outbox.startMany(runs) });
  let stopping: Promise<void> | undefined;
  return withContext(context, { ...clientMethods<W>(context), stop, [Symbol.asyncDispose]: stop });

  function stop(): Promise<void> {
    return stopping ??= shut();
  }

  async function shut(): Promise<void> {
    try {
      await outbox.idle();
    } finally {
      context.watcher.close();
      await close();
    }
  }
}

/** What clients and runners have in common. */
export function clientMethods<W extends AnyWorkflow>(
  context: ClientContext,
): Omit<Client<W>, "stop" | typeof Symbol.asyncDispose> {
  return {
    start: (target, ...args) => startRun(context, target, args[0], args[1]),
    startMany: (target, inputs, options) => startRuns(context, target, inputs, options),
    execute: (target, ...args) => executeRun(context, target, args[0], args[1]),
    get: (runId) => runHandle<Readable<W>>(context, checkedId("get", runId)),
    list: (options) => listRuns(context.store, options),
    explain: async (runId) => await explain(context, checkedId("explain", runId)),
    stranded: () => stranded(context.store),
    stats: () => storeStats(context.store),
  };
}

function checkedId(action: string, runId: unknown): string {
  if (typeof runId === "string") return runId;
  throw new TypeError(`Cannot ${action} a run: its id must be a string, not ${shown(runId)}`);
}
