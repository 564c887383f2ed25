import type { TaskDefinition } from "./definition.ts";
import { lazy } from "./lazy.ts";

/** The tasks of a workflow: an immutable list. */
export interface TaskList {
  /** Returns the task with this id. */
  get(id: string): TaskDefinition | undefined;
  /** Returns the first task that has a limit with this name. */
  limitedBy(name: string): TaskDefinition | undefined;
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
  const log: Log = { tasks: [], places: new Map(), limits: new Map() };
  for (const task of tasks) add(log, task);
  return prefixOf(log, tasks.length);
}

interface Log {
  readonly tasks: TaskDefinition[];
  /** Where a task is, by its id. */
  readonly places: Map<string, number>;
  /** Where the first task with a limit is, by the name of the limit. */
  readonly limits: Map<string, number>;
}

function add({ tasks, places, limits }: Log, task: TaskDefinition): void {
  const place = tasks.push(task) - 1;
  places.set(task.id, place);
  for (const { name } of task.limits) if (!limits.has(name)) limits.set(name, place);
}

function prefixOf(log: Log, size: number): TaskList {
  const toArray = lazy(() => Object.freeze(log.tasks.slice(0, size)));
  const at = (place = size): TaskDefinition | undefined => place < size ? log.tasks[place] : undefined;
  return {
    toArray,
    get: (id) => at(log.places.get(id)),
    limitedBy: (name) => at(log.limits.get(name)),
    append(task) {
      if (log.tasks.length > size) return taskList(toArray()).append(task);
      add(log, task);
      return prefixOf(log, size + 1);
    },
  };
}
