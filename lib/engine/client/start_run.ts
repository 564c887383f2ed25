import type { NewRun, StartVerdict } from "../../store/port/batch.ts";
import { storableText } from "../../text_limits.ts";
import { RunNotFoundError, RunStateError } from "../../errors.ts";
import { KeyConflictError } from "../../start_errors.ts";
import type { StartedRun } from "../../definition/task_start.ts";
import { newChecks, shown } from "../../definition/checks.ts";
import { toErrorRecord } from "../errors/error_record.ts";
import type { ClientContext } from "./client_context.ts";
import { logFailedCall } from "../errors/failed_call.ts";
import type { RunHandle } from "./handle.ts";
import { runHandle } from "./run_handle.ts";
import { refuse } from "../options.ts";
import { outcomeOf, type RunOutcome } from "./outcome.ts";
import { admitRuns } from "../limits/admit_runs.ts";
import type { Plan } from "../machine/plan.ts";
import { encodeInput, newRun, type StartSettings, startSettings, TASK_START_OPTIONS } from "./start_options.ts";
import { waitForEnd } from "./wait.ts";

/** Arguments of a start, not validated yet. */
export interface StartRequest {
  /** A workflow or its name. */
  readonly target: unknown;
  /** Its input; for `startRuns` an array of inputs. */
  readonly input: unknown;
  readonly options: unknown;
}

/** Starts a run. Resolves when it is durable. */
export async function startRun<Result, Outputs, Input, Events>(
  context: ClientContext,
  { target, input, options }: StartRequest,
): Promise<RunHandle<Result, Outputs, Input, Events>> {
  const { plan, settings, action } = prepare(context, { target, options, verb: "start" });
  const text = await encodeInput(plan, input, action, context.maxPayloadBytes);
  const run = newRun(plan, text, settings, context);
  const { signal } = settings;
  const inserting = insert(context, [run], settings);
  const [verdict] = await (signal === undefined ? inserting : abortable(context, inserting, run, signal));
  if (run.limits !== undefined && settings.tx === undefined) await admitRuns(context, [run], [verdict]);
  const id = idOf(run, verdict);
  if (id !== run.id) await checkExisting(context, run, id, settings);
  if (signal !== undefined && run.debounce === undefined) cancelOnAbort(context, id, signal);
  return runHandle(context, id, { isNew: id === run.id, seq: seqOf(verdict) });
}

/** Starts a run and waits until it ends. */
export function executeRun<Result, Outputs>(
  context: ClientContext,
  request: StartRequest,
): Promise<RunOutcome<Result, Outputs>> {
  // Two functions, because an asynchronous function keeps all of its variables while it waits.
  return outcomeOfStarted(context, startToWait(context, request));
}

async function startToWait(context: ClientContext, { target, input, options }: StartRequest): Promise<AwaitedRun> {
  const { plan, settings, action } = prepare(context, { target, options, verb: "execute" });
  if (settings.tx !== undefined) {
    throw new TypeError(`${action}: the run cannot begin before tx is committed; use start()`);
  }
  const encoded = encodeInput(plan, input, action, context.maxPayloadBytes);
  const run = newRun(plan, encoded instanceof Promise ? await encoded : encoded, settings, context);
  const { signal } = settings;
  const inserting = context.insert([run]);
  const [verdict] = await (signal === undefined ? inserting : abortable(context, inserting, run, signal));
  if (run.limits !== undefined) await admitRuns(context, [run], [verdict]);
  const id = idOf(run, verdict);
  if (id !== run.id) await checkExisting(context, run, id, settings);
  if (signal !== undefined && run.debounce === undefined) cancelOnAbort(context, id, signal);
  return { id, isNew: id === run.id };
}

/** A run that was started, or existed. */
interface AwaitedRun {
  readonly id: string;
  readonly isNew: boolean;
}

async function outcomeOfStarted<Result, Outputs>(
  context: ClientContext,
  starting: Promise<AwaitedRun>,
): Promise<RunOutcome<Result, Outputs>> {
  const { id, isNew } = await starting;
  if (!isNew) return outcomeOf(await waitForEnd(context, { id }));
  // The run ends with a later commit, so its end is still to be reported and the store need not be read. Not registered
  // before the insert: the watcher reports a run that is not in the store as ended.
  const end = await context.watcher.waitForEnd(id);
  return outcomeOf(end ?? await context.reader.end(await context.reader.row(id)));
}

/** The identity of a run that a body starts, which is the same each time the body is repeated. */
export interface RunIdentity {
  /** The key of the run if the request states none. */
  readonly key: string;
  /** The id of the run. */
  readonly id: string;
  /** The transaction in which to insert it; `undefined` for a separate commit. */
  readonly tx: unknown;
}

/** A start whose target and options are valid. */
export interface PreparedStart {
  /** The name of the workflow. */
  readonly workflow: string;
  /** The key that the request states. */
  readonly key: string | undefined;
  /** The action, for messages. */
  readonly action: string;
  /**
   * Inserts the run.
   *
   * @throws What `Client.start` throws because of an input or a key.
   */
  insert(identity: RunIdentity): Promise<StartedRun>;
}

/** Starts runs for bodies. */
export interface RunStarter {
  /**
   * Checks the target and the options of a start.
   *
   * @throws {UnknownWorkflowError} If the workflow is not registered.
   * @throws {TypeError} If an option is invalid.
   */
  prepare(request: StartRequest): PreparedStart;
}

/** Creates a starter. `contextOf` is called with each start. */
export function createRunStarter(contextOf: () => ClientContext): RunStarter {
  return {
    prepare({ target, input, options }) {
      const context = contextOf();
      const plan = context.catalog.find(target, "start");
      const action = `start workflow "${plan.workflow.name}"`;
      const settings = startSettings(options, action, { allowed: TASK_START_OPTIONS, hasOwnKey: true });
      return {
        workflow: plan.workflow.name,
        key: settings.key,
        action,
        async insert({ key, id, tx }) {
          const text = await encodeInput(plan, input, `Cannot ${action}`, context.maxPayloadBytes);
          const own = { ...settings, tx, key: settings.key ?? key };
          const run = newRun(plan, text, own, { ...context, newId: () => id });
          const [verdict] = await insert(context, [run], own);
          if (run.limits !== undefined && tx === undefined) await admitRuns(context, [run], [verdict]);
          const runId = idOf(run, verdict);
          if (runId !== id) await checkExisting(context, run, runId, own);
          return { runId, isNew: runId === id };
        },
      };
    },
  };
}

/** Starts a run for each input, in one commit. */
export async function startRuns<Result, Outputs, Input, Events>(
  context: ClientContext,
  { target, input: inputs, options }: StartRequest,
): Promise<RunHandle<Result, Outputs, Input, Events>[]> {
  const plan = context.catalog.find(target, "start");
  const action = `Cannot start workflow "${plan.workflow.name}"`;
  if (!Array.isArray(inputs)) throw new TypeError(`${action}: the inputs must be an array, not ${shown(inputs)}`);
  if (options !== undefined && (typeof options !== "object" || options === null)) {
    throw new TypeError(`${action}: the options must be an object, not ${shown(options)}`);
  }
  const { key, ...rest } = (options ?? {}) as { readonly key?: (input: unknown, index: number) => unknown };
  if ("signal" in rest) {
    throw new TypeError(`${action}: startMany() has no option "signal"; call cancel() on its handles`);
  }
  if ("debounce" in rest) {
    throw new TypeError(`${action}: startMany() has no option "debounce", by which only the last input would remain`);
  }
  if (key !== undefined && typeof key !== "function") {
    throw new TypeError(`${action}: key must be a function of the input and its index, not ${shown(key)}`);
  }
  const settings = startSettings(rest, `start workflow "${plan.workflow.name}"`, { hasOwnKey: key !== undefined });
  const keys = inputs.map((input, index) => {
    const checks = newChecks();
    const own = key === undefined ? undefined : checks.key(key(input, index), "key");
    refuse(`start workflow "${plan.workflow.name}" with inputs[${index}]`, checks);
    return own;
  });
  // At once: a schema may be asynchronous, as one that reads from a service.
  const texts = await Promise.all(
    inputs.map(async (input, index) =>
      await encodeInput(plan, input, `${action} with inputs[${index}]`, context.maxPayloadBytes)
    ),
  );
  const runs = texts.map((text, index) => newRun(plan, text, { ...settings, key: keys[index] }, context));
  if (runs.length === 0) return [];
  const verdicts = await insert(context, runs, settings);
  if (plan.workflow.limits.length > 0 && settings.tx === undefined) await admitRuns(context, runs, verdicts);
  const ids = runs.map((run, at) => idOf(run, verdicts[at]));
  for (const [at, run] of runs.entries()) {
    if (ids[at] !== run.id) await checkExisting(context, run, ids[at]!, settings);
  }
  return runs.map((run, at) => runHandle(context, ids[at]!, { isNew: ids[at] === run.id, seq: seqOf(verdicts[at]) }));
}

/**
 * Checks a run with the same key that a start returns instead of a new one. In a transaction that has inserted it and is
 * not committed, its input cannot be read here, and counts as equal.
 *
 * @throws {KeyConflictError} If `ifExists` does not allow it.
 */
async function checkExisting(
  { store }: ClientContext,
  { workflow, key = "", keyScope, input }: NewRun,
  existing: string,
  { ifExists }: StartSettings,
): Promise<void> {
  if (ifExists === "return") return;
  const conflict = (why: string): KeyConflictError =>
    new KeyConflictError(`start workflow "${workflow}" with key "${key}"`, { runId: existing, key, why });
  if (ifExists === "reject") throw conflict(keyScope === "active" ? "has not ended" : "exists already");
  const row = await store.run(existing);
  if (row !== undefined && row.input !== input) throw conflict("was started with another input");
}

/** Inserts runs in the transaction of the caller, if there is one, or else with the next commit. */
function insert(
  context: ClientContext,
  runs: readonly NewRun[],
  { tx }: StartSettings,
): Promise<readonly StartVerdict[]> {
  return tx === undefined ? context.insert(runs) : context.store.insertWithin(tx, runs);
}

function prepare(
  context: ClientContext,
  { target, options, verb }: Omit<StartRequest, "input"> & { readonly verb: "start" | "execute" },
): { readonly plan: Plan; readonly settings: StartSettings; readonly action: string } {
  const plan = context.catalog.find(target, verb);
  const what = `${verb} workflow "${plan.workflow.name}"`;
  const settings = startSettings(options, what);
  settings.signal?.throwIfAborted();
  return { plan, settings, action: `Cannot ${what}` };
}

function idOf(run: NewRun, verdict: StartVerdict | undefined): string {
  switch (verdict?.kind) {
    case "started":
      return run.id;
    case "existing":
    case "replaced":
      return verdict.id;
    case "refused":
      throw verdict.error;
    case undefined:
      throw new Error(`Cannot start a run of workflow "${run.workflow}": the store returned no result for it`);
  }
}

function seqOf(verdict: StartVerdict | undefined): number | undefined {
  return verdict?.kind === "started" ? verdict.seq : undefined;
}

/**
 * Rejects with the reason of the signal once it aborts, as while the database is away. The start may have been sent: if it
 * is committed in spite of that, its run is cancelled. A run that another start has inserted with the same key is not, nor is
 * a debounced run, which is also that of the starts that followed.
 */
async function abortable<T extends readonly StartVerdict[]>(
  context: ClientContext,
  inserting: Promise<T>,
  run: NewRun,
  signal: AbortSignal,
): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([inserting, aborted.promise]);
  } catch (error) {
    void inserting.then(([verdict]) => {
      if (verdict?.kind === "started" && run.debounce === undefined) {
        cancelBySignal(context, run.id, signal);
      }
    }, () => {});
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function reasonOf(signal: AbortSignal): string {
  const reason: unknown = signal.reason;
  return storableText(toErrorRecord(reason).message, "reason");
}

/** Cancels a run in the background. It may have ended in the meantime; any other error is logged, as the run goes on. */
function cancelBySignal(context: ClientContext, id: string, signal: AbortSignal): void {
  runHandle(context, id).cancel(reasonOf(signal)).catch((error) => {
    if (error instanceof RunStateError || error instanceof RunNotFoundError) return;
    logFailedCall(context.logger, `Cannot cancel run "${id}", whose signal has aborted; it continues`, error);
  });
}

/** Cancels the run when the signal of the caller aborts; removes the listener when the run has ended. */
function cancelOnAbort(context: ClientContext, id: string, signal: AbortSignal): void {
  const cancel = (): void => cancelBySignal(context, id, signal);
  const removeListener = (): void => signal.removeEventListener("abort", cancel);
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();
  void waitForEnd(context, { id }).then(removeListener, removeListener);
}
