import type { TaskDefinition, Trigger, WorkflowDefinition } from "../../definition/definition.ts";
import type { ResolvedLimit } from "../../definition/limit.ts";
import { DEFAULT_RETRY, ONE_ATTEMPT, type RetryRule } from "../../definition/retry.ts";
import { mayUndo } from "../../definition/compensates.ts";
import { type NewRecord, recordsOf } from "../../definition/records.ts";
import { mayReadOutputs } from "./read_outputs.ts";
import type { ItemRange } from "../../store/port/item_range.ts";

/** How the items of a map run. */
export interface ItemPolicy {
  /** How many items run at once. */
  readonly concurrency: number;
  /** Whether items start with the last one. */
  readonly isReversed: boolean;
  /** Whether items start before the expansion is durable: they do nothing but insert child runs, in the same commit. */
  readonly startsAtOnce: boolean;
  /**
   * What a failed item means: `stop` aborts the others and fails the task, `finish` runs the others and then fails the
   * task, `collect` never fails it.
   */
  readonly onFailure: "stop" | "finish" | "collect";
}

/** How the attempts at a task are repeated and bounded. */
export interface AttemptPolicy {
  /** Applied when a function of the task throws. */
  readonly retry: RetryRule;
  /** The maximum duration of an attempt. */
  readonly timeoutMs: number | undefined;
}

/** The policy of tasks that state none. */
export const DEFAULT_POLICY: AttemptPolicy = Object.freeze({ retry: DEFAULT_RETRY, timeoutMs: undefined });

/** What a node of a compensation undoes. */
export interface Undo {
  /** Number of the node in the plan of the workflow. */
  readonly of: number;
  /** The number of its items. */
  readonly total: number;
  /** Items with nothing to undo. */
  readonly omitted: readonly Pick<ItemRange, "first" | "last">[];
}

/** What a task compiles to: a point of the graph that the state machine schedules. */
export interface Node extends AttemptPolicy {
  /** Unique in its plan: the id of its task, also in a compensation. */
  readonly id: string;
  /** The name of its rows in the journal. */
  readonly row: string;
  /** The definition behind it. */
  readonly task: TaskDefinition;
  /** Numbers of the nodes that must end first. */
  readonly before: readonly number[];
  /** Numbers of further nodes whose outputs it reads. */
  readonly reads: readonly number[];
  /** Whether its functions may read the outputs of those. */
  readonly readsOutputs: boolean;
  /** Numbers of the nodes that depend on it. */
  readonly next: readonly number[];
  /** How those before it must have ended. */
  readonly on: Trigger;
  /** What bounds its attempts, or those of its items; empty for none. */
  readonly limits: readonly ResolvedLimit[];
  /** For a node that expands into items. */
  readonly items: ItemPolicy | undefined;
  /** Whether it may have something to undo once it has completed. */
  readonly mayUndo: boolean;
  /** What it undoes, in a compensation. */
  readonly undo: Undo | undefined;
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
  /** Whether runs, or their tasks, have limits. */
  readonly isLimited: boolean;
  /** Whether a run may have something to undo. */
  readonly compensates: boolean;
  /** Makes an empty record that can have the ids of the tasks as keys. */
  readonly newRecord: NewRecord;
}

/** The maximum number of items of a map that have begun and not ended, as each of them takes memory. */
const MOST_ITEMS_AT_ONCE = 10_000;

/**
 * The number of child runs of a map that are live at once if it states no `concurrency`: as many as a runner holds by
 * default (`maxRuns`), so that one that is alone owns each from its insert and claims none. Also the number of items of a
 * map with limits that run or wait for a place.
 */
const CHILDREN_AT_ONCE = 1_000;

function itemPolicyOf(task: TaskDefinition): ItemPolicy | undefined {
  if (task.kind !== "map") return undefined;
  const isLimited = task.limits.length > 0;
  const hasChildren = task.each.kind === "subworkflow";
  const startsAtOnce = hasChildren && !isLimited;
  const unstated = hasChildren || isLimited ? CHILDREN_AT_ONCE : MOST_ITEMS_AT_ONCE;
  const concurrency = Math.min(task.concurrency ?? unstated, MOST_ITEMS_AT_ONCE);
  return { concurrency, isReversed: false, startsAtOnce, onFailure: task.onItemFailure };
}

/** Returns what a task states, or else the defaults. Tasks without a body have no defaults. */
function policyOf(task: TaskDefinition, defaults: AttemptPolicy): AttemptPolicy {
  switch (task.kind) {
    case "task":
    case "transaction":
    case "map":
      return { retry: task.retry ?? defaults.retry, timeoutMs: task.timeoutMs ?? defaults.timeoutMs };
    case "subworkflow":
    case "event":
    case "sleep":
      return { retry: task.retry ?? ONE_ATTEMPT, timeoutMs: task.timeoutMs };
  }
}

/** How a workflow is compiled. */
export interface PlanOptions {
  /** Index of the workflow among those of its runner. @default {0} */
  readonly place?: number;
  /** The policy of tasks that state none. @default {DEFAULT_POLICY} */
  readonly defaults?: AttemptPolicy;
}

/** Compiles a workflow. */
export function planOf(
  workflow: WorkflowDefinition,
  { place = 0, defaults = DEFAULT_POLICY }: PlanOptions = {},
): Plan {
  const { tasks } = workflow;
  const numbers = new Map(tasks.map((task, number) => [task.id, number]));
  const next: number[][] = tasks.map(() => []);
  const nodes = tasks.map((task, number): Node => {
    const before = task.after.map((id) => numbers.get(id)!);
    for (const dependency of before) next[dependency]!.push(number);
    const reads = task.reads.map((id) => numbers.get(id)!);
    return {
      id: task.id,
      row: task.id,
      task,
      before,
      reads,
      readsOutputs: mayReadOutputs(task),
      next: next[number]!,
      on: task.on,
      limits: task.limits,
      items: itemPolicyOf(task),
      mayUndo: mayUndo(task),
      undo: undefined,
      ...policyOf(task, defaults),
    };
  });
  return {
    workflow,
    nodes,
    numbers,
    place,
    result: workflow.result === undefined ? undefined : numbers.get(workflow.result),
    isLimited: workflow.limits.length > 0 || nodes.some(({ limits }) => limits.length > 0),
    compensates: nodes.some((node) => node.mayUndo),
    newRecord: recordsOf(numbers.keys()),
  };
}
