import { COUNTED } from "../engine/telemetry/run_counts.ts";
import { strandedRows } from "../engine/reading/stranded.ts";
import { answer, type Reading } from "./reading.ts";
import type { RunnersPage } from "./shapes.ts";

const MOST_STRANDED = 100;

/** Loads the runners, their backlog, and the runs that no runner can continue. */
export async function loadRunners(reading: Reading): Promise<RunnersPage> {
  const { context, redactor, path } = reading;
  const { store } = context;
  const [rows, owned, tally, lost] = await Promise.all([
    store.runners(),
    store.inspection.owned(COUNTED),
    store.inspection.tally(COUNTED),
    strandedRows(store, MOST_STRANDED),
  ]);
  const now = store.now();
  const own = context.runner?.id();
  const load = context.runner?.load();
  const { count, isCapped } = tally.backlog;
  return {
    ...answer(reading),
    runners: rows.map((row) => ({
      id: row.id,
      host: row.host,
      pid: row.pid,
      startedAt: row.startedAt,
      leaseUntil: row.leaseUntil,
      isAlive: row.leaseUntil > now,
      isThis: row.id === own,
      workflows: row.served.map(({ workflow, version }) => ({
        name: workflow,
        version,
        href: `${path("workflows", workflow)}?version=${encodeURIComponent(version)}`,
      })),
      isPinned: row.pinned,
      concurrency: row.concurrency,
      maxRuns: row.maxRuns,
      runs: { count: owned.counts.get(row.id) ?? 0, precision: owned.isCapped ? "atLeast" : "exact" },
      bodies: row.id === own && load ? { active: load.active, queued: load.queued } : undefined,
    })),
    backlog: { count, precision: isCapped ? "atLeast" : "exact" },
    oldestDueAt: tally.oldestDueAt,
    stranded: lost.map(({ row: { id, workflow, state }, reason }) => ({
      id,
      href: path("runs", id),
      state,
      workflow,
      reason: redactor.text(["reason"], reason),
    })),
  };
}
