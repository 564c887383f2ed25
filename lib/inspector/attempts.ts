import type { ErrorRecord } from "../errors.ts";
import type { TaskState } from "../store/port/batch.ts";
import type { JournalHead } from "../store/port/inspection.ts";
import type { AttemptDetail } from "./run_shape.ts";

/** The attempts of a task: every failed one is recorded, of the others only the latest. */
export function attemptsOf(
  state: TaskState,
  head: JournalHead | undefined,
  isRunOver: boolean,
  hide: (error: ErrorRecord) => ErrorRecord,
): readonly AttemptDetail[] {
  if (head === undefined) return [];
  const { failures, attempts, startedAt, endedAt } = head;
  const failed = failures.map(({ attempt, error, ...times }): AttemptDetail => {
    const isLatest = attempt === attempts;
    return {
      number: attempt,
      state: "failed",
      startedAt: times.startedAt ?? (isLatest ? startedAt : undefined),
      endedAt: times.endedAt ?? (isLatest && state === "failed" ? endedAt : undefined),
      error: hide(error),
    };
  });
  if (attempts === 0 || failed.at(-1)?.number === attempts) return failed;
  // A waiting task was started and has asked for another attempt.
  const last = lastState(state, isRunOver);
  return last === undefined
    ? failed
    : [...failed, { number: attempts, state: last, startedAt, endedAt, error: undefined }];
}

function lastState(state: TaskState, isRunOver: boolean): AttemptDetail["state"] | undefined {
  switch (state) {
    case "compensated":
      return "completed";
    case "completed":
    case "failed":
    case "running":
      return state;
    case "cancelled":
      return isRunOver ? "cancelled" : "interrupted";
    case "pending":
    // The attempt of a task that runs at most once has ended without a result.
    case "blocked":
      return "interrupted";
    case "waiting":
    case "skipped":
      return undefined;
  }
}
