import { newChecks, shown } from "../../definition/checks.ts";
import { encodeJson } from "../../definition/json.ts";
import { didYouMean } from "../../definition/nearest.ts";
import { RunStateError, UnknownTaskError } from "../../errors.ts";
import type { JournalRecord } from "../../store/port/batch.ts";
import type { Store } from "../../store/port/store.ts";
import type { Resolution as StoredResolution } from "../execution/at_most_once.ts";
import type { ClientContext } from "./client_context.ts";
import { toErrorRecord } from "../errors/error_record.ts";
import { isOfTask } from "../runs/journal_rows.ts";
import { refuse } from "../options.ts";
import { isOver } from "../reading/run_reader.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import { deliver } from "./send.ts";

/** A decision about a blocked task: its output, its error, or another attempt. */
export type Resolution<Output = unknown> =
  | { readonly output: Output; readonly error?: never; readonly retry?: never }
  | { readonly error: string | Error; readonly output?: never; readonly retry?: never }
  | { readonly retry: true; readonly output?: never; readonly error?: never };

/** Which item of a map to resolve. */
export interface ResolveOptions {
  /** The index of the item. @default {undefined} the task is not a map */
  readonly item?: number;
}

/** A task to resolve. */
export interface ResolveRequest {
  readonly taskId: string;
  readonly resolution: Resolution;
  readonly options: ResolveOptions | undefined;
}

/**
 * Decides about a blocked task; resolves when the decision is durable.
 *
 * @throws {RunNotFoundError} If the run does not exist.
 * @throws {RunStateError} If the run has ended, or the task is not blocked.
 * @throws {UnknownTaskError} If the workflow of the run has no task with this id.
 * @throws {PayloadError} If the output cannot be stored as JSON or is too large.
 * @throws {TypeError} If the decision or an option is invalid.
 */
export async function resolveTask(
  context: ClientContext,
  runId: string,
  { taskId, resolution, options = {} }: ResolveRequest,
): Promise<void> {
  const { store, reader } = context;
  const item = itemOf(options, taskId);
  const payload = JSON.stringify(storedResolution(resolution, taskId, context.maxPayloadBytes));
  const row = await reader.row(runId);
  if (isOver(row.state)) throw new RunStateError(`resolve task "${taskId}" of`, runId, row.state);
  const known = (await reader.definition(row))?.tasks.map(({ id }) => id) ?? [];
  const record = await recordOf(store, row.seq, { task: taskId, item });
  if (record === undefined && !known.includes(taskId)) {
    const why = `workflow "${row.workflow}" has no task "${taskId}"${didYouMean(taskId, known)}`;
    throw new UnknownTaskError(taskId, `Cannot resolve a task of run "${runId}": ${why}`);
  }
  if (record?.state !== "blocked") throw notBlocked(record?.state ?? "pending");
  const message = { task: taskId, item, attempt: record.attempts, payload };
  const isAccepted = await deliver(context, runId, { message, action: `resolve task "${taskId}" of` });
  if (!isAccepted) throw notBlocked("already resolved");

  function notBlocked(state: string): RunStateError {
    const what = item === NO_ITEM ? `task "${taskId}"` : `item ${item} of task "${taskId}"`;
    return new RunStateError(`resolve ${what} of`, runId, state);
  }
}

async function recordOf(
  store: Store,
  seq: number,
  unit: { readonly task: string; readonly item: number },
): Promise<JournalRecord | undefined> {
  const { task, item } = unit;
  if (item === NO_ITEM) return (await store.journal(seq)).find((record) => record.task === task && isOfTask(record));
  const [record] = await store.items({ seq, task, after: item - 1, limit: 1 });
  return record?.item === item ? record : undefined;
}

function itemOf(options: ResolveOptions, taskId: string): number {
  const checks = newChecks();
  if (typeof taskId !== "string") {
    throw new TypeError(`Cannot resolve a task: its id must be a string, not ${shown(taskId)}`);
  }
  const { item = NO_ITEM } = checks.options(options, "the options", ["item"]);
  if (item !== NO_ITEM && (!Number.isSafeInteger(item) || Number(item) < 0)) {
    checks.report(`item must be the index of an item, not ${shown(item)}`);
  }
  refuse(`resolve task "${taskId}"`, checks);
  return Number(item);
}

function storedResolution(resolution: Resolution, taskId: string, maxPayloadBytes: number): StoredResolution {
  const checks = newChecks();
  const given = checks.options(resolution, "the decision", ["output", "error", "retry"]);
  const names = Object.keys(given);
  if (names.length !== 1) {
    checks.report("the decision must be one of { output }, { error } and { retry: true }");
  } else if ("retry" in given && given["retry"] !== true) {
    checks.report(`retry must be true, not ${shown(given["retry"])}`);
  }
  refuse(`resolve task "${taskId}"`, checks);
  if ("retry" in given) return { kind: "retry" };
  return "error" in given
    ? { kind: "error", error: toErrorRecord(given["error"]) }
    : { kind: "output", output: encodeJson(given["output"], "output", maxPayloadBytes) };
}
