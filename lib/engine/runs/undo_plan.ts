/**
 * Compiles the compensation of a run: a plan of its own, with a node for each node of the run that has something to undo,
 * and with its edges reversed, through nodes that have nothing to undo. The state machine executes it like any other plan.
 *
 * @module
 */
import type { TaskDefinition, TaskFunction } from "../../definition/definition.ts";
import { NO_LIMITS } from "../../definition/limit.ts";
import { isThenable } from "../../definition/thenable.ts";
import type { ItemRange } from "../../store/port/item_range.ts";
import { undoRowOf } from "../../store/shared/undo_rows.ts";
import type { Node, Plan } from "../machine/plan.ts";

/** The items of a node with something to undo. */
export interface Undoable {
  /** The number of its items; 0 for a node without items. */
  readonly total: number;
  /** Those with something to undo, in ascending order. */
  readonly items: readonly Pick<ItemRange, "first" | "last">[];
}

/** Compiles the compensation of a run, given what there is to undo of each of its nodes. */
export function undoPlanOf(plan: Plan, undoableOf: (node: Node, number: number) => Undoable | undefined): Plan {
  const undoable = plan.nodes.map(undoableOf);
  // Later nodes are undone first.
  const order = [...plan.nodes.keys()].filter((number) => undoable[number] !== undefined).reverse();
  const numbers = new Map(order.map((number, at) => [number, at]));
  const next: number[][] = order.map(() => []);
  const undosAfter = reachable(plan, numbers);
  const nodes = order.map((of, at): Node => {
    const node = plan.nodes[of]!;
    const before = [...undosAfter[of]!].sort((a, b) => a - b);
    for (const dependency of before) next[dependency]!.push(at);
    const { total, items } = undoable[of]!;
    return {
      ...node,
      row: undoRowOf(node.id),
      task: undoTaskOf(node.task),
      before,
      reads: [],
      next: next[at]!,
      limits: NO_LIMITS,
      // A failed undo does not stop the others.
      on: "settled",
      items: node.items === undefined
        ? undefined
        : { ...node.items, isReversed: true, startsAtOnce: false, onFailure: "finish" },
      mayUndo: false,
      undo: { of, total, omitted: complementOf(items, total) },
    };
  });
  return {
    ...plan,
    nodes,
    numbers: new Map(nodes.map(({ id }, number) => [id, number])),
    result: undefined,
    compensates: false,
  };
}

/** For each node of a plan the undos of the nodes after it, of which each comes next on some way. */
function reachable({ nodes }: Plan, undos: ReadonlyMap<number, number>): readonly ReadonlySet<number>[] {
  const found: Set<number>[] = nodes.map(() => new Set());
  for (let number = nodes.length - 1; number >= 0; number--) {
    for (const dependent of nodes[number]!.next) {
      const undo = undos.get(dependent);
      if (undo !== undefined) found[number]!.add(undo);
      else for (const further of found[dependent]!) found[number]!.add(further);
    }
  }
  return found;
}

/** The task of which an attempt at an undo is an attempt: its body is `undo`, and it has no other functions. */
function undoTaskOf(task: TaskDefinition): TaskDefinition {
  const own = { when: undefined, onSuccess: undefined, onFailure: undefined };
  switch (task.kind) {
    case "task":
      return { ...task, ...own, run: undoBody(task.undo), guarantee: "atLeastOnce" };
    case "transaction":
      return { ...task, ...own, run: undoBody(task.undo) };
    case "map":
      return { ...task, ...own, each: undoEach(task.each) };
    case "subworkflow":
    case "event":
    case "sleep":
      return { ...task, ...own };
  }
}

type Each = Extract<TaskDefinition, { readonly kind: "map" }>["each"];

function undoEach(each: Each): Each {
  switch (each.kind) {
    case "task":
      return { ...each, run: undoBody(each.undo), guarantee: "atLeastOnce" };
    case "transaction":
      return { ...each, run: undoBody(each.undo) };
    case "subworkflow":
      return each;
  }
}

/** What an undo returns is not recorded, so it need not be JSON. */
function undoBody(undo: TaskFunction | undefined): TaskFunction {
  return (args) => {
    const returned = undo?.(args);
    return isThenable(returned) ? Promise.resolve(returned).then(() => undefined) : undefined;
  };
}

function complementOf(
  ranges: readonly Pick<ItemRange, "first" | "last">[],
  total: number,
): readonly Pick<ItemRange, "first" | "last">[] {
  const gaps = [];
  let from = 0;
  for (const { first, last } of ranges) {
    if (first > from) gaps.push({ first: from, last: first - 1 });
    from = last + 1;
  }
  return from < total ? [...gaps, { first: from, last: total - 1 }] : gaps;
}
