/**
 * Pages of the items of a map: rows of the journal, and between them the items that have none. A page costs as much as its
 * own items, or as the items that are searched for those in a state.
 *
 * @module
 */
import type { JournalRecord, TaskState } from "../../store/port/batch.ts";
import { breathe } from "../../store/shared/breathe.ts";
import type { ItemsQuery, RunRow } from "../../store/port/store.ts";
import { taskState } from "./run_reader.ts";

/** A state by which items are listed. */
export type ItemState = "running" | "waiting" | "blocked" | "completed" | "failed" | "compensated";

/** The states by which items are listed. */
export const ITEM_STATES: Readonly<Record<ItemState, true>> = {
  running: true,
  waiting: true,
  blocked: true,
  completed: true,
  failed: true,
  compensated: true,
};

/** An item that has not started, and has no row. */
export interface UnstartedItem {
  /** Index of the item. */
  readonly item: number;
}

/** What determines the state of an item in addition to its row. */
export interface ItemsView {
  /** The run. */
  readonly row: RunRow;
  /** Whether the task has ended. */
  readonly isTaskOver: boolean;
  /** The undos of items, by item. @default {} none */
  readonly undos?: ReadonlyMap<number, JournalRecord>;
}

/** The items to read. */
export interface ItemPageQuery {
  /** The task. */
  readonly task: string;
  /** Number of all items of the task. */
  readonly total: number;
  /** Only items in this state; `undefined` for all. */
  readonly state: ItemState | undefined;
  /** Only items with a higher index. */
  readonly after: number;
  /** The maximum number of items. */
  readonly limit: number;
  /** The maximum number of items that are searched for those in a state. @default {Infinity} */
  readonly searched?: number;
}

/** A page of items. */
export interface ItemRows<R> {
  /** The items, in ascending order. */
  readonly items: readonly (R | UnstartedItem)[];
  /** Index of the last item that was read. */
  readonly end: number;
  /** Whether no item follows. */
  readonly isLast: boolean;
}

/** A page ends with the item by whose output it exceeds this, in UTF-16 code units of JSON. */
const MOST_TEXT = 2 * 1024 * 1024;

/** Items that one statement searches for those in a state, so that it does not hold up the process. */
const SEARCHED_AT_ONCE = 10_000;

/** A query with all its members. Where `undefined` is a value, `Required` may forbid it, as the options of a project decide. */
type WholeQuery = Required<Omit<ItemsQuery, "state">> & { readonly state: TaskState | undefined };

/** Reads a page of items by the rows that `read` returns. */
export async function readItemPage<R extends JournalRecord>(
  read: (query: WholeQuery) => Promise<readonly R[]>,
  view: ItemsView,
  query: ItemPageQuery,
): Promise<ItemRows<R>> {
  const { task, total, state, after, limit } = query;
  // A recorded state may mean another one, such as that of an item whose run was cancelled.
  // An item that was undone has completed: which of them are is decided by their undos.
  const recorded = state === "compensated" ? "completed" : state;
  if (recorded !== undefined && itemState(view, { state: recorded, item: -1 }) !== recorded) {
    return { items: [], end: total - 1, isLast: true };
  }
  if (recorded !== undefined) return await search(read, view.row.seq, { ...query, state: recorded });
  const until = Math.min(total, after + 1 + limit) - 1;
  const all = { seq: view.row.seq, task, state, after, until, limit, characters: MOST_TEXT };
  const records = await read(all);
  const end = lengthOf(records) >= MOST_TEXT ? records.at(-1)!.item : until;
  return { items: withGaps(records, { after, end }), end, isLast: end >= total - 1 };
}

/** Reads items in a state, in statements of bounded cost. */
async function search<R extends JournalRecord>(
  read: (query: WholeQuery) => Promise<readonly R[]>,
  seq: number,
  { task, total, state, after, limit, searched = Infinity }: ItemPageQuery & { readonly state: ItemState },
): Promise<ItemRows<R>> {
  const items: R[] = [];
  const until = Math.min(total - 1, after + searched);
  let end = after;
  while (end < until && items.length < limit && lengthOf(items) < MOST_TEXT) {
    if (end > after) await breathe();
    const to = Math.min(until, end + SEARCHED_AT_ONCE);
    const [rest, characters] = [limit - items.length, MOST_TEXT - lengthOf(items)];
    items.push(...await read({ seq, task, state, after: end, until: to, limit: rest, characters }));
    end = to;
  }
  const isFull = items.length >= limit || lengthOf(items) >= MOST_TEXT;
  return isFull ? { items, end: items.at(-1)!.item, isLast: false } : { items, end, isLast: end >= total - 1 };
}

function lengthOf(records: readonly JournalRecord[]): number {
  return records.reduce((sum, { output = "" }) => sum + output.length, 0);
}

function withGaps<R extends JournalRecord>(
  records: readonly R[],
  { after, end }: { readonly after: number; readonly end: number },
): readonly (R | UnstartedItem)[] {
  const known = new Map(records.map((record) => [record.item, record]));
  return Array.from({ length: Math.max(0, end - after) }, (_, at) => {
    const item = after + 1 + at;
    return known.get(item) ?? { item };
  });
}

/** Returns the state of an item by its row; `undefined` for an item that has none. */
export function itemState(
  { row, isTaskOver, undos }: ItemsView,
  record: { readonly state: TaskState; readonly item: number } | undefined,
): TaskState {
  const state = taskState(row, record, record && undos?.get(record.item));
  return isTaskOver && !isEnd(state) ? "cancelled" : state;
}

/** Whether a task or an item in this state has ended. */
export function isEnd(state: TaskState): boolean {
  return state === "completed" || state === "failed" || state === "skipped" || state === "cancelled" ||
    state === "compensated";
}
