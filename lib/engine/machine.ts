/**
 * The heart: given a plan, how far a run is and what just happened, it answers what to do next.
 *
 * It knows no clock, no database and no promise. A task's life: it is *decided* (start or skip) as soon as all its
 * dependencies have ended, and *started* as soon as their ends are recorded, so that a body only ever sees what is
 * durable. What ends is handed out to be recorded; with the last one comes the end of the run, in the same answer, so
 * that both go out in one commit.
 *
 * `happen` changes the progress it is given: a run has one owner, and a copy for each of ten thousand tasks would make
 * large runs quadratic.
 *
 * @module
 */
import type { TaskStatus } from "../definition/context.ts";
import type { Trigger } from "../definition/definition.ts";
import type { Plan } from "./plan.ts";

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

/** Something that happened to a run. */
export type Happening =
  /** Once, first: what can start does. */
  | { readonly type: "begun" }
  /** `when` said yes; the attempt goes on. */
  | { readonly type: "admitted"; readonly task: number }
  /** `when` said no. */
  | { readonly type: "declined"; readonly task: number }
  /** The body returned. */
  | { readonly type: "completed"; readonly task: number }
  /** The attempt failed; with `retryAt` there is another. */
  | { readonly type: "failed"; readonly task: number; readonly retryAt: number | undefined }
  /** The task asked to be called later; the attempt does not count. */
  | { readonly type: "deferred"; readonly task: number; readonly dueAt: number }
  /** The attempt was given up without a result and does not count. */
  | { readonly type: "abandoned"; readonly task: number }
  /** The end of a task is durable. */
  | { readonly type: "recorded"; readonly task: number }
  /** The time a task waited for has come. */
  | { readonly type: "due"; readonly task: number }
  /** Nothing new may start, or may again. */
  | { readonly type: "paused" | "resumed" }
  /** The run is to end as `as` once its bodies have settled. */
  | { readonly type: "closed"; readonly as: "cancelled" | "failed" }
  /** Bodies had their time to settle. */
  | { readonly type: "graceOver" };

/** Something to do for a run. */
export type Effect =
  /** Run the body (or ask `when` first). */
  | { readonly do: "start"; readonly task: number }
  /** Write the task's row. */
  | { readonly do: "record"; readonly task: number }
  /** Say `due` at that time. */
  | { readonly do: "wait"; readonly task: number; readonly dueAt: number }
  /** Nothing runs and nothing can start before `dueAt`. */
  | { readonly do: "park"; readonly dueAt: number }
  /** It is paused and no body runs any more: let go of it. */
  | { readonly do: "release" }
  /** Abort the bodies. */
  | { readonly do: "abort" }
  /** It is over; belongs to the same commit as the records of this answer. */
  | { readonly do: "end"; readonly as: "completed" | "failed" | "cancelled" };

const OF_CONDITION = " of its condition";

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
  for (const record of journal) restore(run, record);
  // In dependency order, because whether a skip counts as a failure follows from what was skipped before it.
  if (journal.length > 0) tasks.forEach((task, number) => isOver(task) && settleRestored(plan, run, number));
  return run;
}

/** Takes in what happened; answers what to do, in order. */
export function happen(plan: Plan, run: RunProgress, happening: Happening): Effect[] {
  const effects: Effect[] = [];
  if (run.phase === "ended") return effects;
  take(plan, run, happening, effects);
  conclude(plan, run, happening, effects);
  return effects;
}

/** How a task that has ended looks to its dependents. */
export function statusOf(task: TaskProgress): TaskStatus {
  return task.failed ? "failed" : task.state === "completed" ? "completed" : "skipped";
}

/** The failed tasks that no handler made good, in dependency order. */
export function unhandledFailures(plan: Plan, run: RunProgress): number[] {
  return run.tasks.flatMap((task, number) => task.state === "failed" && !isHandled(plan, run, number) ? [number] : []);
}

function take(plan: Plan, run: RunProgress, happening: Happening, effects: Effect[]): void {
  switch (happening.type) {
    case "begun":
      return begin(plan, run, effects);
    case "admitted":
      run.tasks[happening.task]!.admitted = true;
      effects.push({ do: "record", task: happening.task });
      return;
    case "declined":
      run.tasks[happening.task]!.reason = "its condition answered false";
      if (stopBody(run, happening.task, "skipped")) settle(plan, run, happening.task, effects);
      return;
    case "completed":
      if (stopBody(run, happening.task, "completed")) settle(plan, run, happening.task, effects);
      return;
    case "failed":
      return fail(plan, run, happening, effects);
    case "deferred":
      run.tasks[happening.task]!.attempts--;
      run.tasks[happening.task]!.reason = reasonToWait(plan, run, happening.task, "deferred");
      return wait(run, happening.task, happening.dueAt, effects);
    case "abandoned":
      run.tasks[happening.task]!.attempts--;
      if (stopBody(run, happening.task, "pending")) run.armed++;
      return;
    case "recorded":
      return release(plan, run, happening.task, effects);
    case "due":
      return due(run, happening.task, effects);
    case "paused":
      if (run.phase === "active") run.phase = "paused";
      return;
    case "resumed":
      return resume(run, effects);
    case "closed":
      if (run.phase === "closing") return;
      run.phase = "closing";
      run.closingAs = happening.as;
      if (run.running > 0) effects.push({ do: "abort" });
      return;
    case "graceOver":
      if (run.phase === "closing") run.running = 0;
      return;
  }
}

/** Whether the run is over, parked or let go of after what happened. */
function conclude(plan: Plan, run: RunProgress, happening: Happening, effects: Effect[]): void {
  if (run.phase === "closing") {
    if (run.running === 0) end(run, run.closingAs, effects);
    return;
  }
  if (run.remaining === 0) return end(run, succeeded(plan, run) ? "completed" : "failed", effects);
  if (run.running > 0) return;
  if (run.phase === "paused") {
    effects.push({ do: "release" });
    return;
  }
  if (run.armed > 0 || happening.type === "abandoned") return;
  const dueAt = nextDue(run);
  if (dueAt === undefined || dueAt === run.parkedUntil) return;
  run.parkedUntil = dueAt;
  effects.push({ do: "park", dueAt });
}

function end(run: RunProgress, as: "completed" | "failed" | "cancelled", effects: Effect[]): void {
  run.phase = "ended";
  effects.push({ do: "end", as });
}

function begin(plan: Plan, run: RunProgress, effects: Effect[]): void {
  // Picked out before any of them is decided: what a skip decides in turn must not be decided twice.
  const open = run.tasks.flatMap((task, number) => task.state === "pending" && task.unsettled === 0 ? [number] : []);
  for (const number of open) if (isSkipped(plan, run, number)) settle(plan, run, number, effects);
  startReady(run, effects);
  for (const [number, task] of run.tasks.entries()) {
    if (task.state === "waiting") effects.push({ do: "wait", task: number, dueAt: task.dueAt });
  }
}

/** All dependencies of a pending task have ended: either it is skipped here and now, or it will start. */
function isSkipped(plan: Plan, run: RunProgress, number: number): boolean {
  const task = run.tasks[number]!;
  const { on, after } = plan.tasks[number]!;
  const reason = whyNot(on, plan.dependencies[number]!.map((dependency) => run.tasks[dependency]!), after);
  if (reason === undefined) {
    run.armed++;
    return false;
  }
  task.state = "skipped";
  task.reason = reason;
  task.failed = on === "success";
  return true;
}

/** A task has ended: decides those that waited only for it, and so on, without recursion along the graph. */
function settle(plan: Plan, run: RunProgress, first: number, effects: Effect[]): void {
  const ended = [first];
  for (let at = 0; at < ended.length; at++) {
    const number = ended[at]!;
    run.remaining--;
    effects.push({ do: "record", task: number });
    for (const dependent of plan.dependents[number]!) {
      const task = run.tasks[dependent]!;
      task.unsettled--;
      if (task.unsettled === 0 && task.state === "pending" && isSkipped(plan, run, dependent)) ended.push(dependent);
    }
  }
}

/** Why a task must be skipped, given how its dependencies ended; `undefined` if it may start. */
function whyNot(on: Trigger, before: readonly TaskProgress[], after: readonly string[]): string | undefined {
  switch (on) {
    case "success": {
      const failed = before.findIndex((task) => task.failed);
      return failed < 0 ? undefined : `dependency "${after[failed]}" failed`;
    }
    case "settled":
      return undefined;
    case "anySucceeded":
      return before.some((task) => task.state === "completed") ? undefined : "no dependency succeeded";
    case "anyFailed":
      return before.some((task) => task.failed) ? undefined : "no dependency failed";
    case "allFailed":
      return before.length > 0 && before.every((task) => task.failed) ? undefined : "not every dependency failed";
  }
}

/** The end of a task is durable: what waited only for that starts. */
function release(plan: Plan, run: RunProgress, number: number, effects: Effect[]): void {
  for (const dependent of plan.dependents[number]!) {
    const task = run.tasks[dependent]!;
    if (--task.unrecorded === 0 && task.state === "pending" && run.phase === "active") start(run, dependent, effects);
  }
}

function start(run: RunProgress, number: number, effects: Effect[]): void {
  const task = run.tasks[number]!;
  task.state = "running";
  task.attempts++;
  run.armed--;
  run.running++;
  run.parkedUntil = undefined;
  effects.push({ do: "start", task: number });
}

function startReady(run: RunProgress, effects: Effect[]): void {
  if (run.phase !== "active") return;
  run.tasks.forEach((task, number) => {
    if (task.state === "pending" && task.unrecorded === 0) start(run, number, effects);
  });
}

function fail(
  plan: Plan,
  run: RunProgress,
  happening: { readonly task: number; readonly retryAt: number | undefined },
  effects: Effect[],
): void {
  const task = run.tasks[happening.task]!;
  // What fails while the run closes was aborted: it is cancelled with the rest, and its row is not written.
  if (run.phase === "closing") return void stopBody(run, happening.task, "pending");
  if (happening.retryAt !== undefined) {
    task.reason = reasonToWait(plan, run, happening.task, "retry");
    return wait(run, happening.task, happening.retryAt, effects);
  }
  if (!stopBody(run, happening.task, "failed")) return;
  task.failed = true;
  settle(plan, run, happening.task, effects);
}

/** Says in the journal, too, that `when` threw instead of answering: then it is asked again. */
function reasonToWait(plan: Plan, run: RunProgress, number: number, what: "retry" | "deferred"): string {
  return plan.tasks[number]!.when === undefined || run.tasks[number]!.admitted ? what : `${what}${OF_CONDITION}`;
}

function wait(run: RunProgress, number: number, dueAt: number, effects: Effect[]): void {
  const task = run.tasks[number]!;
  if (!stopBody(run, number, "waiting")) return;
  task.dueAt = dueAt;
  effects.push({ do: "record", task: number }, { do: "wait", task: number, dueAt });
}

function due(run: RunProgress, number: number, effects: Effect[]): void {
  const task = run.tasks[number]!;
  if (task.state !== "waiting" || run.phase !== "active") return;
  task.state = "pending";
  task.reason = undefined;
  run.armed++;
  start(run, number, effects);
}

function resume(run: RunProgress, effects: Effect[]): void {
  if (run.phase !== "paused") return;
  run.phase = "active";
  run.parkedUntil = undefined;
  startReady(run, effects);
  run.tasks.forEach((task, number) => {
    if (task.state === "waiting") effects.push({ do: "wait", task: number, dueAt: task.dueAt });
  });
}

/** Whether there was a body to stop: a second end of the same attempt is none. */
function stopBody(run: RunProgress, number: number, as: TaskProgress["state"]): boolean {
  const task = run.tasks[number]!;
  if (task.state !== "running") return false;
  task.state = as;
  if (run.running > 0) run.running--;
  return true;
}

function succeeded(plan: Plan, run: RunProgress): boolean {
  if (plan.result !== undefined && run.tasks[plan.result]!.failed) return false;
  return run.tasks.every((task, number) => task.state !== "failed" || isHandled(plan, run, number));
}

/**
 * Whether a task with `on: "anyFailed"` or `"allFailed"` completed that depends on the failed task, or on one that was
 * skipped because of it.
 */
function isHandled(plan: Plan, run: RunProgress, failed: number): boolean {
  const reached = [failed];
  const seen = new Set(reached);
  for (let at = 0; at < reached.length; at++) {
    for (const dependent of plan.dependents[reached[at]!]!) {
      const task = run.tasks[dependent]!;
      const { on } = plan.tasks[dependent]!;
      if ((on === "anyFailed" || on === "allFailed") && task.state === "completed") return true;
      if (task.state === "skipped" && task.failed && !seen.has(dependent)) {
        seen.add(dependent);
        reached.push(dependent);
      }
    }
  }
  return false;
}

function nextDue(run: RunProgress): number | undefined {
  let next: number | undefined;
  for (const task of run.tasks) {
    if (task.state === "waiting" && (next === undefined || task.dueAt < next)) next = task.dueAt;
  }
  return next;
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
