import { RunStateError } from "../errors.ts";
import { descendantsOf } from "../definition/graph.ts";
import type { ClientContext } from "./client_context.ts";

/**
 * Makes a failed run pending again. Its failed tasks run again, and results of their descendants are deleted.
 *
 * @throws {RunNotFoundError} If the run does not exist.
 * @throws {RunStateError} If the run is not in state `failed`.
 */
export async function retryRun(context: ClientContext, id: string): Promise<void> {
  const row = await context.reader.row(id);
  if (row.state !== "failed") throw new RunStateError("retry", id, row.state);
  const tasks = await context.reader.tasks(row);
  const failed = tasks.filter(({ state }) => state === "failed").map((task) => task.id);
  const forget = descendantsOf(tasks, failed);
  const retry = failed.filter((task) => !forget.has(task));
  if (!await context.store.restart({ seq: row.seq, epoch: row.epoch }, { retry, forget: [...forget] })) {
    throw new RunStateError("retry", id, (await context.reader.row(id)).state);
  }
  void context.applyChanges();
}
