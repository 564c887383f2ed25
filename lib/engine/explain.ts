import type { ClientContext } from "./client_context.ts";
import { isOver, type TaskInfo } from "./run_reader.ts";
import type { RunState } from "../store/batch.ts";
import type { ListedRun } from "../store/listing.ts";
import type { RunnerRow, Store } from "../store/port.ts";

/** One reason why a run is not further. */
export interface Reason {
  /** What kind of thing it waits for. */
  readonly kind: "ended" | "task" | "timer" | "limit" | "paused" | "cancelling" | "version" | "runner";
  /** In words. */
  readonly message: string;
  /** The task concerned. */
  readonly taskId?: string;
  /** When it goes on by itself, in milliseconds since the epoch. */
  readonly dueAt?: number;
}

/** Why a run is not moving, or what it is at. */
export interface Explanation {
  /** The run. */
  readonly runId: string;
  /** Where it is. */
  readonly state: RunState;
  /** Every reason, the decisive one first. */
  readonly reasons: readonly Reason[];
  /** The reasons as one sentence. */
  readonly summary: string;
}

/**
 * Says why a run is not further.
 *
 * @throws {RunNotFoundError} If there is no such run.
 */
export async function explain(context: ClientContext, runId: string): Promise<Explanation> {
  const row = await context.reader.row(runId);
  return await explainRow(context, row, isOver(row.state) ? [] : await context.reader.tasks(row));
}

/** The same for a run whose row and tasks have been read. */
export async function explainRow(
  { store, runner }: ClientContext,
  row: ListedRun,
  tasks: readonly OpenTask[],
): Promise<Explanation> {
  const reasons = isOver(row.state)
    ? [endReason(row)]
    : await openReasons(row, tasks, store, (taskId) => runner?.isQueued(row.id, taskId) ?? false);
  return { runId: row.id, state: row.state, reasons, summary: reasons.map(({ message }) => message).join("; ") };
}

/** What an explanation looks at in a task. */
export type OpenTask = Pick<TaskInfo, "id" | "after" | "state" | "attempts" | "dueAt" | "reason" | "error">;

function endReason(row: ListedRun): Reason {
  const why = row.error?.message ?? row.reason;
  return { kind: "ended", message: `it has ended: ${row.state}${why === undefined ? "" : ` (${why})`}` };
}

async function openReasons(
  row: ListedRun,
  tasks: readonly OpenTask[],
  store: Store,
  isQueued: (taskId: string) => boolean,
): Promise<Reason[]> {
  const now = store.now();
  const runners = (await store.runners()).filter((runner) => runner.leaseUntil > now);
  const reasons: Reason[] = [];
  if (row.cancelling) {
    reasons.push({ kind: "cancelling", message: "it is being cancelled: its bodies have 5 s to settle" });
  }
  if (row.state === "paused") {
    const why = row.reason === undefined ? "" : ` (${row.reason})`;
    reasons.push({ kind: "paused", message: `it is paused${why}: resume() lets it go on` });
  }
  if (row.strandedBy !== undefined) {
    const message =
      `version ${row.strandedBy} of its workflow cannot go on with it (${row.reason ?? "other tasks"}): ` +
      `it needs a runner of version ${row.version}`;
    reasons.push({ kind: "version", message });
  }
  if (row.owner === undefined && row.state !== "paused") reasons.push(...unownedReasons(row, runners, now));
  if (row.owner !== undefined && !runners.some(({ id }) => id === row.owner)) {
    const next = runners.length === 0 ? "and no other is alive" : "and another takes it over";
    reasons.push({ kind: "runner", message: `the runner that had it is not alive, ${next}` });
  }
  const open = new Set(tasks.flatMap((task) => isOpen(task) ? [task.id] : []));
  return [...reasons, ...tasks.flatMap((task) => taskReasons(task, { open, now, isQueued }))];
}

function unownedReasons(row: ListedRun, runners: readonly RunnerRow[], now: number): Reason[] {
  const able = runners.filter((runner) =>
    runner.served.some(({ workflow, version }) =>
      workflow === row.workflow && (!runner.pinned || version === row.version)
    )
  );
  const timers: Reason[] = row.dueAt !== undefined && row.dueAt > now
    ? [{ kind: "timer", message: `it is due ${inWords(row.dueAt - now)}`, dueAt: row.dueAt }]
    : [];
  if (row.strandedBy !== undefined) return timers;
  // Told before it is due, too: nobody will take it then unless somebody does something.
  if (able.length === 0) return [...timers, whyNobody(row, runners)];
  if (timers.length > 0) return timers;
  return [{ kind: "limit", message: "it is due, and the runners that could take it have no room yet" }];
}

function whyNobody(row: ListedRun, runners: readonly RunnerRow[]): Reason {
  if (runners.length === 0) return { kind: "runner", message: "no runner is alive" };
  const known = runners.some((runner) => runner.served.some(({ workflow }) => workflow === row.workflow));
  if (!known) return { kind: "runner", message: `no runner that is alive has workflow "${row.workflow}"` };
  return { kind: "version", message: `no runner that is alive has version ${row.version} of its workflow` };
}

function taskReasons(
  task: OpenTask,
  { open, now, isQueued }: {
    readonly open: ReadonlySet<string>;
    readonly now: number;
    readonly isQueued: (taskId: string) => boolean;
  },
): Reason[] {
  const { id: taskId } = task;
  switch (task.state) {
    case "running":
      return [{ kind: "task", taskId, message: `task "${taskId}" is running (attempt ${task.attempts})` }];
    case "waiting": {
      const dueAt = task.dueAt ?? now;
      const why = task.reason?.startsWith("deferred")
        ? "asked to be called again"
        : `failed (${task.error?.message ?? "unknown"}) and is retried`;
      return [{ kind: "timer", taskId, dueAt, message: `task "${taskId}" ${why} ${inWords(dueAt - now)}` }];
    }
    case "pending": {
      const missing = task.after.filter((id) => open.has(id));
      if (missing.length === 0 && isQueued(taskId)) {
        const message = `task "${taskId}" waits for one of the places for bodies that this runner has (concurrency)`;
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
      return [];
  }
}

function isOpen(task: OpenTask): boolean {
  return task.state === "pending" || task.state === "running" || task.state === "waiting";
}

function inWords(ms: number): string {
  if (ms <= 0) return "now";
  if (ms < 1_000) return `in ${ms} ms`;
  if (ms < 120_000) return `in ${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `in ${Math.round(ms / 60_000)} min`;
  return `in ${Math.round(ms / 3_600_000)} h`;
}
