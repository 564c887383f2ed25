import { shown } from "../checks.ts";
import type { ChildDefinition, SubworkflowDefinition, TaskFunction, WorkflowDefinition } from "../definition.ts";
import { lazy } from "../lazy.ts";
import { readTaskLimits } from "../read_limits.ts";
import { ONE_ATTEMPT } from "../retry.ts";
import { GRAPH_OPTIONS, readGraphOptions, refuseUndo } from "./graph_options.ts";
import type { KindReader, TaskSource } from "./kind.ts";

/** Reads tasks that start a child run. */
export const subworkflowReader: KindReader = {
  label: "subworkflow",
  allowed: () => ALLOWED,
  read(source): SubworkflowDefinition {
    const { what, options, checks } = source;
    const { key, priority, tags, timeout } = options;
    refuseUndo(source);
    if (options["workflow"] === undefined) checks.report(`${what} has no \`workflow\``);
    return Object.freeze({
      ...readGraphOptions(source),
      kind: "subworkflow",
      ...readChild(source),
      key: typeof key === "function" ? checks.fn<TaskFunction>(key, what) : checks.key(key, `${what}: key`),
      priority: checks.priority(priority, `${what}: priority`),
      tags: checks.tags(tags, `${what}: tags`),
      childTimeoutMs: checks.timeout(timeout, `${what}: timeout`),
      limits: readTaskLimits(source),
      retry: ONE_ATTEMPT,
      timeoutMs: undefined,
      onSuccess: undefined,
      onFailure: undefined,
    });
  },
};

const ALLOWED: readonly string[] = [
  ...GRAPH_OPTIONS,
  "limits",
  "undo",
  "workflow",
  "input",
  "key",
  "priority",
  "tags",
  "timeout",
];

/** Reads the options `workflow` and `input`. */
export function readChild({ what, options, checks }: TaskSource): Pick<ChildDefinition, "workflow" | "input"> {
  const { workflow, input } = options;
  return {
    workflow: readWorkflow(workflow, { what, checks }),
    input: checks.fn<TaskFunction>(input, `${what}: input`),
  };
}

function readWorkflow(
  workflow: unknown,
  { what, checks }: Pick<TaskSource, "what" | "checks">,
): () => WorkflowDefinition {
  // The function is called when its result is needed: the workflow may be defined later.
  if (typeof workflow === "function") return lazy(() => workflowOf(workflow(), what));
  if (isWorkflow(workflow)) return () => workflow;
  if (workflow !== undefined) {
    checks.report(`${what}: workflow must be a workflow or a function that returns one, not ${shown(workflow)}`);
  }
  return () => workflowOf(workflow, what);
}

function workflowOf(value: unknown, what: string): WorkflowDefinition {
  if (isWorkflow(value)) return value;
  throw new TypeError(`Cannot start a child run of ${what}: its workflow is ${shown(value)}, not a workflow`);
}

// Not instanceof: a workflow may be created by another copy of this library.
function isWorkflow(value: unknown): value is WorkflowDefinition {
  return typeof value === "object" && value !== null && "name" in value && typeof value.name === "string" &&
    "tasks" in value && Array.isArray(value.tasks) && "structure" in value && "graph" in value;
}
