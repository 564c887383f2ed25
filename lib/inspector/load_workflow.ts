import type { DefinitionRow, Outline, Timing } from "../store/port/inspection.ts";
import { boundedGraph, graphOf } from "./graph.ts";
import { definitionOf } from "./load_definition.ts";
import { aliveRunners, runnersOf, runsHref } from "./load_workflows.ts";
import { textOf } from "./query.ts";
import { answer, type Asked, type Reading, Refusal } from "./reading.ts";
import { durationsOf, groupBy, sampleOf } from "./sample.ts";
import type { TaskSample } from "./sample_shape.ts";
import type { Graph, WorkflowPage } from "./shapes.ts";

const MOST_VERSIONS = 50;
const COUNTED_VERSIONS = 1_000;
const SAMPLED_RUNS = 1_000;
const BUDGET = 10_000;
const MOST_TIMINGS = 5_000;

/**
 * One workflow, with its versions and the graph of one of them.
 *
 * @throws {Refusal} If there is no such workflow or version.
 */
export async function loadWorkflow(reading: Reading, { params, query }: Asked): Promise<WorkflowPage> {
  const { context: { store }, path } = reading;
  const name = params["name"] ?? "";
  const versions = await store.inspection.versions(name, COUNTED_VERSIONS);
  const wanted = textOf(query, "version") ?? versions[0]?.version;
  const row = versions.find(({ version }) => version === wanted);
  if (row === undefined) throw new Refusal(404, "There is no workflow with this name and version");
  const [latest, runners, definition] = await Promise.all([
    store.inspection.latest(name, SAMPLED_RUNS, BUDGET),
    aliveRunners(reading),
    definitionOf(reading, row),
  ]);
  const graph = boundedGraph(graphOf(definition, [], path));
  const runs = groupBy(latest, ({ version }) => version);
  const summaryOf = ({ version, structure, createdAt }: DefinitionRow) => ({
    version,
    structure,
    definedAt: createdAt,
    href: `${path("workflows", name)}?version=${encodeURIComponent(version)}`,
    runners: runnersOf(runners, (served) => served.workflow === name && served.version === version),
    sample: sampleOf(runs.get(version) ?? []),
  });
  const ended = (runs.get(row.version) ?? []).filter(({ endedAt }) => endedAt !== undefined);
  return {
    ...answer(reading),
    name,
    runsHref: runsHref(reading, name),
    versions: versions.slice(0, MOST_VERSIONS).map(summaryOf),
    versionCount: versions.length,
    version: row.version,
    actions: reading.actions({ kind: "workflow", workflow: name, version: row.version }),
    graph,
    sample: sampleOf(latest),
    ...await taskSamples(reading, graph, ended),
  };
}

async function taskSamples(
  { context: { store } }: Reading,
  graph: Graph,
  ended: readonly Outline[],
): Promise<Pick<WorkflowPage, "tasks" | "sampledRuns">> {
  // As many runs as fit into the number of tasks that one request reads.
  const runs = ended.slice(0, Math.max(1, Math.floor(MOST_TIMINGS / Math.max(1, graph.tasks.length))));
  const timings = runs.length === 0 ? [] : await store.inspection.timings(runs.map(({ seq }) => seq), MOST_TIMINGS);
  const byTask = groupBy(timings, ({ task }) => task);
  return { sampledRuns: runs.length, tasks: graph.tasks.map(({ id }) => taskSample(id, byTask.get(id) ?? [])) };
}

function taskSample(id: string, timings: readonly Timing[]): TaskSample {
  const ofState = (state: string): readonly Timing[] => timings.filter((timing) => timing.state === state);
  return {
    id,
    completed: ofState("completed").length,
    failed: ofState("failed").length,
    skipped: ofState("skipped").length,
    retries: timings.reduce((sum, { attempts }) => sum + Math.max(0, attempts - 1), 0),
    durations: durationsOf(ofState("completed")),
  };
}
