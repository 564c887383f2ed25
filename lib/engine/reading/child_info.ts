import type { RunState } from "../../store/port/batch.ts";
import type { ListedRun } from "../../store/port/listing.ts";
import { NO_ITEM } from "../machine/run_state.ts";

/** A child run, as `children()` returns it. Times are milliseconds since the epoch. */
export interface ChildInfo {
  /** Id of the run. */
  readonly id: string;
  /** Name of its workflow. */
  readonly workflow: string;
  /** State of the run. */
  readonly state: RunState;
  /** Id of the task of the parent run that started it. */
  readonly taskId: string;
  /** Index of the item of that task; `undefined` for the task itself. */
  readonly item: number | undefined;
  /** When the run was created. */
  readonly createdAt: number;
  /** When the run ended. */
  readonly endedAt: number | undefined;
}

/** Converts the row of a child run to the form that callers see. */
export function childInfo({ id, workflow, state, parent, createdAt, endedAt }: ListedRun): ChildInfo {
  const { task = "", item = NO_ITEM } = parent ?? {};
  return { id, workflow, state, taskId: task, item: item === NO_ITEM ? undefined : item, createdAt, endedAt };
}

/** The ids of the child runs of tasks. Of several of a task, after retries, the latest, which comes last. */
export function childIdsOf(children: readonly ListedRun[]): ReadonlyMap<string, string> {
  return new Map(children.flatMap(({ id, parent }) => parent?.item === NO_ITEM ? [[parent.task, id]] : []));
}
