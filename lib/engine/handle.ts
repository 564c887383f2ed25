import { newChecks } from "../definition/checks.ts";
import type { AnyWorkflow, InputOf, OutputsOf, ResultOf } from "../definition/workflow.ts";
import { RunNotFoundError, RunStateError } from "../errors.ts";
import type { Order } from "../store/port.ts";
import type { ClientContext } from "./client_context.ts";
import type { RunEvent } from "./events.ts";
import { forkRun } from "./fork.ts";
import { refuse } from "./options.ts";
import { outcomeOf, resultOf, type RunOutcome } from "./outcome.ts";
import { isOver, type RunInfo, runInfo, type TaskInfo } from "./run_reader.ts";
import { retryRun } from "./retry_run.ts";
import type { RunEnd } from "./run_end.ts";
import { runEvents } from "./run_events.ts";

/** Options of `fork`. */
export interface ForkOptions<W extends AnyWorkflow> {
  /** The first task to run again, with all that follows it. @default {undefined} whatever has not completed */
  readonly from?: W["~types"]["steps"]["id"];
  /** Another input; without `from`, every task then runs again. @default {undefined} the same */
  readonly input?: InputOf<W>;
  /** Outputs to take instead of running their tasks; what depends on them runs again. */
  readonly outputs?: Partial<OutputsOf<W>>;
}

/** A run, from whichever process it is looked at. Where there is no such run, every method throws `RunNotFoundError`. */
export interface RunHandle<W extends AnyWorkflow> {
  /** The run's id. */
  readonly id: string;
  /** Where it is. */
  status(): Promise<RunInfo>;
  /**
   * Waits for its result.
   *
   * @throws {RunFailedError} If it failed.
   * @throws {RunCancelledError} If it was cancelled.
   * @throws {ShutdownError} If the runner or client is stopped before it has ended.
   */
  result(): Promise<ResultOf<W>>;
  /**
   * Waits for its end, however it ends.
   *
   * @throws {ShutdownError} If the runner or client is stopped before it has ended.
   */
  outcome(): Promise<RunOutcome<W>>;
  /**
   * Ends it: what has not started never will, what runs is aborted. Resolves when the order is durable; the run is
   * `cancelled` once its bodies have settled, after 5 s at the latest.
   *
   * @throws {RunStateError} If it has ended.
   */
  cancel(reason?: string): Promise<void>;
  /**
   * Lets running bodies finish and starts nothing new until `resume()`; retries and timers wait too.
   *
   * @throws {RunStateError} If it has ended.
   */
  pause(reason?: string): Promise<void>;
  /**
   * Lets a paused run go on; one that is not paused goes on as it is.
   *
   * @throws {RunStateError} If it has ended.
   */
  resume(): Promise<void>;
  /** Its tasks, in the order of their definition. */
  tasks(): Promise<TaskInfo[]>;
  /**
   * What has happened to it and will, until it ends or the runner or client is stopped. Read from the store: the same in
   * every process, and what happened between two looks is told afterwards, of several attempts the latest.
   */
  events(): AsyncIterable<RunEvent>;
  /**
   * Sets a failed run going again: what failed, what was never run, and what follows those. Results of other tasks are
   * kept.
   *
   * @throws {RunStateError} If it has not failed.
   */
  retry(): Promise<void>;
  /**
   * Starts a new run that begins with results of this one: with those of the tasks that completed and follow none that
   * runs again. It is a run of the workflow as it is registered here, which may be a newer version. This one stays as it
   * is.
   *
   * @throws {UnknownTaskError} If `from` or `outputs` name a task that the workflow does not have.
   * @throws {UnknownWorkflowError} If its workflow is not registered here.
   * @throws {ValidationError} If the schema refuses the input.
   * @throws {PayloadError} If the input or an output cannot be stored.
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
  fork(options?: ForkOptions<W>): Promise<RunHandle<W>>;
}

/** A handle on a run. */
export function runHandle<W extends AnyWorkflow>(context: ClientContext, id: string): RunHandle<W> {
  return {
    id,
    status: async () => runInfo(await context.reader.row(id)),
    result: async () => resultOf<W>(await endOf(context, id)),
    outcome: async () => outcomeOf<W>(await endOf(context, id)),
    cancel: async (reason) => await order(context, id, { kind: "cancel", reason: reasonText("cancel", reason) }),
    pause: async (reason) => await order(context, id, { kind: "pause", reason: reasonText("pause", reason) }),
    resume: () => order(context, id, { kind: "resume" }),
    tasks: async () => await context.reader.tasks(await context.reader.row(id)),
    events: () => runEvents(id, context.reader, context.watcher, context.clock),
    retry: () => retryRun(context, id),
    async fork(options = {}) {
      const checks = newChecks();
      const { from, outputs } = checks.options(options, "the options", ["from", "input", "outputs"]);
      checks.text(from, "from");
      const given = outputs === undefined ? {} : checks.record(outputs, "outputs");
      if (typeof from === "string" && Object.hasOwn(given, from)) {
        checks.report(`task "${from}" cannot both run again and be given an output`);
      }
      refuse(`fork run "${id}"`, checks);
      return runHandle<W>(context, await forkRun(context, id, options));
    },
  };
}

/** Waits for the end of a run. */
export async function endOf(context: ClientContext, id: string): Promise<RunEnd> {
  // Listen first and look then: an end in between would be missed the other way round.
  const news = context.watcher.waitForEnd(id);
  // Nobody awaits it where the row answers, or cannot be read.
  news.catch(() => {});
  const row = await context.store.run(id);
  if (row === undefined || isOver(row.state)) {
    // Not only for us: others may wait for the same run.
    context.watcher.reportStoredEnd(id);
    if (row === undefined) throw new RunNotFoundError(id);
    return await context.reader.end(row);
  }
  return await news ?? await context.reader.end(await context.reader.row(id));
}

async function order(context: ClientContext, id: string, order: Order): Promise<void> {
  const verdict = await context.store.order(id, order);
  const obeyed = context.applyChanges();
  if (verdict.kind === "unknown") throw new RunNotFoundError(id);
  if (verdict.kind === "ended") throw new RunStateError(order.kind, id, verdict.state);
  if (isOver(verdict.state)) context.watcher.reportStoredEnd(id);
  // Who has paused a run that is executed here must not see another of its tasks begin.
  await obeyed;
}

function reasonText(action: string, reason: unknown): string | undefined {
  if (reason === undefined || typeof reason === "string") return reason;
  throw new TypeError(`Cannot ${action} a run: its reason must be a string`);
}
