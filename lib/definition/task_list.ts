import type { TaskDefinition } from "./definition.ts";
import { lazy } from "./lazy.ts";

/** The tasks of a workflow: an immutable list. */
export interface TaskList {
  /** Returns the task with this id. */
  get(id: string): TaskDefinition | undefined;
  /** Returns a list with one more task. */
  append(task: TaskDefinition): TaskList;
  /** Returns the tasks in the order in which they were added, as a frozen array. */
  toArray(): readonly TaskDefinition[];
}

/**
 * Creates a list of tasks.
 *
 * Lists that grow from each other share one log, of which each sees a prefix: a chain of n tasks costs n steps, where
 * copies would cost n². Only a second append to the same list copies.
 */
export function taskList(tasks: readonly TaskDefinition[]): TaskList {
  return prefixOf({ tasks: [...tasks], places: new Map(tasks.map((task, i) => [task.id, i])) }, tasks.length);
}

interface Log {
  readonly tasks: TaskDefinition[];
  readonly places: Map<string, number>;
}

function prefixOf(log: Log, size: number): TaskList {
  const toArray = lazy(() => Object.freeze(log.tasks.slice(0, size)));
  return {
    toArray,
    get(id) {
      const place = log.places.get(id) ?? size;
      return place < size ? log.tasks[place] : undefined;
    },
    append(task) {
      if (log.tasks.length > size) return taskList(toArray()).append(task);
      log.places.set(task.id, size);
      log.tasks.push(task);
      return prefixOf(log, size + 1);
    },
  };
}
