import type { NewRun, StartVerdict } from "../../store/port/batch.ts";
import type { Committer, PendingStart } from "../commit/committer.ts";
import { createStartBounds, type StartBounds } from "./start_bounds.ts";

/** Inserts runs in one commit; resolves with one verdict for each of them. */
export type Insert = (runs: readonly NewRun[]) => Promise<readonly StartVerdict[]>;

/** Returns a function that inserts runs for any runner; it rejects with a `QueueFullError` if too many runs wait. */
export function createClientStarts(
  committer: Pick<Committer, "start">,
  bounds: StartBounds = createStartBounds(),
): Insert {
  return (runs) =>
    new Promise((resolve, reject) => {
      bounds.enter(runs);
      const start: PendingStart = {
        runs,
        onResult(verdicts) {
          bounds.leave(runs);
          resolve(verdicts);
        },
        onDropped(error) {
          bounds.leave(runs);
          reject(error);
        },
      };
      committer.start(start);
    });
}
