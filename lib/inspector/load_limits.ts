import type { LanePermit, LaneRow } from "../store/limits.ts";
import type { LimitLane, LimitPermit, LimitsPage } from "./limit_shape.ts";
import { textOf } from "./query.ts";
import { answer, type Asked, type Reading } from "./reading.ts";

/** Lanes of a page; each costs a read of its holders and one of those that wait. */
const MOST_LANES = 50;
const MOST_PERMITS = 5;

/** The lanes of limits in which something holds a place or waits. */
export async function loadLimits(reading: Reading, { query }: Asked): Promise<LimitsPage> {
  const limit = textOf(query, "limit");
  const rows = await reading.context.store.limits.lanes({ limit, lanes: MOST_LANES + 1, permits: MOST_PERMITS });
  return {
    ...answer(reading),
    limit,
    lanes: rows.slice(0, MOST_LANES).map((row) => laneOf(reading, row)),
    hasMore: rows.length > MOST_LANES,
  };
}

function laneOf(reading: Reading, { limit, key, max, perMs, held, waiting, holders, waiters }: LaneRow): LimitLane {
  return {
    limit,
    href: `${reading.path("limits")}?limit=${encodeURIComponent(limit)}`,
    key: key.map((part) => reading.redactor.text(["limits", limit, "key"], part)),
    max,
    per: perMs,
    held,
    waiting,
    holders: holders.map((permit) => permitOf(reading, permit)),
    waiters: waiters.map((permit) => permitOf(reading, permit)),
  };
}

function permitOf(reading: Reading, { runId, workflow, task, item, since }: LanePermit): LimitPermit {
  return { run: { id: runId, href: reading.path("runs", runId), task, item }, workflow, since };
}
