/** The fields of a task that folding needs. */
export interface Foldable {
  /** Its id. */
  readonly id: string;
  /** Ids of the tasks it depends on. */
  readonly after: readonly string[];
  /** What it does. */
  readonly kind: string;
  /** How its dependencies must have ended. */
  readonly on: string;
}

/** One box of a drawing: a task, or a group of tasks with the same dependencies. */
export interface Box<Task> {
  /** Its tasks, in their order; never none. */
  readonly tasks: readonly Task[];
  /** The places, in the list of boxes, of those it depends on. */
  readonly after: readonly number[];
}

/**
 * Returns the boxes in which tasks are drawn, dependencies first. More than `most` similar tasks share one box. Tasks are
 * similar if they are of one kind, depend on the same boxes, and the graph below each of them is the same; so a fan of a
 * hundred branches of three tasks becomes three boxes.
 *
 * States do not matter: a drawing that changes its form with every result would be hard to follow.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const task = (id: string, ...after: string[]) => ({ id, after, kind: "task", on: "success" });
 * const fan = [task("a"), task("b1", "a"), task("b2", "a"), task("b3", "a"), task("c", "b1", "b2", "b3")];
 * const boxes = foldTasks(fan, 2).map(({ tasks, after }) => [tasks.map(({ id }) => id), after]);
 * assertEquals(boxes, [[["a"], []], [["b1", "b2", "b3"], [0]], [["c"], [1]]]);
 * ```
 */
export function foldTasks<Task extends Foldable>(tasks: readonly Task[], most: number): readonly Box<Task>[] {
  const above = dependenciesOf(tasks);
  const kinds = kindsDownwards(tasks, above);
  const boxOf: number[] = [];
  const boxes: Box<Task>[] = [];
  // Level by level: the boxes that a task depends on must be complete first.
  for (const level of levelsOf(above)) {
    const groups = new Map<string, { readonly after: readonly number[]; readonly places: number[] }>();
    for (const at of level) {
      const after = [...new Set(above[at]!.map((other) => boxOf[other]!))].sort(ascending);
      const key = `${kinds[at]}:${after}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { after, places: [at] });
      else group.places.push(at);
    }
    for (const { after, places } of groups.values()) {
      for (const together of places.length > most ? [places] : places.map((at) => [at])) {
        for (const at of together) boxOf[at] = boxes.length;
        boxes.push({ tasks: together.map((at) => tasks[at]!), after });
      }
    }
  }
  return boxes;
}

/** The indices of each task's dependencies; ids that do not occur earlier in the list are ignored. */
function dependenciesOf(tasks: readonly Foldable[]): readonly (readonly number[])[] {
  const places = new Map<string, number>();
  return tasks.map(({ id, after }, at) => {
    const known = [...new Set(after)].flatMap((name) => places.get(name) ?? []);
    places.set(id, at);
    return known;
  });
}

/** A number for each task: equal if the graph below is the same. */
function kindsDownwards(tasks: readonly Foldable[], above: readonly (readonly number[])[]): readonly number[] {
  const below: number[][] = tasks.map(() => []);
  for (const [at, others] of above.entries()) for (const other of others) below[other]!.push(at);
  // Numbers instead of nested texts, whose length would double with every level.
  const numbers = new Map<string, number>();
  const kinds: number[] = [];
  for (let at = tasks.length - 1; at >= 0; at--) {
    const { kind, on } = tasks[at]!;
    const text = JSON.stringify([kind, on, ...below[at]!.map((other) => kinds[other]!).sort(ascending)]);
    kinds[at] = numbers.get(text) ?? numbers.size;
    numbers.set(text, kinds[at]!);
  }
  return kinds;
}

function levelsOf(above: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const levels: number[][] = [];
  const levelOf: number[] = [];
  for (const [at, others] of above.entries()) {
    const level = others.reduce((deepest, other) => Math.max(deepest, levelOf[other]! + 1), 0);
    levelOf.push(level);
    (levels[level] ??= []).push(at);
  }
  return levels;
}

function ascending(a: number, b: number): number {
  return a - b;
}
