import { explainRow, type Explanation, type OpenTask } from "../engine/reading/explain.ts";
import type { RunRow } from "../store/port/store.ts";
import { undoRowOf } from "../store/shared/undo_rows.ts";
import { definitionOf } from "./load_definition.ts";
import { eventsOf } from "./page_events.ts";
import { loadMaps } from "./load_maps.ts";
import type { MapDetail } from "./map_shape.ts";
import { answer, type Asked, linkTo, type Reading, summaryOf } from "./reading.ts";
import type { ExplanationDetail, RunPage, TaskDetail } from "./run_shape.ts";
import { NO_ITEM } from "../engine/machine/run_state.ts";
import type { RunLink } from "./shapes.ts";
import { rowOf } from "./run_row.ts";
import { HEAD, runDetails } from "./task_details.ts";

const MOST_ROWS = 5_000;
const MOST_BYTES_READ = 16 * 1024 * 1024;
const MOST_LINKS = 100;
const MOST_REASONS = 100;
const MOST_SUMMED_UP = 10;

/**
 * One run with its recorded data, within bounds: payloads are truncated, and of very many tasks those that failed,
 * run or wait come first.
 *
 * @throws {Refusal} If there is no such run.
 */
export async function loadRun(reading: Reading, { params }: Asked): Promise<RunPage> {
  const { context, redactor, path } = reading;
  const { store } = context;
  const row = await rowOf(reading, params["id"] ?? "");
  const [journal, facts, forks, parent, children, definition, origin] = await Promise.all([
    store.inspection.heads(row.seq, { rows: MOST_ROWS, characters: HEAD, bytes: MOST_BYTES_READ }),
    store.facts(row.seq),
    store.inspection.forks(row.id, MOST_LINKS),
    row.parent === undefined ? undefined : store.inspection.bySeq(row.parent.run),
    store.inspection.children(row.seq, MOST_LINKS),
    definitionOf(reading, row),
    row.forkedFrom === undefined ? undefined : store.run(row.forkedFrom),
  ]);
  const maps = await loadMaps(reading, row, journal.heads, definition);
  const { graph, tasks, input, taskCounts, leftOut } = runDetails(row, { ...journal, maps }, definition, reading);
  const own = await childrenOf(reading, row, graph);
  const error = redactor.error(["error"], row.error);
  const reason = redactor.text(["reason"], row.reason);
  const explanation = await explainRow(
    context,
    { ...row, error, reason },
    graph.tasks.map((node, at) => openTask(tasks[at]!, node.after, maps)),
    (limit, part) => redactor.text(["limits", limit, "key"], part),
  );
  const events = eventsOf(row, tasks, facts, reading);
  const summary = summaryOf(row, reading);
  const { workflow, version, state, key, tags } = summary;
  return {
    ...answer(reading),
    run: {
      ...summary,
      input,
      deadlineAt: row.deadlineAt,
      timeoutMs: row.timeoutMs,
      error,
      strandedBy: row.strandedBy,
      epoch: row.epoch,
    },
    graph,
    tasks: tasks.map((task) => ({
      ...task,
      child: own.get(task.id),
      actions: reading.actions({ kind: "task", runId: row.id, workflow, taskId: task.id, state: task.state }),
    })),
    actions: reading.actions({ kind: "run", runId: row.id, workflow, version, state, key, tags }),
    taskCounts,
    isTruncated: journal.isTruncated || events.isTruncated || leftOut !== undefined,
    ...(leftOut !== undefined && { leftOut }),
    events: events.events,
    explanation: inShort(explanation, own),
    links: {
      forkedFrom: row.forkedFrom === undefined ? undefined : linkTo({ id: row.forkedFrom, ...origin }, reading),
      forks: forks.map((fork) => linkTo(fork, reading)),
      parent: parent === undefined ? undefined : { ...linkTo(parent, reading), ...placeOf(row.parent) },
      children: children.map((child) => ({ ...linkTo(child, reading), ...placeOf(child.parent) })),
    },
    workflowHref: `${path("workflows", row.workflow)}?version=${encodeURIComponent(row.version)}`,
  };
}

/** Links to the child runs of tasks; for a task with several, after retries, to the latest. */
async function childrenOf(
  reading: Reading,
  { seq }: RunRow,
  { tasks }: RunPage["graph"],
): Promise<ReadonlyMap<string, RunLink>> {
  const parents = tasks.filter(({ kind }) => kind === "subworkflow").map(({ id }) => id);
  const query = { parent: seq, tasks: parents, items: [NO_ITEM] };
  const children = await reading.context.store.inspection.taskChildren(query);
  return new Map(children.map((child) => [child.parent?.task ?? "", linkTo(child, reading)]));
}

function openTask(task: TaskDetail, after: readonly string[], maps: ReadonlyMap<string, MapDetail>): OpenTask {
  const { undo } = task;
  return {
    ...task,
    after,
    items: maps.get(task.id)?.counts,
    undo: undo && { ...undo, progress: undefined, failures: [], items: maps.get(undoRowOf(task.id))?.counts },
  };
}

/** The task, and its item, that started a child run. */
function placeOf(parent: RunRow["parent"]): Pick<RunLink, "task" | "item"> {
  return { task: parent?.task, item: parent === undefined || parent.item === NO_ITEM ? undefined : parent.item };
}

/** The most reasons of an explanation: a run with thousands of tasks may have as many. */
function inShort({ reasons }: Explanation, children: ReadonlyMap<string, RunLink>): ExplanationDetail {
  const told = reasons.slice(0, MOST_SUMMED_UP).map(({ message }) => message);
  const more = reasons.length - told.length;
  return {
    summary: [...told, ...more > 0 ? [`and ${more} more`] : []].join("; "),
    reasons: reasons.slice(0, MOST_REASONS).map(({ runId, limit: _, ...reason }) => ({
      ...reason,
      run: runId === undefined || reason.taskId === undefined ? undefined : children.get(reason.taskId),
    })),
  };
}
