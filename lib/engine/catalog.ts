import type { ChildDefinition, TaskDefinition, WorkflowDefinition } from "../definition/definition.ts";
import { compensates, mayUndo } from "../definition/compensates.ts";
import type { ResolvedLimit, WhenFull } from "../definition/limit.ts";
import { didYouMean } from "../definition/nearest.ts";
import { Workflow } from "../definition/builder.ts";
import type { AnyWorkflow } from "../definition/workflow.ts";
import { shown } from "../definition/checks.ts";
import { DefinitionError, UnknownWorkflowError } from "../errors.ts";
import type { Served } from "../store/port/batch.ts";
import { thrownMessage } from "../definition/thrown_message.ts";
import type { Store } from "../store/port/store.ts";
import { childDefinitionOf } from "./machine/child_definition.ts";
import { type AttemptPolicy, type Plan, planOf, type PlanOptions } from "./machine/plan.ts";
import { NO_ITEM } from "./machine/run_state.ts";

/** The workflows that are registered with a runner or client. */
export interface Catalog {
  /** Name and version of each, as the store needs them. */
  readonly served: readonly Served[];
  /** Plans of all workflows. */
  readonly plans: readonly Plan[];
  /** Returns the plan of a workflow by name; `undefined` if it is not registered. */
  get(name: string): Plan | undefined;
  /**
   * Returns the definition of a version; `undefined` if it is not registered. In a runner it has the policies with which
   * tasks are executed, defaults included.
   */
  definition(of: Served): StoredDefinition | undefined;
  /**
   * Returns the plan of a workflow, given by name or value; `action` is the verb of the error message.
   *
   * @throws {UnknownWorkflowError} If the workflow is not registered, or another one of its name is.
   * @throws {TypeError} If the target is neither a workflow nor a string.
   */
  find(target: unknown, action: string): Plan;
}

/** A workflow as it is stored, so that its runs can be read in a process without its code. */
export interface StoredDefinition {
  /** Name of the workflow. */
  readonly name: string;
  /** Description of the workflow. */
  readonly description: string | undefined;
  /** Id of the task whose output is the result; `undefined` if the result is all outputs. */
  readonly result: string | undefined;
  /** What bounds the runs; absent if there are no limits. */
  readonly limits?: readonly StoredLimit[];
  /** What a start does while a limit is full; absent if it waits. */
  readonly whenFull?: WhenFull;
  /** Tasks of the workflow, dependencies first. */
  readonly tasks: readonly StoredTask[];
}

/** A task as it is stored. */
export interface StoredTask extends Pick<TaskDefinition, "id" | "kind" | "after" | "on" | "timeoutMs"> {
  /** Whether the task has a `when`. */
  readonly conditional: boolean;
  /** Number of attempts in all; absent if the task leaves it to the defaults of a runner, which are not known here. */
  readonly attempts?: number;
  /** Whether the task, its items or its child runs may have something to undo; absent if not. */
  readonly undo?: true;
  /** What bounds the attempts, items or child runs; absent if there are no limits. */
  readonly limits?: readonly StoredLimit[];
  /** Name of the workflow of the child runs that the task or its items start. */
  readonly child: string | undefined;
}

/** A limit as it is stored. */
export interface StoredLimit extends Pick<ResolvedLimit, "name" | "max"> {
  /** The period in milliseconds; absent for a limit of concurrency. */
  readonly perMs?: number;
  /** The path of the lane, or `"function"` if it is computed; absent for one lane. */
  readonly key?: readonly string[] | "function";
  /** The share of each key, or `"function"` if it is computed; absent if it is 1. */
  readonly weight?: number | "function";
}

/**
 * Registers workflows, and those of the child runs that their tasks start. `defaults` is the policy of a runner for tasks
 * that state none; a client has none.
 *
 * @throws {DefinitionError} If an element is not a workflow or has no tasks, or two have the same name.
 */
export function catalogOf(workflows: readonly AnyWorkflow[], defaults?: AttemptPolicy): Catalog {
  const plans = new Map<string, Plan>();
  const options = defaults === undefined ? {} : { defaults };
  for (const [at, workflow] of workflows.entries()) {
    if (!(workflow instanceof Workflow)) {
      throw new DefinitionError("", [
        `workflows[${at}] is ${shown(workflow)}, not a workflow that workflow() returned`,
      ]);
    }
    if (workflow.tasks.length === 0) throw new DefinitionError(workflow.name, ["it has no tasks"]);
    if (plans.has(workflow.name)) throw new DefinitionError(workflow.name, ["another workflow has the same name"]);
    plans.set(workflow.name, planOf(workflow, { place: at, ...options }));
  }
  addChildren(plans, options);
  return {
    plans: [...plans.values()],
    served: [...plans.values()].map(({ workflow: { name, version } }) => ({ workflow: name, version })),
    get: (name) => plans.get(name),
    definition({ workflow, version }) {
      const plan = plans.get(workflow);
      if (plan?.workflow.version !== version) return undefined;
      return storedDefinition(plan.workflow, defaults === undefined ? plan.workflow.tasks : plan.nodes);
    },
    find,
  };

  function find(target: unknown, action: string): Plan {
    const name = target instanceof Workflow ? target.name : target;
    if (typeof name !== "string") {
      throw new TypeError(`Cannot ${action}: the target must be a workflow or its name, not ${shown(target)}`);
    }
    const plan = plans.get(name);
    if (plan === undefined) {
      const hint = didYouMean(name, plans.keys());
      throw new UnknownWorkflowError(
        name,
        `Cannot ${action} workflow "${name}": no workflow of that name is registered${hint}`,
      );
    }
    if (target instanceof Workflow && target !== plan.workflow && target.version !== plan.workflow.version) {
      throw new UnknownWorkflowError(
        name,
        `Cannot ${action} workflow "${name}": another workflow of that name is registered`,
      );
    }
    return plan;
  }
}

/** Adds the workflows of child runs, and those of their child runs. */
function addChildren(plans: Map<string, Plan>, options: PlanOptions): void {
  // A map visits what is added to it while it is visited.
  for (const { workflow } of plans.values()) {
    for (const task of workflow.tasks) {
      const starts = startsOf(task);
      if (starts === undefined) continue;
      const child = childOf(starts, task.id, workflow);
      const known = plans.get(child.name);
      if (known === undefined) plans.set(child.name, planOf(child, { place: plans.size, ...options }));
      else if (known.workflow !== child && known.workflow.version !== child.version) {
        throw new DefinitionError(child.name, [
          `another workflow has the same name: that of the child runs of task "${task.id}" of workflow "${workflow.name}"`,
        ]);
      }
    }
  }
}

/** Returns how a task or its items start child runs. */
function startsOf(task: TaskDefinition): ChildDefinition | undefined {
  return childDefinitionOf(task, NO_ITEM) ?? childDefinitionOf(task, 0);
}

function childOf({ workflow }: ChildDefinition, id: string, { name }: WorkflowDefinition): WorkflowDefinition {
  try {
    const child = workflow();
    if (child.tasks.length > 0) return child;
  } catch (error) {
    throw new DefinitionError(name, [`task "${id}": ${thrownMessage(error)}`]);
  }
  throw new DefinitionError(name, [`task "${id}": the workflow of its child run has no tasks`]);
}

/** The definitions of a catalog, for `Store.define`. */
export function definitionsOf({ plans }: Catalog): Parameters<Store["define"]>[0] {
  return plans.map((plan) => ({
    workflow: plan.workflow.name,
    version: plan.workflow.version,
    structure: plan.workflow.structure,
    graph: JSON.stringify(storedDefinition(plan.workflow, plan.workflow.tasks)),
    compensates: compensates(plan.workflow),
  }));
}

/** Converts a workflow, with the policies of its tasks, to the form in which it is stored. */
function storedDefinition(
  { name, description, result, limits, whenFull, tasks }: WorkflowDefinition,
  policies: readonly Pick<TaskDefinition, "retry" | "timeoutMs">[],
): StoredDefinition {
  return {
    name,
    description,
    result,
    ...storedLimits(limits),
    ...(whenFull === "wait" ? {} : { whenFull }),
    tasks: tasks.map((task, at) => {
      const { id, kind, after, on, when } = task;
      const { retry, timeoutMs } = policies[at]!;
      const attempts = retry === undefined ? {} : { attempts: retry.attempts };
      const child = startsOf(task)?.workflow().name;
      const undo = mayUndo(task) ? { undo: true } as const : {};
      const more = { ...attempts, ...undo, ...storedLimits(task.limits) };
      return { id, kind, after, on, timeoutMs, conditional: when !== undefined, ...more, child };
    }),
  };
}

function storedLimits(limits: readonly ResolvedLimit[]): { readonly limits?: readonly StoredLimit[] } {
  if (limits.length === 0) return {};
  return {
    limits: limits.map(({ name, max, perMs, key, weight }) => ({
      name,
      max,
      ...(perMs !== undefined && { perMs }),
      ...(key !== undefined && { key: typeof key === "function" ? "function" : key }),
      ...(weight !== 1 && { weight: typeof weight === "function" ? "function" : weight }),
    })),
  };
}
