import type { NewRun } from "../../store/port/batch.ts";
import { LiveRun } from "./live_run.ts";
import type { Plan } from "../machine/plan.ts";

// Not a literal, which is an `undefined[]` for a compiler without strict options.
const NOTHING: readonly never[] = new Array<never>();

/** What the store has given a run that it inserted as owned. */
export interface Inserted {
  /** Its row. */
  readonly seq: number;
  /** When it was inserted. */
  readonly at: number;
}

/** Returns a run that this process has inserted as its own. */
export function insertedRun(plan: Plan, run: NewRun, { seq, at }: Inserted): LiveRun {
  const { id, input, timeoutMs, trace, priority, parent, depth = 0 } = run;
  return new LiveRun(plan, {
    id,
    input,
    startedAt: at,
    timeoutMs,
    deadlineAt: timeoutMs === undefined ? undefined : at + timeoutMs,
    seq,
    epoch: 1,
    crashes: 0,
    trace,
    parent,
    depth,
    priority,
    attention: 0,
    journal: NOTHING,
    completedItems: NOTHING,
  });
}
