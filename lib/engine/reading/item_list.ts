import { type Checks, newChecks, shown } from "../../definition/checks.ts";
import { decodeJson } from "../../definition/json.ts";
import { didYouMean } from "../../definition/nearest.ts";
import type { Collected } from "../../definition/specs.ts";
import { type ErrorRecord, type Failure, UnknownTaskError } from "../../errors.ts";
import type { JournalRecord, TaskState } from "../../store/port/batch.ts";
import type { ItemsQuery, RunRow, Store } from "../../store/port/store.ts";
import type { ClientContext } from "../client/client_context.ts";
import type { Progress } from "./events.ts";
import { wasCompensated } from "../../store/shared/hand_over.ts";
import { undoRowOf } from "../../store/shared/undo_rows.ts";
import {
  isEnd,
  ITEM_STATES,
  type ItemState,
  itemState,
  type ItemsView,
  readItemPage,
  type UnstartedItem,
} from "./item_page.ts";
import { progressOf } from "./items_info.ts";
import { count, refuse } from "../options.ts";
import { type UndoInfo, undoInfo } from "./undo_info.ts";

/** An item of a map, as `items()` returns it. Times are milliseconds since the epoch. */
export interface ItemInfo<Output = unknown> {
  /** Index of the item, counted from 0. */
  readonly index: number;
  /**
   * State of the item. An item that has not started, or whose body has just started, is `pending`; one that did not end
   * before its map or its run did is `cancelled`, and one that was undone is `compensated`.
   */
  readonly state: TaskState;
  /** Number of attempts that have started. */
  readonly attempts: number;
  /** What the item waits for. */
  readonly reason: string | undefined;
  /** What the body returned; `undefined` unless the item completed. */
  readonly output: Output | undefined;
  /** Error of the latest failed attempt. */
  readonly error: ErrorRecord | undefined;
  /** Failed attempts; of more than ten the first and the nine latest. */
  readonly failures: readonly Failure[];
  /** When the latest attempt started. */
  readonly startedAt: number | undefined;
  /** When the item ended. */
  readonly endedAt: number | undefined;
  /** When a waiting item continues. */
  readonly dueAt: number | undefined;
  /** Latest progress that the body reported. */
  readonly progress: Progress | undefined;
  /** The undo of the item, once the compensation of the run has reached it. */
  readonly undo: UndoInfo | undefined;
}

/** Filter and page of a list of items. */
export interface ItemListOptions {
  /** Only items in this state. Items that have not started have none. @default {undefined} all items */
  readonly state?: ItemState;
  /** Items per page, from 1 to 1,000. @default {50} */
  readonly limit?: number;
  /** `cursor` of the previous page. @default {undefined} the first page */
  readonly cursor?: string;
}

/** A page of the items of a map, in ascending order. */
export interface ItemPage<Output = unknown> {
  /** Items of the page: at most `limit`, and fewer if their outputs are large. */
  readonly items: readonly ItemInfo<Output>[];
  /** Cursor of the next page; `undefined` on the last page. */
  readonly cursor: string | undefined;
}

/** Ids of the tasks whose output may be that of a map, or a message if there are none. */
export type MapIds<Outputs> = [ArrayIds<Outputs>] extends [never] ? "this workflow has no maps" : ArrayIds<Outputs>;

/** Ids of the tasks whose output is an array; for a union of records, those of all of them. */
export type ArrayIds<Outputs> = Outputs extends unknown ? {
    [Id in keyof Outputs & string]: NonNullable<Outputs[Id]> extends readonly unknown[] ? Id
      : unknown extends Outputs[Id] ? Id
      : never;
  }[keyof Outputs & string]
  : never;

/** What the body of a map returned for an item, by the output of the map. */
export type OutputOfItem<Output> = unknown extends Output ? unknown
  : NonNullable<Output> extends readonly (infer Element)[]
    ? [Element] extends [Collected<infer Value>] ? Value : Element
  : never;

const OPTIONS = ["state", "limit", "cursor"];
const MOST = 1_000;
/** Items to list. */
export interface ItemListRequest {
  readonly taskId: string;
  readonly options: ItemListOptions | undefined;
}

/**
 * Lists the items of a map. A page reads no more than its own items.
 *
 * @throws {RunNotFoundError} If the run does not exist.
 * @throws {UnknownTaskError} If the workflow of the run has no map with this id.
 * @throws {TypeError} If an option is invalid.
 */
export async function listItems<Output>(
  { store, reader }: Pick<ClientContext, "store" | "reader">,
  runId: string,
  { taskId, options = {} }: ItemListRequest,
): Promise<ItemPage<Output>> {
  const { state, limit, after } = checkOptions(options, taskId);
  const row = await reader.row(runId);
  // Number -1 is the row of the task itself.
  const [head] = await store.items({ seq: row.seq, task: taskId, after: -2, until: -1, limit: 1 });
  if (head?.items === undefined) await checkIsMap(reader, row, taskId);
  const total = head?.items ?? 0;
  const plain: ItemsView = { row, isTaskOver: head !== undefined && isEnd(head.state) };
  const query = { task: taskId, total, state, after, limit };
  const { items, end, isLast } = await readItemPage(store.items, plain, query);
  const view = { ...plain, undos: await readUndos(store, row, { task: taskId, after, until: end, limit }) };
  const infos = items.map((record) => itemInfo<Output>(view, record, taskId));
  return {
    items: state === undefined ? infos : infos.filter((info) => info.state === state),
    cursor: isLast ? undefined : `${end}`,
  };
}

/** Reads the rows of the undos of items, by item. */
export async function readUndos(
  { items }: Pick<Store, "items">,
  row: RunRow,
  { task, after, until, limit }: Required<Pick<ItemsQuery, "task" | "after" | "until" | "limit">>,
): Promise<ReadonlyMap<number, JournalRecord>> {
  if (!wasCompensated(row) || until <= after) return new Map();
  // As many as there are items between those of the page, if these are few of many.
  const undos = await items({
    seq: row.seq,
    task: undoRowOf(task),
    after,
    until,
    limit: Math.max(limit, until - after),
  });
  return new Map(undos.map((undo) => [undo.item, undo]));
}

function itemInfo<Output>(
  view: ItemsView & { readonly undos: ReadonlyMap<number, JournalRecord> },
  item: JournalRecord | UnstartedItem,
  taskId: string,
): ItemInfo<Output> {
  const record = "state" in item ? item : undefined;
  return {
    index: item.item,
    state: itemState(view, record),
    attempts: record?.attempts ?? 0,
    reason: record?.reason,
    // The caller states the type of the output of a map, which the compiler has checked.
    output: decodeJson(record?.output, `the output of item ${item.item}`, taskId) as Output | undefined,
    error: record?.failures.at(-1)?.error,
    failures: record?.failures ?? [],
    startedAt: record?.startedAt,
    endedAt: record?.endedAt,
    dueAt: record?.dueAt,
    progress: progressOf(record, undefined),
    undo: undoInfo(view.row, view.undos.get(item.item)),
  };
}

async function checkIsMap(reader: ClientContext["reader"], row: RunRow, taskId: string): Promise<void> {
  const tasks = (await reader.definition(row))?.tasks ?? [];
  const task = tasks.find(({ id }) => id === taskId);
  if (task?.kind === "map") return;
  const maps = tasks.filter(({ kind }) => kind === "map").map(({ id }) => id);
  const why = task === undefined
    ? `has no task "${taskId}"${didYouMean(taskId, maps)}`
    : `has no map "${taskId}": this task is of kind ${task.kind}`;
  throw new UnknownTaskError(taskId, `Cannot list the items of run "${row.id}": workflow "${row.workflow}" ${why}`);
}

function checkOptions(
  options: unknown,
  taskId: unknown,
): { readonly state: ItemState | undefined; readonly limit: number; readonly after: number } {
  const checks = newChecks();
  const read = checks.options(options, "the options", OPTIONS);
  if (typeof taskId !== "string") checks.report(`the task must be named by its id, not ${shown(taskId)}`);
  const limit = count(read["limit"], "limit", 50, checks);
  if (limit > MOST) checks.report(`limit must be at most ${MOST}, not ${limit}`);
  const state = checks.word(read["state"], "state", ITEM_STATES);
  const after = checkCursor(read["cursor"], checks);
  refuse("list items", checks);
  return { state, limit, after };
}

function checkCursor(value: unknown, checks: Checks): number {
  if (value === undefined) return -1;
  if (typeof value === "string" && /^\d{1,9}$/.test(value)) return Number(value);
  checks.report(`cursor must be the cursor of a page that items() returned, not ${shown(value)}`);
  return -1;
}
