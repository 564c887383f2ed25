import type { ClientContext } from "../client/client_context.ts";
import {
  blockedReason,
  childReason,
  inWords,
  runningReasons,
  waitReason,
  waitsForChild,
  waitsForMessage,
} from "./explain_waits.ts";
import {
  isHeldByLimit,
  isHeldTask,
  type LimitWait,
  type LimitWaits,
  readLimitWaits,
  type ShownKey,
} from "./explain_limits.ts";
import { compensationReason, undoReasons } from "./explain_undos.ts";
import { dueAtOf } from "./run_info.ts";
import { isOver, type TaskInfo } from "./run_reader.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import type { RunState } from "../../store/port/batch.ts";
import { WAITS_FOR_CHILD } from "../../store/port/children.ts";
import { isCancelling, isCompensating, isHeld } from "../../store/shared/hand_over.ts";
import type { ListedRun } from "../../store/port/listing.ts";
import type { RunnerRow } from "../../store/port/runners.ts";

/** One reason why a run does not progress, or how it ended. */
export interface Reason {
  /**
   * Kind of the reason: the run has `ended`, waits for a `task`, a `timer`, an `event`, a `child` run, a decision about a
   * `blocked` task, a `limit` (that is stated by its workflow or a task, or is the capacity of a runner) or a live `runner`,
   * is `paused`, `cancelling` or `compensating`, waits for an `undo`, or needs a runner with another `version` of its
   * workflow.
   */
  readonly kind:
    | "ended"
    | "task"
    | "timer"
    | "event"
    | "child"
    | "blocked"
    | "limit"
    | "paused"
    | "cancelling"
    | "compensating"
    | "undo"
    | "version"
    | "runner";
  /** The reason as a clause in English. */
  readonly message: string;
  /** The task that the reason is about. */
  readonly taskId?: string;
  /** Id of the child run that the reason is about. */
  readonly runId?: string;
  /** When the run or task continues by itself, in milliseconds since the epoch. */
  readonly dueAt?: number;
  /** The limit that the run, the task or its items wait for; absent for the capacity of a runner. */
  readonly limit?: LimitWait;
}

/** The schedule or poll that started a run. */
export interface RunOrigin {
  /** Kind of the origin: a `schedule`, by a tick, a backfill or `trigger()`, or a `poll`. */
  readonly kind: "schedule" | "poll";
  /** Name of the schedule or poll. */
  readonly name: string;
  /** Tick that the run was started for, in milliseconds since the epoch; absent if it was triggered, or started by a poll. */
  readonly tick?: number;
  /** The origin as a clause in English. */
  readonly message: string;
}

/** Why a run does not progress, what it is executing, or how it ended. */
export interface Explanation {
  /** Id of the run. */
  readonly runId: string;
  /** State of the run. */
  readonly state: RunState;
  /** All reasons, the decisive one first. */
  readonly reasons: readonly Reason[];
  /** The schedule or poll that started the run; absent for a run that was started in another way. */
  readonly startedBy?: RunOrigin;
  /** The messages of all reasons, and of `startedBy`, joined by `"; "`. */
  readonly summary: string;
}

/**
 * Explains what a run is waiting for, or how it ended.
 *
 * @throws {RunNotFoundError} If the run does not exist.
 */
export async function explain(context: ClientContext, runId: string): Promise<Explanation> {
  const row = await context.reader.row(runId);
  return await explainRow(context, row, isOver(row.state) ? [] : await context.reader.tasks(row));
}

/** Explains a run whose row and tasks have been read already. */
export async function explainRow(
  context: ClientContext,
  row: ListedRun,
  tasks: readonly OpenTask[],
  shownKey: ShownKey = (_, part) => part,
): Promise<Explanation> {
  const reasons = isOver(row.state) ? [endReason(row)] : await openReasons(context, row, { tasks, shownKey });
  const startedBy = await originOf(context, row);
  const summary = [...reasons, ...startedBy === undefined ? [] : [startedBy]].map(({ message }) => message).join("; ");
  return { runId: row.id, state: row.state, reasons, ...startedBy === undefined ? {} : { startedBy }, summary };
}

/** Costs a read for a run without a tick: a poll started it, or a schedule was triggered. */
async function originOf({ store }: ClientContext, { schedule: name, tick }: ListedRun): Promise<RunOrigin | undefined> {
  if (name === undefined) return undefined;
  if (tick !== undefined) {
    const message = `it was started by schedule "${name}" for its tick at ${new Date(tick).toISOString()}`;
    return { kind: "schedule", name, tick, message };
  }
  const [row] = await store.schedules.read({ names: [name] });
  if (row?.kind === "poll") return { kind: "poll", name, message: `it was started by poll "${name}"` };
  return { kind: "schedule", name, message: `it was started by schedule "${name}", which was triggered` };
}

/** The fields of a task that an explanation needs. */
export type OpenTask = Pick<
  TaskInfo,
  "id" | "kind" | "after" | "state" | "attempts" | "startedAt" | "dueAt" | "reason" | "error" | "items" | "undo"
>;

function endReason(row: ListedRun): Reason {
  const why = row.error?.message ?? row.reason;
  return { kind: "ended", message: `the run ended as ${row.state}${why === undefined ? "" : ` (${why})`}` };
}

async function openReasons(
  { store, runner, reader }: ClientContext,
  row: ListedRun,
  { tasks, shownKey }: { readonly tasks: readonly OpenTask[]; readonly shownKey: ShownKey },
): Promise<Reason[]> {
  const now = store.now();
  const isQueued = (taskId: string): boolean => runner?.isQueued(row.id, taskId) ?? false;
  const defined = await reader.definition(row);
  const childWorkflows = new Map(defined?.tasks.map(({ id, child }) => [id, child]));
  const runners = (await store.runners()).filter((runner) => runner.leaseUntil > now);
  const reasons: Reason[] = [];
  if (isCompensating(row)) reasons.push(compensationReason(row));
  if (isHeld(row)) {
    const message =
      "the run is held until its child runs are cancelled: cancel() or resume() ends this if it was interrupted";
    reasons.push({ kind: "cancelling", message });
  } else if (isCancelling(row)) {
    reasons.push({ kind: "cancelling", message: "the run is being cancelled: its bodies have 5 s to settle" });
  }
  if (row.state === "paused" && !isHeld(row)) {
    const why = row.reason === undefined ? "" : ` (${row.reason})`;
    reasons.push({ kind: "paused", message: `the run is paused${why}: call resume() to continue it` });
  }
  if (row.strandedBy !== undefined) {
    const message =
      `version ${row.strandedBy} of the workflow cannot continue the run (${row.reason ?? "its tasks differ"}): ` +
      `a runner with version ${row.version} is needed`;
    reasons.push({ kind: "version", message });
  }
  const limits = await readLimitWaits(store.limits, row, { now, tasks, shownKey });
  if (isHeldByLimit(row)) reasons.push(...limits.ofRun());
  if (row.owner === undefined && row.state !== "paused") reasons.push(...unownedReasons(row, runners, now));
  if (row.owner !== undefined && !runners.some(({ id }) => id === row.owner)) {
    const next = runners.length === 0 ? "and no other runner is alive" : "and another runner will take it over";
    reasons.push({ kind: "runner", message: `the runner that owns the run is not alive, ${next}` });
  }
  const open = new Set(tasks.flatMap((task) => isOpen(task) ? [task.id] : []));
  const undone = isCompensating(row);
  const parents = tasks.filter((task) => undone ? task.undo?.reason === WAITS_FOR_CHILD : waitsForChild(task))
    .map(({ id }) => id);
  const children = await store.inspection.taskChildren({ parent: row.seq, tasks: parents, items: [NO_ITEM] });
  if (undone) {
    const mayUndo = new Set(defined?.tasks.flatMap(({ id, undo }) => undo === true ? [id] : []));
    const undos = tasks.flatMap((task) => undoReasons(task, { now, children, mayBegin: mayUndo.has(task.id) }));
    return [...reasons, ...undos];
  }
  const deliveries = tasks.some(waitsForMessage) ? await store.deliveries(row.seq) : [];
  const sentAt = new Map(deliveries.map(({ task, at }) => [task, at]));
  const waits = { open, now, isQueued, children, childWorkflows, sentAt, limits };
  return [...reasons, ...tasks.flatMap((task) => taskReasons(task, waits))];
}

function unownedReasons(row: ListedRun, runners: readonly RunnerRow[], now: number): Reason[] {
  const able = runners.filter((runner) =>
    runner.served.some(({ workflow, version }) =>
      workflow === row.workflow && (!runner.pinned || version === row.version)
    )
  );
  const dueAt = dueAtOf(row);
  const timers: Reason[] = dueAt !== undefined && dueAt > now
    ? [{ kind: "timer", message: `the run is ${debounced(row)}due ${inWords(dueAt - now)}`, dueAt }]
    : [];
  if (row.strandedBy !== undefined) return timers;
  // Reported before the run is due, too: no runner will claim it then unless an operator acts.
  if (able.length === 0) return [...timers, whyNotClaimed(row, runners)];
  // A waiting run without a time is not due before something arrives.
  if (timers.length > 0 || isHeldByLimit(row) || (row.state === "waiting" && dueAt === undefined)) return timers;
  if (row.gateAt !== undefined) {
    return [{ kind: "limit", message: "the run is due, and is about to request the limits of its workflow" }];
  }
  return [{ kind: "limit", message: "the run is due, and the runners that can execute it have no free capacity" }];
}

/** A word for a run whose next start replaces it. */
function debounced({ debounce, epoch }: ListedRun): string {
  if (debounce === undefined || epoch > 0) return "";
  const { replaced = 0 } = debounce;
  return `debounced (${replaced === 1 ? "replaced once" : `replaced ${replaced} times`}) and `;
}

function whyNotClaimed(row: ListedRun, runners: readonly RunnerRow[]): Reason {
  if (runners.length === 0) return { kind: "runner", message: "no runner is alive" };
  const known = runners.some((runner) => runner.served.some(({ workflow }) => workflow === row.workflow));
  if (!known) return { kind: "runner", message: `no live runner has workflow "${row.workflow}"` };
  return { kind: "version", message: `no live runner has version ${row.version} of its workflow` };
}

function taskReasons(
  task: OpenTask,
  { open, now, isQueued, children, childWorkflows, sentAt, limits }: {
    readonly open: ReadonlySet<string>;
    readonly now: number;
    readonly isQueued: (taskId: string) => boolean;
    readonly children: readonly ListedRun[];
    readonly childWorkflows: ReadonlyMap<string, string | undefined>;
    /** When the messages were sent that tasks have been given. */
    readonly sentAt: ReadonlyMap<string, number>;
    /** What the units of the run wait for that wait for a limit. */
    readonly limits: LimitWaits;
  },
): Reason[] {
  const { id: taskId } = task;
  // A map has its own reason, and one for each limit that its items wait for.
  const itemReasons = (): Reason[] => {
    const limited = limits.itemsOf(taskId);
    const running = runningReasons(task, { childWorkflow: childWorkflows.get(taskId), limited });
    return limited === 0 ? running : [...running, ...limits.ofTask(taskId)];
  };
  switch (task.state) {
    case "running":
      return itemReasons();
    case "waiting":
      if (task.items !== undefined) return itemReasons();
      if (isHeldTask(task)) return limits.ofTask(taskId);
      return [
        waitsForChild(task) ? childReason(task, children) : waitReason(task, { now, sentAt: sentAt.get(taskId) }),
      ];
    case "blocked":
      return [blockedReason(task)];
    case "pending": {
      // A map that has expanded, in a run without an owner.
      if (task.items !== undefined) return itemReasons();
      const missing = task.after.filter((id) => open.has(id));
      if (missing.length === 0 && isQueued(taskId)) {
        const message = `task "${taskId}" waits for a free slot of this runner (concurrency)`;
        return [{ kind: "limit", taskId, message }];
      }
      if (missing.length === 0) return [{ kind: "task", taskId, message: `task "${taskId}" is about to start` }];
      const names = missing.map((id) => `"${id}"`).join(", ");
      return [{ kind: "task", taskId, message: `task "${taskId}" waits for ${names}` }];
    }
    case "completed":
    case "failed":
    case "skipped":
    case "cancelled":
    case "compensated":
      return [];
  }
}

function isOpen(task: OpenTask): boolean {
  return task.state === "pending" || task.state === "running" || task.state === "waiting" || task.state === "blocked";
}
