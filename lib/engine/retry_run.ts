import { RunStateError } from "../errors.ts";
import { descendantsOf } from "../definition/graph.ts";
import type { Failure } from "../errors.ts";
import type { RunRow } from "../store/port.ts";
import { KeyConflictError } from "../start_errors.ts";
import type { ClientContext } from "./client_context.ts";
import type { TaskInfo } from "./run_reader.ts";

/**
 * Makes a failed run pending again. Its failed tasks and those that were compensated run again, and results of their
 * descendants are deleted.
 *
 * @throws {RunNotFoundError} If the run does not exist.
 * @throws {RunStateError} If the run is not in state `failed`.
 * @throws {KeyConflictError} If the run held its key until it ended, and another run has it now.
 */
export async function retryRun(context: ClientContext, id: string): Promise<void> {
  const row = await context.reader.row(id);
  if (row.state !== "failed") throw new RunStateError("retry", id, row.state);
  const tasks = await context.reader.tasks(row);
  const failed = tasks.filter(({ state }) => state === "failed").map((task) => task.id);
  const compensated = tasks.filter(isUndone).map((task) => task.id);
  const hasUndos = tasks.some(({ undo }) => undo !== undefined);
  const forget = new Set([...compensated, ...descendantsOf(tasks, [...failed, ...compensated])]);
  const retry = failed.filter((task) => !forget.has(task));
  const failures = await failuresOf(context, row, tasks);
  const restarted = await context.store.restart({ seq: row.seq, epoch: row.epoch }, {
    retry,
    forget: [...forget],
    ...(hasUndos ? { compensated } : {}),
    failures,
  });
  if (restarted === false) throw new RunStateError("retry", id, (await context.reader.row(id)).state);
  if (restarted !== true) {
    const { keyHeldBy: runId } = restarted;
    const { key = "" } = row;
    throw new KeyConflictError(`retry run "${id}"`, { key, runId, why: `has its key "${key}" and has not ended` });
  }
  void context.applyChanges();
}

/**
 * Whether a task has been undone, at least in part. The effects of a task whose undo has failed remain; those of the items
 * and child runs of another one may be undone all the same.
 */
function isUndone({ kind, undo }: TaskInfo): boolean {
  if (undo === undefined) return false;
  return undo.state !== "failed" || kind === "map" || kind === "subworkflow";
}

/** Longer messages of errors are cut off in the history. */
const MOST_CHARACTERS = 500;

/** The most failed attempts of a retried run that its history keeps, and the most failed items of a map. */
const MOST_FAILURES = 100;

/** The failed attempts whose rows the retry deletes, without what is long about their errors. */
async function failuresOf(
  { store }: ClientContext,
  { seq }: RunRow,
  tasks: readonly TaskInfo[],
): Promise<readonly Failure[]> {
  const failures: Failure[] = [];
  for (const { id: task, kind, failures: own } of tasks) {
    if (failures.length >= MOST_FAILURES) break;
    failures.push(...own);
    if (kind !== "map") continue;
    const items = await store.items({ seq, task, state: "failed", limit: MOST_FAILURES });
    failures.push(...items.flatMap((item) => item.failures));
  }
  return failures.slice(0, MOST_FAILURES).map(({ error: { name, message }, ...attempt }) => ({
    ...attempt,
    error: { name, message: message.slice(0, MOST_CHARACTERS) },
  }));
}
