/** The state machine, against a model that is written independently of it, and in examples one can read. */
import { assertEquals } from "@std/assert";
import { test } from "../harness.ts";
import { endOf, endsOf, verdictOf } from "./naive_model.ts";
import { randomOf, seedsFrom } from "../random.ts";
import { type Graph, randomGraph } from "./random_graph.ts";
import { type Disturbances, walk } from "./random_walk.ts";

const GRAPHS = 1_500;

test("random graphs end as the model says, in whatever order things happen", () => {
  walkMany(1, {}, expectOutcome);
});

test("a run that is taken up from its journal at any moment ends as an unbroken one", () => {
  walkMany(2, { crashes: true }, expectOutcome);
});

test("a run that is paused, resumed and handed back at any moment ends as an unbroken one", () => {
  walkMany(3, { pauses: true, stops: true, crashes: true }, expectOutcome);
});

test("a run that is stopped at any moment ends as it was stopped, or as it had ended before", () => {
  walkMany(4, { cancels: true, pauses: true, stops: true, crashes: true }, (graph, { as, states }) => {
    const ends = endsOf(graph);
    const recorded = nodeStates(graph, states);
    const wrong = recorded.filter((state, number) => isEnd(state) && state !== ends[number]);
    assertEquals(wrong, []);
    if (!recorded.every(isEnd)) assertEquals(as === "completed", false);
    expectItems(graph, states);
  });
});

function expectOutcome(graph: Graph, { as, states }: ReturnType<typeof walk>): void {
  const ends = endsOf(graph);
  assertEquals<unknown>(nodeStates(graph, states), ends);
  assertEquals(as, verdictOf(graph, ends));
  expectItems(graph, states);
}

/** Every item that has ended has ended as planned, and all have unless a failure stopped them. */
function expectItems(graph: Graph, states: ReturnType<typeof walk>["states"]): void {
  graph.tasks.forEach(({ items }, node) => {
    const begun = items?.each.map((_, item) => item).filter((item) => !items.omitted.includes(item)) ?? [];
    assertEquals(items?.omitted.filter((item) => states.has(`${node}/${item}`)) ?? [], []);
    const recorded = begun.map((item) => states.get(`${node}/${item}`));
    const wrong = recorded.filter((state, item) => isEnd(state) && state !== endOf(items!.each[begun[item]!]!));
    assertEquals(wrong, []);
    const state = states.get(`${node}`);
    if ((state === "completed" || (state === "failed" && items?.onFailure === "finish")) && recorded.some(isEnd)) {
      assertEquals(recorded.every(isEnd), true);
    }
  });
}

function nodeStates({ tasks }: Graph, states: ReturnType<typeof walk>["states"]): (string | undefined)[] {
  return tasks.map((_, number) => states.get(`${number}`));
}

function walkMany(
  series: number,
  disturbances: Disturbances,
  expect: (graph: Graph, end: ReturnType<typeof walk>) => void,
): void {
  for (const seed of seedsFrom(series * 1_000_000, GRAPHS)) {
    const random = randomOf(seed);
    const graph = randomGraph(random);
    try {
      expect(graph, walk(graph, random, disturbances));
    } catch (error) {
      throw new Error(`SLUICE_TEST_SEED=${seed} repeats this: ${JSON.stringify(graph)}`, { cause: error });
    }
  }
}

function isEnd(state: string | undefined): boolean {
  return state === "completed" || state === "failed" || state === "skipped";
}
