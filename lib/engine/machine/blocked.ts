import type { TaskDefinition } from "../../definition/definition.ts";
import { NO_ITEM, type Unit, type Wake } from "./run_state.ts";

/** The reason of the wait of a blocked unit (see at_most_once.ts). */
export const BLOCKED = "its attempt ended without a result";

/** What ends the wait of a blocked unit. */
export const RESOLUTION: Wake = { message: true };

/** Whether a unit is blocked. */
export function isBlocked({ state, reason }: Pick<Unit, "state" | "reason">): boolean {
  return state === "waiting" && reason === BLOCKED;
}

/** Whether the body of a task, or of one of its items, runs at most once. */
export function isAtMostOnce(task: TaskDefinition, item: number): boolean {
  const body = task.kind === "map" && item !== NO_ITEM ? task.each : task;
  return body.kind === "task" && body.guarantee === "atMostOnce";
}
