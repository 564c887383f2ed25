import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { DefinitionError } from "../../lib/errors.ts";
import { dynamicWorkflow } from "../../lib/definition/dynamic.ts";
import { transactionOf } from "../../lib/definition/transaction.ts";
import { workflow } from "../../lib/definition/workflow.ts";
import { test } from "../harness.ts";

const over = () => [1, 2];
const run = () => 1;
const transaction = transactionOf<string>("sqlite");
const untyped = workflow as unknown as (name: string) => { map(id: unknown, options?: unknown): unknown };
const problems = (options: unknown) => assertThrows(() => untyped("w").map("pack", options), DefinitionError).problems;

test("a map has over and a body, and its other options are checked", () => {
  assertEquals(problems({ run })[0], 'map "pack" has no `over`; state a function that returns an array');
  assertEquals(problems({ over: [1], run }), ['map "pack": over must be a function, not an array']);
  assertEquals(problems({ over, run, concurrency: 0, onItemFailure: "ignore", parallelism: 3 }), [
    'map "pack": unknown option "parallelism"',
    'map "pack": concurrency must be a positive integer, not 0',
    'map "pack": onItemFailure must be one of "stop", "finish", "collect", not "ignore"',
  ]);
  for (const concurrency of [1.5, "2", Infinity, NaN]) assertEquals(problems({ over, run, concurrency }).length, 1);
  assertEquals(problems({ over, run, onSuccess: run, onFailure: run }), [
    'map "pack": unknown option "onSuccess"',
    'map "pack": unknown option "onFailure" (did you mean "onItemFailure"?)',
  ]);
});

test("defaults of a map: no bound, stop at the first failed item, the retries of its runner", () => {
  const [map] = workflow("w").map("pack", { over, run }).tasks;
  assertEquals(map?.kind === "map" && [map.concurrency, map.onItemFailure, map.each.kind, map.retry?.attempts], [
    undefined,
    "stop",
    "task",
    undefined,
  ]);
  const [stated] = workflow("w")
    .map("pack", { over, concurrency: 8, onItemFailure: "collect", retry: 5, timeout: "1s", ...transaction, run })
    .tasks;
  assertEquals(stated?.kind === "map" && [stated.concurrency, stated.onItemFailure, stated.retry?.attempts], [
    8,
    "collect",
    5,
  ]);
  assertEquals(stated?.timeoutMs, 1_000);
  assertEquals(stated?.kind === "map" && stated.each.kind === "transaction" && stated.each.database, "sqlite");
  for (const value of [map, map?.kind === "map" && map.each]) assertEquals(Object.isFrozen(value), true);
});

test("policies of a map are part of the structure, and its functions of the version", () => {
  const maps = [
    workflow("w").map("a", { over, run }),
    workflow("w").map("a", { over, run, concurrency: 2 }),
    workflow("w").map("a", { over, run, onItemFailure: "finish" }),
    workflow("w").map("a", { over, run, retry: 4 }),
    workflow("w").map("a", { over, ...transaction, run }),
  ];
  assertEquals(new Set(maps.map(({ structure }) => structure)).size, maps.length);
  const generated = dynamicWorkflow({ name: "w", tasks: [{ id: "a", kind: "map", over, run }] });
  assertEquals(generated.version, maps[0]?.version);
  const otherOver = workflow("w").map("a", { over: () => [3], run });
  const otherRun = workflow("w").map("a", { over, run: () => 2 });
  for (const other of [otherOver, otherRun]) {
    assertEquals(other.structure, maps[0]?.structure);
    assertNotEquals(other.version, maps[0]?.version);
  }
  assertEquals(maps[0]?.toMermaid(), 'flowchart TD\n  t0[/"a"/]\n');
});
