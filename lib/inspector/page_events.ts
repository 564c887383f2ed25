import type { Fact, RunRow } from "../store/port/store.ts";
import { cut, type Reading } from "./reading.ts";
import type { AttemptDetail, RunPageEvent, TaskDetail } from "./run_shape.ts";

const MOST = 2_000;

/** Derives the events of a run from its rows, oldest first; of very many the earliest. */
export function eventsOf(
  row: RunRow,
  tasks: readonly TaskDetail[],
  facts: readonly Fact[],
  { redactor }: Reading,
): { readonly events: readonly RunPageEvent[]; readonly isTruncated: boolean } {
  const all = [
    pageEvent("run.created", row.createdAt),
    pageEvent("run.started", row.startedAt),
    ...tasks.flatMap(ofTask),
    ...facts.map((fact) => pageEvent(`fact.${fact.kind}`, fact.at, { detail: detailOf(fact, redactor) })),
    pageEvent(`run.${row.state}`, row.endedAt, { detail: endOf(row, redactor) }),
  ].flatMap((one) => one ?? []);
  // The sort is stable: events of the same millisecond stay in causal order.
  all.sort((a, b) => a.at - b.at);
  return { events: all.slice(0, MOST), isTruncated: all.length > MOST };
}

function detailOf({ kind, detail }: Fact, redactor: Reading["redactor"]): string | undefined {
  return kind === "handBack" || kind === "claim" ? `runner ${detail}` : redactor.text(["reason"], detail);
}

interface More {
  readonly taskId?: string;
  readonly attempt?: number;
  readonly detail?: string | undefined;
}

/** Returns `undefined` if the time is not known. */
function pageEvent(kind: string, at: number | undefined, more: More = {}): RunPageEvent | undefined {
  const { taskId, attempt, detail } = more;
  return at === undefined ? undefined : { at, kind, taskId, attempt, detail: detail && cut(detail) };
}

function ofTask(task: TaskDetail): readonly (RunPageEvent | undefined)[] {
  const { id: taskId, history, steps, state, endedAt, reason } = task;
  return [
    ...history.flatMap((attempt) => ofAttempt(task, attempt)),
    ...steps.map((step) => pageEvent("step.completed", step.endedAt, { taskId, detail: step.name })),
    state === "skipped" ? pageEvent("task.skipped", endedAt, { taskId, detail: reason }) : undefined,
    ...task.undo?.history.flatMap((attempt) => ofAttempt({ ...task.undo!, id: taskId }, attempt, "undo")) ?? [],
  ];
}

function ofAttempt(
  task: Pick<TaskDetail, "id" | "state" | "attempts">,
  { number, state, startedAt, endedAt, error }: AttemptDetail,
  subject: "task" | "undo" = "task",
) {
  const of = { taskId: task.id, attempt: number };
  const started = pageEvent(`${subject}.started`, startedAt, of);
  if (state === "completed") return [started, pageEvent(`${subject}.completed`, endedAt, of)];
  if (state !== "failed") return [started];
  const kind = `${subject}.${task.state === "failed" && number === task.attempts ? "failed" : "retrying"}`;
  return [started, pageEvent(kind, endedAt, { ...of, detail: error && `${error.name}: ${error.message}` })];
}

function endOf({ error, reason, state }: RunRow, redactor: Reading["redactor"]): string | undefined {
  const shown = redactor.error(["error"], error);
  if (state === "failed" && shown !== undefined) return `${shown.name}: ${shown.message}`;
  return state === "cancelled" ? redactor.text(["reason"], reason) : undefined;
}
