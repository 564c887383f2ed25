import type { LaneInfo } from "../engine/limits/lane_info.ts";
import type { Answer, RunLink } from "./shapes.ts";

/** A holder of a slot of a limit, or a waiter for one. */
export interface LimitPermit {
  /** The run, with the task and the item if the limit is not one of its workflow. */
  readonly run: Omit<RunLink, "state">;
  /** Its workflow. */
  readonly workflow: string;
  /** Since when it has held its slot or, if it waits, has waited. */
  readonly since: number;
}

/** A lane, with the first of its holders and waiters as links. */
export interface LimitLane extends Omit<LaneInfo, "holders" | "waiters"> {
  /** The page of this limit alone. */
  readonly href: string;
  /** The holders of slots, oldest first; empty for a rate limit. */
  readonly holders: readonly LimitPermit[];
  /** The waiters, in the order in which they receive slots. */
  readonly waiters: readonly LimitPermit[];
}

/** `/limits` and `/api/limits`, with `?limit=` for one limit: the lanes that have holders or waiters. */
export interface LimitsPage extends Answer {
  /** The limit whose lanes are listed; `undefined` for all limits. */
  readonly limit: string | undefined;
  /** The first fifty lanes, those with the most waiters first. */
  readonly lanes: readonly LimitLane[];
  /** Whether there are more. */
  readonly hasMore: boolean;
}
