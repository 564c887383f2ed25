import { type Clock, systemClock } from "../clock.ts";
import type { RunState } from "../store/batch.ts";
import type { RunRow } from "../store/port.ts";
import type { RunEvent } from "./events.ts";
import type { RunWatcher } from "./run_watcher.ts";
import { isOver, type RunReader, type TaskInfo } from "./run_reader.ts";

/** A look that costs more than this is not repeated at once: its cost grows with the run. */
const CHEAP_LOOK_MS = 2;
/** The share of its time that looking may take is one in so many. */
const REST_FACTOR = 10;

/**
 * The events of a run from its beginning to its end. They are read off its rows, so that every process sees the same
 * ones: what came and went between two looks, such as the start of a fast task, is told afterwards in its place.
 */
export async function* runEvents(
  runId: string,
  reader: RunReader,
  watcher: RunWatcher,
  clock: Clock,
): AsyncGenerator<RunEvent, void, void> {
  let news = Promise.withResolvers<void>();
  let isClosed = false;
  const unsubscribe = watcher.subscribe(runId, (closed) => {
    isClosed ||= closed;
    news.resolve();
  });
  try {
    let before: Seen = { state: "pending", isStarted: false, tasks: new Map() };
    while (!isClosed) {
      news = Promise.withResolvers<void>();
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
      await news.promise;
      if (costMs > CHEAP_LOOK_MS && !isClosed) await rest(costMs * REST_FACTOR, clock);
    }
  } finally {
    unsubscribe();
  }
}

// By the machine's clock, whatever clock the store has: it is the machine that is spared.
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
  // Not spread into Math.max(): tens of thousands of arguments are more than a call can have.
  const latest = events.reduce((latest, { at }) => Math.max(latest, at), row.createdAt);
  if (row.startedAt !== undefined && !before.isStarted) {
    events.unshift({ type: "run.started", ...run, at: row.startedAt });
  }
  // Stable, and with starts before ends of the same millisecond, because it was built in that order.
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
    case "waiting":
      return task.reason?.startsWith("deferred") === true && !isRunOver
        ? [{ type: "task.deferred", ...base, at, dueAt: task.dueAt ?? at }]
        : [];
    case "pending":
    case "running":
    case "cancelled":
      return [];
  }
}
