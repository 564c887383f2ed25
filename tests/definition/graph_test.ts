import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { UnknownTaskError } from "../../lib/errors.ts";
import { graphOf } from "../../lib/definition/graph.ts";
import type { GraphTask } from "../../lib/definition/graph_task.ts";
import { workflow } from "../../lib/definition/workflow.ts";
import { cpuMs } from "../cpu.ts";
import { test } from "../harness.ts";

const DIAMOND: readonly GraphTask[] = [
  { id: "a", after: [] },
  { id: "b", after: ["a"] },
  { id: "c", after: ["a"] },
  { id: "d", after: ["b", "c"] },
  { id: "e", after: [] },
];

test("levels are by the longest way from a root", () => {
  assertEquals(graphOf(DIAMOND).levels, [["a", "e"], ["b", "c"], ["d"]]);
  const shortcut = [{ id: "x", after: [] }, { id: "y", after: ["x"] }, { id: "z", after: ["x", "y"] }];
  assertEquals(graphOf(shortcut).levels, [["x"], ["y"], ["z"]]);
});

test("roots wait for none, and none waits for leaves", () => {
  assertEquals(graphOf(DIAMOND).roots, ["a", "e"]);
  assertEquals(graphOf(DIAMOND).leaves, ["d", "e"]);
});

test("the order is the declared one where that holds, and else moves dependencies before what needs them first", () => {
  assertEquals(graphOf(DIAMOND).order, ["a", "b", "c", "d", "e"]);
  assertEquals(graphOf(DIAMOND.toReversed()).order, ["e", "a", "b", "c", "d"]);
});

test("dependencies and dependents are the direct ones", () => {
  const graph = graphOf(DIAMOND);
  assertEquals(graph.dependencies("d"), ["b", "c"]);
  assertEquals(graph.dependents("a"), ["b", "c"]);
  assertEquals(graph.dependents("d"), []);
});

test("two tasks can run in parallel unless one waits for the other", () => {
  const graph = graphOf(DIAMOND);
  const parallel = graph.order.flatMap((a) =>
    graph.order.filter((b) => graph.canRunInParallel(a, b)).map((b) => a + b)
  );
  assertEquals(parallel, ["ae", "bc", "be", "cb", "ce", "de", "ea", "eb", "ec", "ed"]);
});

test("a subgraph contains the given tasks and all their dependencies", () => {
  const graph = graphOf(DIAMOND).subgraph(["b", "e"]);
  assertEquals(graph.order, ["a", "b", "e"]);
  assertEquals(graph.leaves, ["b", "e"]);
  assertEquals(graphOf(DIAMOND).subgraph([]).order, []);
});

test("an unknown id is refused, and the nearest suggested", () => {
  const graph = workflow("w").task("extract", { run: () => 1 }).task("load", { run: () => 1 }).graph;
  const ask = [
    () => graph.dependents("extarct"),
    () => graph.dependencies("extarct"),
    () => graph.canRunInParallel("load", "extarct"),
    () => graph.canRunInParallel("extarct", "extarct"),
    () => graph.subgraph(["load", "extarct"]),
  ];
  for (const question of ask) {
    const error = assertThrows(question, UnknownTaskError);
    assertEquals(error.taskId, "extarct");
    assertEquals(
      error.message,
      'Cannot find task "extarct": the workflow has no task of that id (did you mean "extract"?)',
    );
  }
});

test("a graph without tasks works, too", () => {
  const { levels, order, roots, leaves } = workflow("empty").graph;
  assertEquals({ levels, order, roots, leaves }, { levels: [], order: [], roots: [], leaves: [] });
});

test("a cycle is refused when the graph is used", () => {
  const graph = graphOf([{ id: "a", after: ["b"] }, { id: "b", after: ["a"] }]);
  assertThrows(() => graph.levels, RangeError, "Cannot sort the tasks: they form a cycle, a → b → a");
});

test("results are the same objects each time, and cannot be changed", () => {
  const { graph } = workflow("w").task("a", { run: () => 1 });
  const { levels, order } = graph;
  assertStrictEquals(graph.levels, levels);
  assertStrictEquals(graph.order, order);
  assertThrows(() => (graph.order as string[]).push("b"), TypeError);
  assertThrows(() => (graph.levels[0] as string[]).push("b"), TypeError);
});

test("queries of a chain and a fan of 10,000 tasks take less than a second of CPU time", () => {
  const chain = Array.from({ length: 10_000 }, (_, i) => ({ id: `t${i}`, after: i === 0 ? [] : [`t${i - 1}`] }));
  const fan = [...chain.map(({ id }) => ({ id, after: [] })), { id: "join", after: chain.map(({ id }) => id) }];
  const ms = cpuMs(() => {
    for (const tasks of [chain, chain.toReversed(), fan]) {
      const graph = graphOf(tasks);
      assertEquals(graph.order.length, tasks.length);
      assertEquals(graph.levels.flat().length, tasks.length);
      graph.canRunInParallel("t0", "t9999");
      graph.subgraph([graph.leaves[0]!]).levels;
    }
  });
  assertEquals(ms < 1_000, true, `${ms} ms`);
});
