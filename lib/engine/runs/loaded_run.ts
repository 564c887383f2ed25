import type { RecordHead, RunEnding } from "../../store/port/batch.ts";
import type { ItemRange } from "../../store/port/item_range.ts";
import type { ParentTask } from "../../store/port/inserted_child.ts";
import { taskOfCompensations } from "../../store/shared/undo_rows.ts";

/** What is known of a run when it is loaded; `Run` is a run in memory. */
export interface LoadedRun<Run> {
  readonly id: string;
  readonly seq: number;
  readonly epoch: number;
  readonly input: string | undefined;
  readonly startedAt: number | undefined;
  readonly deadlineAt: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly crashes: number;
  readonly trace: string | undefined;
  readonly attention: number;
  readonly parent: ParentTask | undefined;
  readonly depth: number;
  readonly priority: number;
  readonly journal: readonly RecordHead[];
  readonly completedItems: readonly ItemRange[];
  readonly compensation?: Compensation<Run>;
}

/** What a run that is compensated is beside its undos. */
export interface Compensation<Run> {
  /** The run as it was, of which nothing runs any more. */
  readonly base: Run;
  /** What the run ends as. */
  readonly ending: RunEnding;
  /** Outputs of items that undos read, as JSON text, by `unitKey`. */
  readonly outputs: Map<string, string | undefined>;
  /** Whether nothing of it has been recorded. */
  readonly isNew: boolean;
}

/** Returns how often tasks were compensated and then restarted, by their ids; `undefined` for none. */
export function compensationsIn(journal: readonly RecordHead[]): ReadonlyMap<string, number> | undefined {
  let counts: Map<string, number> | undefined;
  for (const { task: row, attempts } of journal) {
    const task = taskOfCompensations(row);
    if (task !== undefined) (counts ??= new Map()).set(task, attempts);
  }
  return counts;
}
