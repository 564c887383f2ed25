/**
 * The history of a run, derived from rows that exist anyway: those of the run, its tasks and steps, its rare facts (pause,
 * cancel, hand-back, recovery, retry, and the claims that follow them), its messages and its child runs.
 *
 * @module
 */
import { decodeJson } from "../../definition/json.ts";
import type { ErrorRecord, Failure } from "../../errors.ts";
import type { JournalRecord, RunState } from "../../store/port/batch.ts";
import type { ListedRun } from "../../store/port/listing.ts";
import type { Delivery } from "../../store/port/messages.ts";
import type { Fact, RunRow } from "../../store/port/store.ts";
import { isOfTask } from "../runs/journal_rows.ts";
import { taskOfCompensations, taskOfUndo } from "../../store/shared/undo_rows.ts";
import { childInfo } from "./child_info.ts";
import { isHeldTask } from "./explain_limits.ts";
import type { ClientContext } from "../client/client_context.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import { isOver } from "./run_reader.ts";

/** An entry of the history of a run. */
export type HistoryEntry =
  & {
    /** Number of the entry, counted from 1. The entries of a run that has ended never change their numbers. */
    readonly number: number;
    /** Time of the entry, in milliseconds since the epoch. */
    readonly at: number;
  }
  & HistoryEvent;

/** What an entry of a history says. */
export type HistoryEvent =
  | { readonly type: "run.created" | "run.started" | "run.resumed" | "run.compensating" | "run.completed" }
  | { readonly type: "run.paused" | "run.cancelRequested" | "run.cancelled"; readonly reason: string | undefined }
  | { readonly type: "run.recovered" | "run.stranded"; readonly detail: string | undefined }
  /** A later claim is that of a run that was handed back, recovered, resumed, retried or stranded before. */
  | {
    readonly type: "run.handedBack" | "run.claimed";
    /** The runner, as `runners()` numbers it. */
    readonly runner: number;
  }
  | {
    readonly type: "run.retried";
    /** Ids of tasks that had been compensated and run again; absent if there were none. */
    readonly compensated?: readonly string[];
  }
  | { readonly type: "run.failed"; readonly error: ErrorRecord }
  | TaskHistoryEvent;

/** What an entry of a history says about a task, or about an item of a map. */
export type TaskHistoryEvent =
  & {
    /** Id of the task. */
    readonly taskId: string;
    /** Index of the item, counted from 0; absent for the task itself. */
    readonly item?: number;
  }
  & (
    | { readonly type: "task.started" | "task.completed" | "task.blocked"; readonly attempt: number }
    | { readonly type: "task.retrying" | "task.failed"; readonly attempt: number; readonly error: ErrorRecord }
    | { readonly type: "task.waiting"; readonly reason: string | undefined; readonly dueAt: number | undefined }
    | { readonly type: "task.skipped"; readonly reason: string | undefined }
    | { readonly type: "task.messageAccepted" }
    | { readonly type: "task.resolved"; readonly attempt: number }
    | { readonly type: "step.completed" | "undo.stepCompleted"; readonly step: string }
    | { readonly type: "undo.started" | "undo.completed"; readonly attempt: number }
    | { readonly type: "undo.retrying" | "undo.failed"; readonly attempt: number; readonly error: ErrorRecord }
    | { readonly type: "undo.waiting"; readonly reason: string | undefined; readonly dueAt: number | undefined }
    | { readonly type: "child.started"; readonly childRunId: string; readonly workflow: string }
    | { readonly type: "child.ended"; readonly childRunId: string; readonly state: RunState }
  );

/** An entry without its number. */
type Event = { readonly at: number } & HistoryEvent;

/**
 * Reads the history of a run, oldest entry first.
 *
 * @throws {RunNotFoundError} If the run does not exist.
 */
export async function readHistory(
  { store, reader }: Pick<ClientContext, "store" | "reader">,
  runId: string,
): Promise<HistoryEntry[]> {
  const row = await reader.row(runId);
  const [facts, journal, deliveries, children, definition] = await Promise.all([
    store.facts(row.seq),
    store.journal(row.seq),
    store.deliveries(row.seq),
    store.children(row.seq),
    reader.definition(row),
  ]);
  const held = isOver(row.state) ? [] : journal.filter((record) => isOfTask(record) && isHeldTask(record));
  const waits = held.length === 0 ? [] : await store.limits.waits({ run: row.seq, waits: held.length, holders: 0 });
  const ranks = new Map(definition?.tasks.map(({ id }, at) => [id, at]));
  const rankOf = (name: string): number => ranks.get(taskOfUndo(name) ?? name) ?? Infinity;
  const ids = [...new Set([...journal, ...deliveries].map(({ task }) => task))]
    .filter((task) => taskOfCompensations(task) === undefined)
    .sort((a, b) => compare(rankOf(a), rankOf(b)));
  const rows: TaskRows = {
    row,
    journal: Map.groupBy(journal, ({ task }) => task),
    deliveries: Map.groupBy(deliveries, ({ task }) => task),
    children: Map.groupBy(children, ({ parent }) => parent?.task ?? ""),
    limited: new Map(waits.map(({ task = "", since }) => [task, since])),
  };
  const events: readonly Event[] = [
    { type: "run.created", at: row.createdAt },
    ...row.startedAt === undefined ? [] : [{ type: "run.started", at: row.startedAt } as const],
    ...facts.flatMap(factEvents),
    ...ids.flatMap((id) => taskOfUndo(id) === undefined ? taskEvents(id, rows) : []),
    ...compensatingEvents(journal),
    // Tasks are undone in reverse order.
    ...ids.toReversed().flatMap((name) => undoEvents(name, rows)),
    ...endEvents(row),
  ];
  // The sort is stable: events of one millisecond stay in the order of cause and effect.
  return events.toSorted((a, b) => a.at - b.at).map((event, at) => ({ number: at + 1, ...event }));
}

// Infinity - Infinity is NaN.
function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}

/** The compensation of a run begins with its first undo. */
function compensatingEvents(journal: readonly JournalRecord[]): readonly Event[] {
  const starts = journal.flatMap(({ task, failures, startedAt }) =>
    taskOfUndo(task) === undefined ? [] : failures[0]?.startedAt ?? startedAt ?? []
  );
  return starts.length === 0 ? [] : [{ type: "run.compensating", at: Math.min(...starts) }];
}

function factEvents({ kind, at, detail, failures = [] }: Fact): readonly Event[] {
  switch (kind) {
    case "cancel":
      return [{ type: "run.cancelRequested", at, reason: detail }];
    case "pause":
      return [{ type: "run.paused", at, reason: detail }];
    case "resume":
      return [{ type: "run.resumed", at }];
    case "recovery":
      return [{ type: "run.recovered", at, detail }];
    case "stranded":
      return [{ type: "run.stranded", at, detail }];
    case "handBack":
      return [{ type: "run.handedBack", at, runner: Number(detail) }];
    case "claim":
      return [{ type: "run.claimed", at, runner: Number(detail) }];
    case "retry":
      return [...retriedEvents(failures, at), { type: "run.retried", at, ...compensatedIn(detail) }];
  }
}

/** The last failed attempt at each task or item is the one by which it failed. */
function retriedEvents(failures: readonly Failure[], endsAt: number): readonly Event[] {
  const unitOf = ({ taskId, item }: Failure): string => JSON.stringify([taskId, item]);
  const last = new Map(failures.map((failure) => [unitOf(failure), failure]));
  return failures.flatMap((failure) => {
    const type = last.get(unitOf(failure)) === failure ? "task.failed" : "task.retrying";
    return failureEvents(failure, { endsAt, type });
  });
}

/** The events of a failed attempt, with those of its steps between its start and its end. */
function failureEvents(
  { taskId, item, attempt, error, startedAt, endedAt }: Failure,
  { endsAt, type, steps = [] }: {
    readonly endsAt: number;
    readonly type: "task.retrying" | "task.failed";
    readonly steps?: readonly Event[];
  },
): readonly Event[] {
  const of = { taskId, ...(item === undefined ? {} : { item }), attempt };
  return [
    ...startedAt === undefined ? [] : [{ type: "task.started", at: startedAt, ...of } as const],
    ...steps,
    { type, at: endedAt ?? endsAt, ...of, error },
  ];
}

interface TaskRows {
  readonly row: RunRow;
  readonly journal: ReadonlyMap<string, readonly JournalRecord[]>;
  readonly deliveries: ReadonlyMap<string, readonly Delivery[]>;
  readonly children: ReadonlyMap<string, readonly ListedRun[]>;
  /** Since when tasks wait for a limit. */
  readonly limited: ReadonlyMap<string, number>;
}

function compensatedIn(detail: string | undefined): { readonly compensated?: readonly string[] } {
  return detail === undefined ? {} : { compensated: decodeJson(detail, "the detail of a retry") as readonly string[] };
}

/** The events of the undo with these rows. */
function undoEvents(name: string, rows: TaskRows): readonly Event[] {
  const task = taskOfUndo(name);
  return task === undefined ? [] : taskEvents(name, rows).flatMap((event) => undoEvent(event, task) ?? []);
}

function undoEvent(event: Event, taskId: string): Event | undefined {
  switch (event.type) {
    case "task.started":
      return { ...event, type: "undo.started", taskId };
    case "task.completed":
      return { ...event, type: "undo.completed", taskId };
    case "task.retrying":
      return { ...event, type: "undo.retrying", taskId };
    case "task.failed":
      return { ...event, type: "undo.failed", taskId };
    case "task.waiting":
      return { ...event, type: "undo.waiting", taskId };
    case "step.completed":
      return { ...event, type: "undo.stepCompleted", taskId };
    default:
      return undefined;
  }
}

function taskEvents(taskId: string, { row, journal, deliveries, children, limited }: TaskRows): readonly Event[] {
  const records = journal.get(taskId) ?? [];
  const own = records.find(({ step }) => step === "");
  const steps = Map.groupBy(records.filter(({ step }) => step !== ""), ({ attempts }) => attempts);
  return [
    ...own === undefined ? [...steps.values()].flatMap(stepEvents) : attemptEvents(own, steps),
    ...(deliveries.get(taskId) ?? []).map((delivery) => deliveryEvent(taskId, delivery)),
    ...(children.get(taskId) ?? []).flatMap(childEvents),
    ...own === undefined ? [] : stateEvents(own, row, limited.get(taskId) ?? own.startedAt),
  ];
}

function attemptEvents(
  own: JournalRecord,
  steps: ReadonlyMap<number, readonly JournalRecord[]>,
): readonly Event[] {
  const { task: taskId, attempts, failures, startedAt, endedAt, state } = own;
  const stepsOf = (attempt: number): readonly Event[] => stepEvents(steps.get(attempt) ?? []);
  const last = failures.at(-1);
  const failed = failures.flatMap((failure) =>
    failureEvents(failure, {
      endsAt: endedAt ?? startedAt ?? 0,
      type: failure === last && state === "failed" ? "task.failed" : "task.retrying",
      steps: stepsOf(failure.attempt),
    })
  );
  const known = new Set(failures.map(({ attempt }) => attempt));
  // Those of attempts that a crash has interrupted, and of failed attempts that are not recorded, included.
  const others = [...steps.keys()].filter((attempt) => !known.has(attempt)).flatMap(stepsOf);
  if (startedAt === undefined || attempts === 0 || state === "skipped" || last?.startedAt === startedAt) {
    return [...failed, ...others];
  }
  return [...failed, { type: "task.started", at: startedAt, taskId, attempt: attempts }, ...others];
}

function stepEvents(steps: readonly JournalRecord[]): readonly Event[] {
  return steps.flatMap(({ task: taskId, step, endedAt: at }) =>
    at === undefined ? [] : [{ type: "step.completed", at, taskId, step } as const]
  );
}

/** The event of the state of a task; `waitsSince` is when it began to wait, if it waits. */
function stateEvents(record: JournalRecord, row: RunRow, waitsSince: number | undefined): readonly Event[] {
  const { task: taskId, state, attempts: attempt, startedAt, endedAt, reason, dueAt } = record;
  switch (state) {
    case "completed":
      return endedAt === undefined ? [] : [{ type: "task.completed", at: endedAt, taskId, attempt }];
    case "skipped":
      return endedAt === undefined ? [] : [{ type: "task.skipped", at: endedAt, taskId, reason }];
    case "blocked":
      return startedAt === undefined ? [] : [{ type: "task.blocked", at: startedAt, taskId, attempt }];
    case "waiting":
      return waitsSince === undefined || isOver(row.state)
        ? []
        : [{ type: "task.waiting", at: waitsSince, taskId, reason, dueAt }];
    case "failed":
    case "pending":
    case "running":
    case "cancelled":
    case "compensated":
      return [];
  }
}

function deliveryEvent(taskId: string, { item, attempt, at }: Delivery): Event {
  const of = { taskId, ...(item === NO_ITEM ? {} : { item }) };
  return attempt === 0 ? { type: "task.messageAccepted", at, ...of } : { type: "task.resolved", at, ...of, attempt };
}

function childEvents(child: ListedRun): readonly Event[] {
  const { id: childRunId, workflow, state, taskId, item, createdAt, endedAt } = childInfo(child);
  const of = { taskId, ...(item === undefined ? {} : { item }), childRunId };
  return [
    { type: "child.started", at: createdAt, ...of, workflow },
    ...endedAt === undefined ? [] : [{ type: "child.ended", at: endedAt, ...of, state } as const],
  ];
}

function endEvents({ state, endedAt: at, error, reason }: RunRow): readonly Event[] {
  if (at === undefined) return [];
  if (state === "completed") return [{ type: "run.completed", at }];
  if (state === "cancelled") return [{ type: "run.cancelled", at, reason }];
  return [{ type: "run.failed", at, error: error ?? { name: "Error", message: "the run failed" } }];
}
