/** Data of the front page and of the page of failures, of the shape that the inspector reads from a store. */
import type { FailureGroups, OutcomeChart, OverviewPage } from "../../lib/inspector/overview_shape.ts";
import type { BoundedCount, StateCounts } from "../../lib/engine/telemetry/run_counts.ts";
import type { Answer, RunLink } from "../../lib/inspector/shapes.ts";

const LINK: RunLink = { id: "0190a000-0000-7000-8000-000000000001", href: "/ops/runs/x", state: "failed" };
const MANY: BoundedCount = { count: 1_000, precision: "atLeast" };

/** Groups of failures. */
export function failuresOf(text: string): FailureGroups {
  const times = { firstEndedAt: 1_000, lastEndedAt: 2_000 };
  const group = { error: text, runs: 1_234, workflows: [text, "b"], href: "/ops/runs?error=x", latest: LINK, ...times };
  return { groups: [group], groupCount: 7, grouped: 1_300, isCapped: true, isByWorkflow: true };
}

/** A chart with these numbers of completed and of failed runs. */
export function chartOf(completed: readonly number[], failed: readonly number[], at: number): OutcomeChart {
  const [bucketMs, cancelled] = [60_000, completed.map(() => 0)];
  return { since: at - bucketMs * completed.length, bucketMs, completed, failed, cancelled, isEstimated: false };
}

/** The front page, with something of everything that needs attention. */
export function overviewOf(text: string, answer: Answer & { readonly counts: StateCounts }): OverviewPage {
  const { at } = answer;
  return {
    ...answer,
    backlog: { count: 12_345, precision: "about" },
    oldestDueAt: at - 3_600_000,
    runners: 0,
    overdueSchedules: 2,
    blocked: [{ run: { ...LINK, state: undefined, task: text, item: 7 }, workflow: text, startedAt: at - 1_000 }],
    blockedCount: MANY,
    parked: [{ ...LINK, workflow: text, reason: text }],
    parkedCount: MANY,
    hour: chartOf([0, 5, 100], [0, 1, 0], at),
    day: { ...chartOf([0, 0, 0], [0, 0, 0], at), isEstimated: true },
    failures: failuresOf(text),
    failuresHref: `/ops/failures?since=${at}`,
  };
}
