import { isCorruptRow } from "../store/shared/corrupt_row.ts";
import type { RunRow } from "../store/port/store.ts";
import { type Reading, Refusal } from "./reading.ts";

/**
 * A run's row.
 *
 * @throws {Refusal} If there is no such run.
 */
export async function rowOf({ context }: Reading, id: string): Promise<RunRow> {
  const row = await context.store.run(id).catch(async (error) => {
    // The row is invalid: its readable fields are shown, with the problem as the error.
    if (!isCorruptRow(error)) throw error;
    const [listed] = await context.store.inspection.find(id, 1);
    return listed === undefined ? undefined : { ...listed, input: undefined };
  });
  if (row === undefined) throw new Refusal(404, "There is no run with this id");
  return row;
}
