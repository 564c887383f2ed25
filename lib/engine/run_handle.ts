import { newChecks, shown } from "../definition/checks.ts";
import { RunNotFoundError, RunStateError } from "../errors.ts";
import type { ControlRequest } from "../store/control.ts";
import { textProblem } from "../text_limits.ts";
import { type ChildInfo, childInfo } from "./child_info.ts";
import type { ClientContext } from "./client_context.ts";
import type { ExecutionEvent } from "./events.ts";
import { deleteRun } from "./delete_run.ts";
import { forkRun } from "./fork.ts";
import type { CancelOptions, ForkOptions, RunHandle } from "./handle.ts";
import { type HistoryEntry, readHistory } from "./history.ts";
import { type ItemListOptions, type ItemPage, listItems } from "./item_list.ts";
import { refuse } from "./options.ts";
import { outcomeOf, resultOf, type RunOutcome } from "./outcome.ts";
import { type Resolution, type ResolveOptions, resolveTask } from "./resolve.ts";
import { retryRun } from "./retry_run.ts";
import { type EventsOptions, runEvents } from "./run_events.ts";
import { type RunStatus, runStatus } from "./run_info.ts";
import { isOver, type TaskInfo } from "./run_reader.ts";
import { sendMessage } from "./send.ts";
import { waitForEnd, type WaitOptions } from "./wait.ts";

/** How long a change of a run that another process owns waits to be applied there. */
const ACKNOWLEDGE_MS = 1_000;

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
    const { compensate } = checks.options(options, "the options", ["compensate"]);
    if (compensate !== undefined && typeof compensate !== "boolean") {
      checks.report(`compensate must be true or false, not ${shown(compensate)}`);
    }
    refuse("cancel a run", checks);
    const request = { kind: "cancel", reason: reasonText("cancel", reason) } as const;
    await control(this.#context, this.id, compensate === false ? { ...request, compensate } : request);
  }

  async pause(reason?: string): Promise<void> {
    await control(this.#context, this.id, { kind: "pause", reason: reasonText("pause", reason) });
  }

  resume(): Promise<void> {
    return control(this.#context, this.id, { kind: "resume" });
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

async function control(context: ClientContext, id: string, request: ControlRequest): Promise<void> {
  const result = await context.store.control(id, request);
  const applied = context.applyChanges();
  if (result.kind === "unknown") throw new RunNotFoundError(id);
  if (result.kind === "ended") throw new RunStateError(request.kind, id, result.state);
  if (isOver(result.state)) context.watcher.reportStoredEnd(id);
  // When the call resolves, the run is paused or cancelled: none of its tasks may start.
  await applied;
  const { owner, attention } = result;
  if (owner !== undefined && owner !== context.runner?.id()) await acknowledged(context, id, attention);
}

/**
 * Waits until the owner in another process has applied a change. A body that it starts in the meantime starts before the
 * call resolves. An owner that does not acknowledge the change is suspended or dead. The change is durable, so the next
 * owner of the run applies it.
 */
async function acknowledged({ store, clock, logger }: ClientContext, id: string, attention: number): Promise<void> {
  // A clock that is moved by hand stands still while this waits.
  if (clock.outside !== undefined) return;
  const endsAt = performance.now() + ACKNOWLEDGE_MS;
  try {
    for (
      let ms = 1;
      !await store.isAcknowledged(id, attention) && performance.now() < endsAt;
      ms = Math.min(ms * 2, 50)
    ) {
      await new Promise<void>((resolve) => void clock.after(ms, resolve));
    }
  } catch (error) {
    logger.warn(`Cannot read whether the owner of run "${id}" has applied a change`, { error: String(error) });
  }
}

function reasonText(action: string, reason: unknown): string | undefined {
  if (reason === undefined) return undefined;
  const problem = typeof reason === "string" ? textProblem(reason, "reason") : `must be a string, not ${shown(reason)}`;
  if (problem !== undefined) throw new TypeError(`Cannot ${action} a run: the reason ${problem}`);
  return String(reason);
}
