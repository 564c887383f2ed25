import type { ErrorRecord } from "../../errors.ts";
import type { AttemptDetail, TaskDetail } from "../run_shape.ts";
import { type Html, markup } from "./html.ts";
import { errorView } from "./payload.ts";
import { stateBadge } from "./states.ts";
import { duration } from "./times.ts";

/** The attempts of a task or item of a run that began at `start`, unless the only one succeeded. */
export function attemptsView(
  { history, attempts, state }: Pick<TaskDetail, "history" | "attempts" | "state">,
  start: number,
): Html | undefined {
  // A single successful attempt adds nothing.
  if (history.length === 0 || (history.length === 1 && attempts === 1 && state === "completed")) return undefined;
  const items = history.map((attempt, i) => {
    const isSame = attempt.error !== undefined && sameError(attempt.error, history[i + 1]?.error);
    return attemptView(attempt, isSame, start);
  });
  return markup`<h3>Attempts</h3><ol class="attempts">${items}</ol>`;
}

function attemptView(
  { number, state, startedAt, endedAt, error }: AttemptDetail,
  isSame: boolean,
  start: number,
): Html {
  return markup`
<li value="${number}"><p>${attemptBadge(state)}${
    startedAt !== undefined && ` started ${duration(startedAt - start)} after the run`
  }${startedAt !== undefined && endedAt !== undefined && `, took ${duration(endedAt - startedAt)}`}${
    isSame && `; same error as the next attempt`
  }</p>${error && !isSame && errorView(error)}</li>`;
}

function sameError(one: ErrorRecord, other: ErrorRecord | undefined): boolean {
  return other?.name === one.name && other.message === one.message && other.cause?.message === one.cause?.message;
}

function attemptBadge(state: AttemptDetail["state"]): Html {
  // Neither a failure nor a state of the task.
  return state === "interrupted" ? stateBadge("cancelled", "interrupted") : stateBadge(state);
}
