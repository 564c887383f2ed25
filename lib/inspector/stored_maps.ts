/**
 * Maps and their items in the store.
 *
 * @module
 */
import type { StoredTask } from "../engine/catalog.ts";
import { isEnd, itemState, type ItemsView, readItemPage, type UnstartedItem } from "../engine/reading/item_page.ts";
import { readUndos } from "../engine/reading/item_list.ts";
import { itemsInfo, undoneItemsInfo } from "../engine/reading/items_info.ts";
import { isOver } from "../engine/reading/run_reader.ts";
import type { JournalHead } from "../store/port/inspection.ts";
import type { ItemCount, RunRow } from "../store/port/store.ts";
import { taskOfUndo, undoRowOf } from "../store/shared/undo_rows.ts";
import type { ItemsPage } from "./item_shape.ts";
import type { ItemCell, ItemCounts } from "./map_shape.ts";
import { cut, linkTo, type Reading } from "./reading.ts";
import type { RunLink } from "./shapes.ts";

const MOST_BYTES_READ = 4 * 1024 * 1024;

/** A map of a run. */
export interface StoredMap extends ItemsView {
  readonly row: RunRow;
  readonly task: string;
  /** The row of the task; `undefined` before the task has started. */
  readonly head: Pick<JournalHead, "items" | "state"> | undefined;
  /** Whether items may have child runs. */
  readonly hasChildren: boolean;
}

/** A map of a run, by its row and its definition, as far as they are known. */
export function storedMap(
  { row, task, head }: Pick<StoredMap, "row" | "task" | "head">,
  defined: StoredTask | undefined,
): StoredMap {
  // Without a definition items may have child runs.
  const hasChildren = defined === undefined || defined.child !== undefined;
  return { row, task, head, hasChildren, isTaskOver: head !== undefined && isEnd(head.state) };
}

/** How many items of a map are in which state, by how many rows have which: those of its tasks and of their undos. */
export function countsOf({ row, task, head, isTaskOver }: StoredMap, counts: readonly ItemCount[]): ItemCounts {
  const undone = counts.find((count) => count.task === undoRowOf(task) && count.state === "completed");
  const own = counts.filter((count) => count.task === task);
  const undoOf = taskOfUndo(task);
  const info = undoOf === undefined
    ? itemsInfo(row, head, own, { completed: undone?.count ?? 0 })
    : undoneItemsInfo(row, head, own, counts.filter((count) => count.task === undoOf));
  const { total, completed, failed, compensated, ...open } = info ??
    { total: 0, completed: 0, failed: 0, running: 0, waiting: 0, blocked: 0, compensated: 0 };
  const left = total - completed - failed - compensated;
  if (isTaskOver || isOver(row.state)) {
    const none = { running: 0, waiting: 0, blocked: 0, pending: 0 };
    return { total, completed, failed, ...none, cancelled: left, compensated };
  }
  const { running, waiting, blocked } = open;
  const pending = Math.max(0, left - running - waiting - blocked);
  return { total, completed, failed, running, waiting, blocked, pending, cancelled: 0, compensated };
}

/** Items of a map, with their child runs. */
export interface LoadedItems {
  readonly items: readonly (JournalHead | UnstartedItem)[];
  readonly end: number;
  readonly isLast: boolean;
  /** Child runs by the index of their item. */
  readonly children: ReadonlyMap<number, RunLink>;
  /** The undos of items, by index. */
  readonly undos: NonNullable<ItemsView["undos"]>;
}

/** Reads a page of items, with the first `characters` of each output. */
export async function itemsOf(
  reading: Reading,
  { task, ...map }: StoredMap,
  { characters, ...query }: {
    readonly after: number;
    readonly limit: number;
    readonly state: ItemsPage["state"];
    readonly searched: number;
    readonly characters: number;
  },
): Promise<LoadedItems> {
  const { inspection } = reading.context.store;
  const total = map.head?.items ?? 0;
  const page = await readItemPage(
    (query) => inspection.items({ ...query, characters, bytes: characters === 0 ? 0 : MOST_BYTES_READ }),
    map,
    { task, total, ...query },
  );
  const { after, limit, state } = query;
  const undos = await readUndos(reading.context.store, map.row, { task, after, until: page.end, limit });
  const isWanted = (item: JournalHead | UnstartedItem): boolean =>
    state === undefined || itemState({ ...map, undos }, "state" in item ? item : undefined) === state;
  const items = map.hasChildren ? page.items.map(({ item }) => item) : [];
  const children = await inspection.taskChildren({ parent: map.row.seq, tasks: [task], items });
  const links = new Map(children.map((child) => [child.parent?.item ?? -1, linkTo(child, reading)]));
  return { ...page, items: page.items.filter(isWanted), undos, children: links };
}

/** What is needed to build the cells of a map. */
export interface CellPart {
  readonly reading: Reading;
  readonly map: StoredMap;
  /** Child runs by the index of their item. */
  readonly children: LoadedItems["children"];
  /** The undos of items, by index. */
  readonly undos: LoadedItems["undos"];
}

/** Builds the cell of an item. */
export function cellOf({ reading, map, children, undos }: CellPart, item: JournalHead | UnstartedItem): ItemCell {
  const head = "state" in item ? item : undefined;
  const error = reading.redactor.error(["tasks", map.task, "error"], head?.failures.at(-1)?.error);
  return {
    index: item.item,
    state: itemState({ ...map, undos }, head),
    attempts: head?.attempts ?? 0,
    failure: error && cut(`${error.name}: ${error.message}`, 200),
    // An item that is retried has no row before it starts another child run, nor has one that ended with its map.
    child: head === undefined && !map.isTaskOver && !isOver(map.row.state) ? undefined : children.get(item.item),
  };
}
