import { laneInfo } from "../engine/limits/lane_info.ts";
import type { LanePermit, LaneRow } from "../store/port/limits.ts";
import type { LimitLane, LimitPermit, LimitsPage } from "./limit_shape.ts";
import { textOf } from "./query.ts";
import { answer, type Asked, type Reading } from "./reading.ts";

/** The most lanes of a page; each costs a query for its holders and one for its waiters. */
const MOST_LANES = 50;
const MOST_PERMITS = 5;

/** Reads the lanes of limits that have holders or waiters. */
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

function laneOf(reading: Reading, row: LaneRow): LimitLane {
  const { limit, key, ...lane } = laneInfo(row);
  return {
    limit,
    href: `${reading.path("limits")}?limit=${encodeURIComponent(limit)}`,
    key: key.map((part) => reading.redactor.text(["limits", limit, "key"], part)),
    ...lane,
    holders: row.holders.map((permit) => permitOf(reading, permit)),
    waiters: row.waiters.map((permit) => permitOf(reading, permit)),
  };
}

function permitOf(reading: Reading, { runId, workflow, task, item, since }: LanePermit): LimitPermit {
  return { run: { id: runId, href: reading.path("runs", runId), task, item }, workflow, since };
}
