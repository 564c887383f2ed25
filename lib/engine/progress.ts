import type { TaskStatus } from "../definition/context.ts";
import type { Plan } from "./plan.ts";

/** Ends the reason of a wait that began before `when` was answered. */
export const OF_CONDITION = " of its condition";

/** How far one task is. */
export interface TaskProgress {
  /** Where it is. A task that is due to start but held back by a pause is `pending`. */
  state: "pending" | "running" | "waiting" | "completed" | "failed" | "skipped";
  /** Whether it counts as failed to its dependents: it failed, or was skipped because of a failure. */
  failed: boolean;
  /** Attempts begun, the present one included. */
  attempts: number;
  /** Dependencies that have not ended. */
  unsettled: number;
  /** Dependencies whose end is not recorded. */
  unrecorded: number;
  /** Whether `when` has been answered with yes. */
  admitted: boolean;
  /** When a waiting task goes on. */
  dueAt: number;
  /** Why it was skipped or waits. */
  reason: string | undefined;
}

/** How far a run is. */
export interface RunProgress {
  /** `closing`: nothing starts, and it ends as soon as no body runs. */
  phase: "active" | "paused" | "closing" | "ended";
  /** What it ends as when it is closing. */
  closingAs: "cancelled" | "failed";
  /** Its tasks, by number. */
  readonly tasks: TaskProgress[];
  /** Tasks that have not ended. */
  remaining: number;
  /** Bodies that run. */
  running: number;
  /** Tasks decided to start that have not started. */
  armed: number;
  /** Until when it was last said to be parked; none after something started. */
  parkedUntil: number | undefined;
}

/** What a journal tells of a task. */
export interface Recorded {
  /** The task's number. */
  readonly task: number;
  /** What it was recorded as. */
  readonly state: TaskProgress["state"];
  /** Attempts that were begun and ended. */
  readonly attempts: number;
  /** When it goes on, if it waits. */
  readonly dueAt: number | undefined;
  /** Why it was skipped or waits. */
  readonly reason: string | undefined;
}

/** The progress of a run of which nothing, or what a journal tells, has happened. */
export function progressOf(plan: Plan, journal: readonly Recorded[] = []): RunProgress {
  const tasks = plan.dependencies.map((before): TaskProgress => ({
    state: "pending",
    failed: false,
    attempts: 0,
    unsettled: before.length,
    unrecorded: before.length,
    admitted: false,
    dueAt: 0,
    reason: undefined,
  }));
  const run: RunProgress = {
    phase: "active",
    closingAs: "cancelled",
    tasks,
    remaining: tasks.length,
    running: 0,
    armed: 0,
    parkedUntil: undefined,
  };
  if (journal.length > 0) restoreAll(plan, run, journal);
  return run;
}

/** How a task that has ended looks to its dependents. */
export function statusOf(task: TaskProgress): TaskStatus {
  return task.failed ? "failed" : task.state === "completed" ? "completed" : "skipped";
}

function restoreAll(plan: Plan, run: RunProgress, journal: readonly Recorded[]): void {
  for (const record of journal) restore(run, record);
  // In dependency order, because whether a skip counts as a failure follows from what was skipped before it.
  run.tasks.forEach((task, number) => isOver(task) && settleRestored(plan, run, number));
}

function restore(run: RunProgress, record: Recorded): void {
  const task = run.tasks[record.task]!;
  // A task that ran when its runner died is pending again; that it was recorded at all says that `when` was answered.
  task.state = record.state === "running" ? "pending" : record.state;
  const isAsked = record.state === "waiting" && record.reason?.endsWith(OF_CONDITION) === true;
  task.admitted = (record.state === "running" || record.state === "waiting") && !isAsked;
  task.attempts = record.attempts;
  task.dueAt = record.dueAt ?? 0;
  task.reason = record.reason;
}

function settleRestored(plan: Plan, run: RunProgress, number: number): void {
  const task = run.tasks[number]!;
  const failedBefore = plan.dependencies[number]!.some((dependency) => run.tasks[dependency]!.failed);
  task.failed = task.state === "failed" ||
    (task.state === "skipped" && plan.tasks[number]!.on === "success" && failedBefore);
  run.remaining--;
  for (const dependent of plan.dependents[number]!) {
    run.tasks[dependent]!.unsettled--;
    run.tasks[dependent]!.unrecorded--;
  }
}

function isOver(task: TaskProgress): boolean {
  return task.state === "completed" || task.state === "failed" || task.state === "skipped";
}
