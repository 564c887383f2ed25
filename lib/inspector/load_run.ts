import type { StoredDefinition } from "../engine/catalog.ts";
import { explainRow, type Explanation } from "../engine/explain.ts";
import { isOfTask } from "../engine/journal_rows.ts";
import { isOver, taskState } from "../engine/run_reader.ts";
import type { ErrorRecord } from "../errors.ts";
import type { TaskState } from "../store/batch.ts";
import type { JournalHead } from "../store/inspection.ts";
import type { RunRow } from "../store/port.ts";
import { attemptsOf } from "./attempts.ts";
import { graphOf } from "./graph.ts";
import { eventsOf } from "./happenings.ts";
import { answer, type Asked, linkTo, type Reading, Refusal, summaryOf } from "./reading.ts";
import type { ExplanationDetail, Payload, ProgressDetail, RunPage, StepDetail, TaskDetail } from "./run_shape.ts";
import type { GraphTask } from "./shapes.ts";

/** Characters of a payload that are told along with a run. */
export const HEAD = 2_000;

const MOST_ROWS = 5_000;
const MOST_BYTES_READ = 16 * 1024 * 1024;
const MOST_LINKS = 100;
const MOST_REASONS = 100;
const MOST_SUMMED_UP = 10;

/**
 * One run with all that is recorded of it, its payloads cut.
 *
 * @throws {Refusal} If there is no such run.
 */
export async function loadRun(reading: Reading, { params }: Asked): Promise<RunPage> {
  const { context, redactor, path } = reading;
  const { store } = context;
  const row = await rowOf(reading, params["id"] ?? "");
  const [journal, facts, forks, definition, origin] = await Promise.all([
    store.inspection.heads(row.seq, { rows: MOST_ROWS, characters: HEAD, bytes: MOST_BYTES_READ }),
    store.facts(row.seq),
    store.inspection.forks(row.id, MOST_LINKS),
    context.reader.definition(row),
    row.forkedFrom === undefined ? undefined : store.run(row.forkedFrom),
  ]);
  const { graph, tasks } = tasksOf(row, journal.heads, definition, reading);
  const error = redactor.error(["error"], row.error);
  const reason = redactor.text(["reason"], row.reason);
  const explanation = await explainRow(
    context,
    { ...row, error, reason },
    graph.map((node, at) => ({
      ...tasks[at]!,
      after: node.after,
    })),
  );
  const events = eventsOf(row, tasks, facts, reading);
  return {
    ...answer(reading),
    run: {
      ...summaryOf(row, reading),
      input: payloadOf(reading, ["input"], row.input, sizeOf(row.input), path("api", "runs", row.id, "input")),
      deadlineAt: row.deadlineAt,
      timeoutMs: row.timeoutMs,
      error,
      strandedBy: row.strandedBy,
      epoch: row.epoch,
    },
    graph: graphOf(definition, graph),
    tasks,
    taskCounts: countStates(tasks),
    isTruncated: journal.isTruncated || events.isTruncated,
    events: events.events,
    explanation: inShort(explanation),
    links: {
      forkedFrom: row.forkedFrom === undefined ? undefined : linkTo({ id: row.forkedFrom, ...origin }, reading),
      forks: forks.map((fork) => linkTo(fork, reading)),
      parent: undefined,
      children: [],
    },
    workflowHref: `${path("workflows", row.workflow)}?version=${encodeURIComponent(row.version)}`,
  };
}

/**
 * A run's row.
 *
 * @throws {Refusal} If there is no such run.
 */
export async function rowOf({ context }: Reading, id: string): Promise<RunRow> {
  const row = await context.store.run(id);
  if (row === undefined) throw new Refusal(404, "There is no run of this id");
  return row;
}

interface Tasks {
  readonly graph: readonly GraphTask[];
  readonly tasks: readonly TaskDetail[];
}

/** In the order of the definition; what the journal knows beyond it comes last. */
function tasksOf(
  row: RunRow,
  heads: readonly JournalHead[],
  definition: StoredDefinition | undefined,
  reading: Reading,
): Tasks {
  const own = new Map<string, JournalHead>();
  const steps = new Map<string, JournalHead[]>();
  for (const head of heads) {
    if (isOfTask(head)) own.set(head.task, head);
    if (head.step === "") continue;
    const others = steps.get(head.task);
    if (others === undefined) steps.set(head.task, [head]);
    else others.push(head);
  }
  const defined = graphOf(definition, []).tasks;
  const known = new Set(defined.map(({ id }) => id));
  const graph = [...defined, ...[...own.keys()].filter((id) => !known.has(id)).map(unknownTask)];
  return {
    graph,
    tasks: graph.map(({ id, kind }) => ({ id, kind, ...taskOf(row, id, own.get(id), steps.get(id) ?? [], reading) })),
  };
}

function unknownTask(id: string): GraphTask {
  return { id, kind: "task", after: [], on: "success", isConditional: false, attempts: 1, timeoutMs: undefined };
}

function taskOf(
  row: RunRow,
  id: string,
  head: JournalHead | undefined,
  steps: readonly JournalHead[],
  reading: Reading,
): Omit<TaskDetail, "id" | "kind"> {
  const { redactor, path } = reading;
  const state = taskState(row, head);
  const hide = (error: ErrorRecord): ErrorRecord => redactor.error(["tasks", id, "error"], error);
  const last = head?.failures.at(-1)?.error;
  const href = path("api", "runs", row.id, "tasks", id, "output");
  return {
    state,
    attempts: head?.attempts ?? 0,
    reason: redactor.text(["tasks", id, "reason"], head?.reason),
    startedAt: head?.startedAt,
    endedAt: head?.endedAt,
    dueAt: head?.dueAt,
    output: payloadOf(reading, ["tasks", id, "output"], head?.output, head?.outputBytes, href),
    error: last && hide(last),
    history: attemptsOf(state, head, isOver(row.state), hide),
    steps: steps
      .map((step) => stepOf(row, step, reading))
      .sort((a, b) => (a.endedAt ?? 0) - (b.endedAt ?? 0)),
    progress: progressOf(redactor.json(["tasks", id, "progress"], head?.progress ?? "null")),
  };
}

function stepOf(
  row: RunRow,
  { task, step: name, endedAt, output, outputBytes }: JournalHead,
  reading: Reading,
): StepDetail {
  const href = reading.path("api", "runs", row.id, "tasks", task, "steps", name);
  return {
    name,
    endedAt,
    output: payloadOf(reading, ["tasks", task, "steps", name], output, outputBytes, href),
  };
}

function payloadOf(
  { redactor }: Reading,
  path: readonly string[],
  text: string | undefined,
  bytes: number | undefined,
  href: string,
): Payload | undefined {
  if (bytes === undefined) return undefined;
  const beginning = (text ?? "").slice(0, HEAD);
  const isTruncated = text === undefined || sizeOf(beginning) !== bytes;
  return { text: text === undefined ? "" : redactor.json(path, beginning), bytes, isTruncated, href };
}

/** A run of thousands of tasks may have as many reasons. */
function inShort({ reasons }: Explanation): ExplanationDetail {
  const told = reasons.slice(0, MOST_SUMMED_UP).map(({ message }) => message);
  const more = reasons.length - told.length;
  return {
    summary: [...told, ...more > 0 ? [`and ${more} more`] : []].join("; "),
    reasons: reasons.slice(0, MOST_REASONS).map(({ kind, message, taskId, dueAt }) => ({
      kind,
      message,
      taskId,
      dueAt,
    })),
  };
}

function progressOf(text: string): ProgressDetail | undefined {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null) return undefined;
  const { done, total, message } = value as Readonly<Record<string, unknown>>;
  // Hidden, it is no number.
  if (typeof done !== "number") return undefined;
  return {
    done,
    total: typeof total === "number" ? total : undefined,
    message: typeof message === "string" ? message : undefined,
  };
}

function sizeOf<T extends string | undefined>(text: T): T extends string ? number : number | undefined;
function sizeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : new TextEncoder().encode(text).length;
}

function countStates(tasks: readonly TaskDetail[]): Record<TaskState, number> {
  const counts = { pending: 0, running: 0, waiting: 0, completed: 0, failed: 0, skipped: 0, cancelled: 0 };
  for (const { state } of tasks) counts[state]++;
  return counts;
}
