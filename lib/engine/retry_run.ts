import { RunStateError } from "../errors.ts";
import { followersOf } from "./followers.ts";
import type { Desk } from "./desk.ts";

/**
 * Sets a failed run going again.
 *
 * @throws {RunStateError} If it has not failed.
 */
export async function retryRun(desk: Desk, id: string): Promise<void> {
  const row = await desk.reader.row(id);
  if (row.state !== "failed") throw new RunStateError("retry", id, row.state);
  const tasks = await desk.reader.tasks(row);
  const failed = tasks.filter(({ state }) => state === "failed").map((task) => task.id);
  const forget = followersOf(tasks, failed);
  const retry = failed.filter((task) => !forget.has(task));
  if (!await desk.store.restart({ seq: row.seq, epoch: row.epoch }, { retry, forget: [...forget] })) {
    throw new RunStateError("retry", id, (await desk.reader.row(id)).state);
  }
  void desk.changed();
}
