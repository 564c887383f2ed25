import type { StoredDefinition, StoredLimit } from "../engine/catalog.ts";
import { leftOutSentence } from "./left_out.ts";
import type { Reading } from "./reading.ts";
import type { Graph, GraphLimit, GraphTask } from "./shapes.ts";

/** The most tasks of a graph that a page shows. */
export const MOST_TASKS = 1_000;

const MOST_LINKS = 10_000;

/** Builds a graph from a definition, followed by the tasks `otherwise`; without a definition, from those alone. */
export function graphOf(
  definition: StoredDefinition | undefined,
  otherwise: readonly GraphTask[],
  path: Reading["path"],
): Graph {
  if (definition === undefined) {
    return { isKnown: false, description: undefined, result: undefined, tasks: otherwise };
  }
  const defined = definition.tasks.map(({ id, kind, after, on, conditional, attempts, timeoutMs, undo, limits }) => ({
    id,
    kind,
    after,
    on,
    isConditional: conditional,
    mayUndo: undo === true,
    attempts,
    timeoutMs,
    ...limits !== undefined && { limits: limits.map((limit) => limitOf(limit, path)) },
  }));
  const known = new Set(defined.map(({ id }) => id));
  return {
    isKnown: true,
    description: definition.description,
    result: definition.result,
    ...definition.limits !== undefined && { limits: definition.limits.map((limit) => limitOf(limit, path)) },
    tasks: [...defined, ...otherwise.filter(({ id }) => !known.has(id))],
  };
}

function limitOf({ name, max, perMs, key }: StoredLimit, path: Reading["path"]): GraphLimit {
  const href = `${path("limits")}?limit=${encodeURIComponent(name)}`;
  return { name, href, max, per: perMs, isKeyed: key !== undefined };
}

/** A graph of at most `MOST_TASKS` tasks, those with the lowest rank, in its order; and of a bounded number of links. */
export function boundedGraph(graph: Graph, rankOf: (id: string) => number = () => 0): Graph {
  const tasks = graph.tasks.length <= MOST_TASKS ? graph.tasks : chosen(graph.tasks, rankOf);
  const kept = new Set(tasks.map(({ id }) => id));
  let links = 0;
  const isKept = (id: string): boolean => kept.has(id) && links++ < MOST_LINKS;
  const bounded = tasks.map((task) => ({ ...task, after: task.after.filter(isKept) }));
  const count = (some: readonly GraphTask[]): number => some.reduce((sum, { after }) => sum + after.length, 0);
  const leftOut = leftOutSentence([
    [graph.tasks.length - tasks.length, "task", "tasks"],
    [count(tasks) - count(bounded), "dependency", "dependencies"],
  ]);
  return { ...graph, tasks: bounded, ...(leftOut !== undefined && { leftOut }) };
}

/** The elements with the lowest ranks, in list order. */
function chosen(tasks: readonly GraphTask[], rankOf: (id: string) => number): readonly GraphTask[] {
  const ranks = tasks.map(({ id }) => rankOf(id));
  const room = new Map<number, number>();
  let left = MOST_TASKS;
  for (const rank of [...new Set(ranks)].sort((a, b) => a - b)) {
    room.set(rank, left);
    left = Math.max(0, left - ranks.filter((one) => one === rank).length);
  }
  return tasks.filter((_, at) => {
    const rank = ranks[at]!;
    const places = room.get(rank) ?? 0;
    room.set(rank, places - 1);
    return places > 0;
  });
}
