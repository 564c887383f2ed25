import { UnknownTaskError } from "../errors.ts";
import type { GraphTask } from "./graph_task.ts";
import { lazy } from "./lazy.ts";
import { toMermaid } from "./mermaid.ts";
import { didYouMean } from "./nearest.ts";
import { sortTasks } from "./sort.ts";

/** Derived views of the task graph of a workflow, computed on first use and cached. */
export interface WorkflowGraph {
  /**
   * Ids grouped by level, the length of the longest chain of dependencies before a task. Tasks of one level can run in
   * parallel.
   */
  readonly levels: readonly (readonly string[])[];
  /** Ids of the tasks without dependencies. */
  readonly roots: readonly string[];
  /** Ids of the tasks without dependents. */
  readonly leaves: readonly string[];
  /** All ids in topological order; ties keep the order of declaration. */
  readonly order: readonly string[];
  /**
   * Ids of the tasks that a task names in its `after`.
   *
   * @throws {UnknownTaskError} If there is no such task.
   */
  dependencies(id: string): readonly string[];
  /**
   * Ids of the tasks that name this one in their `after`.
   *
   * @throws {UnknownTaskError} If there is no such task.
   */
  dependents(id: string): readonly string[];
  /**
   * Returns whether two different tasks can run in parallel: neither depends on the other, directly or through other
   * tasks.
   *
   * @throws {UnknownTaskError} If there is no such task.
   */
  canRunInParallel(a: string, b: string): boolean;
  /**
   * Returns the graph of these tasks and of all their ancestors.
   *
   * @throws {UnknownTaskError} If there is no such task.
   */
  subgraph(ids: readonly string[]): WorkflowGraph;
  /**
   * Returns a Mermaid flowchart: shapes show kinds, a diamond `when`, dashed borders `undo`; edges show `on`, dotted edges
   * `reads`.
   */
  toMermaid(): string;
}

/**
 * Questions about the graph of some tasks, given in any order.
 *
 * @throws {RangeError} When asked, if the tasks form a cycle.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const graph = graphOf([{ id: "a", after: [] }, { id: "b", after: ["a"] }, { id: "c", after: ["a"] }]);
 * assertEquals(graph.levels, [["a"], ["b", "c"]]);
 * assertEquals(graph.canRunInParallel("b", "c"), true);
 * ```
 */
export function graphOf(tasks: readonly GraphTask[]): WorkflowGraph {
  const nodes = lazy(() => nodesOf(tasks));
  const levels = lazy(() => levelsOf(nodes()));
  const order = lazy(() => idsOf([...nodes().values()]));
  const roots = lazy(() => idsOf([...nodes().values()].filter((node) => node.after.length === 0)));
  const leaves = lazy(() => idsOf([...nodes().values()].filter((node) => node.dependents.length === 0)));
  return Object.freeze({
    get levels() {
      return levels();
    },
    get order() {
      return order();
    },
    get roots() {
      return roots();
    },
    get leaves() {
      return leaves();
    },
    dependencies: (id: string) => Object.freeze(node(id).after.map(({ task }) => task.id)),
    dependents: (id: string) => idsOf(node(id).dependents),
    canRunInParallel: (a: string, b: string) => !areOrdered(node(a), node(b)),
    subgraph: (ids: readonly string[]) => {
      const wanted = upwardsFrom(ids.map(node), 0);
      return graphOf([...nodes().values()].filter((node) => wanted.has(node)).map(({ task }) => task));
    },
    toMermaid: () => toMermaid([...nodes().values()].map(({ task }) => task)),
  });

  function node(id: string): Node {
    return known(nodes(), id);
  }
}

/**
 * Returns the ids of all tasks that depend on one of `ids`, directly or through others. An id of `ids` is among them only
 * if that task depends on another one of `ids`.
 *
 * @throws {UnknownTaskError} If one of `ids` is not a task.
 * @throws {RangeError} If the tasks form a cycle.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const tasks = [{ id: "a", after: [] }, { id: "b", after: ["a"] }, { id: "c", after: ["b"] }, { id: "d", after: [] }];
 * assertEquals([...descendantsOf(tasks, ["a"])], ["b", "c"]);
 * assertEquals([...descendantsOf(tasks, ["a", "b"])].sort(), ["b", "c"]);
 * ```
 */
export function descendantsOf(tasks: readonly GraphTask[], ids: Iterable<string>): ReadonlySet<string> {
  const nodes = nodesOf(tasks);
  const found = new Set<Node>();
  for (const id of ids) for (const dependent of known(nodes, id).dependents) found.add(dependent);
  for (const node of found) for (const dependent of node.dependents) found.add(dependent);
  return new Set([...found].map(({ task }) => task.id));
}

interface Node {
  readonly task: GraphTask;
  readonly after: readonly Node[];
  readonly dependents: Node[];
  readonly level: number;
}

function nodesOf(tasks: readonly GraphTask[]): ReadonlyMap<string, Node> {
  const sorted = sortTasks(tasks);
  if (sorted.cycles[0]) {
    throw new RangeError(`Cannot sort the tasks: they form a cycle, ${sorted.cycles[0].join(" → ")}`);
  }
  const nodes = new Map<string, Node>();
  for (const task of sorted.order) {
    const after = task.after.map((id) => known(nodes, id));
    const level = after.reduce((level, dependency) => Math.max(level, dependency.level + 1), 0);
    const node: Node = { task, after, dependents: [], level };
    for (const dependency of after) dependency.dependents.push(node);
    nodes.set(task.id, node);
  }
  return nodes;
}

function levelsOf(nodes: ReadonlyMap<string, Node>): readonly (readonly string[])[] {
  const levels: string[][] = [];
  for (const { task, level } of nodes.values()) (levels[level] ??= []).push(task.id);
  return Object.freeze(levels.map((ids) => Object.freeze(ids)));
}

// Whether they are the same or one waits for the other. Ancestors are on higher levels, which ends the search early.
function areOrdered(a: Node, b: Node): boolean {
  const [higher, lower] = a.level < b.level ? [a, b] : [b, a];
  return upwardsFrom([lower], higher.level).has(higher);
}

// These nodes and all they depend on, down to a level.
function upwardsFrom(nodes: readonly Node[], level: number): ReadonlySet<Node> {
  const seen = new Set(nodes);
  for (const node of seen) {
    for (const dependency of node.after) if (dependency.level >= level) seen.add(dependency);
  }
  return seen;
}

function idsOf(nodes: readonly Node[]): readonly string[] {
  return Object.freeze(nodes.map(({ task }) => task.id));
}

function known(nodes: ReadonlyMap<string, Node>, id: string): Node {
  const node = nodes.get(id);
  if (node !== undefined) return node;
  const hint = didYouMean(id, nodes.keys());
  throw new UnknownTaskError(id, `Cannot find task "${id}": the workflow has no task of that id${hint}`);
}
