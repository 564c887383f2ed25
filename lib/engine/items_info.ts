import type { JournalRecord, TaskState } from "../store/batch.ts";
import type { ListedRun } from "../store/listing.ts";
import type { ItemCount } from "../store/port.ts";

/** How many items of a map are in which state. Items without a state have not started. */
export interface ItemsInfo {
  /** All items. */
  readonly total: number;
  /** Items that completed. */
  readonly completed: number;
  /** Items that failed. */
  readonly failed: number;
  /** Items that run; an item whose body has just started may not be counted. */
  readonly running: number;
  /** Items that wait, such as for another attempt. */
  readonly waiting: number;
  /** Items that are blocked until `resolve()` decides. */
  readonly blocked: number;
}

/** Describes the progress of the items of a map, such as "40 of 100 items completed, 2 failed, 8 running". */
export function itemsInWords({ total, completed, failed, running, waiting, blocked }: ItemsInfo): string {
  const others = [[failed, "failed"], [running, "running"], [waiting, "waiting"], [blocked, "blocked"]] as const;
  const parts = others.flatMap(([count, state]) => count === 0 ? [] : [`${count} ${state}`]);
  return [`${completed} of ${total} items completed`, ...parts].join(", ");
}

/** Returns the items of a task that has expanded. */
export function itemsInfo(
  row: ListedRun,
  record: Pick<JournalRecord, "items"> | undefined,
  counts: readonly Pick<ItemCount, "state" | "count">[],
): ItemsInfo | undefined {
  if (record?.items === undefined) return undefined;
  const count = (state: TaskState): number => counts.find((each) => each.state === state)?.count ?? 0;
  const isOwned = row.owner !== undefined;
  return {
    total: record.items,
    completed: count("completed"),
    failed: count("failed"),
    running: isOwned ? count("running") : 0,
    waiting: row.endedAt !== undefined ? 0 : count("waiting"),
    blocked: row.endedAt !== undefined ? 0 : count("blocked"),
  };
}
