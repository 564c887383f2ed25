import type { ChildDefinition, TaskDefinition } from "../../definition/definition.ts";
import { NO_ITEM } from "./run_state.ts";

/** Returns how a unit of a task starts a child run: the task itself, or its items; `undefined` if it starts none. */
export function childDefinitionOf(task: TaskDefinition, item: number): ChildDefinition | undefined {
  const starts = task.kind === "map" && item !== NO_ITEM ? task.each : task;
  return starts.kind === "subworkflow" ? starts : undefined;
}
