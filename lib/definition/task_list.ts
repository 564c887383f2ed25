import type { TaskDefinition } from "./definition.ts";
import { lazy } from "./lazy.ts";

/** The tasks of a workflow value: adding one gives another list and leaves this one as it is. */
export interface TaskList {
  /** Whether a task of that id is in it. */
  has(id: string): boolean;
  /** This list and one more task. */
  append(task: TaskDefinition): TaskList;
  /** Its tasks, as they were added; frozen. */
  toArray(): readonly TaskDefinition[];
}

/**
 * A list of tasks to begin with.
 *
 * Lists that grow from each other share one log, of which each sees its beginning: a chain of n tasks costs n steps,
 * where copies would cost n². Only a second branch from the same list copies.
 */
export function taskList(tasks: readonly TaskDefinition[]): TaskList {
  return beginning({ tasks: [...tasks], places: new Map(tasks.map((task, i) => [task.id, i])) }, tasks.length);
}

interface Log {
  readonly tasks: TaskDefinition[];
  readonly places: Map<string, number>;
}

function beginning(log: Log, size: number): TaskList {
  const toArray = lazy(() => Object.freeze(log.tasks.slice(0, size)));
  return {
    toArray,
    has: (id) => (log.places.get(id) ?? size) < size,
    append(task) {
      if (log.tasks.length > size) return taskList(toArray()).append(task);
      log.places.set(task.id, size);
      log.tasks.push(task);
      return beginning(log, size + 1);
    },
  };
}
