import { RunNotFoundError, RunStateError } from "../../errors.ts";
import type { ClientContext } from "./client_context.ts";

/**
 * Deletes a run that has ended, with its child runs.
 *
 * @throws {RunNotFoundError} If the run does not exist.
 * @throws {RunStateError} If the run cannot be deleted.
 */
export async function deleteRun({ store, reader }: Pick<ClientContext, "store" | "reader">, id: string): Promise<void> {
  const result = await store.deleteRun(id);
  switch (result.kind) {
    case "deleted":
      return;
    case "unknown":
      throw new RunNotFoundError(id);
    case "live": {
      const why = `its child run "${result.runId}" is ${result.state}`;
      throw new RunStateError("delete", id, result.state, result.runId === id ? undefined : why);
    }
    case "child": {
      const why = `it is a child of run "${result.parentId}", and is deleted with it`;
      throw new RunStateError("delete", id, (await reader.row(id)).state, why);
    }
  }
}
