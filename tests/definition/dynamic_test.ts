import { assertEquals, assertThrows } from "@std/assert";
import { DefinitionError } from "../../lib/errors.ts";
import { dynamicWorkflow } from "../../lib/definition/dynamic.ts";
import { unchecked } from "../../lib/definition/schema.ts";
import { cpuMs } from "../cpu.ts";
import { test } from "../harness.ts";

const run = () => 1;
const untyped = dynamicWorkflow as unknown as (definition?: unknown) => unknown;

function problemsOf(tasks: unknown, more: object = {}): readonly string[] {
  return assertThrows(() => untyped({ name: "w", tasks, ...more }), DefinitionError).problems;
}

test("tasks may stand in any order, and come out with dependencies first", () => {
  const load = dynamicWorkflow({
    name: "load",
    description: "d",
    input: unchecked<{ url: string }>(),
    tags: ["x"],
    timeout: "1h",
    tasks: [
      { id: "join", after: ["eu", "us"], on: "settled", when: () => true, retry: 5, timeout: "2s", run },
      { id: "us", kind: "task", after: ["list"], run },
      { id: "eu", after: ["list"], run },
      { id: "list", run },
    ],
    returns: "join",
  });
  assertEquals(load.tasks.map((task) => task.id), ["list", "eu", "us", "join"]);
  assertEquals(load.graph.levels, [["list"], ["eu", "us"], ["join"]]);
  const { name, description, tags, timeoutMs, result } = load;
  assertEquals({ name, description, tags, timeoutMs, result }, {
    name: "load",
    description: "d",
    tags: ["x"],
    timeoutMs: 3_600_000,
    result: "join",
  });
  const { on, timeoutMs: taskTimeoutMs, retry } = load.tasks[3]!;
  assertEquals([on, taskTimeoutMs, retry?.attempts], ["settled", 2_000, 5]);
});

test("a cycle is refused with its path", () => {
  const tasks = [
    { id: "a", run },
    { id: "b", after: ["a", "d"], run },
    { id: "c", after: ["b"], run },
    { id: "d", after: ["c"], run },
    { id: "e", after: ["d"], run },
  ];
  assertEquals(problemsOf(tasks), ['its tasks form a cycle: "b" → "c" → "d" → "b"']);
});

test("a task that depends on itself is said once, and two cycles are both said", () => {
  assertEquals(problemsOf([{ id: "a", after: ["a"], run }]), ['task "a" depends on itself']);
  const cycles = problemsOf([
    { id: "a", after: ["b"], run },
    { id: "b", after: ["a"], run },
    { id: "c", after: ["d"], run },
    { id: "d", after: ["c"], run },
  ]);
  assertEquals(cycles, [
    'its tasks form a cycle: "a" → "b" → "a"',
    'its tasks form a cycle: "c" → "d" → "c"',
  ]);
});

test("a cycle of 10,000 tasks does not overflow the stack", () => {
  const tasks = Array.from({ length: 10_000 }, (_, i) => ({ id: `t${i}`, after: [`t${(i + 1) % 10_000}`], run }));
  assertEquals(problemsOf(tasks).length, 1);
});

test("every problem of every task is named at once", () => {
  const tasks = [
    { id: "extract", run },
    { id: "extract", run },
    { id: "load", after: ["extarct"], run, kind: "maps" },
    { id: 5, run },
    { after: ["load"], run, retries: 1 },
    null,
    { id: "input", run },
  ];
  assertEquals(problemsOf(tasks, { returns: "laod", extra: 1, tags: "x" }), [
    'definition: unknown option "extra"',
    'tags must be an array of strings, not "x"',
    'there is more than one task "extract"',
    'task "load": kind must be one of "task", "transaction", "map", "subworkflow", "event", "sleep", not "maps" (did you mean "map"?)',
    "tasks[3].id must be a string, not 5",
    "tasks[4].id must be a string, not undefined",
    'tasks[4]: unknown option "retries" (did you mean "retry"?)',
    "tasks[5] must be an object, not null",
    'tasks[6].id must not be "input": it names a task argument',
    'task "load" depends on "extarct", which is not a task of this workflow (did you mean "extract"?)',
    'returns names "laod", which is not a task of this workflow (did you mean "load"?)',
  ]);
});

test("an invalid definition is refused", () => {
  assertThrows(() => untyped(), DefinitionError, "definition must be an object, not undefined");
  assertEquals(problemsOf({}), ["tasks must be an array, not an object"]);
  assertEquals(problemsOf(new Array(1)).length > 0, true);
  assertThrows(() => untyped({ tasks: [] }), DefinitionError, "its name must be a string, not undefined");
});

test("10,000 tasks are defined within a second of CPU time", () => {
  const tasks = Array.from({ length: 10_000 }, (_, i) => ({ id: `t${i}`, after: i ? [`t${i - 1}`] : [], run }));
  const ms = cpuMs(() => assertEquals(dynamicWorkflow({ name: "w", tasks: tasks.toReversed() }).version.length, 16));
  assertEquals(ms < 1_000, true, `${ms} ms`);
});

test("a task that is generated reads its ancestors only", () => {
  const tasks = [
    { id: "d", after: ["c"], reads: ["a", "b", "d"], run },
    { id: "c", after: ["a"], run },
    { id: "b", run },
    { id: "a", run },
  ];
  assertEquals(problemsOf(tasks), [
    'task "d" reads "b", which is not one of its ancestors; name it in after',
    'task "d" reads its own output',
  ]);
  const reader = { id: "d", after: ["c"], reads: ["a"], run };
  const { tasks: sorted } = dynamicWorkflow({ name: "w", tasks: [reader, ...tasks.slice(1)] });
  assertEquals(sorted.map(({ id, reads }) => [id, reads]), [["a", []], ["c", []], ["d", ["a"]], ["b", []]]);
});
