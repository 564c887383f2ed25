import { shown } from "../../definition/checks.ts";
import type { Compatible, Keyed, StartArguments } from "../../definition/task_start.ts";
import type { Readable, Registered, Resolve } from "../../definition/targets.ts";
import type { AnyWorkflow, EventsOf, InputOf, OutputsOf, ResultOf } from "../../definition/workflow.ts";
import { openStore } from "../../store/open.ts";
import type { Store } from "../../store/port/store.ts";
import { catalogOf, definitionsOf } from "../catalog.ts";
import { type ClientContext, createClientContext, withContext } from "./client_context.ts";
import { explain, type Explanation } from "../reading/explain.ts";
import type { RunHandle } from "./handle.ts";
import { runHandle } from "./run_handle.ts";
import { type ListOptions, listRuns, type RunPage } from "./list.ts";
import { type Bulk, createBulk } from "./bulk.ts";
import { type BlockedTask, blockedTasks } from "../reading/blocked_tasks.ts";
import { type ClientOptions, clientSettings } from "../options.ts";
import { createClientStarts } from "./client_starts.ts";
import { type LaneInfo, type LimitsOptions, listLanes } from "../limits/lane_info.ts";
import { createClientAdmission } from "../limits/admit_runs.ts";
import { rulesOf } from "../limits/permit_request.ts";
import { createCommitter } from "../commit/committer.ts";
import type { RunOutcome } from "./outcome.ts";
import { sendMessage } from "./send.ts";
import { createSchedules, type Schedules } from "../schedules/api.ts";
import { readEntries } from "../schedules/entries.ts";
import type { StartManyOptions, StartOptions } from "./start_options.ts";
import { executeRun, startRun, startRuns } from "./start_run.ts";
import { type Stats, storeStats } from "../telemetry/stats.ts";
import { withinLimit } from "../stop_limit.ts";
import { stranded, type StrandedRun } from "../reading/stranded.ts";

/** How long `stop()` of a client waits for what is being written. */
const STOP_MS = 10_000;

/** Arguments of `start` and `execute` after the target. The input is optional if its type includes `undefined`. */
export type StartArgs<Input, Options = StartOptions> = StartArguments<
  Input,
  Options & StartOptions & Compatible<Options> & Keyed<Options>
>;

/** The same for `execute`, which waits for the run and therefore does not start it within a transaction. */
type ExecuteArgs<Input, Options> = StartArguments<
  Input,
  & Options
  & StartOptions
  & Compatible<Options>
  & Keyed<Options>
  & (Options extends { readonly tx: unknown } ? "`tx` is only for `start`: the run begins after the commit" : unknown)
>;

/** Starts, reads and controls runs. */
export interface Client<W extends AnyWorkflow> extends Bulk {
  /**
   * Starts a run of a workflow, given by value or by name. Resolves when the run is durable. If it throws, nothing was
   * written.
   *
   * @throws {UnknownWorkflowError} If the workflow is not registered.
   * @throws {ValidationError} If the schema of the workflow rejects the input.
   * @throws {PayloadError} If the input cannot be stored as JSON or is too large.
   * @throws {TypeError} If an option is invalid.
   * @throws {StoreError} If `tx` is not an open transaction on the database of the store.
   */
  start<const T extends W["name"] | AnyWorkflow, Options extends StartOptions = StartOptions>(
    target: Registered<W, T>,
    ...args: StartArgs<InputOf<Resolve<W, T>>, Options>
  ): Promise<
    RunHandle<
      ResultOf<Resolve<W, T>>,
      OutputsOf<Resolve<W, T>>,
      InputOf<Resolve<W, T>>,
      EventsOf<Resolve<W, T>>
    >
  >;
  /**
   * Starts a run for each input, all in one commit. Returns their handles in the order of the inputs.
   *
   * @throws What `start` throws; one invalid input prevents all runs.
   */
  startMany<
    const T extends W["name"] | AnyWorkflow,
    Options extends StartManyOptions<InputOf<Resolve<W, T>>> = StartManyOptions<InputOf<Resolve<W, T>>>,
  >(
    target: Registered<W, T>,
    inputs: readonly InputOf<Resolve<W, T>>[],
    options?: Options & StartManyOptions<InputOf<Resolve<W, T>>> & Compatible<Options> & Keyed<Options>,
  ): Promise<RunHandle<
    ResultOf<Resolve<W, T>>,
    OutputsOf<Resolve<W, T>>,
    InputOf<Resolve<W, T>>,
    EventsOf<Resolve<W, T>>
  >[]>;
  /**
   * Starts a run and waits until it ends. A run that fails is an outcome, not an error.
   *
   * @throws What `start` throws.
   * @throws {ShutdownError} If this client or runner is stopped before the run has ended.
   */
  execute<const T extends W["name"] | AnyWorkflow, Options extends StartOptions = StartOptions>(
    target: Registered<W, T>,
    ...args: ExecuteArgs<InputOf<Resolve<W, T>>, Options>
  ): Promise<RunOutcome<ResultOf<Resolve<W, T>>, OutputsOf<Resolve<W, T>>>>;
  /**
   * Returns a handle on a run, without a read. The methods of the handle throw a `RunNotFoundError` if the run does not
   * exist. The types of the handle are those of all workflows registered here; `status()` returns the name of the
   * workflow of the run.
   *
   * @throws {TypeError} If the id is not a string.
   */
  get(
    runId: string,
  ): RunHandle<ResultOf<Readable<W>>, OutputsOf<Readable<W>>, InputOf<Readable<W>>, EventsOf<Readable<W>>>;
  /**
   * Sends a message to an event task of a run; the same as `get(runId).send(taskId, payload)`.
   *
   * @throws What `RunHandle.send` throws.
   */
  send(runId: string, taskId: string, payload?: unknown): Promise<{ readonly accepted: boolean }>;
  /**
   * Lists runs, newest first.
   *
   * @throws {TypeError} If an option is invalid.
   */
  list(options?: ListOptions): Promise<RunPage>;
  /**
   * Explains what a run is waiting for, or how it ended.
   *
   * @throws {RunNotFoundError} If the run does not exist.
   */
  explain(runId: string): Promise<Explanation>;
  /** Lists parked runs, which no live runner can continue: at most 100 of each workflow and version. */
  stranded(): Promise<StrandedRun[]>;
  /** Lists blocked tasks, which wait for `RunHandle.resolve()`: at most 1,000, those of the oldest runs first. */
  blocked(): Promise<BlockedTask[]>;
  /**
   * Lists the lanes of limits that have holders or waiters, those with the most waiters first.
   *
   * @throws {TypeError} If an option is invalid.
   */
  limits(options?: LimitsOptions): Promise<LaneInfo[]>;
  /** Reads and controls schedules. */
  readonly schedules: Schedules;
  /** Returns counts of runs and operations. */
  stats(): Promise<Stats>;
  /**
   * Waits for writes in flight, then closes the store unless it was passed in already open. Calls that still wait for a
   * run reject with a `ShutdownError`.
   */
  stop(): Promise<void>;
  /** Calls `stop()`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Opens a store to start, read and control runs without executing any.
 *
 * @param target The URL of the store (`sqlite://./app.db`, `sqlite:///abs/app.db`, `postgres://…`), or an open store.
 * `sqlite::memory:` is refused, as no runner could access the same memory.
 * @throws {StoreError} If the store cannot be opened; the message names the remedy.
 * @throws {DefinitionError} If a workflow is invalid.
 * @throws {TypeError} If an option is invalid.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createClient, workflow } from "@sluice/sluice";
 * import { openSqliteStore } from "@sluice/sluice/sqlite";
 *
 * const greet = workflow("greet").task("hello", { run: () => "hello" }).returns("hello");
 * const store = await openSqliteStore("sqlite::memory:");
 * const client = await createClient(store, { workflows: [greet] });
 * const run = await client.start("greet"); // a runner on the same store would execute it
 * assertEquals((await run.status()).state, "pending");
 * assertEquals((await client.explain(run.id)).summary, 'no runner is alive; task "hello" is about to start');
 * await client.stop();
 * await store.close();
 * ```
 */
export async function createClient<W extends AnyWorkflow = never>(
  target: string | Store,
  options: ClientOptions<W> = {},
): Promise<Client<W>> {
  if (target === "sqlite::memory:") {
    throw new TypeError(
      'Cannot open a client on "sqlite::memory:": no runner can execute its runs, because no other process or store ' +
        "sees this memory; give runner and client one open store, which openSqliteStore() returns",
    );
  }
  const settings = clientSettings(options);
  const catalog = catalogOf(settings.workflows);
  const schedules = await readEntries(settings.schedules ?? [], { ...settings, catalog });
  const limitRules = rulesOf([...catalog.plans, ...schedules.catalog.plans], "create a client");
  const { store, close } = await openStore(target, settings);
  try {
    // A runner of another version can continue a run only if the definition that the run started with is known.
    if (catalog.plans.length > 0) await store.define(definitionsOf(catalog));
    if (schedules.catalog.plans.length > 0) await store.define(definitionsOf(schedules.catalog));
  } catch (error) {
    await close();
    throw error;
  }
  const committer = createCommitter(store, { logger: settings.logger });
  const context = createClientContext(settings, {
    store,
    catalog,
    schedules,
    insert: createClientStarts(committer),
    admit: createClientAdmission(store, limitRules, settings.logger),
  });
  let stopping: Promise<void> | undefined;
  return withContext(context, { ...clientMethods<W>(context), stop, [Symbol.asyncDispose]: stop });

  function stop(): Promise<void> {
    return stopping ??= shut();
  }

  async function shut(): Promise<void> {
    try {
      await withinLimit(committer.idle(), STOP_MS, committer.giveUp);
    } finally {
      context.watcher.close();
      await close();
    }
  }
}

/** Creates the methods that clients and runners share. */
export function clientMethods<W extends AnyWorkflow>(
  context: ClientContext,
): Omit<Client<W>, "stop" | typeof Symbol.asyncDispose> {
  return {
    start: (target, ...args) => startRun(context, { target, input: args[0], options: args[1] }),
    startMany: (target, inputs, options) => startRuns(context, { target, input: inputs, options }),
    execute: (target, ...args) => executeRun(context, { target, input: args[0], options: args[1] }),
    get: (runId) => runHandle(context, checkedId("get", runId)),
    send: async (runId, taskId, payload) =>
      await sendMessage(context, checkedId("send a message to", runId), { taskId, payload }),
    list: (options) => listRuns(context.store, options),
    explain: async (runId) => await explain(context, checkedId("explain", runId)),
    stranded: () => stranded(context.store),
    blocked: () => blockedTasks(context.store),
    limits: async (options) => await listLanes(context.store, options),
    ...createBulk(context),
    schedules: createSchedules(context),
    stats: () => storeStats(context.store),
  };
}

function checkedId(action: string, runId: unknown): string {
  if (typeof runId === "string") return runId;
  throw new TypeError(`Cannot ${action} a run: its id must be a string, not ${shown(runId)}`);
}
