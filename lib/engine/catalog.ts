import type { TaskDefinition } from "../definition/definition.ts";
import { didYouMean } from "../definition/nearest.ts";
import { type AnyWorkflow, Workflow } from "../definition/workflow.ts";
import { shown } from "../definition/checks.ts";
import { DefinitionError, UnknownWorkflowError } from "../errors.ts";
import type { Served } from "../store/batch.ts";
import { type Plan, planOf } from "./plan.ts";

/** The workflows a runner or client was given. */
export interface Catalog {
  /** What they are, in the words of the store. */
  readonly served: readonly Served[];
  /** All of them. */
  readonly plans: readonly Plan[];
  /** By name. */
  get(name: string): Plan | undefined;
  /**
   * By name or value.
   *
   * @throws {UnknownWorkflowError} If it is none of them; `action` begins the message.
   */
  find(target: unknown, action: string): Plan;
}

/** A workflow as it is stored, so that its runs can be read where its code is not. */
export interface StoredDefinition {
  /** Its name. */
  readonly name: string;
  /** What it is for. */
  readonly description: string | undefined;
  /** The task whose output is the result. */
  readonly result: string | undefined;
  /** Its tasks, dependencies first. */
  readonly tasks: readonly StoredTask[];
}

/** A task as it is stored. */
export interface StoredTask extends Pick<TaskDefinition, "id" | "kind" | "after" | "on" | "timeoutMs"> {
  /** Whether it has a `when`. */
  readonly conditional: boolean;
  /** Tries in all. */
  readonly attempts: number;
}

/**
 * Checks what a runner or client is given.
 *
 * @throws {DefinitionError} If one is no workflow, has no tasks, or two have the same name.
 */
export function catalogOf(workflows: readonly AnyWorkflow[]): Catalog {
  const plans = new Map<string, Plan>();
  for (const [at, workflow] of workflows.entries()) {
    if (!(workflow instanceof Workflow)) {
      throw new DefinitionError("", [`workflows[${at}] is ${shown(workflow)}, not what workflow() answers`]);
    }
    if (workflow.tasks.length === 0) throw new DefinitionError(workflow.name, ["it has no tasks"]);
    if (plans.has(workflow.name)) throw new DefinitionError(workflow.name, ["another workflow has the same name"]);
    plans.set(workflow.name, planOf(workflow, at));
  }
  return {
    plans: [...plans.values()],
    served: [...plans.values()].map(({ workflow: { name, version } }) => ({ workflow: name, version })),
    get: (name) => plans.get(name),
    find,
  };

  function find(target: unknown, action: string): Plan {
    const name = target instanceof Workflow ? target.name : target;
    if (typeof name !== "string") {
      throw new TypeError(`Cannot ${action}: a workflow or its name is needed, not ${shown(target)}`);
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

/** A workflow as it is stored. */
export function storedDefinition(plan: Plan): StoredDefinition {
  const { name, description, result, tasks } = plan.workflow;
  return {
    name,
    description,
    result,
    tasks: tasks.map(({ id, kind, after, on, timeoutMs, when, retry }) => ({
      id,
      kind,
      after,
      on,
      timeoutMs,
      conditional: when !== undefined,
      attempts: retry.attempts,
    })),
  };
}
