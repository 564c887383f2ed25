/**
 * The tasks of a run as its page shows them, within bounds: a run may have hundreds of thousands of tasks, each with
 * attempts, errors, steps and outputs.
 *
 * @module
 */
import type { StoredDefinition } from "../engine/catalog.ts";
import { isOfTask } from "../engine/runs/journal_rows.ts";
import { itemsInWords } from "../engine/reading/items_info.ts";
import { isOver, taskState } from "../engine/reading/run_reader.ts";
import type { ErrorRecord } from "../errors.ts";
import type { TaskState } from "../store/port/batch.ts";
import type { JournalHead, JournalHeads } from "../store/port/inspection.ts";
import type { RunRow } from "../store/port/store.ts";
import { attemptsOf } from "./attempts.ts";
import { payloadOf, progressOf, sizeOf, type TextBudgets, textBudgets, withinBudget } from "./bounded_texts.ts";
import { boundedGraph, graphOf } from "./graph.ts";
import type { MapDetail } from "./map_shape.ts";
import { leftOutSentence } from "./left_out.ts";
import { undoInfo } from "../engine/reading/undo_info.ts";
import { isOfForward, undoRowOf } from "../store/shared/undo_rows.ts";
import type { Reading } from "./reading.ts";
import type { Payload, RunPage, StepDetail, TaskDetail, UndoDetail } from "./run_shape.ts";
import type { GraphTask } from "./shapes.ts";

/** Characters of a payload that a run's page contains. */
export const HEAD = 2_000;

const MOST_STEPS = 1_000;
const MOST_STEPS_OF_TASK = 100;

/** The part of a run's page that is about its tasks. */
export type RunDetails = Pick<RunPage, "graph" | "tasks" | "taskCounts" | "leftOut"> & {
  readonly input: Payload | undefined;
};

interface Budgets extends TextBudgets {
  /** How many steps may still be told. */
  steps: number;
  readonly leftOut: TextBudgets["leftOut"] & { step: number };
}

/** Tasks in the order of the definition; those that only the journal contains come last. */
export function runDetails(
  row: RunRow,
  { heads, isTruncated, maps }: JournalHeads & { readonly maps: ReadonlyMap<string, MapDetail> },
  definition: StoredDefinition | undefined,
  reading: Reading,
): RunDetails {
  const own = new Map<string, JournalHead>();
  const steps = new Map<string, JournalHead[]>();
  for (const head of heads) {
    if (isOfTask(head)) own.set(head.task, head);
    if (head.step === "") continue;
    const others = steps.get(head.task);
    if (others === undefined) steps.set(head.task, [head]);
    else others.push(head);
  }
  const whole = graphOf(definition, [...own.keys()].filter(isOfForward).map(unknownTask), reading.path);
  const stateOf = (id: string): TaskState => taskState(row, own.get(id), own.get(undoRowOf(id)));
  const taskCounts = {
    pending: 0,
    running: 0,
    waiting: 0,
    blocked: 0,
    completed: 0,
    failed: 0,
    skipped: 0,
    cancelled: 0,
    compensated: 0,
  };
  for (const { id } of whole.tasks) taskCounts[stateOf(id)]++;
  const graph = boundedGraph(whole, (id) => RANKS[stateOf(id)]);
  const texts = textBudgets();
  const budgets: Budgets = { ...texts, steps: MOST_STEPS, leftOut: { ...texts.leftOut, step: 0 } };
  const part: Part = { row, reading, budgets, maps };
  const href = reading.path("api", "runs", row.id, "input");
  const input = shownPayload(part, ["input"], { text: row.input, bytes: sizeOf(row.input), href });
  const tasks = graph.tasks.map(({ id, kind }) => ({
    id,
    kind,
    ...taskOf(part, id, { head: own.get(id), undo: own.get(undoRowOf(id)), steps: steps.get(id) ?? [] }),
  }));
  const { step, payload, error } = budgets.leftOut;
  const parts = [
    graph.leftOut,
    leftOutSentence([
      [step, "step", "steps"],
      [payload, "preview of a payload", "previews of payloads"],
      [error, "error in full", "errors in full"],
    ]),
    isTruncated ? `only ${heads.length.toLocaleString("en")} rows of its journal were read` : undefined,
  ].filter((part) => part !== undefined);
  return {
    graph,
    tasks,
    taskCounts,
    input,
    ...(parts.length > 0 && { leftOut: `This run is too large to show in full: ${parts.join("; ")}.` }),
  };
}

// What needs attention comes first.
const RANKS: Readonly<Record<TaskState, number>> = {
  failed: 0,
  blocked: 0,
  running: 1,
  waiting: 2,
  completed: 3,
  skipped: 3,
  cancelled: 3,
  compensated: 3,
  pending: 3,
};

/** What is needed to build the details of a run's tasks. */
interface Part {
  readonly row: RunRow;
  readonly reading: Reading;
  readonly budgets: Budgets;
  /** The items of maps, by task. */
  readonly maps: ReadonlyMap<string, MapDetail>;
}

function unknownTask(id: string): GraphTask {
  return {
    id,
    kind: "task",
    after: [],
    on: "success",
    isConditional: false,
    mayUndo: false,
    attempts: 1,
    timeoutMs: undefined,
  };
}

function taskOf(
  part: Part,
  id: string,
  { head, undo, steps }: {
    readonly head: JournalHead | undefined;
    readonly undo: JournalHead | undefined;
    readonly steps: readonly JournalHead[];
  },
): Omit<TaskDetail, "id" | "kind"> {
  const { row, budgets, reading: { redactor, path } } = part;
  const state = taskState(row, head, undo);
  const hide = (error: ErrorRecord): ErrorRecord =>
    withinBudget(redactor.error(["tasks", id, "error"], error), budgets);
  const history = attemptsOf(state, head, isOver(row.state), hide);
  // Its failures were too large to be read together with those of other tasks.
  if (state === "failed" && head?.failures.length === 0) budgets.leftOut.error++;
  const href = path("api", "runs", row.id, "tasks", id, "output");
  const items = part.maps.get(id);
  const shown = steps.slice(0, Math.min(MOST_STEPS_OF_TASK, budgets.steps));
  budgets.steps -= shown.length;
  budgets.leftOut.step += steps.length - shown.length;
  return {
    state,
    attempts: head?.attempts ?? 0,
    reason: items === undefined ? redactor.text(["tasks", id, "reason"], head?.reason) : undefined,
    startedAt: head?.startedAt,
    endedAt: head?.endedAt,
    dueAt: head?.dueAt,
    output: shownPayload(part, ["tasks", id, "output"], { text: head?.output, bytes: head?.outputBytes, href }),
    error: history.findLast(({ error }) => error !== undefined)?.error,
    history,
    steps: shown
      .map((step) => stepOf(part, step))
      .sort((a, b) => (a.endedAt ?? 0) - (b.endedAt ?? 0)),
    progress: items === undefined
      ? progressOf(redactor.json(["tasks", id, "progress"], head?.progress ?? "null"))
      : doneOf(items),
    items,
    undo: undo && undoOf(part, id, undo),
  };
}

function undoOf(part: Part, id: string, head: JournalHead): UndoDetail {
  const { row, budgets, reading: { redactor } } = part;
  const state = undoInfo(row, head)!.state;
  const hide = (error: ErrorRecord): ErrorRecord =>
    withinBudget(redactor.error(["tasks", id, "error"], error), budgets);
  const history = attemptsOf(state, head, isOver(row.state), hide);
  const items = part.maps.get(undoRowOf(id));
  return {
    state,
    attempts: head.attempts,
    reason: items === undefined ? redactor.text(["tasks", id, "reason"], head.reason) : undefined,
    startedAt: head.startedAt,
    endedAt: head.endedAt,
    dueAt: head.dueAt,
    error: history.findLast(({ error }) => error !== undefined)?.error,
    history,
    progress: items === undefined
      ? progressOf(redactor.json(["tasks", id, "progress"], head.progress ?? "null"))
      : doneOf(items),
  };
}

function doneOf({ counts }: MapDetail): TaskDetail["progress"] {
  return {
    done: counts.completed + counts.failed + counts.compensated,
    total: counts.total,
    message: itemsInWords(counts),
  };
}

function stepOf(part: Part, { task, step: name, endedAt, output, outputBytes }: JournalHead): StepDetail {
  const href = part.reading.path("api", "runs", part.row.id, "tasks", task, "steps", name);
  return {
    name,
    endedAt,
    output: shownPayload(part, ["tasks", task, "steps", name], { text: output, bytes: outputBytes, href }),
  };
}

function shownPayload(
  { reading: { redactor }, budgets }: Part,
  path: readonly string[],
  stored: { readonly text: string | undefined; readonly bytes: number | undefined; readonly href: string },
): Payload | undefined {
  return payloadOf(budgets, { ...stored, most: HEAD, redact: (text) => redactor.json(path, text) });
}
