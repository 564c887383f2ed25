import { type Clock, systemClock } from "../clock.ts";
import type { RunState } from "../store/batch.ts";
import type { RunRow } from "../store/port.ts";
import type { ClientContext } from "./client_context.ts";
import type { RunEvent } from "./events.ts";
import { deferMessageOf } from "./journal_rows.ts";
import { isOver, type TaskInfo } from "./run_reader.ts";

/** A read that takes longer than this is not repeated at once, as the cost of a read grows with the run. */
const CHEAP_READ_MS = 2;
/** After a costly read the iterator pauses for this multiple of its duration. */
const REST_FACTOR = 10;

/**
 * Yields the events of a run from its start to its end. They are derived from the rows of the run, so every process sees
 * the same ones. An event between two reads, such as the start of a fast task, is yielded with the next read, in order.
 *
 * @throws {RunNotFoundError} If the run does not exist.
 */
export async function* runEvents(
  runId: string,
  { reader, watcher, clock }: Pick<ClientContext, "reader" | "watcher" | "clock">,
): AsyncGenerator<RunEvent, void, void> {
  let changed = Promise.withResolvers<void>();
  let isClosed = false;
  const unsubscribe = watcher.subscribe(runId, (closed) => {
    isClosed ||= closed;
    changed.resolve();
  });
  try {
    let before: Seen = { state: "pending", isStarted: false, tasks: new Map() };
    while (!isClosed) {
      changed = Promise.withResolvers<void>();
      const began = performance.now();
      const row = await reader.row(runId);
      const tasks = await reader.tasks(row);
      const costMs = performance.now() - began;
      yield* eventsBetween(before, row, tasks);
      if (isOver(row.state)) return;
      before = {
        state: row.state,
        isStarted: row.startedAt !== undefined,
        tasks: new Map(tasks.map((t) => [t.id, t])),
      };
      await changed.promise;
      if (costMs > CHEAP_READ_MS && !isClosed) await rest(costMs * REST_FACTOR, clock);
    }
  } finally {
    unsubscribe();
  }
}

// Uses the clock of the machine, whatever clock the store has: the pause limits the load of the machine.
function rest(ms: number, clock: Clock): Promise<void> {
  const rested = new Promise<void>((resolve) => void systemClock.after(ms, resolve));
  clock.outside?.(rested);
  return rested;
}

interface Seen {
  readonly state: RunState;
  readonly isStarted: boolean;
  readonly tasks: ReadonlyMap<string, TaskInfo>;
}

function eventsBetween(before: Seen, row: RunRow, tasks: readonly TaskInfo[]): RunEvent[] {
  const run = { runId: row.id, workflow: row.workflow };
  const events: RunEvent[] = tasks.flatMap((task) =>
    taskEvents(run, before.tasks.get(task.id), task, isOver(row.state))
  );
  // Not spread into Math.max(): a call cannot have tens of thousands of arguments.
  const latest = events.reduce((latest, { at }) => Math.max(latest, at), row.createdAt);
  if (row.startedAt !== undefined && !before.isStarted) {
    events.unshift({ type: "run.started", ...run, at: row.startedAt });
  }
  // The sort is stable and the array has starts before ends, so they stay in that order within a millisecond.
  events.sort((a, b) => a.at - b.at);
  if (row.state !== before.state) events.push(...stateEvents(run, before.state, row, latest));
  return events;
}

function stateEvents(run: Run, before: RunState, row: RunRow, latest: number): RunEvent[] {
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

function taskEvents(run: Run, before: TaskInfo | undefined, task: TaskInfo, isRunOver: boolean): RunEvent[] {
  const base = { ...run, taskId: task.id, attempt: task.attempts };
  const events: RunEvent[] = [];
  const startedAt = task.startedAt ?? 0;
  if (task.startedAt !== undefined && startedAt !== before?.startedAt) {
    events.push({ type: "task.started", ...base, at: startedAt });
  }
  const failed = task.failures.at(-1);
  // Not by their number: of many failures only some are recorded.
  const known = before?.failures.at(-1);
  const isNewFailure = failed !== undefined &&
    (failed.attempt !== known?.attempt || failed.startedAt !== known.startedAt);
  if (isNewFailure && task.state !== "failed") {
    const dueAt = task.dueAt ?? startedAt;
    events.push({ type: "task.retrying", ...base, attempt: failed.attempt, at: startedAt, error: failed.error, dueAt });
  }
  if (task.progress !== undefined && JSON.stringify(task.progress) !== JSON.stringify(before?.progress)) {
    events.push({ type: "task.progress", ...base, at: task.endedAt ?? startedAt, ...task.progress });
  }
  if (task.state !== before?.state) events.push(...endEvents(base, task, isRunOver));
  return events;
}

function endEvents(
  base: Run & { readonly taskId: string; readonly attempt: number },
  task: TaskInfo,
  isRunOver: boolean,
): RunEvent[] {
  const at = task.endedAt ?? task.startedAt ?? 0;
  switch (task.state) {
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
  base: Run & { readonly taskId: string; readonly attempt: number },
  { reason, dueAt }: TaskInfo,
  at: number,
): RunEvent {
  const message = deferMessageOf(reason);
  return { type: "task.deferred", ...base, at, dueAt: dueAt ?? at, ...(message !== undefined && { message }) };
}
