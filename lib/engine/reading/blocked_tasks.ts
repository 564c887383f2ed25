import type { Store } from "../../store/port/store.ts";
import { NO_ITEM } from "../machine/run_state.ts";

/** A task whose attempt has ended without a result and that runs at most once: it waits for a decision. */
export interface BlockedTask {
  /** Id of the run. */
  readonly runId: string;
  /** Name of its workflow. */
  readonly workflow: string;
  /** Id of the task. */
  readonly taskId: string;
  /** Index of the item, if the task is a map. */
  readonly item: number | undefined;
  /** Number of the attempt, counted from 1. */
  readonly attempt: number;
  /** When the attempt started, in milliseconds since the epoch. */
  readonly startedAt: number | undefined;
}

const MOST_TASKS = 1_000;

/** Lists blocked tasks: at most 1,000, those of the oldest runs first. */
export async function blockedTasks(store: Store): Promise<BlockedTask[]> {
  return (await store.blocked(MOST_TASKS)).map(({ runId, workflow, task, item, attempt, startedAt }) => ({
    runId,
    workflow,
    taskId: task,
    item: item === NO_ITEM ? undefined : item,
    attempt,
    startedAt,
  }));
}
