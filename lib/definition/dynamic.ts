import type { Duration } from "../duration.ts";
import { Workflow } from "./builder.ts";
import type { Startable } from "./child.ts";
import { type Checks, newChecks, type Options, shown } from "./checks.ts";
import type { TaskArguments } from "./context.ts";
import type { Guarantee, OnItemFailure, TaskDefinition, TaskKind, Trigger } from "./definition.ts";
import { eventReader } from "./kinds/event.ts";
import type { KindReader } from "./kinds/kind.ts";
import { mapReader } from "./kinds/map.ts";
import { sleepReader } from "./kinds/sleep.ts";
import { subworkflowReader } from "./kinds/subworkflow.ts";
import { taskReader } from "./kinds/task.ts";
import type { Limit, LimitArgs, ResolvedLimit, WhenFull } from "./limit.ts";
import { checkShared } from "./read_limits.ts";
import type { RetryPolicy } from "./retry.ts";
import type { Schema } from "./schema.ts";
import { sortTasks } from "./sort.ts";
import type { FailureEvent, InTransaction, SuccessEvent } from "./specs.ts";
import type { EventStep } from "./steps.ts";
import { taskList } from "./task_list.ts";
import type { Time } from "./time.ts";
import { checkDependencies, checkResult, checkTaskId, readSettings, WORKFLOW_OPTIONS } from "./validate.ts";

/** A task of a workflow that is generated from data. */
export type DynamicTask = DynamicBody | DynamicMap | DynamicSubworkflow | DynamicEvent | DynamicSleep;

/** Options that tasks of all kinds have. */
export interface DynamicOptions {
  /** Unique in the workflow. */
  readonly id: string;
  /** Tasks that must end first, anywhere in the list; their outputs are arguments of the functions of this task. */
  readonly after?: readonly string[];
  /** Further ancestors whose outputs are arguments too; how they ended does not affect whether this task starts. */
  readonly reads?: readonly string[];
  /** How the tasks in `after` must have ended. @default {"success"} none of them failed */
  readonly on?: Trigger;
  /** Evaluated once after `on`; if it returns false, the task is skipped and its output is `undefined`. */
  readonly when?: (args: TaskArguments) => boolean | Promise<boolean>;
  /** Replaces the code in the content version: change it when the task behaves differently. */
  readonly version?: string;
}

/** A task with a body. */
export interface DynamicBody extends DynamicOptions {
  /** The kind of the task. @default {undefined} `"transaction"` with the option `transaction`, otherwise `"task"` */
  readonly kind?: "task" | "transaction";
  /** Runs the body in a transaction, which it receives as `tx`: write `...transaction`. */
  readonly transaction?: InTransaction<unknown>;
  /** The body. */
  readonly run: (args: TaskArguments) => unknown;
  /** What bounds the attempts at the task across all runners: each limit must allow an attempt. At most eight. @default {[]} */
  readonly limits?: readonly Limit<LimitArgs<TaskArguments>>[];
  /** Applied when `run` throws: a total number of attempts, or a policy. @default `defaults` of the runner */
  readonly retry?: number | RetryPolicy;
  /** The maximum duration of an attempt. @default `defaults` of the runner */
  readonly timeout?: Duration;
  /**
   * How often the body runs if its runner dies, loses its lease or is stopped: again, or not again without a decision
   * (`resolve()`). With `"atMostOnce"` the default of `retry` is one attempt. @default {"atLeastOnce"}
   */
  readonly guarantee?: Guarantee;
  /**
   * Called after `run` returned and its output was stored, at most once: not at all if the process dies in between. An
   * error that it throws is logged and has no other effect.
   */
  readonly onSuccess?: (event: SuccessEvent<unknown, TaskArguments>) => unknown;
  /** Called at most once, after the last attempt failed. */
  readonly onFailure?: (event: FailureEvent<TaskArguments>) => unknown;
  /** Reverts what `run` did, which it receives as `output`, after the run has failed or was cancelled. */
  readonly undo?: (args: TaskArguments) => unknown;
}

/** A task that runs a body or a child run for each element of an array; its output is the array of results, in that order. */
export interface DynamicMap extends DynamicOptions {
  /** The kind of the task. */
  readonly kind: "map";
  /** Returns the array; its result is stored once. */
  readonly over: (args: TaskArguments) => unknown;
  /**
   * The maximum number of items of this map that have begun and not ended, at most 10,000.
   * @default {undefined} 10,000, or 1,000 with `workflow`
   */
  readonly concurrency?: number;
  /** What bounds the items across all runners: each limit must allow an item. At most eight. @default {[]} */
  readonly limits?: readonly Limit<LimitArgs<TaskArguments>>[];
  /** What a failed item means. @default {"stop"} */
  readonly onItemFailure?: OnItemFailure;
  /** Runs the body in a transaction, which it receives as `tx`: write `...transaction`. */
  readonly transaction?: InTransaction<unknown>;
  /** The body, called for each element, which it receives as `item`. Excludes `workflow`. */
  readonly run?: (args: TaskArguments) => unknown;
  /** The workflow of the child run of each element; a function for one that is defined later. Excludes `run`. */
  readonly workflow?: Startable | (() => Startable);
  /** Returns the input of the child run of an element. */
  readonly input?: (args: TaskArguments) => unknown;
  /** Reverts what `run` did for an element, which it receives as `output`. */
  readonly undo?: (args: TaskArguments) => unknown;
  /** Applied to `over` and to each item: a total number of attempts, or a policy. @default `defaults` of the runner */
  readonly retry?: number | RetryPolicy;
  /** The maximum duration of an attempt. @default `defaults` of the runner */
  readonly timeout?: Duration;
  /**
   * How often the body runs if its runner dies, loses its lease or is stopped: again, or not again without a decision
   * (`resolve()`). With `"atMostOnce"` the default of `retry` is one attempt. @default {"atLeastOnce"}
   */
  readonly guarantee?: Guarantee;
}

/** A task that starts a run of another workflow and waits for its end; its output is the result of that run. */
export interface DynamicSubworkflow extends DynamicOptions {
  /** The kind of the task. */
  readonly kind: "subworkflow";
  /** The workflow of the child run; a function for one that is defined later. */
  readonly workflow: Startable | (() => Startable);
  /** Returns the input of the child run. */
  readonly input?: (args: TaskArguments) => unknown;
  /** What bounds the child runs across all runners: each limit must allow one. At most eight. @default {[]} */
  readonly limits?: readonly Limit<LimitArgs<TaskArguments>>[];
  /** The key of the child run, or a function that returns it. */
  readonly key?: string | ((args: TaskArguments) => string);
  /** Lower values run first (see `TaskStartOptions`). @default {undefined} the priority of the parent run */
  readonly priority?: number;
  /** Tags of the child run, in addition to those of its workflow. @default {[]} */
  readonly tags?: readonly string[];
  /** The maximum duration of the child run. @default {undefined} the timeout of its workflow */
  readonly timeout?: Duration;
}

/** A task that waits for a message from outside, which is its output. */
export interface DynamicEvent extends DynamicOptions {
  /** The kind of the task. */
  readonly kind: "event";
  /** Validates the payload: any Standard Schema, or `unchecked()`. */
  readonly schema: Schema;
  /** The maximum duration of the wait, after which the output is `undefined`. @default {undefined} no maximum */
  readonly timeout?: Duration;
}

/** A task that waits for a time. Exactly one of `for` and `until` is stated. */
export interface DynamicSleep extends DynamicOptions {
  /** The kind of the task. */
  readonly kind: "sleep";
  /** The duration of the wait, or a function that returns it. */
  readonly for?: Duration | ((args: TaskArguments) => Duration);
  /** The end of the wait, or a function that returns it. Text is ISO 8601 with a zone. */
  readonly until?: Time | ((args: TaskArguments) => Time);
}

/** A workflow that is generated from data. */
export interface DynamicDefinition<Name extends string> {
  /** The name of the workflow. */
  readonly name: Name;
  /** The purpose of the workflow. */
  readonly description?: string;
  /** Validates the input: any Standard Schema. */
  readonly input?: Schema;
  /** Tags of each run. @default {[]} */
  readonly tags?: readonly string[];
  /** The maximum duration of a run, counted from its first claim. @default {undefined} no maximum */
  readonly timeout?: Duration;
  /** What bounds the runs across all runners: each limit must allow a run. At most eight. @default {[]} */
  readonly limits?: readonly Limit<{ readonly input: unknown }>[];
  /** What a start does while a limit of the workflow is full. @default {"wait"} */
  readonly whenFull?: WhenFull;
  /** Replaces the code of all tasks in the content version: change it when a task behaves differently. */
  readonly version?: string;
  /** The tasks, in any order. */
  readonly tasks: readonly DynamicTask[];
  /** The task whose output is the result; without it the result is all outputs by id. */
  readonly returns?: string;
}

/** A workflow whose tasks and input the compiler does not know. */
export type DynamicWorkflow<Name extends string> = Workflow<
  Name,
  unknown,
  EventStep<string, unknown, unknown>,
  string,
  unknown
>;

/**
 * Creates a workflow from data, for graphs that are not known when the program is written. It is validated at run time.
 *
 * @throws {DefinitionError} If the definition is invalid; `problems` lists every problem, a cycle with its path.
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
  checks.name(options["name"], "its name");
  const settings = readSettings(options["name"], { options, checks });
  const tasks = readTasks(options, checks);
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const candidates = {
    what: "a task of this workflow",
    has: (id: string) => byId.has(id),
    after: (id: string) => byId.get(id)?.after ?? [],
    ids: () => byId.keys(),
  };
  for (const task of tasks) checkDependencies(task, candidates, checks);
  checkLimits(tasks, settings.limits, checks);
  if (options["returns"] !== undefined) checkResult(options["returns"], candidates, checks);
  const { order, cycles } = sortTasks([...byId.values()]);
  for (const cycle of cycles) {
    // Two ids are a task that depends on itself, which is reported above.
    if (cycle.length > 2) checks.report(`its tasks form a cycle: ${cycle.map((id) => `"${id}"`).join(" → ")}`);
  }
  checks.refuse(options["name"]);
  return new Workflow({ name: definition.name, settings, tasks: taskList(order), result: definition.returns });
}

/** Checks that limits with one name can share their lanes. */
function checkLimits(tasks: readonly TaskDefinition[], ofWorkflow: readonly ResolvedLimit[], checks: Checks): void {
  const first = new Map<string, TaskDefinition>();
  for (const task of tasks) {
    checkShared(task, { ofWorkflow, limitedBy: (name) => first.get(name) }, checks);
    for (const { name } of task.limits) if (!first.has(name)) first.set(name, task);
  }
}

const DEFINITION_OPTIONS = [...WORKFLOW_OPTIONS, "name", "tasks", "returns"];

function readTasks({ tasks: value, name }: Options, checks: Checks): readonly TaskDefinition[] {
  const workflow = typeof name === "string" ? name : "";
  if (!Array.isArray(value)) {
    checks.report(`tasks must be an array, not ${shown(value)}`);
    return [];
  }
  const taken = new Set<string>();
  return Array.from(value).flatMap((entry: unknown, i) => {
    const options = checks.record(entry, `tasks[${i}]`);
    if (options !== entry) return []; // not an object, which is reported
    const id = checkTaskId(options["id"], `tasks[${i}].id`, checks);
    const kind = checks.word(options["kind"], `task "${id}": kind`, READERS);
    const { label, allowed, read } = READERS[kind ?? "task"];
    checks.allow(options, `tasks[${i}]`, [...allowed(options), "id", "kind"]);
    if (id !== "" && taken.has(id)) checks.report(`there is more than one task "${id}"`);
    taken.add(id);
    const task = read({ id, workflow, what: `${label} "${id}"`, options, checks });
    if (kind !== undefined && kind !== task.kind) {
      checks.report(`task "${id}": kind is "${kind}", and by its other options it is a ${task.kind}`);
    }
    return task;
  });
}

const READERS: Record<TaskKind, KindReader> = {
  task: taskReader,
  transaction: taskReader,
  map: mapReader,
  subworkflow: subworkflowReader,
  event: eventReader,
  sleep: sleepReader,
};
