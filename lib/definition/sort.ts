/** What sorting needs to know of a task. */
export interface Sortable {
  /** Unique among the tasks. */
  readonly id: string;
  /** Ids of the tasks that come first; unknown ones are passed over. */
  readonly after: readonly string[];
}

/** Tasks with their dependencies first, or the paths of the cycles that forbid it. */
export interface Sorted<Task> {
  /** As they were given, with dependencies moved before the first that needs them where they were not. */
  readonly order: readonly Task[];
  /** Such as `["a", "b", "a"]`; empty when `order` holds. The first few, if there are many. */
  readonly cycles: readonly (readonly string[])[];
}

/** Puts dependencies first; an order in which they already are is kept. */
export function sortTasks<Task extends Sortable>(tasks: readonly Task[]): Sorted<Task> {
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const done = new Set<string>();
  const order: Task[] = [];
  const cycles: string[][] = [];
  for (const task of byId.values()) visit(task);
  return { order, cycles };

  // A stack of our own: a chain of ten thousand tasks is deeper than the engine's.
  function visit(first: Task): void {
    if (done.has(first.id)) return;
    const path = [{ task: first, next: 0 }];
    const onPath = new Map([[first.id, 0]]);
    for (let top = path.at(0); top !== undefined; top = path.at(-1)) {
      const dependency = byId.get(top.task.after[top.next++] ?? "");
      if (top.next > top.task.after.length) {
        path.pop();
        onPath.delete(top.task.id);
        done.add(top.task.id);
        order.push(top.task);
      } else if (dependency === undefined || done.has(dependency.id)) {
        continue;
      } else if (onPath.has(dependency.id)) {
        report(path.slice(onPath.get(dependency.id)).map(({ task }) => task.id), dependency.id);
      } else {
        onPath.set(dependency.id, path.length);
        path.push({ task: dependency, next: 0 });
      }
    }
  }

  // The path goes from dependent to dependency; people read it the other way, as work flows.
  function report(upwards: readonly string[], start: string): void {
    if (cycles.length < MOST_CYCLES) cycles.push([start, ...upwards.toReversed()]);
  }
}

const MOST_CYCLES = 10;
