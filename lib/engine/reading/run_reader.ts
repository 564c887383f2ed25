/**
 * Reads runs from the store, in the form in which callers see them. The result is the same in the process that executes
 * a run and in any other.
 *
 * @module
 */
import { decodeJson } from "../../definition/json.ts";
import { recordsOf } from "../../definition/records.ts";
import { type ErrorRecord, type Failure, RunNotFoundError } from "../../errors.ts";
import type { JournalRecord, RunState, Served, TaskState } from "../../store/port/batch.ts";
import { isCompensating } from "../../store/shared/hand_over.ts";
import type { ListedRun } from "../../store/port/listing.ts";
import type { ItemCount, RunRow, Store } from "../../store/port/store.ts";
import type { Catalog, StoredDefinition } from "../catalog.ts";
import { childIdsOf } from "./child_info.ts";
import type { Progress } from "./events.ts";
import { itemOutputs, type OutputText } from "../runs/expansion.ts";
import { COLLECTED } from "../machine/items.ts";
import { type ItemsInfo, itemsInfo, progressOf } from "./items_info.ts";
import { isOfTask } from "../runs/journal_rows.ts";
import { isOfForward, undoRowOf } from "../../store/shared/undo_rows.ts";
import { hasOutput, type RunEnd } from "../runs/run_end.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import { compensatedOf, type UndoInfo, undoInfo } from "./undo_info.ts";

/** A task of a run, as `tasks()` returns it. Times are milliseconds since the epoch. */
export interface TaskInfo {
  /** Id of the task. */
  readonly id: string;
  /** Kind of the task, such as `"task"` or `"transaction"`. */
  readonly kind: string;
  /** Ids of the tasks it depends on. */
  readonly after: readonly string[];
  /** State of the task. A task whose body has just started may still be `pending`. */
  readonly state: TaskState;
  /** Number of attempts that have started. */
  readonly attempts: number;
  /** Why the task was skipped, or what it waits for. */
  readonly reason: string | undefined;
  /** Output of the task; `undefined` unless it completed, and for a map, whose output is in the outcome of the run. */
  readonly output: unknown;
  /** Error of the latest failed attempt. */
  readonly error: ErrorRecord | undefined;
  /** Failed attempts; of more than ten the first and the nine latest. */
  readonly failures: readonly Failure[];
  /** When the latest attempt started. */
  readonly startedAt: number | undefined;
  /** When the task or its latest attempt ended. */
  readonly endedAt: number | undefined;
  /** When a waiting task continues. */
  readonly dueAt: number | undefined;
  /** Latest progress that the body reported; of a map how many items have ended. */
  readonly progress: Progress | undefined;
  /** The items of a map; `undefined` for another task, and until the array of the map is computed. */
  readonly items: ItemsInfo | undefined;
  /** Id of the child run that the task started; after a retry that of the latest. */
  readonly childRunId: string | undefined;
  /** The undo of the task, once the compensation of the run has reached it. */
  readonly undo: UndoInfo | undefined;
  /** Completed steps of the task. */
  readonly steps: readonly { readonly name: string; readonly output: unknown; readonly endedAt: number | undefined }[];
}

/** Reads runs from a store. */
export interface RunReader {
  /**
   * Reads the row of a run.
   *
   * @throws {RunNotFoundError} If the run does not exist.
   */
  row(runId: string): Promise<RunRow>;
  /**
   * Reads the definition of a version, such as the one that a run was started with; `undefined` if it is not stored. A
   * definition never changes, so each is read from the store once; reads at the same time share one query.
   */
  definition(of: Served): Promise<StoredDefinition | undefined>;
  /** Reads the tasks of a run, in the order of its definition. */
  tasks(row: RunRow): Promise<TaskInfo[]>;
  /** Reads the end of a run that has ended; with `wanted` no output but that of the task that it returns, if it states one. */
  end(row: ListedRun, wanted?: "result"): Promise<RunEnd>;
}

/** Definitions that a reader keeps in memory. */
const MOST_DEFINITIONS = 1_000;

/** Creates a reader. */
export function createRunReader(store: Store, catalog: Catalog): RunReader {
  const definitions = new Map<string, Promise<StoredDefinition | undefined>>();
  return { row, definition, tasks, end };

  async function row(runId: string): Promise<RunRow> {
    const found = await store.run(runId);
    if (found === undefined) throw new RunNotFoundError(runId);
    return found;
  }

  async function definition({ workflow, version }: Served): Promise<StoredDefinition | undefined> {
    const known = catalog.definition({ workflow, version });
    if (known !== undefined) return known;
    const key = `${version} ${workflow}`;
    const cached = definitions.get(key);
    if (cached !== undefined) return await cached;
    const read = storedDefinitionOf(workflow, version);
    definitions.set(key, read);
    if (definitions.size > MOST_DEFINITIONS) definitions.delete(definitions.keys().next().value!);
    try {
      const found = await read;
      // A client may store it later.
      if (found === undefined) definitions.delete(key);
      return found;
    } catch (error) {
      definitions.delete(key);
      throw error;
    }
  }

  async function storedDefinitionOf(workflow: string, version: string): Promise<StoredDefinition | undefined> {
    const text = await store.definition({ workflow, version });
    return text === undefined ? undefined : decodeJson(text) as StoredDefinition;
  }

  async function tasks(row: RunRow): Promise<TaskInfo[]> {
    const journal = await store.journal(row.seq);
    const hasItems = journal.some(({ items }) => items !== undefined);
    const items = Map.groupBy(hasItems ? await store.itemCounts(row.seq) : [], ({ task }) => task);
    const defined = (await definition(row))?.tasks ?? [];
    const own = new Map(journal.flatMap((record) => isOfTask(record) ? [[record.task, record]] : []));
    const known = new Map(defined.map((task) => [task.id, task]));
    const steps = Map.groupBy(journal.filter(({ step }) => step !== ""), ({ task }) => task);
    // In the order of the definition; tasks that only the journal contains come last.
    const ids = new Set([...known.keys(), ...[...own.keys()].filter(isOfForward)]);
    const parents = defined.flatMap(({ id, kind }) => kind === "subworkflow" ? [id] : []);
    const query = { parent: row.seq, tasks: parents, items: [NO_ITEM] };
    const childIds = childIdsOf(await store.inspection.taskChildren(query));
    const countsOf = (name: string): readonly ItemCount[] => items.get(name) ?? [];
    return [...ids].map((id) =>
      taskInfo(row, { kind: "task", after: [], id, ...known.get(id) }, {
        record: own.get(id),
        steps: steps.get(id) ?? [],
        counts: countsOf(id),
        undo: undoInfo(row, own.get(undoRowOf(id)), { counts: countsOf(undoRowOf(id)), ofTask: countsOf(id) }),
        childRunId: childIds.get(id),
      })
    );
  }

  async function end(row: ListedRun, wanted?: "result"): Promise<RunEnd> {
    const journal = await store.journal(row.seq);
    const defined = await definition(row);
    const tasks = defined?.tasks ?? [];
    const rank = new Map(tasks.map(({ id }, at) => [id, at]));
    const isUnwanted = (id: string): boolean => wanted !== undefined && id !== (defined?.result ?? id);
    const withoutOutput = new Set(tasks.flatMap(({ id, kind }) => hasOutput(kind) && !isUnwanted(id) ? [] : [id]));
    const rows = journal.filter(isOfTask);
    const undos = new Map(rows.map((record) => [record.task, record]));
    const own = rows.filter(({ task }) => isOfForward(task))
      .sort((a, b) => (rank.get(a.task) ?? Infinity) - (rank.get(b.task) ?? Infinity));
    const newRecord = recordsOf(own.map(({ task }) => task));
    const outputs = newRecord<OutputText>();
    for (const record of own) {
      if (record.state !== "completed" || withoutOutput.has(record.task)) continue;
      outputs[record.task] = await outputTextOf(row.seq, record);
    }
    return {
      runId: row.id,
      workflow: row.workflow,
      state: row.state === "completed" || row.state === "cancelled" ? row.state : "failed",
      error: row.error,
      reason: row.reason,
      timeoutMs: row.timeoutMs,
      startedAt: row.startedAt,
      // Every row of a run that has ended has it.
      endedAt: row.endedAt ?? row.createdAt,
      tookMs: row.startedAt === undefined || row.endedAt === undefined
        ? undefined
        : Math.max(0, row.endedAt - row.startedAt),
      crashes: row.crashes,
      result: defined?.result,
      outputs,
      newRecord,
      failures: own.flatMap(({ state, failures }) => state === "failed" ? failures : []),
      compensated: own.flatMap((record) => compensatedOf(record, undos.get(undoRowOf(record.task))) ?? []),
    };
  }

  async function outputTextOf(seq: number, { task, output, items, reason }: JournalRecord): Promise<OutputText> {
    if (items === undefined) return output;
    return itemOutputs(items, reason === COLLECTED, await store.outputs([{ seq, task, of: "results" }]));
  }
}

/** Whether a run in this state has ended. */
export function isOver(state: RunState): boolean {
  return state === "completed" || state === "failed" || state === "cancelled";
}

function taskInfo(
  row: RunRow,
  { id, kind, after }: Pick<TaskInfo, "id" | "kind" | "after">,
  { record, steps, counts, undo, childRunId }: {
    readonly record: JournalRecord | undefined;
    readonly steps: readonly JournalRecord[];
    readonly counts: readonly ItemCount[];
    readonly undo: UndoInfo | undefined;
    readonly childRunId: string | undefined;
  },
): TaskInfo {
  const items = itemsInfo(row, record, counts, undo?.items);
  return {
    id,
    kind,
    after,
    state: taskState(row, record, undo),
    attempts: record?.attempts ?? 0,
    reason: items === undefined ? record?.reason : undefined,
    output: decodeJson(record?.output, "the output", id),
    error: record?.failures.at(-1)?.error,
    failures: record?.failures ?? [],
    startedAt: record?.startedAt,
    endedAt: record?.endedAt,
    dueAt: record?.dueAt,
    progress: progressOf(record, items),
    items,
    childRunId,
    undo,
    steps: steps.map(({ step, output, endedAt }) => ({
      name: step,
      output: decodeJson(output),
      endedAt,
    })),
  };
}

/**
 * Derives the state of a task or item: the journal holds results only, so without one the state of the run decides. Nothing
 * of a run that is compensated runs any more but its undos.
 */
export function taskState(
  row: ListedRun,
  record: { readonly state: TaskState; readonly items?: number | undefined } | undefined,
  undo?: { readonly state: TaskState } | undefined,
): TaskState {
  const state = record?.state ?? "pending";
  if (state === "completed" && undo?.state === "completed") return "compensated";
  if (state === "completed" || state === "failed" || state === "skipped") return state;
  if (isOver(row.state) || isCompensating(row)) return "cancelled";
  if (state !== "running" || row.owner !== undefined) return state;
  return record?.items !== undefined && row.state === "waiting" ? "waiting" : "pending";
}
