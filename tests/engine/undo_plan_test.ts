/** The plan of a compensation, against a model that is written independently of it. */
import { assertEquals } from "@std/assert";
import { dynamicWorkflow } from "../../lib/definition/dynamic.ts";
import { planOf } from "../../lib/engine/machine/plan.ts";
import { type Undoable, undoPlanOf } from "../../lib/engine/runs/undo_plan.ts";
import { undoRowOf } from "../../lib/store/shared/undo_rows.ts";
import { test } from "../harness.ts";
import { type Random, randomOf, seedsFrom } from "../random.ts";
import { endsOf, verdictOf } from "./naive_model.ts";
import { type Graph, planOfGraph, randomGraph } from "./random_graph.ts";
import { walk } from "./random_walk.ts";

const GRAPHS = 500;

/** Which tasks of a run have something to undo, and of a task with items which items. */
type Effects = readonly (Undoable | undefined)[];

function effectsOf(graph: Graph, random: Random): Effects {
  return graph.tasks.map(({ items }): Undoable | undefined => {
    if (random.chance(0.4)) return undefined;
    if (items === undefined) return { total: 0, items: [] };
    const done = items.each.flatMap((_, item) => random.chance(0.6) ? [{ first: item, last: item }] : []);
    return done.length === 0 ? undefined : { total: items.each.length, items: done };
  });
}

/** The tasks that depend on a task, directly or through others, as plainly as possible. */
function dependentsOf(graph: Graph, task: number): Set<number> {
  const found = new Set<number>();
  for (let size = -1; size !== found.size;) {
    size = found.size;
    graph.tasks.forEach(({ after }, number) => {
      if (after.some((before) => before === task || found.has(before))) found.add(number);
    });
  }
  return found;
}

function each(check: (graph: Graph, effects: Effects, random: Random) => void): void {
  for (const seed of seedsFrom(9_000_000, GRAPHS)) {
    const random = randomOf(seed);
    const graph = randomGraph(random);
    try {
      check(graph, effectsOf(graph, random), random);
    } catch (error) {
      throw new Error(`SLUICE_TEST_SEED=${seed} repeats this: ${JSON.stringify(graph)}`, { cause: error });
    }
  }
}

test("an undo waits for exactly the undos of what depends on its task, through whatever has none", () => {
  each((graph, effects) => {
    const plan = planOfGraph(graph);
    const undos = undoPlanOf(plan, (_, number) => effects[number]);
    const known = effects.flatMap((effect, number) => effect === undefined ? [] : [number]);
    assertEquals(undos.nodes.map(({ undo }) => undo!.of).toSorted((a, b) => a - b), known);
    assertEquals(undos.nodes.map(({ row }) => row), undos.nodes.map(({ undo }) => undoRowOf(plan.nodes[undo!.of]!.id)));
    const waitsFor: Set<number>[] = [];
    for (const { undo, before } of undos.nodes) {
      // Dependencies come first, so that all that they wait for is known.
      const direct = before.map((number) => undos.nodes[number]!.undo!.of);
      waitsFor.push(new Set([...direct, ...before.flatMap((number) => [...waitsFor[number]!])]));
      const expected = [...dependentsOf(graph, undo!.of)].filter((number) => known.includes(number));
      assertEquals([...waitsFor.at(-1)!].toSorted((a, b) => a - b), expected.toSorted((a, b) => a - b));
    }
    const next = undos.nodes.map((_, at) =>
      undos.nodes.flatMap(({ before }, other) => before.includes(at) ? [other] : [])
    );
    assertEquals(undos.nodes.map((node) => node.next), next);
  });
});

test("of a map, the items without effects are left out and the others begin with the last one", () => {
  each((graph, effects) => {
    const undos = undoPlanOf(planOfGraph(graph), (_, number) => effects[number]);
    for (const { undo, items } of undos.nodes) {
      const { total, omitted, of } = undo!;
      if (graph.tasks[of]!.items === undefined) continue;
      const left = Array.from({ length: total }, (_, item) => item)
        .filter((item) => !omitted.some(({ first, last }) => first <= item && item <= last));
      assertEquals(left, effects[of]!.items.map(({ first }) => first));
      assertEquals([items?.isReversed, items?.onFailure], [true, "finish"]);
    }
  });
});

test("a compensation that is paused, handed back and taken up from its journal carries out every undo once", () => {
  each((graph, effects, random) => {
    const undos = undoPlanOf(planOfGraph(graph), (_, number) => effects[number]);
    if (undos.nodes.length === 0) return;
    const tasks = undos.nodes.map(({ before, undo, items }) => {
      const task = graph.tasks[undo!.of]!;
      const omitted = undo!.omitted.flatMap(({ first, last }) =>
        Array.from({ length: last - first + 1 }, (_, at) => first + at)
      );
      return {
        ...task,
        after: before,
        on: "settled" as const,
        when: undefined,
        whenThrows: 0,
        items: items === undefined ? undefined : { ...items, each: task.items!.each, omitted },
      };
    });
    const compensation: Graph = { tasks, result: undefined };
    const { as, states } = walk(compensation, random, { crashes: true, pauses: true, stops: true });
    const ends = endsOf(compensation);
    // No failure of one keeps another from being carried out.
    assertEquals(ends.includes("skipped"), false);
    assertEquals<unknown>(tasks.map((_, number) => states.get(`${number}`)), ends);
    assertEquals(as, verdictOf(compensation, ends));
  });
});

test("a task without an undo, and a workflow without any, compile to no compensation", () => {
  const plan = planOf(dynamicWorkflow({ name: "w", tasks: [{ id: "a", run: () => 1 }] }));
  assertEquals([plan.compensates, plan.nodes[0]?.mayUndo], [false, false]);
  const other = planOf(dynamicWorkflow({ name: "w", tasks: [{ id: "a", run: () => 1, undo: () => {} }] }));
  assertEquals([other.compensates, other.nodes[0]?.mayUndo], [true, true]);
});
