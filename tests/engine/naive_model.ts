/**
 * What DESIGN says of a run, written as plainly as it can be: after each thing that happens everything is worked out
 * anew from what is known of the tasks. It shares no line with the machine, and is far too slow to be one.
 */
import type { Recorded } from "../../lib/engine/progress.ts";
import type { Graph } from "./random_graph.ts";

/** How a task ended. */
export type End = "completed" | "failed" | "skipped";

/** Something that happens to a run, in the machine's words. */
export type Event =
  | { readonly type: "begun" | "paused" | "resumed" | "graceOver" }
  | { readonly type: "admitted" | "declined" | "completed" | "abandoned" | "recorded" | "due"; readonly task: number }
  | { readonly type: "failed"; readonly task: number; readonly retryAt: number | undefined }
  | { readonly type: "deferred"; readonly task: number; readonly dueAt: number }
  | { readonly type: "closed"; readonly as: "cancelled" | "failed" };

type TaskEvent = Extract<Event, { readonly task: number }>;

/** What has to be done after it. */
export interface Answer {
  /** Bodies to start. */
  readonly starts: readonly number[];
  /** Rows to write. */
  readonly records: readonly number[];
  /** Timers to set. */
  readonly waits: readonly number[];
  /** What the run ends as. */
  readonly end: "completed" | "failed" | "cancelled" | undefined;
  /** Whether to let go of it. */
  readonly release: boolean;
  /** Whether to abort bodies. */
  readonly abort: boolean;
}

/** A task as the model knows it. */
export interface ModelTask {
  end: End | undefined;
  body: "none" | "running" | "waiting";
  attempts: number;
  dueAt: number;
  isDurable: boolean;
  /** Given back without an end: not to be started here again. */
  isHeld: boolean;
}

/** A run as the model knows it. */
export interface Model {
  readonly tasks: readonly ModelTask[];
  readonly phase: "active" | "paused" | "closing" | "ended";
  tell(event: Event): Answer;
}

/** Whether the end of a task counts as a failure for those that depend on it. */
export function countsAsFailed(graph: Graph, ends: readonly (End | undefined)[], task: number): boolean {
  if (ends[task] === "failed") return true;
  const { on, after } = graph.tasks[task]!;
  return ends[task] === "skipped" && on === "success" && after.some((before) => countsAsFailed(graph, ends, before));
}

/** Whether a task whose dependencies have all ended may start. */
export function mayStart(graph: Graph, ends: readonly (End | undefined)[], task: number): boolean {
  const { on, after } = graph.tasks[task]!;
  const isFailed = (before: number): boolean => countsAsFailed(graph, ends, before);
  if (on === "settled") return true;
  if (on === "success") return !after.some(isFailed);
  if (on === "anySucceeded") return after.some((before) => ends[before] === "completed");
  if (on === "anyFailed") return after.some(isFailed);
  return after.length > 0 && after.every(isFailed);
}

/** What a run all of whose tasks have ended ends as. */
export function verdictOf(graph: Graph, ends: readonly (End | undefined)[]): "completed" | "failed" {
  if (graph.result !== undefined && countsAsFailed(graph, ends, graph.result)) return "failed";
  const isHandled = (failed: number): boolean =>
    graph.tasks.some((task, number) => {
      if (!task.after.includes(failed)) return false;
      if ((task.on === "anyFailed" || task.on === "allFailed") && ends[number] === "completed") return true;
      return ends[number] === "skipped" && countsAsFailed(graph, ends, number) && isHandled(number);
    });
  return ends.every((end, number) => end !== "failed" || isHandled(number)) ? "completed" : "failed";
}

/** How every task of an undisturbed run ends, whatever the order of events. */
export function endsOf(graph: Graph): End[] {
  const ends: End[] = [];
  graph.tasks.forEach((task, number) => {
    // Attempts that `when` spoils count like any others.
    const answered = task.attempts.slice(task.whenThrows);
    if (!mayStart(graph, ends, number)) ends.push("skipped");
    else if (task.when === false && answered.length > 0) ends.push("skipped");
    else ends.push(answered.includes("completes") ? "completed" : "failed");
  });
  return ends;
}

/** A run of which no more is known than what a journal tells. */
export function newModel(graph: Graph, journal: readonly Recorded[] = []): Model {
  const tasks = graph.tasks.map((): ModelTask => (
    { end: undefined, body: "none", attempts: 0, dueAt: 0, isDurable: false, isHeld: false }
  ));
  for (const { task, state, attempts, dueAt } of journal) {
    if (state === "pending") continue;
    const isOpen = state === "running" || state === "waiting";
    Object.assign(tasks[task]!, {
      end: isOpen ? undefined : state,
      body: state === "waiting" ? "waiting" : "none",
      attempts,
      dueAt: dueAt ?? 0,
      isDurable: !isOpen,
    });
  }
  let phase: Model["phase"] = "active";
  let closingAs: "cancelled" | "failed" = "cancelled";
  return {
    tasks,
    get phase() {
      return phase;
    },
    tell,
  };

  function tell(event: Event): Answer {
    const before = tasks.map((task) => ({ ...task }));
    const wasClosing = phase === "closing";
    const runningBefore = running();
    const records = "task" in event ? apply(event) : (applyToRun(event), []);
    skipWhatMustBe();
    const starts = phase === "active" ? startable() : [];
    for (const task of starts) Object.assign(tasks[task]!, { body: "running", attempts: tasks[task]!.attempts + 1 });
    const ended = numbers().filter((task) => tasks[task]!.end !== before[task]!.end);
    const end = endOfRun();
    if (end !== undefined) phase = "ended";
    const isNews = event.type === "begun" || event.type === "resumed";
    return {
      starts,
      records: [...records, ...ended].toSorted((a, b) => a - b),
      waits: numbers().filter((task) =>
        tasks[task]!.body === "waiting" && (isNews || before[task]!.body !== "waiting")
      ),
      end,
      release: phase === "paused" && running() === 0,
      abort: event.type === "closed" && !wasClosing && runningBefore > 0,
    };
  }

  /** Answers the rows to write for other reasons than an end. */
  function apply(event: TaskEvent): number[] {
    const task = tasks[event.task]!;
    switch (event.type) {
      case "admitted":
        return [event.task];
      case "declined":
        Object.assign(task, { body: "none", end: "skipped" });
        return [];
      case "completed":
        Object.assign(task, { body: "none", end: "completed" });
        return [];
      case "failed":
        if (phase === "closing") task.body = "none";
        else if (event.retryAt === undefined) Object.assign(task, { body: "none", end: "failed" });
        else return putOff(event.task, event.retryAt);
        return [];
      case "deferred":
        task.attempts--;
        return putOff(event.task, event.dueAt);
      case "abandoned":
        Object.assign(task, { body: "none", isHeld: true, attempts: task.attempts - 1 });
        return [];
      case "recorded":
        task.isDurable = true;
        return [];
      case "due":
        if (phase === "active") task.body = "none";
        return [];
    }
  }

  function putOff(number: number, dueAt: number): number[] {
    Object.assign(tasks[number]!, { body: "waiting", dueAt });
    return [number];
  }

  function applyToRun(event: Event): void {
    if (event.type === "paused" && phase === "active") phase = "paused";
    if (event.type === "resumed" && phase === "paused") {
      phase = "active";
      for (const task of tasks) task.isHeld = false;
    }
    if (event.type === "closed" && phase !== "closing") {
      phase = "closing";
      closingAs = event.as;
    }
    if (event.type === "graceOver" && phase === "closing") {
      for (const task of tasks) if (task.body === "running") task.body = "none";
    }
  }

  function skipWhatMustBe(): void {
    for (const number of numbers()) {
      const isOpen = tasks[number]!.end === undefined && tasks[number]!.body === "none" && !tasks[number]!.isHeld;
      const isDecided = graph.tasks[number]!.after.every((before) => tasks[before]!.end !== undefined);
      if (isOpen && isDecided && !mayStart(graph, ends(), number)) tasks[number]!.end = "skipped";
    }
  }

  function startable(): number[] {
    return numbers().filter((number) => {
      const { end, body, isHeld } = tasks[number]!;
      return end === undefined && body === "none" && !isHeld &&
        graph.tasks[number]!.after.every((before) => tasks[before]!.isDurable) && mayStart(graph, ends(), number);
    });
  }

  function endOfRun(): Answer["end"] {
    if (phase === "closing") return running() === 0 ? closingAs : undefined;
    return ends().every((end) => end !== undefined) ? verdictOf(graph, ends()) : undefined;
  }

  function ends(): (End | undefined)[] {
    return tasks.map(({ end }) => end);
  }

  function numbers(): number[] {
    return tasks.map((_, number) => number);
  }

  function running(): number {
    return tasks.filter(({ body }) => body === "running").length;
  }
}
