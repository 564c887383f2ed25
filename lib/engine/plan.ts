import type { TaskDefinition, Trigger, WorkflowDefinition } from "../definition/definition.ts";
import { type NewRecord, recordsOf } from "../definition/records.ts";

/** How the items of a map run. */
export interface ItemPolicy {
  /** How many items run at once. */
  readonly concurrency: number;
  /**
   * What a failed item means: `stop` aborts the others and fails the task, `finish` runs the others and then fails the
   * task, `collect` never fails it.
   */
  readonly onFailure: "stop" | "finish" | "collect";
}

/** What a task compiles to: a point of the graph that the state machine schedules. */
export interface Node {
  /** Unique in its plan. */
  readonly id: string;
  /** The definition behind it. */
  readonly task: TaskDefinition;
  /** Numbers of the nodes that must end first. */
  readonly before: readonly number[];
  /** Numbers of further nodes whose outputs it reads. */
  readonly reads: readonly number[];
  /** Numbers of the nodes that depend on it. */
  readonly next: readonly number[];
  /** How those before it must have ended. */
  readonly on: Trigger;
  /** For a node that expands into items. */
  readonly items: ItemPolicy | undefined;
}

/** A workflow compiled for execution. */
export interface Plan {
  /** The workflow behind it. */
  readonly workflow: WorkflowDefinition;
  /** Dependencies first; the number of a node is its index. */
  readonly nodes: readonly Node[];
  /** Node id to number. */
  readonly numbers: ReadonlyMap<string, number>;
  /** Index of the workflow among those of its runner. */
  readonly place: number;
  /** Number of the node whose output is the result, if one was chosen. */
  readonly result: number | undefined;
  /** Makes an empty record that can have the ids of the tasks as keys. */
  readonly newRecord: NewRecord;
}

/** The maximum number of items of a map that have begun and not ended, as each of them takes memory. */
const MOST_ITEMS_AT_ONCE = 10_000;

function itemPolicyOf(task: TaskDefinition): ItemPolicy | undefined {
  if (task.kind !== "map") return undefined;
  const concurrency = Math.min(task.concurrency ?? MOST_ITEMS_AT_ONCE, MOST_ITEMS_AT_ONCE);
  return { concurrency, onFailure: task.onItemFailure };
}

/** Compiles a workflow, which is the one at `place` of its runner. */
export function planOf(workflow: WorkflowDefinition, place = 0): Plan {
  const { tasks } = workflow;
  const numbers = new Map(tasks.map((task, number) => [task.id, number]));
  const next: number[][] = tasks.map(() => []);
  const nodes = tasks.map((task, number): Node => {
    const before = task.after.map((id) => numbers.get(id)!);
    for (const dependency of before) next[dependency]!.push(number);
    const reads = task.reads.map((id) => numbers.get(id)!);
    return { id: task.id, task, before, reads, next: next[number]!, on: task.on, items: itemPolicyOf(task) };
  });
  return {
    workflow,
    nodes,
    numbers,
    place,
    result: workflow.result === undefined ? undefined : numbers.get(workflow.result),
    newRecord: recordsOf(numbers.keys()),
  };
}
