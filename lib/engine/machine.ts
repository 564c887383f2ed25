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
import type { Trigger } from "../definition/definition.ts";
import type { Plan } from "./plan.ts";
import { OF_CONDITION, type RunProgress, type TaskProgress } from "./progress.ts";
import { succeeded } from "./verdict.ts";

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

/** The body returned. */
export const completed: (task: number) => Happening = perTask((task) => ({ type: "completed", task }));
/** The end of a task is durable. */
export const recorded: (task: number) => Happening = perTask((task) => ({ type: "recorded", task }));

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

/** Takes in what happened; answers what to do, in order. */
export function happen(plan: Plan, run: RunProgress, happening: Happening): Effect[] {
  const effects: Effect[] = [];
  if (run.phase === "ended") return effects;
  take(plan, run, happening, effects);
  conclude(plan, run, happening, effects);
  return effects;
}

const starting = perTask((task): Effect => ({ do: "start", task }));
const recording = perTask((task): Effect => ({ do: "record", task }));

/** What is said of one task after the other, run after run, and made only once for each number of a task. */
function perTask<T>(make: (task: number) => T): (task: number) => T {
  const made: T[] = [];
  return (task) => {
    while (made.length <= task) made.push(make(made.length));
    return made[task]!;
  };
}

function take(plan: Plan, run: RunProgress, happening: Happening, effects: Effect[]): void {
  switch (happening.type) {
    case "begun":
      return begin(plan, run, effects);
    case "admitted":
      run.tasks[happening.task]!.admitted = true;
      effects.push(recording(happening.task));
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
  const open: number[] = [];
  for (let number = 0; number < run.tasks.length; number++) {
    const { state, unsettled } = run.tasks[number]!;
    if (state === "pending" && unsettled === 0) open.push(number);
  }
  for (const number of open) if (isSkipped(plan, run, number)) settle(plan, run, number, effects);
  startReady(run, effects);
  waitOn(run, effects);
}

/** All dependencies of a pending task have ended: either it is skipped here and now, or it will start. */
function isSkipped(plan: Plan, run: RunProgress, number: number): boolean {
  const task = run.tasks[number]!;
  const { on, after } = plan.tasks[number]!;
  const before = plan.dependencies[number]!;
  const reason = on === "success" ? whyNoSuccess(run, before, after) : whyNot(on, run, before);
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
  const skipped = settleOne(plan, run, first, effects);
  if (skipped === undefined) return;
  for (let at = 0; at < skipped.length; at++) settleOne(plan, run, skipped[at]!, effects, skipped);
}

/** Answers the tasks that are skipped for it, added to those who wait for their own dependents to be decided. */
function settleOne(
  plan: Plan,
  run: RunProgress,
  number: number,
  effects: Effect[],
  skipped?: number[],
): number[] | undefined {
  run.remaining--;
  effects.push(recording(number));
  for (const dependent of plan.dependents[number]!) {
    const task = run.tasks[dependent]!;
    task.unsettled--;
    if (task.unsettled === 0 && task.state === "pending" && isSkipped(plan, run, dependent)) {
      (skipped ??= []).push(dependent);
    }
  }
  return skipped;
}

/** Why a task must be skipped, given how its dependencies ended; `undefined` if it may start. */
function whyNot(
  on: Exclude<Trigger, "success">,
  { tasks }: RunProgress,
  before: readonly number[],
): string | undefined {
  switch (on) {
    case "settled":
      return undefined;
    case "anySucceeded":
      return before.some((number) => tasks[number]!.state === "completed") ? undefined : "no dependency succeeded";
    case "anyFailed":
      return before.some((number) => tasks[number]!.failed) ? undefined : "no dependency failed";
    case "allFailed":
      return before.length > 0 && before.every((number) => tasks[number]!.failed)
        ? undefined
        : "not every dependency failed";
  }
}

/** The same for nearly all tasks, which need each of them to have succeeded. */
function whyNoSuccess(run: RunProgress, before: readonly number[], after: readonly string[]): string | undefined {
  for (let at = 0; at < before.length; at++) {
    if (run.tasks[before[at]!]!.failed) return `dependency "${after[at]}" failed`;
  }
  return undefined;
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
  effects.push(starting(number));
}

function startReady(run: RunProgress, effects: Effect[]): void {
  if (run.phase !== "active") return;
  for (let number = 0; number < run.tasks.length; number++) {
    const { state, unrecorded } = run.tasks[number]!;
    if (state === "pending" && unrecorded === 0) start(run, number, effects);
  }
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
  effects.push(recording(number), { do: "wait", task: number, dueAt });
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
  waitOn(run, effects);
}

function waitOn(run: RunProgress, effects: Effect[]): void {
  for (let task = 0; task < run.tasks.length; task++) {
    const { state, dueAt } = run.tasks[task]!;
    if (state === "waiting") effects.push({ do: "wait", task, dueAt });
  }
}

/** Whether there was a body to stop: a second end of the same attempt is none. */
function stopBody(run: RunProgress, number: number, as: TaskProgress["state"]): boolean {
  const task = run.tasks[number]!;
  if (task.state !== "running") return false;
  task.state = as;
  if (run.running > 0) run.running--;
  return true;
}

function nextDue(run: RunProgress): number | undefined {
  let next: number | undefined;
  for (const task of run.tasks) {
    if (task.state === "waiting" && (next === undefined || task.dueAt < next)) next = task.dueAt;
  }
  return next;
}
