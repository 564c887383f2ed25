import { RunStateError } from "../../errors.ts";
import { descendantsOf } from "../../definition/graph.ts";
import type { Failure } from "../../errors.ts";
import type { RestartRequest } from "../../store/port/control.ts";
import type { RunSelection } from "../../store/port/listing.ts";
import type { RunRow } from "../../store/port/store.ts";
import { KeyConflictError } from "../../start_errors.ts";
import type { ClientContext } from "./client_context.ts";
import type { TaskInfo } from "../reading/run_reader.ts";

/**
 * Makes a failed run pending again. Its failed tasks and those that were compensated run again, and results of their
 * descendants are deleted.
 *
 * @throws {RunNotFoundError} If the run does not exist.
 * @throws {RunStateError} If the run is not in state `failed`, or is a child run whose task has started another one.
 * @throws {KeyConflictError} If the run held its key until it ended, and another run has it now.
 */
export async function retryRun(context: ClientContext, id: string): Promise<void> {
  const row = await context.reader.row(id);
  if (row.state !== "failed") throw new RunStateError("retry", id, row.state);
  const [result] = await context.store.restartMany([await restartOf(context, row)]);
  if (result === false) throw new RunStateError("retry", id, (await context.reader.row(id)).state);
  if (result === "superseded") {
    throw new RunStateError("retry", id, "failed", "its task in the parent run runs again, with another child run");
  }
  if (typeof result === "object") {
    const { keyHeldBy: runId } = result;
    const { key = "" } = row;
    throw new KeyConflictError(`retry run "${id}"`, { key, runId, why: `has its key "${key}" and has not ended` });
  }
  void context.applyChanges();
}

/** Runs whose journals are read at once. */
const READ_AT_ONCE = 5;

/** Retries those of the selected runs that match and can be retried; returns how many. */
export async function retryMany(context: ClientContext, selection: RunSelection): Promise<number> {
  const { store } = context;
  const query = { ...selection, limit: selection.seqs.length, before: undefined, withInput: false };
  const rows = (await store.list(query)).filter(({ state }) => state === "failed").toReversed();
  const requests: RestartRequest[] = [];
  for (let at = 0; at < rows.length; at += READ_AT_ONCE) {
    requests.push(...await Promise.all(rows.slice(at, at + READ_AT_ONCE).map((row) => restartOf(context, row))));
  }
  if (requests.length === 0) return 0;
  // Parents are first: their child runs are superseded when their turn comes.
  const results = await store.restartMany(requests);
  await context.applyChanges();
  return results.filter((result) => result === true).length;
}

/** What a retry of a failed run deletes and keeps. */
async function restartOf(context: ClientContext, row: RunRow): Promise<RestartRequest> {
  const tasks = await context.reader.tasks(row);
  const failed = tasks.filter(({ state }) => state === "failed").map((task) => task.id);
  const compensated = tasks.filter(isUndone).map((task) => task.id);
  const hasUndos = tasks.some(({ undo }) => undo !== undefined);
  const forget = new Set([...compensated, ...descendantsOf(tasks, [...failed, ...compensated])]);
  return {
    seq: row.seq,
    epoch: row.epoch,
    retry: failed.filter((task) => !forget.has(task)),
    forget: [...forget],
    ...(hasUndos ? { compensated } : {}),
    failures: await failuresOf(context, row, tasks),
  };
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
