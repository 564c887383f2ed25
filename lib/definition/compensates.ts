import type { ChildDefinition, TaskDefinition, WorkflowDefinition } from "./definition.ts";

/** Whether a run of a workflow may have something to undo: itself, or in its child runs. */
export function compensates(workflow: WorkflowDefinition): boolean {
  // A set visits what is added to it while it is visited: workflows may start each other.
  const found = new Set([workflow]);
  for (const { tasks } of found) {
    for (const task of tasks) {
      if (undoOf(task) !== undefined) return true;
      const child = workflowOf(childOf(task));
      if (child !== undefined) found.add(child);
    }
  }
  return false;
}

/** Whether a task, or its items, may have something to undo. */
export function mayUndo(task: TaskDefinition): boolean {
  if (undoOf(task) !== undefined) return true;
  const child = workflowOf(childOf(task));
  return child !== undefined && compensates(child);
}

function undoOf(task: TaskDefinition): unknown {
  const body = task.kind === "map" ? task.each : task;
  return body.kind === "task" || body.kind === "transaction" ? body.undo : undefined;
}

function childOf(task: TaskDefinition): ChildDefinition | undefined {
  const starts = task.kind === "map" ? task.each : task;
  return starts.kind === "subworkflow" ? starts : undefined;
}

/** A function that does not return a workflow is reported when the workflow is registered. */
function workflowOf(child: ChildDefinition | undefined): WorkflowDefinition | undefined {
  try {
    return child?.workflow();
  } catch {
    return undefined;
  }
}
