/** The state machine, against a model that is written independently of it, and in examples one can read. */
import { assertEquals } from "@std/assert";
import { test } from "../harness.ts";
import { endsOf, verdictOf } from "./naive_model.ts";
import { type Graph, randomGraph, randomOf } from "./random_graph.ts";
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

test("a run that is closed at any moment ends as it was closed, or as it had ended before", () => {
  walkMany(4, { closes: true, pauses: true, stops: true, crashes: true }, (graph, { as, states }) => {
    const ends = endsOf(graph);
    const wrong = states.filter((state, number) => isEnd(state) && state !== ends[number]);
    assertEquals(wrong, []);
    if (!states.every(isEnd)) assertEquals(as === "completed", false);
  });
});

function expectOutcome(graph: Graph, { as, states }: ReturnType<typeof walk>): void {
  const ends = endsOf(graph);
  assertEquals<unknown>(states, ends);
  assertEquals(as, verdictOf(graph, ends));
}

function walkMany(
  series: number,
  disturbances: Disturbances,
  expect: (graph: Graph, end: ReturnType<typeof walk>) => void,
): void {
  for (let number = 0; number < GRAPHS; number++) {
    const seed = series * 1_000_000 + number;
    const random = randomOf(seed);
    const graph = randomGraph(random);
    try {
      expect(graph, walk(graph, random, disturbances));
    } catch (error) {
      throw new Error(`Seed ${seed}: ${JSON.stringify(graph)}`, { cause: error });
    }
  }
}

function isEnd(state: string | undefined): boolean {
  return state === "completed" || state === "failed" || state === "skipped";
}
