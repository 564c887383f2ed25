import type { HeldStart } from "../../store/port/limits.ts";

/** A unit that has, or asks for, the slots that its limits demand. */
export interface UnitPermit {
  /**
   * `asking`: its attempt begins if there is a slot. `checking`: it waits, and it is not known if it has been granted its
   * slots since. `waiting`: it waits. `granted`: it has its slots.
   */
  state: "asking" | "checking" | "waiting" | "granted";
  /** Whether something was granted by others since it asked, so that an answer without a grant may be out of date. */
  isOutdated: boolean;
  /** The starts that begin with its body. */
  starts: readonly HeldStart[];
}

/** The starts of a run in limits of rate of its workflow. */
export interface RunStarts {
  /** `undefined` until the store has returned them. */
  starts: readonly HeldStart[] | undefined;
  /** When its first body began, by the monotonic clock. */
  beganAt: number | undefined;
}
