import type { Unit, Wake } from "./run_state.ts";

/** The reason of the wait of a blocked unit (see at_most_once.ts). */
export const BLOCKED = "its attempt ended without a result";

/** What ends the wait of a blocked unit. */
export const RESOLUTION: Wake = { message: true };

/** Whether a unit is blocked. */
export function isBlocked({ state, reason }: Pick<Unit, "state" | "reason">): boolean {
  return state === "waiting" && reason === BLOCKED;
}
