import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { DefinitionError } from "../../lib/errors.ts";
import type { Child } from "../../lib/definition/child.ts";
import { dynamicWorkflow } from "../../lib/definition/dynamic.ts";
import { unchecked } from "../../lib/definition/schema.ts";
import { workflow } from "../../lib/definition/workflow.ts";
import { test } from "../harness.ts";

const run = () => 1;
const shipping = workflow("shipping").task("send", { run });
const untyped = workflow as unknown as (name: string) => {
  subworkflow(id: unknown, options?: unknown): { readonly tasks: readonly unknown[] };
  map(id: unknown, options?: unknown): unknown;
};
const problems = (options: unknown) =>
  assertThrows(() => untyped("w").subworkflow("ship", options), DefinitionError).problems;
const mapProblems = (options: unknown) =>
  assertThrows(() => untyped("w").map("ship", options), DefinitionError).problems;

test("a subworkflow has a workflow, and its other options are checked", () => {
  assertEquals(problems({}), ['subworkflow "ship" has no `workflow`']);
  assertEquals(problems({ workflow: "shipping" }), [
    'subworkflow "ship": workflow must be a workflow or a function that returns one, not "shipping"',
  ]);
  assertEquals(
    problems({ workflow: shipping, input: {}, key: "", priority: 1.5, tags: ["a", 1], timeout: 0, retry: 3 }),
    [
      'subworkflow "ship": unknown option "retry"',
      'subworkflow "ship": input must be a function, not an object',
      'subworkflow "ship": key must be text of 1 to 500 characters, not ""',
      'subworkflow "ship": priority must be an integer from -32768 to 32767, not 1.5',
      'subworkflow "ship": tags[1] must be a string, not 1',
      'subworkflow "ship": timeout must be longer than zero',
    ],
  );
});

test("a child run has the options that are stated, and is started once", () => {
  const [stated, plain] = workflow("w")
    .subworkflow("a", { workflow: shipping, key: "k", priority: -3, tags: ["t"], timeout: "1h" })
    .subworkflow("b", { workflow: () => shipping, key: () => "k" }).tasks;
  if (stated?.kind !== "subworkflow" || plain?.kind !== "subworkflow") throw new Error("not subworkflows");
  const { key, priority, tags, childTimeoutMs, timeoutMs, retry, input } = stated;
  assertEquals([key, priority, tags, childTimeoutMs, timeoutMs, retry?.attempts, input], [
    "k",
    -3,
    ["t"],
    3_600_000,
    undefined,
    1,
    undefined,
  ]);
  assertEquals([plain.priority, plain.tags, typeof plain.key], [undefined, [], "function"]);
  assertEquals([stated.workflow(), plain.workflow()], [shipping, shipping]);
});

test("a function may name the workflow itself, and is called when the workflow is needed", () => {
  const tree = workflow("tree", { input: unchecked<number>() })
    .subworkflow("less", {
      when: ({ input }) => input > 0,
      workflow: (): Child<number, number> => tree,
      input: ({ input }) => input - 1,
    })
    .task("n", { after: ["less"], run: ({ less }) => (less ?? 0) + 1 })
    .returns("n");
  const [less] = tree.tasks;
  assertEquals(less?.kind === "subworkflow" && less.workflow() === tree, true);
  assertEquals(tree.version.length, 16);
  const wrong = untyped("w").subworkflow("ship", { workflow: () => "shipping" }).tasks[0];
  assertThrows(
    () => (wrong as { workflow(): unknown }).workflow(),
    TypeError,
    'Cannot start a child run of subworkflow "ship": its workflow is "shipping", not a workflow',
  );
});

test("a map runs a body or child runs, not both", () => {
  const over = () => [1];
  assertEquals(mapProblems({ over }), ['map "ship" has no `run` and no `workflow`; state one']);
  assertEquals(mapProblems({ over, run, workflow: shipping }), [
    'map "ship" has both `run` and `workflow`; leave one out',
  ]);
  assertEquals(mapProblems({ over, run, input: run }), ['map "ship": input is only for a map with `workflow`']);
  assertEquals(mapProblems({ over, workflow: shipping, retry: 3, key: "k" }), [
    'map "ship": unknown option "retry"',
    'map "ship": unknown option "key"',
  ]);
  const [map] = workflow("w").map("ship", { over, workflow: shipping }).tasks;
  assertEquals(map?.kind === "map" && map.each.kind === "subworkflow" && map.each.workflow(), shipping);
});

test("the name of a child and its policies are part of the structure, and its functions of the version", () => {
  const billing = workflow("billing").task("send", { run });
  const parents = [
    workflow("w").subworkflow("a", { workflow: shipping }),
    workflow("w").subworkflow("a", { workflow: billing }),
    workflow("w").subworkflow("a", { workflow: shipping, key: "k" }),
    workflow("w").subworkflow("a", { workflow: shipping, key: () => "k" }),
    workflow("w").subworkflow("a", { workflow: shipping, priority: 1 }),
    workflow("w").subworkflow("a", { workflow: shipping, tags: ["t"] }),
    workflow("w").subworkflow("a", { workflow: shipping, timeout: "1h" }),
    workflow("w").map("a", { over: () => [1], workflow: shipping }),
    workflow("w").map("a", { over: () => [1], workflow: billing }),
  ];
  assertEquals(new Set(parents.map(({ structure }) => structure)).size, parents.length);
  // The version of the child is its own: a run records the version that it started with.
  const newer = workflow("shipping").task("send", { run: () => 2 });
  assertEquals(workflow("w").subworkflow("a", { workflow: () => newer }).version, parents[0]?.version);
  const other = workflow("w").subworkflow("a", { workflow: shipping, input: () => undefined });
  assertEquals(other.structure, parents[0]?.structure);
  assertNotEquals(other.version, parents[0]?.version);
  const generated = dynamicWorkflow({ name: "w", tasks: [{ id: "a", kind: "subworkflow", workflow: shipping }] });
  assertEquals([generated.version, generated.toMermaid()], [parents[0]?.version, 'flowchart TD\n  t0[["a"]]\n']);
});
