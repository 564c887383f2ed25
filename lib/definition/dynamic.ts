import type { Duration } from "../duration.ts";
import { type Checks, newChecks, shown } from "./checks.ts";
import type { TaskArguments } from "./context.ts";
import type { TaskDefinition, TaskKind, Trigger } from "./definition.ts";
import type { RetryPolicy } from "./retry.ts";
import type { Schema } from "./schema.ts";
import { sortTasks } from "./sort.ts";
import type { FailureEvent, InTransaction, Step, SuccessEvent } from "./steps.ts";
import { taskList } from "./task_list.ts";
import {
  checkDependencies,
  checkResult,
  checkTaskId,
  readSettings,
  readTask,
  TASK_OPTIONS,
  WORKFLOW_OPTIONS,
} from "./validate.ts";
import { Workflow } from "./workflow.ts";

/** A task of a workflow that is generated from data. */
export interface DynamicTask {
  /** Unique in its workflow. */
  readonly id: string;
  /** What it does. @default {undefined} what its other options say */
  readonly kind?: TaskKind;
  /** Runs the body inside of a transaction, which it receives as `tx`: write `...transaction`. */
  readonly transaction?: InTransaction<unknown>;
  /** Tasks that must end first, wherever in the list they stand; their outputs become arguments of `run`. */
  readonly after?: readonly string[];
  /** When to start, by how `after` ended. @default {"success"} none of them failed */
  readonly on?: Trigger;
  /** Skips the task when it answers false; its output is then `undefined` downstream. Asked once, after `on`. */
  readonly when?: (args: TaskArguments) => boolean | Promise<boolean>;
  /** The body. */
  readonly run: (args: TaskArguments) => unknown;
  /** What to do when `run` throws: a number of attempts in all, or a policy. @default {3} attempts, exponential */
  readonly retry?: number | RetryPolicy;
  /** Longest a single attempt may take. */
  readonly timeout?: Duration;
  /**
   * Called after `run` succeeded and its output was stored: at most once, as nobody calls it again if the process dies
   * before. What it throws is logged and changes nothing.
   */
  readonly onSuccess?: (event: SuccessEvent<unknown>) => unknown;
  /** Called after the last attempt failed, as `onSuccess` is after a success. */
  readonly onFailure?: (event: FailureEvent) => unknown;
  /** Stands for the code in the content version: change it when the task behaves differently. */
  readonly version?: string;
}

/** A workflow that is generated from data. */
export interface DynamicDefinition<Name extends string> {
  /** Its name. */
  readonly name: Name;
  /** What it is for. */
  readonly description?: string;
  /** Checks the input: any Standard Schema. */
  readonly input?: Schema;
  /** Tags that each of its runs carries. */
  readonly tags?: readonly string[];
  /** Longest a run may take. */
  readonly timeout?: Duration;
  /** Stands for the code of its tasks in the content version: change it when one behaves differently. */
  readonly version?: string;
  /** Its tasks, in any order. */
  readonly tasks: readonly DynamicTask[];
  /** The task whose output is the result; without it the result is every output by id. */
  readonly returns?: string;
}

/** A workflow of which the compiler knows only the name. */
export type DynamicWorkflow<Name extends string> = Workflow<Name, unknown, Step<string, unknown>, string, unknown>;

/**
 * Defines a workflow from data: the door for graphs that are not known when the program is written. All is checked at
 * run time.
 *
 * @throws {DefinitionError} If anything is wrong; every problem is named, cycles with their path.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const shards = ["eu", "us"].map((region) => ({ id: `load-${region}`, run: () => region.length }));
 * const load = dynamicWorkflow({
 *   name: "load",
 *   tasks: [{ id: "join", after: shards.map((shard) => shard.id), run: ({ status }) => ({ ...status }) }, ...shards],
 * });
 * assertEquals(load.graph.levels, [["load-eu", "load-us"], ["join"]]);
 * ```
 */
export function dynamicWorkflow<const Name extends string>(definition: DynamicDefinition<Name>): DynamicWorkflow<Name> {
  const checks = newChecks();
  const options = checks.options(definition, "definition", DEFINITION_OPTIONS);
  checks.name(options.name, "its name");
  const settings = readSettings(options, checks);
  const tasks = readTasks(options.tasks, checks);
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const candidates = { what: "task of this workflow", has: (id: string) => byId.has(id), ids: () => byId.keys() };
  for (const task of tasks) checkDependencies(task, candidates, checks);
  if (options.returns !== undefined) checkResult(options.returns, candidates, checks);
  const { order, cycles } = sortTasks([...byId.values()]);
  for (const cycle of cycles) {
    // Two ids: a task that depends on itself, which is reported already.
    if (cycle.length > 2) checks.report(`its tasks form a cycle: ${cycle.map((id) => `"${id}"`).join(" → ")}`);
  }
  checks.refuse(options.name);
  return new Workflow({ name: definition.name, settings, tasks: taskList(order), result: definition.returns });
}

const DEFINITION_OPTIONS = [...WORKFLOW_OPTIONS, "name", "tasks", "returns"];
const DYNAMIC_TASK_OPTIONS = [...TASK_OPTIONS, "id", "kind"];

function readTasks(value: unknown, checks: Checks): readonly TaskDefinition[] {
  if (!Array.isArray(value)) {
    checks.report(`tasks must be an array, not ${shown(value)}`);
    return [];
  }
  const taken = new Set<string>();
  return Array.from(value).flatMap((entry: unknown, i) => {
    const options = checks.options(entry, `tasks[${i}]`, DYNAMIC_TASK_OPTIONS);
    if (options !== entry) return []; // no object, which is reported
    const id = checkTaskId(options.id, `tasks[${i}].id`, checks);
    if (id !== "" && taken.has(id)) checks.report(`there is more than one task "${id}"`);
    taken.add(id);
    const kind = checks.word(options.kind, `task "${id}": kind`, KINDS);
    const task = readTask(id, options, checks);
    if (kind !== undefined && kind !== task.kind) {
      checks.report(`task "${id}": kind is "${kind}", and by its other options it is a ${task.kind}`);
    }
    return task;
  });
}

const KINDS: Record<TaskKind, true> = { task: true, transaction: true };
