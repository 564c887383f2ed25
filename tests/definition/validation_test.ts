import { assertEquals, assertThrows } from "@std/assert";
import { DefinitionError } from "../../lib/errors.ts";
import { recordsOf } from "../../lib/definition/records.ts";
import { task } from "../../lib/definition/task.ts";
import { workflow } from "../../lib/definition/workflow.ts";
import { test } from "../harness.ts";

const run = () => 1;

/** A workflow as callers without types see it. */
interface Untyped {
  task(id: unknown, options?: unknown): Untyped;
  returns(id: unknown): Untyped;
  readonly tasks: readonly { readonly id: string }[];
}
const untyped = workflow as unknown as (name?: unknown, options?: unknown) => Untyped;
const etl = () => untyped("etl").task("extract", { run }).task("transform", { after: ["extract"], run });

function problemsOf(define: () => unknown): readonly string[] {
  return assertThrows(define, DefinitionError).problems;
}
const taskProblems = (id: unknown, options?: unknown) => problemsOf(() => etl().task(id, options));
const optionProblems = (options: object) => taskProblems("load", { run, ...options });

test("every problem of a task is named at once, and the workflow with them", () => {
  const define = () =>
    etl().task("extract", { after: ["transfrom", "extract"], on: "anyFaild", retries: 3, timeout: "5 minutes" });
  const error = assertThrows(define, DefinitionError);
  assertEquals(error.problems, [
    'there is already a task "extract"',
    'task "extract": unknown option "retries" (did you mean "retry"?)',
    'task "extract": on must be one of "success", "allSucceeded", "settled", "anySucceeded", "anyFailed", "allFailed", not "anyFaild" ' +
    '(did you mean "anyFailed"?)',
    'task "extract" has no `run`',
    'task "extract": timeout is not a duration: "5 minutes" (use milliseconds or "250ms", "30s", "5m", "2h", "7d")',
    'task "extract" depends on "transfrom", which is not an earlier task (did you mean "transform"?)',
    'task "extract" depends on itself',
  ]);
  assertEquals(error.message, `Cannot define workflow "etl": ${error.problems.join("; ")}`);
  assertEquals(error.code, "invalid_definition");
});

test("a task id is text of 1 to 200 characters that is not taken by an argument", () => {
  assertEquals(taskProblems(5, { run }), ["a task id must be a string, not 5"]);
  assertEquals(taskProblems(undefined, { run }), ["a task id must be a string, not undefined"]);
  assertEquals(taskProblems("", { run }), ["a task id must not be empty"]);
  assertEquals(taskProblems(" ", { run }), ["a task id must not be empty"]);
  assertEquals(taskProblems("a\nb", { run }), ['a task id must not contain control characters: "a\\nb"']);
  assertEquals(taskProblems("a\u0000", { run }), ['a task id must not contain control characters: "a\\u0000"']);
  assertEquals(taskProblems("\ud800", { run }), ['a task id must not contain control characters: "\\ud800"']);
  assertEquals(taskProblems("x".repeat(201), { run }), [
    `a task id must not be longer than 200 characters: "${"x".repeat(60)}…"`,
  ]);
  assertEquals(etl().task("x".repeat(200), { run }).tasks.length, 3);
  assertEquals(etl().task("größe 🙂 \"'", { run }).tasks.length, 3);
  for (const id of ["input", "ctx", "status", "item", "index", "output", "tx"]) {
    assertEquals(taskProblems(id, { run }), [`a task id must not be "${id}": it names a task argument`]);
  }
});

test("ids that every object has are ids like any other, but __proto__ is refused", () => {
  const ids = ["constructor", "toString", "hasOwnProperty", "valueOf", "prototype", "length", "then"];
  let odd = untyped("odd");
  for (const id of ids) {
    assertThrows(() => odd.returns(id), DefinitionError);
    assertThrows(() => odd.task("x", { after: [id], run }), DefinitionError);
    odd = odd.task(id, { after: odd.tasks.map((task) => task.id), run }).returns(id);
  }
  assertEquals(odd.tasks.map((task) => task.id), ids);
  assertEquals(taskProblems("__proto__", { run }), [
    'a task id must not be "__proto__", which is reserved by JavaScript',
  ]);
});

test("records for ids that every object has inherit nothing", () => {
  const outputs = recordsOf(["load", "toString"])();
  assertEquals([outputs["toString"], outputs["load"]], [undefined, undefined]);
  outputs["toString"] = 1;
  assertEquals(Object.entries({ ...outputs }), [["toString", 1]]);
  assertEquals(Object.getPrototypeOf(recordsOf(["load"])()), Object.prototype);
});

test("after is a list of distinct ids of earlier tasks", () => {
  assertEquals(optionProblems({ after: "extract" }), [
    'task "load": after must be an array of task ids, not "extract"',
  ]);
  assertEquals(optionProblems({ after: [1, "extract"] }), ['task "load": after[0] must be a string, not 1']);
  assertEquals(optionProblems({ after: ["extract", "extract"] }), [
    'task "load": after names "extract" more than once',
  ]);
  assertEquals(optionProblems({ after: ["zzz"] }), ['task "load" depends on "zzz", which is not an earlier task']);
});

test("functions are functions", () => {
  assertEquals(taskProblems("load", {}), ['task "load" has no `run`']);
  assertEquals(taskProblems("load"), ['task "load" must be an object, not undefined', 'task "load" has no `run`']);
  assertEquals(taskProblems("load", run), [
    'task "load" must be an object, not a function',
    'task "load" has no `run`',
  ]);
  assertEquals(optionProblems({ run: "x", when: true, onSuccess: 1, onFailure: {} }), [
    'task "load": when must be a function, not true',
    'task "load": run must be a function, not "x"',
    'task "load": onSuccess must be a function, not 1',
    'task "load": onFailure must be a function, not an object',
  ]);
});

test("a policy is checked member by member", () => {
  assertEquals(optionProblems({ retry: 0 }), ['task "load": retry: attempts must be a positive integer, not 0']);
  assertEquals(optionProblems({ retry: 1.5 }), ['task "load": retry: attempts must be a positive integer, not 1.5']);
  assertEquals(optionProblems({ retry: Infinity }).length, 1);
  assertEquals(optionProblems({ retry: "3" }), ['task "load": retry must be an object, not "3"']);
  assertEquals(
    optionProblems({
      retry: { attempts: "3", attemts: 3, backoff: "expo", delay: "x", maxDelay: -1, jitter: 0.5, retryIf: /x/ },
    }),
    [
      'task "load": retry: unknown option "attemts" (did you mean "attempts"?)',
      'task "load": retry: attempts must be a positive integer, not "3"',
      'task "load": retry: jitter must be true or false, not 0.5',
      'task "load": retry: delay is not a duration: "x" (use milliseconds or "250ms", "30s", "5m", "2h", "7d")',
      'task "load": retry: maxDelay is not a duration: -1 (use milliseconds or "250ms", "30s", "5m", "2h", "7d")',
      'task "load": retry: backoff must be one of "exponential", "linear", "fixed", not "expo"',
      'task "load": retry: retryIf must be a function, not an object',
    ],
  );
  assertEquals(optionProblems({ retry: { delay: "5s", maxDelay: "1s" } }), [
    'task "load": retry: maxDelay (1000 ms) must not be shorter than delay (5000 ms)',
  ]);
});

test("a time limit is longer than zero, and a stated version is text", () => {
  assertEquals(optionProblems({ timeout: 0, version: 3 }), [
    'task "load": version must be a string, not 3',
    'task "load": timeout must be longer than zero',
  ]);
  assertEquals(optionProblems({ version: "" }), ['task "load": version must not be empty']);
});

test("options that are undefined are options left out", () => {
  const options = { after: undefined, on: undefined, when: undefined, retry: undefined, timeout: undefined, run };
  assertEquals(etl().task("load", options).tasks.length, 3);
});

test("a workflow's name and options are checked, all at once", () => {
  assertEquals(problemsOf(() => untyped()), ["its name must be a string, not undefined"]);
  assertEquals(problemsOf(() => untyped("")), ["its name must not be empty"]);
  assertEquals(problemsOf(() => untyped("a\tb")), ['its name must not contain control characters: "a\\tb"']);
  assertEquals(problemsOf(() => untyped("x".repeat(201))).length, 1);
  assertEquals(problemsOf(() => untyped("w", null)), ["options must be an object, not null"]);
  assertEquals(
    problemsOf(() =>
      untyped(" ", { desc: 1, description: 2, input: {}, tags: ["a", 3, "", "a"], timeout: 0, version: 4 })
    ),
    [
      "its name must not be empty",
      'options: unknown option "desc"',
      "input must be a Standard Schema, such as one of zod, valibot or arktype, not an object",
      "tags[1] must be a string, not 3",
      'tags names "a" more than once',
      "a tag must not be empty",
      "description must be a string, not 2",
      "timeout must be longer than zero",
      "version must be a string, not 4",
    ],
  );
});

test("the result is a task of the workflow", () => {
  assertEquals(problemsOf(() => etl().returns("transfrom")), [
    'returns names "transfrom", which is not a task of this workflow (did you mean "transform"?)',
  ]);
  assertEquals(problemsOf(() => etl().returns(undefined)), [
    "returns names undefined, which is not a task of this workflow",
  ]);
});

test("a body away from any workflow is checked where it is written", () => {
  const untypedTask = task as unknown as (body: unknown) => unknown;
  assertThrows(
    () => untypedTask({ retries: 3, retry: 0, after: ["a"], version: 1 }),
    TypeError,
    'Cannot define task: unknown option "retries" (did you mean "retry"?); unknown option ' +
      '"after"; it has no `run`; retry: attempts must be a positive integer, not 0; version must be a string, not 1',
  );
  const double = task({ retry: 2, run: ({ n }: { n: number }) => n * 2 });
  assertEquals(double.run({ n: 4 }), 8);
});

test("workflows are values: adding to one leaves it as it is, and two branches do not see each other", () => {
  const base = workflow("w").task("a", { run });
  const left = base.task("left", { after: ["a"], run });
  const right = base.task("right", { after: ["a"], run }).task("left", { after: ["right"], run });
  const idsOf = ({ tasks }: { readonly tasks: readonly { readonly id: string }[] }) => tasks.map((task) => task.id);
  assertEquals([base, left, right, left.task("b", { run }), base].map(idsOf), [
    ["a"],
    ["a", "left"],
    ["a", "right", "left"],
    ["a", "left", "b"],
    ["a"],
  ]);
  assertEquals(right.graph.dependencies("left"), ["right"]);
});

test("a definition cannot be changed, not even through the arrays it was made from", () => {
  const after: ["a"] = ["a"];
  const tags = ["x"];
  const defined = workflow("w", { tags }).task("a", { run }).task("b", { after, run });
  after[0] = "b" as "a";
  tags.push("y");
  assertEquals([defined.tasks[1]!.after, defined.tags], [["a"], ["x"]]);
  for (const value of [defined, defined.tasks, defined.tasks[1]!, defined.tasks[1]!.after, defined.tasks[1]!.retry]) {
    assertEquals(Object.isFrozen(value), true);
  }
});

test("a result once chosen stays chosen when tasks are added", () => {
  assertEquals(workflow("w").task("a", { run }).returns("a").task("b", { run }).result, "a");
});

test("reads is a list of distinct ids of ancestors that after does not name", () => {
  assertEquals(optionProblems({ reads: "extract" }), [
    'task "load": reads must be an array of task ids, not "extract"',
  ]);
  assertEquals(optionProblems({ after: ["transform"], reads: ["extract", "extract"] }), [
    'task "load": reads names "extract" more than once',
  ]);
  assertEquals(optionProblems({ after: ["transform"], reads: ["extrct", "load"] }), [
    'task "load" reads "extrct", which is not an earlier task (did you mean "extract"?)',
    'task "load" reads its own output',
  ]);
  assertEquals(optionProblems({ after: ["extract"], reads: ["transform"] }), [
    'task "load" reads "transform", which is not one of its ancestors; name it in after',
  ]);
  assertEquals(optionProblems({ reads: ["transform"] }), [
    'task "load" reads "transform", which is not one of its ancestors; name it in after',
  ]);
  const { tasks } = workflow("w").task("a", { run }).task("b", { after: ["a"], run }).task("c", { after: ["b"], run })
    .task("d", { after: ["c"], reads: ["a", "c"], run });
  assertEquals(tasks.at(-1)?.reads, ["a"]);
});
