import { COUNTED, countsOf } from "../engine/telemetry/run_counts.ts";
import { MISSED_AFTER_MS } from "../engine/schedules/decide.ts";
import { strandedRows } from "../engine/reading/stranded.ts";
import { NO_ITEM } from "../engine/machine/run_state.ts";
import type { Outcomes, OutcomesQuery } from "../store/port/inspection.ts";
import { failureGroups } from "./load_failures.ts";
import { aliveRunners } from "./load_workflows.ts";
import type { OutcomeChart, OverviewPage } from "./overview_shape.ts";
import { answer, linkTo, type Reading } from "./reading.ts";

const MOST_SHOWN = 10;
const MOST_COUNTED = 1_000;
const MOST_PARKED = 100;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** Loads what needs attention, and how runs ended in the last hour and day. */
export async function loadOverview(reading: Reading): Promise<OverviewPage> {
  const { context: { store }, redactor, path } = reading;
  const now = store.now();
  const since = now - DAY_MS;
  const [tally, runners, schedules, blocked, parked, charts, failures] = await Promise.all([
    store.inspection.tally(COUNTED),
    aliveRunners(reading),
    store.schedules.counts(MISSED_AFTER_MS),
    store.blocked(MOST_COUNTED),
    strandedRows(store, MOST_PARKED),
    outcomeCharts(reading, [spanOf(now, MINUTE_MS, 60), spanOf(now, 30 * MINUTE_MS, 48)]),
    failureGroups(reading, { workflow: undefined, since, limit: MOST_SHOWN }),
  ]);
  const [hour, day] = charts;
  return {
    ...answer(reading),
    counts: countsOf(tally),
    backlog: { count: tally.backlog.count, precision: tally.backlog.isCapped ? "atLeast" : "exact" },
    oldestDueAt: tally.oldestDueAt,
    runners: runners.length,
    overdueSchedules: schedules.overdue,
    blocked: blocked.slice(0, MOST_SHOWN).map(({ runId, workflow, task, item, startedAt }) => ({
      run: { ...linkTo({ id: runId }, reading), task, item: item === NO_ITEM ? undefined : item },
      workflow,
      startedAt,
    })),
    blockedCount: { count: blocked.length, precision: blocked.length < MOST_COUNTED ? "exact" : "atLeast" },
    parked: parked.slice(0, MOST_SHOWN).map(({ row, reason }) => ({
      ...linkTo(row, reading),
      workflow: row.workflow,
      reason: redactor.text(["reason"], reason),
    })),
    parkedCount: { count: parked.length, precision: parked.length < MOST_PARKED ? "exact" : "atLeast" },
    hour: hour!,
    day: day!,
    failures,
    failuresHref: `${path("failures")}?since=${since}`,
  };
}

/** Buckets that begin at whole minutes or half hours, so that a run stays in its bucket; the last contains the present. */
function spanOf(now: number, bucketMs: number, buckets: number): OutcomesQuery {
  return { since: (Math.floor(now / bucketMs) + 1 - buckets) * bucketMs, bucketMs, buckets };
}

async function outcomeCharts(
  { context: { store } }: Reading,
  spans: readonly OutcomesQuery[],
): Promise<readonly OutcomeChart[]> {
  const outcomes: readonly Outcomes[] = await store.inspection.outcomes(spans);
  return outcomes.map((counts, at) => ({ since: spans[at]!.since, bucketMs: spans[at]!.bucketMs, ...counts }));
}
