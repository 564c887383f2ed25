import type { RunnerRow } from "../store/port/runners.ts";
import type { Served } from "../store/port/batch.ts";
import { answer, type Reading } from "./reading.ts";
import { groupBy, sampleOf } from "./sample.ts";
import type { WorkflowsPage } from "./shapes.ts";

const MOST_DEFINITIONS = 1_000;
const SAMPLED = 5_000;

/** Loads the registered workflows with statistics of the latest runs. */
export async function loadWorkflows(reading: Reading): Promise<WorkflowsPage> {
  const { context: { store }, path } = reading;
  const [definitions, latest, runners] = await Promise.all([
    store.inspection.definitions(MOST_DEFINITIONS),
    store.inspection.latest(undefined, SAMPLED, SAMPLED),
    aliveRunners(reading),
  ]);
  const runs = groupBy(latest, ({ workflow }) => workflow);
  const workflows = [...groupBy(definitions, ({ workflow }) => workflow)].map(([name, versions]) => {
    const newest = versions.reduce((newest, one) => one.createdAt > newest.createdAt ? one : newest);
    return {
      name,
      href: path("workflows", name),
      runsHref: runsHref(reading, name),
      versions: versions.length,
      latestVersion: newest.version,
      definedAt: newest.createdAt,
      runners: runnersOf(runners, ({ workflow }) => workflow === name),
      sample: sampleOf(runs.get(name) ?? []),
    };
  });
  return {
    ...answer(reading),
    workflows: workflows.sort((a, b) => a.name < b.name ? -1 : 1),
    sampled: latest.length,
    isTruncated: definitions.length === MOST_DEFINITIONS,
  };
}

/** Runners with a valid lease. */
export async function aliveRunners({ context: { store } }: Reading): Promise<readonly RunnerRow[]> {
  const runners = await store.runners();
  const now = store.now();
  return runners.filter(({ leaseUntil }) => leaseUntil > now);
}

/** The ids of the runners that serve a workflow. */
export function runnersOf(runners: readonly RunnerRow[], isServed: (served: Served) => boolean): readonly number[] {
  return runners.filter(({ served }) => served.some(isServed)).map(({ id }) => id);
}

/** The runs of a workflow. */
export function runsHref({ path }: Reading, workflow: string): string {
  return `${path("runs")}?workflow=${encodeURIComponent(workflow)}`;
}
