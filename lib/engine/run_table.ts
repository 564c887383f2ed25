import type { LiveRun } from "./live_run.ts";

/** The runs in memory. */
export interface RunTable {
  /** By number. */
  readonly bySeq: ReadonlyMap<number, LiveRun>;
  /** By id. */
  readonly byId: ReadonlyMap<string, LiveRun>;
  /** Adds a run, in place of one with the same number. */
  add(run: LiveRun): void;
  /** Removes a run; has no effect if another one took its place, as after another commit claimed it again. */
  remove(run: LiveRun): void;
}

/** Creates a table without runs. */
export function createRunTable(): RunTable {
  const bySeq = new Map<number, LiveRun>();
  const byId = new Map<string, LiveRun>();
  return {
    bySeq,
    byId,
    add(run) {
      bySeq.set(run.seq, run);
      byId.set(run.id, run);
    },
    remove(run) {
      if (bySeq.get(run.seq) !== run) return;
      bySeq.delete(run.seq);
      byId.delete(run.id);
    },
  };
}
