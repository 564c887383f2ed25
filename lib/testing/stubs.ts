/**
 * Stubs: outputs, or functions that return them, in place of tasks. A workflow with stubs is executed under the name and
 * version of the original, so that starts by value and child runs find it.
 *
 * @module
 */
import { Workflow } from "../definition/builder.ts";
import { type Checks, newChecks, shown } from "../definition/checks.ts";
import type { BodyDefinition, ChildDefinition, TaskDefinition, WorkflowDefinition } from "../definition/definition.ts";
import type { TaskArguments, TaskContext, TaskStatus } from "../definition/context.ts";
import { encodeJson } from "../definition/json.ts";
import { didYouMean } from "../definition/nearest.ts";
import { validate } from "../definition/schema.ts";
import { taskList } from "../definition/task_list.ts";
import { partsOf } from "../definition/workflow_value.ts";
import type { AnyWorkflow } from "../definition/workflow.ts";

/** The arguments of a stub: those of the functions of its task. */
export interface StubArguments<Input = unknown> {
  /** The validated input of the run. */
  readonly input: Input;
  /** The context of the attempt. */
  readonly ctx: TaskContext;
  /** How each task that the stubbed task names has ended. */
  readonly status: Readonly<Record<string, TaskStatus>>;
  /** The outputs of those tasks, by id. */
  readonly [id: string]: unknown;
}

/** The output of a task, or a function that returns it. */
export type Stub<Output, Input = unknown> =
  | Output
  | ((args: StubArguments<Input>) => Output | Promise<Output>);

/** Stubs for tasks of a workflow, by id. A `sleep` needs none: it costs no time. */
export type TaskStubs<W extends AnyWorkflow> = {
  readonly [
    // Without `as`, by which the compiler would not know what a function receives while it infers the workflows.
    Id in W["~types"]["steps"]["key"]
  ]?: Stub<
    Extract<W["~types"]["steps"], { readonly id: Id }>["output"],
    W["~types"]["input"]
  >;
};

/** Stubs, by the name of the workflow and the id of the task. */
export type Stubs<W extends AnyWorkflow> = {
  readonly [Name in W["name"]]?: TaskStubs<Extract<W, { readonly name: Name }>>;
};

/** Returns the workflow that is executed in place of another one. */
export type Stubbing = <W extends WorkflowDefinition>(workflow: W) => W;

/**
 * Checks the stubs of workflows, and of the workflows of their child runs.
 *
 * @throws {TypeError} If a stub is for a task that does not exist, or cannot have one, or cannot be stored.
 */
export function createStubbing(workflows: readonly AnyWorkflow[], stubs: unknown): Stubbing {
  const checks = newChecks();
  const known = withChildren(workflows);
  const byWorkflow = new Map<string, ReadonlyMap<string, unknown>>();
  for (const [name, ofTasks] of Object.entries(checks.record(stubs ?? {}, "stubs"))) {
    const workflow = known.get(name);
    if (workflow === undefined) {
      checks.report(`stubs are for workflow "${name}", which is not registered${didYouMean(name, known.keys())}`);
    } else byWorkflow.set(name, readStubs(workflow, ofTasks, checks));
  }
  if (checks.problems.length > 0) throw new TypeError(`Cannot create a test runner: ${checks.problems.join("; ")}`);
  const made = new Map<WorkflowDefinition, WorkflowDefinition>();
  return stubbed as Stubbing;

  function stubbed(workflow: WorkflowDefinition): WorkflowDefinition {
    const before = made.get(workflow);
    if (before !== undefined) return before;
    if (!(workflow instanceof Workflow)) return workflow;
    const ofTasks = byWorkflow.get(workflow.name);
    const tasks = workflow.tasks.map((task) => ofTasks?.has(task.id) === true ? stand(task, ofTasks) : withStubs(task));
    const copy = new Workflow({ ...partsOf(workflow), tasks: taskList(tasks), standsFor: workflow });
    made.set(workflow, copy);
    return copy;
  }

  /** The same task, whose child runs have stubs. Their workflow is asked for when it is needed, as it may be this one. */
  function withStubs(task: TaskDefinition): TaskDefinition {
    const withChild = <Starts extends ChildDefinition>(starts: Starts): Starts => ({
      ...starts,
      workflow: () => stubbed(starts.workflow()),
    });
    if (task.kind === "subworkflow") return withChild(task);
    if (task.kind !== "map" || task.each.kind !== "subworkflow") return task;
    return { ...task, each: withChild(task.each) };
  }
}

/** Returns the workflows and those of their child runs, by name. */
export function withChildren(workflows: readonly WorkflowDefinition[]): ReadonlyMap<string, WorkflowDefinition> {
  const found = new Map<string, WorkflowDefinition>();
  const add = (workflow: unknown): void => {
    if (workflow instanceof Workflow && !found.has(workflow.name)) found.set(workflow.name, workflow);
  };
  for (const workflow of workflows) add(workflow);
  // A map visits what is added to it while it is visited.
  for (const { tasks } of found.values()) {
    for (const task of tasks) {
      const starts = task.kind === "map" ? task.each : task;
      if (starts.kind === "subworkflow") add(attempt(starts.workflow));
    }
  }
  return found;
}

/** A function that does not return a workflow is reported when the runner registers it. */
function attempt(workflow: () => WorkflowDefinition): WorkflowDefinition | undefined {
  try {
    return workflow();
  } catch {
    return undefined;
  }
}

function readStubs(workflow: WorkflowDefinition, value: unknown, checks: Checks): ReadonlyMap<string, unknown> {
  const what = `stubs.${workflow.name}`;
  const stubs = new Map(Object.entries(checks.record(value, what)));
  const ids = workflow.tasks.map(({ id }) => id);
  for (const [id, stub] of stubs) {
    const task = workflow.tasks.find((task) => task.id === id);
    if (task === undefined) {
      checks.report(`${what}: workflow "${workflow.name}" has no task ${shown(id)}${didYouMean(id, ids)}`);
    } else if (task.kind === "sleep") {
      checks.report(`${what}.${id}: a sleep has no output; move the time on with advance()`);
    } else if (typeof stub !== "function") {
      try {
        encodeJson(stub, `${what}.${id}`, Infinity);
      } catch (error) {
        checks.report(error instanceof Error ? error.message : String(error));
      }
    }
  }
  return stubs;
}

/** A task that returns what a stub says. */
function stand(task: TaskDefinition, stubs: ReadonlyMap<string, unknown>): BodyDefinition {
  const stub = stubs.get(task.id);
  const { id, after, reads, on, when, retry, timeoutMs, onSuccess, onFailure, version, limits } = task;
  return {
    ...{ id, after, reads, on, when, retry, timeoutMs, onSuccess, onFailure, version, limits },
    kind: "task",
    guarantee: task.kind === "task" ? task.guarantee : "atLeastOnce",
    // The undo of a transaction needs one, that of an item its item.
    undo: task.kind === "task" ? task.undo : undefined,
    async run(args: TaskArguments) {
      if (task.kind === "subworkflow") {
        const child = task.workflow();
        await validate(child.input, task.input?.(args), `Cannot start workflow "${child.name}"`);
      }
      const output: unknown = await (typeof stub === "function" ? stub(args) : stub);
      checkOutput(task, output);
      // Without a message before its time-out it completes without output.
      const isMessage = task.kind === "event" && !(output === undefined && task.waitMs !== undefined);
      return isMessage ? await validate(task.schema, output, `Cannot stub event "${id}"`) : output;
    },
  };
}

/** What is known of the type of an output at run time. */
function checkOutput(task: TaskDefinition, output: unknown): void {
  if (task.kind === "map" && !Array.isArray(output)) {
    throw new TypeError(`The stub of map "${task.id}" must return its whole output, an array, not ${shown(output)}`);
  }
}
