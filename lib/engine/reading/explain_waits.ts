/** In words, what a task waits for: a time, a message, a child run, the items of a map, a decision. */
import type { ListedRun } from "../../store/port/listing.ts";
import { itemsInWords } from "./items_info.ts";
import { deferMessageOf } from "../runs/journal_rows.ts";
import { isOver, type TaskInfo } from "./run_reader.ts";
import { isBetweenAttempts, NO_ITEM } from "../machine/run_state.ts";

/** One reason why a task does not progress. */
export interface TaskReason {
  readonly kind: "task" | "timer" | "event" | "child" | "blocked" | "limit";
  readonly message: string;
  readonly taskId: string;
  readonly runId?: string;
  readonly dueAt?: number;
}

/** Whether a task waits for the end of a child run. */
export function waitsForChild({ kind, state, reason }: Pick<TaskInfo, "kind" | "state" | "reason">): boolean {
  return kind === "subworkflow" && state === "waiting" && !isBetweenAttempts(reason);
}

/** Whether a task waits for a message. */
export function waitsForMessage({ kind, state, reason }: Pick<TaskInfo, "kind" | "state" | "reason">): boolean {
  return kind === "event" && state === "waiting" && !isBetweenAttempts(reason);
}

/** A task that is running, or a map that has expanded, with the workflow of its child runs. */
export function runningReasons(
  { id: taskId, state, attempts, items }: Pick<TaskInfo, "id" | "state" | "attempts" | "items">,
  { childWorkflow, limited }: {
    readonly childWorkflow: string | undefined;
    /** How many of its items wait for a limit, and have no child runs yet. */
    readonly limited: number;
  },
): TaskReason[] {
  if (items === undefined) {
    return [{ kind: "task", taskId, message: `task "${taskId}" is running (attempt ${attempts})` }];
  }
  return [progressReason(), ...items.blocked === 0 ? [] : [blockedItems(items.blocked)]];

  function progressReason(): TaskReason {
    const children = items!.waiting - limited;
    if (childWorkflow === undefined || children <= 0) {
      // In a run without an owner no item runs.
      const verb = state === "pending" ? "has" : "runs:";
      return { kind: "task", taskId, message: `task "${taskId}" ${verb} ${itemsInWords(items!)}` };
    }
    const runs = `${children} child run${children === 1 ? "" : "s"} of workflow "${childWorkflow}"`;
    const progress = itemsInWords({ ...items!, waiting: limited });
    return { kind: "child", taskId, message: `task "${taskId}" waits for ${runs}: ${progress}` };
  }

  function blockedItems(count: number): TaskReason {
    const are = count === 1 ? "1 item is blocked: its attempt" : `${count} items are blocked: their attempts`;
    const message =
      `of task "${taskId}" ${are} ended without a result, and the task runs at most once; call resolve() ` +
      "with the item to decide";
    return { kind: "blocked", taskId, message };
  }
}

/** A task that is blocked. */
export function blockedReason({ id: taskId, attempts }: Pick<TaskInfo, "id" | "attempts">): TaskReason {
  const message = `task "${taskId}" is blocked: attempt ${attempts} ended without a result, and the task runs ` +
    "at most once; call resolve() to decide";
  return { kind: "blocked", taskId, message };
}

/** A task that waits for one of these child runs. */
export function childReason({ id: taskId }: Pick<TaskInfo, "id">, children: readonly ListedRun[]): TaskReason {
  const child = children.findLast(({ parent }) => parent?.task === taskId && parent.item === NO_ITEM);
  if (child === undefined) return { kind: "child", taskId, message: `task "${taskId}" waits for a child run` };
  const { id: runId, workflow, state } = child;
  const message = isOver(state)
    ? `task "${taskId}" is about to continue: run "${runId}" of workflow "${workflow}" ended as ${state}`
    : `task "${taskId}" waits for run "${runId}" of workflow "${workflow}" (${state})`;
  return { kind: "child", taskId, runId, message };
}

/** A task that waits for a time or a message; `sentAt` is when the message was sent that it has not received yet. */
export function waitReason(
  task: Pick<TaskInfo, "id" | "kind" | "state" | "startedAt" | "dueAt" | "reason" | "error">,
  { now, sentAt }: { readonly now: number; readonly sentAt: number | undefined },
): TaskReason {
  const { id: taskId, kind, startedAt = now, dueAt, reason, error } = task;
  if (waitsForMessage(task) && sentAt !== undefined) {
    const message = `task "${taskId}" is about to continue: it has a message, sent ${duration(now - sentAt)} ago`;
    return { kind: "event", taskId, message };
  }
  if (waitsForMessage(task)) {
    const since = `task "${taskId}" has waited for a message for ${duration(now - startedAt)}`;
    return dueAt === undefined
      ? { kind: "event", taskId, message: since }
      : { kind: "event", taskId, dueAt, message: `${since} and stops waiting ${inWords(dueAt - now)}` };
  }
  const said = deferMessageOf(reason);
  const why = kind === "sleep" && !isBetweenAttempts(reason)
    ? "sleeps and continues"
    : reason?.startsWith("deferred")
    ? "was deferred and runs again"
    : `failed (${error?.message ?? "unknown"}) and is retried`;
  return {
    kind: "timer",
    taskId,
    dueAt: dueAt ?? now,
    message: `task "${taskId}" ${why} ${inWords((dueAt ?? now) - now)}${said === undefined ? "" : `: ${said}`}`,
  };
}

/** When something happens, by how far it is away. */
export function inWords(ms: number): string {
  return ms <= 0 ? "now" : `in ${duration(ms)}`;
}

/** A length of time in words. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, ms)} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}
