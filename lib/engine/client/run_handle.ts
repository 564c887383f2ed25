import { newChecks } from "../../definition/checks.ts";
import { type ChildInfo, childInfo } from "../reading/child_info.ts";
import type { ClientContext } from "./client_context.ts";
import { cancelRequest, checkReason, controlRun } from "./control_runs.ts";
import type { ExecutionEvent } from "../reading/events.ts";
import { deleteRun } from "./delete_run.ts";
import { forkRun } from "./fork.ts";
import type { CancelOptions, ForkOptions, RunHandle } from "./handle.ts";
import { type HistoryEntry, readHistory } from "../reading/history.ts";
import { type ItemListOptions, type ItemPage, listItems } from "../reading/item_list.ts";
import { refuse } from "../options.ts";
import { outcomeOf, resultOf, type RunOutcome } from "./outcome.ts";
import { type Resolution, type ResolveOptions, resolveTask } from "./resolve.ts";
import { retryRun } from "./retry_run.ts";
import { type EventsOptions, runEvents } from "../reading/run_events.ts";
import { type RunStatus, runStatus } from "../reading/run_info.ts";
import type { TaskInfo } from "../reading/run_reader.ts";
import { sendMessage } from "./send.ts";
import { waitForEnd, type WaitOptions } from "./wait.ts";

/** Creates a handle on a run. */
export function runHandle<Result, Outputs, Input, Events>(
  context: ClientContext,
  id: string,
  start: HandleStart = NOT_STARTED,
): RunHandle<Result, Outputs, Input, Events> {
  return new Handle<Result, Outputs, Input, Events>(context, id, start);
}

/** What the start that returns a handle knows of its run. */
export interface HandleStart {
  /** Whether it inserted the run. */
  readonly isNew: boolean;
  /** The number of the run, if it inserted it. */
  readonly seq?: number | undefined;
}

const NOT_STARTED: HandleStart = { isNew: false };

// A class, as an object with a closure for each method is a twentieth of the garbage of a short run.
class Handle<Result, Outputs, Input, Events> implements RunHandle<Result, Outputs, Input, Events> {
  readonly #context: ClientContext;
  readonly id: string;
  readonly isNew: boolean;
  readonly #seq: number | undefined;

  constructor(context: ClientContext, id: string, { isNew, seq }: HandleStart) {
    this.#context = context;
    this.id = id;
    this.isNew = isNew;
    this.#seq = seq;
  }

  async status(): Promise<RunStatus> {
    return runStatus(await this.#context.reader.row(this.id));
  }

  async result(options?: WaitOptions): Promise<Result> {
    return resultOf(await waitForEnd(this.#context, { id: this.id, seq: this.#seq, wanted: "result" }, options));
  }

  async outcome(options?: WaitOptions): Promise<RunOutcome<Result, Outputs>> {
    return outcomeOf(await waitForEnd(this.#context, { id: this.id, seq: this.#seq }, options));
  }

  async cancel(reason?: string, options: CancelOptions = {}): Promise<void> {
    const checks = newChecks();
    const read = checks.options(options, "the options", ["compensate"]);
    const request = cancelRequest({ reason, compensate: read["compensate"] }, checks);
    refuse("cancel a run", checks);
    await controlRun(this.#context, this.id, request);
  }

  async pause(reason?: string): Promise<void> {
    const checks = newChecks();
    const request = { kind: "pause", reason: checkReason(reason, checks) } as const;
    refuse("pause a run", checks);
    await controlRun(this.#context, this.id, request);
  }

  resume(): Promise<void> {
    return controlRun(this.#context, this.id, { kind: "resume" });
  }

  send(taskId: string, ...[payload]: readonly unknown[]): Promise<{ readonly accepted: boolean }> {
    return sendMessage(this.#context, this.id, { taskId, payload });
  }

  resolve(taskId: string, resolution: Resolution, options?: ResolveOptions): Promise<void> {
    return resolveTask(this.#context, this.id, { taskId, resolution, options });
  }

  async tasks(): Promise<TaskInfo[]> {
    return await this.#context.reader.tasks(await this.#context.reader.row(this.id));
  }

  items<Output>(taskId: string, options?: ItemListOptions): Promise<ItemPage<Output>> {
    return listItems(this.#context, this.id, { taskId, options });
  }

  async children(): Promise<ChildInfo[]> {
    return (await this.#context.store.children((await this.#context.reader.row(this.id)).seq)).map(childInfo);
  }

  history(): Promise<HistoryEntry[]> {
    return readHistory(this.#context, this.id);
  }

  events(options?: EventsOptions): AsyncIterableIterator<ExecutionEvent, void, void> {
    return runEvents(this.id, this.#context, options);
  }

  retry(): Promise<void> {
    return retryRun(this.#context, this.id);
  }

  delete(): Promise<void> {
    return deleteRun(this.#context, this.id);
  }

  async fork(options: ForkOptions<Outputs, Input> = {}): Promise<RunHandle<Result, Outputs, Input, Events>> {
    const checks = newChecks();
    const { from, outputs } = checks.options(options, "the options", ["from", "input", "outputs"]);
    checks.text(from, "from");
    const given = outputs === undefined ? {} : checks.record(outputs, "outputs");
    if (typeof from === "string" && Object.hasOwn(given, from)) {
      checks.report(`task "${from}" is named by both from and outputs; name it in one of them`);
    }
    refuse(`fork run "${this.id}"`, checks);
    return runHandle(this.#context, await forkRun(this.#context, this.id, options), { isNew: true });
  }
}
