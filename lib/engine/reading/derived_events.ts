/**
 * Derives the events of a run from its rows.
 *
 * @module
 */
import type { Failure } from "../../errors.ts";
import type { RunState } from "../../store/port/batch.ts";
import type { RunRow } from "../../store/port/store.ts";
import type { ExecutionEvent, TaskLevelEvent } from "./events.ts";
import { deferMessageOf } from "../runs/journal_rows.ts";
import { isOver, type TaskInfo } from "./run_reader.ts";
import type { UndoInfo } from "./undo_info.ts";

/** What was read of a run. */
export interface Seen {
  readonly state: RunState;
  readonly isStarted: boolean;
  readonly tasks: ReadonlyMap<string, TaskInfo>;
}

/** What is known of a run of which nothing was read. */
export const NOTHING_SEEN: Seen = { state: "pending", isStarted: false, tasks: new Map() };

/** Returns what is known of a run after its rows were read. */
export function seenOf(row: RunRow, tasks: readonly TaskInfo[]): Seen {
  return {
    state: row.state,
    isStarted: row.startedAt !== undefined,
    tasks: new Map(tasks.map((task) => [task.id, task])),
  };
}

/**
 * Returns the events between two reads of a run, in order of time. The events of a task keep the order of the journal,
 * also if the clock was set back between two of them; of events of several tasks in the same millisecond, those of the
 * task that was defined earlier come first.
 */
export function eventsBetween(before: Seen, row: RunRow, tasks: readonly TaskInfo[]): ExecutionEvent[] {
  const run = { runId: row.id, workflow: row.workflow };
  const dated = tasks.flatMap((task) => inOrder(taskEvents(run, before.tasks.get(task.id), task, isOver(row.state))));
  dated.sort((a, b) => a.order - b.order);
  const events: ExecutionEvent[] = dated.map(({ event }) => event);
  // Not spread into Math.max(): a call cannot have tens of thousands of arguments.
  const latest = events.reduce((latest, { at }) => Math.max(latest, at), row.createdAt);
  if (row.startedAt !== undefined && !before.isStarted) {
    events.unshift({ type: "run.started", ...run, at: row.startedAt });
  }
  if (row.state !== before.state) events.push(...stateEvents(run, before.state, row, latest));
  return events;
}

/** Adds to each event a time that never decreases. */
function inOrder(events: readonly ExecutionEvent[]): { readonly event: ExecutionEvent; readonly order: number }[] {
  let order = -Infinity;
  return events.map((event) => ({ event, order: order = Math.max(order, event.at) }));
}

function stateEvents(run: Run, before: RunState, row: RunRow, latest: number): ExecutionEvent[] {
  const at = row.endedAt ?? latest;
  switch (row.state) {
    case "pending":
      return [{ type: "run.handedBack", ...run, at }];
    case "running":
      return before === "pending" ? [] : [{ type: "run.resumed", ...run, at }];
    case "waiting":
      return row.strandedBy === undefined
        ? [{ type: "run.waiting", ...run, at }]
        : [{ type: "run.stranded", ...run, at, reason: row.reason ?? "" }];
    case "paused":
      return [{ type: "run.paused", ...run, at }];
    case "compensating":
      return [{ type: before === "paused" ? "run.resumed" : "run.compensating", ...run, at }];
    case "completed":
      return [{ type: "run.completed", ...run, at }];
    case "failed":
      return [{ type: "run.failed", ...run, at, error: row.error ?? { name: "Error", message: "the run failed" } }];
    case "cancelled":
      return [{ type: "run.cancelled", ...run, at, reason: row.reason }];
  }
}

interface Run {
  readonly runId: string;
  readonly workflow: string;
}

type Base = Pick<TaskLevelEvent, "runId" | "workflow" | "taskId" | "attempt">;

function taskEvents(run: Run, before: TaskInfo | undefined, task: TaskInfo, isRunOver: boolean): ExecutionEvent[] {
  const base = { ...run, taskId: task.id, attempt: task.attempts };
  // The failures of a map are those of its items.
  const failures = task.failures.filter(({ item }) => item === undefined);
  const events = attemptEvents(base, { before, task, failures });
  if (task.progress !== undefined && JSON.stringify(task.progress) !== JSON.stringify(before?.progress)) {
    events.push({ type: "task.progress", ...base, at: task.endedAt ?? task.startedAt ?? 0, ...task.progress });
  }
  if (task.state !== before?.state) events.push(...endEvents(base, task, { before, isRunOver }));
  if (task.undo !== undefined) events.push(...undoEvents(base, { before: before?.undo, undo: task.undo }));
  return events;
}

/** The start of each attempt that was recorded since, and its failure, unless that ended the task. */
function attemptEvents(
  base: Base,
  { before, task, failures }: {
    readonly before: TaskInfo | undefined;
    readonly task: TaskInfo;
    readonly failures: readonly Failure[];
  },
): ExecutionEvent[] {
  const events: ExecutionEvent[] = [];
  let startedAt = before?.startedAt;
  const start = (attempt: number, at: number | undefined): void => {
    if (at === undefined || at === startedAt) return;
    events.push({ type: "task.started", ...base, attempt, at });
    startedAt = at;
  };
  for (const [at, failure] of failures.entries()) {
    if (!isNewFailure(failure, failures, before)) continue;
    const { attempt, error, startedAt: began, endedAt = began ?? 0 } = failure;
    start(attempt, began);
    if (task.state === "failed" && failure === failures.at(-1)) continue;
    const next = failures[at + 1]?.startedAt ?? (task.startedAt === began ? undefined : task.startedAt);
    const dueAt = next ?? task.dueAt ?? endedAt;
    events.push({ type: "task.retrying", ...base, attempt, at: endedAt, error, dueAt });
  }
  start(task.attempts, task.startedAt);
  return events;
}

/** Of many failures only the first and the latest are recorded; after `retry()` of the run they begin anew. */
function isNewFailure(failure: Failure, failures: readonly Failure[], before: TaskInfo | undefined): boolean {
  const [first] = before?.failures ?? [];
  const latest = before?.failures.at(-1);
  if (first === undefined || latest === undefined || !isSame(first, failures[0])) return true;
  return failure.attempt > latest.attempt;
}

function isSame(a: Failure, b: Failure | undefined): boolean {
  return a.attempt === b?.attempt && a.startedAt === b.startedAt;
}

/** The events of the undo of a task. */
function undoEvents(
  { attempt: _, ...task }: Base,
  { before, undo }: { readonly before: UndoInfo | undefined; readonly undo: UndoInfo },
): ExecutionEvent[] {
  const base = { ...task, attempt: undo.attempts };
  const events: ExecutionEvent[] = [];
  const known = before?.failures.at(-1)?.attempt ?? 0;
  let startedAt = before?.startedAt;
  for (const { attempt, error, startedAt: began, endedAt = 0, item } of undo.failures) {
    if (attempt <= known || item !== undefined) continue;
    if (began !== undefined && began !== startedAt) events.push({ type: "undo.started", ...base, attempt, at: began });
    startedAt = began;
    if (undo.state === "failed" && attempt === undo.attempts) continue;
    const dueAt = undo.dueAt ?? undo.startedAt ?? endedAt;
    events.push({ type: "undo.retrying", ...base, attempt, at: endedAt, error, dueAt });
  }
  if (undo.startedAt !== undefined && undo.startedAt !== startedAt) {
    events.push({ type: "undo.started", ...base, at: undo.startedAt });
  }
  if (undo.progress !== undefined && JSON.stringify(undo.progress) !== JSON.stringify(before?.progress)) {
    events.push({ type: "undo.progress", ...base, at: undo.endedAt ?? undo.startedAt ?? 0, ...undo.progress });
  }
  if (undo.state === before?.state) return events;
  const at = undo.endedAt ?? undo.startedAt ?? 0;
  if (undo.state === "completed") events.push({ type: "undo.completed", ...base, at });
  if (undo.state === "failed") {
    events.push({
      type: "undo.failed",
      ...base,
      at,
      error: undo.error ?? { name: "Error", message: "the undo failed" },
    });
  }
  if (undo.state === "waiting" && undo.reason?.startsWith("deferred") === true) {
    const message = deferMessageOf(undo.reason);
    const dueAt = undo.dueAt ?? at;
    events.push({ type: "undo.deferred", ...base, at, dueAt, ...(message !== undefined && { message }) });
  }
  return events;
}

function endEvents(
  base: Base,
  task: TaskInfo,
  { before, isRunOver }: { readonly before: TaskInfo | undefined; readonly isRunOver: boolean },
): ExecutionEvent[] {
  const at = task.endedAt ?? task.startedAt ?? 0;
  switch (task.state) {
    case "compensated":
      // It has completed first.
      if (before?.state === "completed") return [];
      return [{ type: "task.completed", ...base, at, output: task.output }];
    case "completed":
      return [{ type: "task.completed", ...base, at, output: task.output }];
    case "failed":
      return [{ type: "task.failed", ...base, at, error: task.error ?? { name: "Error", message: "the task failed" } }];
    case "skipped":
      return [{ type: "task.skipped", ...base, at, reason: task.reason ?? "" }];
    case "blocked":
      return [{ type: "task.blocked", ...base, at }];
    case "waiting":
      return task.reason?.startsWith("deferred") === true && !isRunOver ? [deferredEvent(base, task, at)] : [];
    case "pending":
    case "running":
    case "cancelled":
      return [];
  }
}

function deferredEvent(
  base: Base,
  { reason, dueAt }: TaskInfo,
  at: number,
): ExecutionEvent {
  const message = deferMessageOf(reason);
  return { type: "task.deferred", ...base, at, dueAt: dueAt ?? at, ...(message !== undefined && { message }) };
}
