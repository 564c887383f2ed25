import { decodeJson } from "../../definition/json.ts";
import type { JournalRecord, TaskState } from "../../store/port/batch.ts";
import type { ListedRun } from "../../store/port/listing.ts";
import type { ItemCount } from "../../store/port/store.ts";
import type { Progress } from "./events.ts";

/** How many items of a map are in which state. Items without a state have not started. */
export interface ItemsInfo {
  /** All items. */
  readonly total: number;
  /** Items that completed, without those that were undone. */
  readonly completed: number;
  /** Items that failed. */
  readonly failed: number;
  /** Items that run; an item whose body has just started may not be counted. */
  readonly running: number;
  /** Items that wait, such as for another attempt. */
  readonly waiting: number;
  /** Items that are blocked until `resolve()` decides. */
  readonly blocked: number;
  /** Items that completed and were undone. */
  readonly compensated: number;
}

/** Describes the progress of the items of a map, such as "40 of 100 items completed, 2 failed, 8 running". */
export function itemsInWords({ total, completed, ...rest }: ItemsInfo): string {
  const others = (["failed", "running", "waiting", "blocked", "compensated"] as const).map((state) =>
    [rest[state], state] as const
  );
  const parts = others.flatMap(([count, state]) => count === 0 ? [] : [`${count} ${state}`]);
  return [`${completed} of ${total} items completed`, ...parts].join(", ");
}

/** Returns the items of a task that has expanded; `undo` has the items of its undo. */
export function itemsInfo(
  row: ListedRun,
  record: Pick<JournalRecord, "items"> | undefined,
  counts: readonly Pick<ItemCount, "state" | "count">[],
  undo?: Pick<ItemsInfo, "completed"> | undefined,
): ItemsInfo | undefined {
  if (record?.items === undefined) return undefined;
  const count = (state: TaskState): number => counts.find((each) => each.state === state)?.count ?? 0;
  const isOwned = row.owner !== undefined;
  const compensated = undo?.completed ?? 0;
  return {
    total: record.items,
    completed: count("completed") - compensated,
    failed: count("failed"),
    running: isOwned ? count("running") : 0,
    waiting: row.endedAt !== undefined ? 0 : count("waiting"),
    blocked: row.endedAt !== undefined ? 0 : count("blocked"),
    compensated,
  };
}

/**
 * Returns the items of an undo that has expanded, given the counts of the items of its task, too: all items are those that
 * completed. An item of which the child run compensates itself has not completed, so it counts once its undo has begun.
 */
export function undoneItemsInfo(
  row: ListedRun,
  record: Pick<JournalRecord, "items"> | undefined,
  counts: readonly Pick<ItemCount, "state" | "count">[],
  ofTask: readonly Pick<ItemCount, "state" | "count">[],
): ItemsInfo | undefined {
  const info = itemsInfo(row, record, counts);
  if (info === undefined) return undefined;
  const begun = counts.reduce((sum, { count }) => sum + count, 0);
  const completed = ofTask.find(({ state }) => state === "completed")?.count ?? 0;
  return { ...info, total: Math.max(begun, completed) };
}

/** Returns the progress of a task, of an undo or of an item: what its body reported, or how many of its items have ended. */
export function progressOf(
  record: Pick<JournalRecord, "task" | "progress"> | undefined,
  items: ItemsInfo | undefined,
): Progress | undefined {
  if (items !== undefined) return { done: items.completed + items.failed + items.compensated, total: items.total };
  return decodeJson(record?.progress, "the progress", record?.task) as Progress | undefined;
}
