import type { TaskDefinition, WorkflowDefinition } from "../definition/definition.ts";
import { type NewRecord, recordsOf } from "../definition/records.ts";

/** A workflow with its tasks numbered in dependency order: what the state machine works on. */
export interface Plan {
  /** The workflow it was made of. */
  readonly workflow: WorkflowDefinition;
  /** Its tasks; a task's number is its place here. */
  readonly tasks: readonly TaskDefinition[];
  /** Task id to number. */
  readonly numbers: ReadonlyMap<string, number>;
  /** For each task, the numbers of those it waits for. */
  readonly dependencies: readonly (readonly number[])[];
  /** For each task, the numbers of those that wait for it. */
  readonly dependents: readonly (readonly number[])[];
  /** Its place among the workflows of its runner. */
  readonly place: number;
  /** The number of the task whose output is the result, if one was chosen. */
  readonly result: number | undefined;
  /** Makes an empty record that can have its task ids as keys. */
  readonly newRecord: NewRecord;
}

/** Numbers the tasks of a workflow, which is the one at `place` of its runner. */
export function planOf(workflow: WorkflowDefinition, place = 0): Plan {
  const { tasks } = workflow;
  const numbers = new Map(tasks.map((task, number) => [task.id, number]));
  const dependencies = tasks.map((task) => task.after.map((id) => numbers.get(id)!));
  const dependents: number[][] = tasks.map(() => []);
  dependencies.forEach((before, number) => before.forEach((dependency) => dependents[dependency]!.push(number)));
  const newRecord = recordsOf(numbers.keys());
  return {
    workflow,
    tasks,
    numbers,
    dependencies,
    dependents,
    place,
    result: workflow.result === undefined ? undefined : numbers.get(workflow.result),
    newRecord,
  };
}
