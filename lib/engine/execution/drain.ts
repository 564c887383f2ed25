import type { Clock } from "../../clock.ts";
import { ShutdownError } from "../../errors.ts";
import type { Attempt } from "../runs/live_run.ts";
import type { TaskSlots } from "./task_slots.ts";

/** Bodies that were aborted get so long to settle. */
const ABORT_MS = 1_000;

/** What draining needs of an executor. */
export interface DrainOptions {
  readonly slots: Pick<TaskSlots, "active" | "abort">;
  readonly clock: Clock;
  /** How long bodies may take before they are aborted, in milliseconds. */
  readonly timeoutMs: number;
  /** Calls `settled` once no attempt runs; returns what cancels that. */
  readonly onIdle: (settled: () => void) => () => void;
  /** Gives up an attempt that did not settle. */
  readonly abandon: (attempt: Attempt) => void;
}

/** Lets bodies finish, aborts those that have not after `timeoutMs`, and gives up those that ignore that. */
export async function drainSlots(options: DrainOptions): Promise<void> {
  const { slots, timeoutMs, abandon } = options;
  await settledWithin(timeoutMs, options);
  const cause = new ShutdownError();
  for (const attempt of [...slots.active]) slots.abort(attempt, cause);
  await settledWithin(Math.min(timeoutMs, ABORT_MS), options);
  for (const attempt of [...slots.active]) abandon(attempt);
}

function settledWithin(ms: number, { slots, clock, onIdle }: DrainOptions): Promise<void> {
  if (slots.active.length === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const cancelTimer = clock.after(ms, done);
    const cancelIdle = onIdle(done);

    function done(): void {
      cancelTimer();
      cancelIdle();
      resolve();
    }
  });
}
