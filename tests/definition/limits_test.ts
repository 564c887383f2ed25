import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { DefinitionError } from "../../lib/errors.ts";
import { dynamicWorkflow } from "../../lib/definition/dynamic.ts";
import { keyOf, NO_LIMITS, type ResolvedLimit, weightOf } from "../../lib/definition/limit.ts";
import { unchecked } from "../../lib/definition/schema.ts";
import { task } from "../../lib/definition/task.ts";
import { transactionOf } from "../../lib/definition/transaction.ts";
import { workflow } from "../../lib/definition/workflow.ts";
import { catalogOf, definitionsOf } from "../../lib/engine/catalog.ts";
import { test } from "../harness.ts";

const run = () => 1;
const over = () => [1];
const child = workflow("child").task("a", { run });
const transaction = transactionOf<string>("sqlite");

/** A workflow as plain JavaScript sees it. */
interface Untyped {
  task(id: string, options: unknown): Untyped;
  map(id: string, options: unknown): Untyped;
  subworkflow(id: string, options: unknown): Untyped;
  event(id: string, options: unknown): Untyped;
  sleep(id: string, options: unknown): Untyped;
}
const untyped = workflow as unknown as (name: string, options?: unknown) => Untyped;
const untypedDynamic = dynamicWorkflow as unknown as (definition: unknown) => unknown;

function problemsOf(define: () => unknown): readonly string[] {
  return assertThrows(define, DefinitionError).problems;
}
const limitProblems = (...limits: readonly unknown[]) => problemsOf(() => untyped("w").task("a", { run, limits }));
const ofWorkflow = (options: unknown) => problemsOf(() => untyped("w", options));

function limitOf(options: Pick<ResolvedLimit, "key"> | Pick<ResolvedLimit, "weight">): ResolvedLimit {
  const of = 'task "pay" of workflow "order"';
  return { name: "db", max: 1, perMs: undefined, key: undefined, weight: 1, of, ...options };
}

test("a limit is resolved with its defaults, and cannot be changed", () => {
  const key = ["acme", "eu"];
  const weight = () => 2;
  const { limits } = workflow("order").task("pay", {
    limits: [{ max: 3 }, { name: "card", key, max: 1_000_000, per: "366d", weight }, { key: "one", max: 1, per: 1 }],
    run,
  }).tasks[0]!;
  key[0] = "other";
  const of = 'task "pay" of workflow "order"';
  assertEquals(limits, [
    { name: "order/pay", max: 3, perMs: undefined, key: undefined, weight: 1, of },
    { name: "card", max: 1_000_000, perMs: 366 * 86_400_000, key: ["acme", "eu"], weight, of },
    { name: "order/pay#2", max: 1, perMs: 1, key: ["one"], weight: 1, of },
  ]);
  for (const value of [limits, limits[1], limits[1]?.key]) assertEquals(Object.isFrozen(value), true);
});

test("tasks, transactions, maps, subworkflows and workflows have limits, named after them", () => {
  const limits = [{ max: 1 }];
  const all = workflow("w", { limits })
    .task("a", { limits, run })
    .task("b", { limits, ...transaction, run })
    .map("c", { over, limits, run })
    .map("d", { over, limits, workflow: child })
    .subworkflow("e", { limits, workflow: child })
    .task("f", { ...task({ limits, run }) });
  assertEquals(all.limits.map(({ name, of }) => [name, of]), [["w", 'workflow "w"']]);
  assertEquals(
    all.tasks.map(({ limits }) => limits.map(({ name, of }) => [name, of])),
    ["a", "b", "c", "d", "e", "f"].map((id) => [[`w/${id}`, `task "${id}" of workflow "w"`]]),
  );
  const generated = dynamicWorkflow({
    name: "w",
    limits,
    tasks: [
      { id: "a", limits, run },
      { id: "b", kind: "transaction", limits, ...transaction, run },
      { id: "c", kind: "map", over, limits, run },
      { id: "d", kind: "map", over, limits, workflow: child },
      { id: "e", kind: "subworkflow", limits, workflow: child },
      { id: "f", limits, run },
    ],
  });
  assertEquals([generated.limits, generated.tasks.map(({ limits }) => limits)], [
    all.limits,
    all.tasks.map(({ limits }) => limits),
  ]);
  assertEquals(generated.version, all.version);
});

test("what states no limits has the same empty list", () => {
  const none = workflow("w", { limits: [] })
    .task("a", { run })
    .task("b", { limits: [], run })
    .event("c", { schema: unchecked<string>() })
    .sleep("d", { for: "1s" });
  for (const { limits } of [none, ...none.tasks]) assert(limits === NO_LIMITS);
  assertEquals(none.whenFull, "wait");
});

test("events and sleeps refuse limits", () => {
  const limits = [{ max: 1 }];
  const refusal = "limits is only for workflows, tasks, maps and subworkflows; this task takes no slot";
  assertEquals(problemsOf(() => untyped("w").event("a", { schema: unchecked(), limits })), [`event "a": ${refusal}`]);
  assertEquals(problemsOf(() => untyped("w").sleep("a", { for: "1s", limits })), [`sleep "a": ${refusal}`]);
  const tasks = [{ id: "a", kind: "sleep", for: "1s", limits }, {
    id: "b",
    kind: "event",
    schema: unchecked(),
    limits,
  }];
  assertEquals(problemsOf(() => untypedDynamic({ name: "w", tasks })), [
    `sleep "a": ${refusal}`,
    `event "b": ${refusal}`,
  ]);
});

test("limits is an array of at most eight objects", () => {
  assertEquals(problemsOf(() => untyped("w").task("a", { run, limits: { max: 1 } })), [
    'task "a": limits must be an array of limits, not an object',
  ]);
  assertEquals(problemsOf(() => untyped("w").map("a", { over, run, limits: 3 })), [
    'map "a": limits must be an array of limits, not 3',
  ]);
  assertEquals(limitProblems(5, { max: 1 })[0], 'task "a": limits[0] must be an object, not 5');
  assertEquals(limitProblems(...Array.from({ length: 9 }, () => ({ max: 1 }))), [
    'task "a": limits must not have more than 8 entries, not 9',
  ]);
  assertEquals(ofWorkflow({ limits: "x" }), ['limits must be an array of limits, not "x"']);
});

test("every problem of a limit is named at once", () => {
  assertEquals(limitProblems({ maxx: 1, name: "", key: 5, per: "1 second", weight: -1 }, { max: 0 }), [
    'task "a": limits[0]: unknown option "maxx" (did you mean "max"?)',
    'task "a": limits[0]: name must not be empty',
    'task "a": limits[0] has no `max`; state how many are allowed at once',
    'task "a": limits[0]: per is not a duration: "1 second" (use milliseconds or "250ms", "30s", "5m", "2h", "7d")',
    'task "a": limits[0]: key must be text or an array of texts, not 5',
    'task "a": limits[0]: weight must be a positive and finite number, not -1',
    'task "a": limits[1]: max must be an integer from 1 to 1,000,000, not 0',
  ]);
});

test("max is a positive integer of at most 1,000,000", () => {
  for (const [max, shown] of [[0, "0"], [-1, "-1"], [1.5, "1.5"], [1_000_001, "1000001"], [NaN, "NaN"], ["3", '"3"']]) {
    assertEquals(limitProblems({ max }), [
      `task "a": limits[0]: max must be an integer from 1 to 1,000,000, not ${shown}`,
    ]);
  }
  assertEquals(limitProblems({ max: Infinity }).length, 1);
});

test("per is from 1 ms to 366 days", () => {
  for (const [per, shown] of [[0, "0"], [0.4, "0.4"], ["367d", '"367d"'], [366 * 86_400_000 + 1, "31622400001"]]) {
    assertEquals(limitProblems({ max: 1, per }), [
      `task "a": limits[0]: per must be from 1 ms to 366 days, not ${shown}`,
    ]);
  }
  assertEquals(limitProblems({ max: 1, per: -1 }).length, 1);
});

/** Invalid keys, and the clause about each; `key` is its beginning. */
const BAD_KEYS: readonly (readonly [unknown, string])[] = [
  ["", "key must not be empty"],
  [5, "key must be text or an array of texts, not 5"],
  [null, "key must be text or an array of texts, not null"],
  [{}, "key must be text or an array of texts, not an object"],
  [[], "key must have 1 to 4 elements, not 0"],
  [["a", "b", "c", "d", "e"], "key must have 1 to 4 elements, not 5"],
  [["a", ""], "key[1] must not be empty"],
  [["a", 7], "key[1] must be text, not 7"],
  [new Array(2), "key[0] must be text, not undefined"],
  ["x".repeat(201), `key must not be longer than 200 characters: "${"x".repeat(60)}…"`],
  ["a\0", 'key must not contain NUL characters: "a\\u0000"'],
  [["a", "\ud800"], 'key[1] must not contain lone surrogates: "\\ud800"'],
];

test("a key is text of 1 to 200 characters, or a path of 1 to 4 of them", () => {
  for (const [key, problem] of BAD_KEYS) {
    assertEquals(limitProblems({ max: 1, key }), [`task "a": limits[0]: ${problem}`]);
  }
  const { limits } = workflow("w").task("a", { limits: [{ max: 1, key: ["x".repeat(200), "b", "c", "d"] }], run })
    .tasks[0]!;
  assertEquals(keyOf(limits[0]!, undefined), ["x".repeat(200), "b", "c", "d"]);
});

test("a weight is a positive and finite number", () => {
  for (const [weight, shown] of [[0, "0"], [-1, "-1"], [Infinity, "Infinity"], [NaN, "NaN"], ["2", '"2"']]) {
    assertEquals(limitProblems({ max: 1, weight }), [
      `task "a": limits[0]: weight must be a positive and finite number, not ${shown}`,
    ]);
  }
  const { limits } = workflow("w").task("a", { limits: [{ max: 1, weight: 0.5 }], run }).tasks[0]!;
  assertEquals(weightOf(limits[0]!, undefined), 0.5);
});

test("limits of one list have distinct names, defaults included", () => {
  assertEquals(limitProblems({ name: "db", max: 1 }, { max: 1 }, { name: "db", max: 1 }), [
    'task "a": limits[2] and [0] have the same name: "db"',
  ]);
  assertEquals(limitProblems({ max: 1 }, { name: "w/a", max: 1 }), [
    'task "a": limits[1] and [0] have the same name: "w/a"',
  ]);
  assertEquals(limitProblems({ name: "w/a#2", max: 1 }, { max: 1 }, { max: 1 }), [
    'task "a": limits[2] and [0] have the same name: "w/a#2"',
  ]);
  assertEquals(ofWorkflow({ limits: [{ max: 1 }, { name: "w", max: 2 }] }), [
    'limits[1] and [0] have the same name: "w"',
  ]);
});

test("a name is text of 1 to 200 characters", () => {
  assertEquals(limitProblems({ name: 5, max: 1 }), ['task "a": limits[0]: name must be a string, not 5']);
  assertEquals(limitProblems({ name: "x".repeat(201), max: 1 }).length, 1);
  assertEquals(limitProblems({ name: "a\nb", max: 1 }).length, 1);
});

test("limits with one name have one bound in a workflow, whatever their keys", () => {
  const shared = (...limits: readonly object[]) => () =>
    limits.reduce<Untyped>((w, limit, i) => w.task(`t${i}`, { limits: [{ name: "db", ...limit }], run }), untyped("w"));
  assertEquals(problemsOf(shared({ max: 1 }, { max: 1, key: "x" }, { max: 2 })), [
    'task "t2": limit "db" has max 2, but max 1 in task "t0"; use one bound, or another name',
  ]);
  assertEquals(problemsOf(shared({ max: 1, per: "1s" }, { max: 1, per: 1_000 }, { max: 1 })), [
    'task "t2": limit "db" has max 1, but max 1 per 1000 ms in task "t0"; use one bound, or another name',
  ]);
  const tasks = [
    { id: "b", after: ["a"], limits: [{ name: "db", max: 1 }], run },
    { id: "a", limits: [{ name: "db", max: 2 }], run },
  ];
  assertEquals(problemsOf(() => untypedDynamic({ name: "w", tasks })), [
    'task "a": limit "db" has max 2, but max 1 in task "b"; use one bound, or another name',
  ]);
});

test("two workflows that grow from one do not see the limits of each other", () => {
  const base = workflow("w").task("a", { run });
  const left = base.task("left", { limits: [{ name: "db", max: 1 }], run });
  const right = base.task("right", { limits: [{ name: "db", max: 2 }], run });
  assertEquals([left, right].map(({ tasks }) => tasks[1]?.limits[0]?.max), [1, 2]);
  assertThrows(() => left.task("more", { limits: [{ name: "db", max: 2 }], run }), DefinitionError);
  assertThrows(() => right.task("more", { limits: [{ name: "db", max: 1 }], run }), DefinitionError);
});

test("a task shares a rate with its workflow, but no concurrency, for which its run would wait for itself", () => {
  const limits = [{ name: "db", max: 1 }];
  const problem = 'task "a": limit "db" is also a limit of the workflow, whose runs would wait for themselves; ' +
    "use another name";
  assertEquals(problemsOf(() => untyped("w", { limits }).task("a", { limits, run })), [problem]);
  const tasks = [{ id: "a", limits, run }];
  assertEquals(problemsOf(() => untypedDynamic({ name: "w", limits, tasks })), [problem]);
  const rates = [{ name: "db", max: 1, per: "1s" }] as const;
  assertEquals(workflow("w", { limits: rates }).task("a", { limits: rates, run }).tasks[0]?.limits.length, 1);
  const other = [{ name: "db", max: 1, per: "2s" }];
  assertEquals(problemsOf(() => untyped("w", { limits: rates }).task("a", { limits: other, run })), [
    'task "a": limit "db" has max 1 per 2000 ms, but max 1 per 1000 ms in the workflow; use one bound, or another name',
  ]);
});

test("whenFull is one of three words, needs limits, and replaces no start that a rate has let through", () => {
  const limits = [{ max: 1 }];
  for (const whenFull of ["wait", "reject", "replace"] as const) {
    assertEquals(workflow("w", { limits, whenFull }).whenFull, whenFull);
    assertEquals(dynamicWorkflow({ name: "w", limits, whenFull, tasks: [{ id: "a", run }] }).whenFull, whenFull);
  }
  assertEquals(ofWorkflow({ limits, whenFull: "rejct" }), [
    'whenFull must be one of "wait", "reject", "replace", not "rejct" (did you mean "reject"?)',
  ]);
  const needsLimits = "whenFull is only for a workflow with limits; state limits, or leave it out";
  assertEquals(ofWorkflow({ whenFull: "wait" }), [needsLimits]);
  assertEquals(ofWorkflow({ limits: [], whenFull: "reject" }), [needsLimits]);
  assertEquals(ofWorkflow({ limits: [...limits, { max: 1, per: "1s" }], whenFull: "replace" }), [
    'whenFull must not be "replace" with a limit that has `per`: a start cannot be taken back',
  ]);
});

test("a body away from any workflow has its limits checked where it is written", () => {
  const untypedTask = task as unknown as (body: unknown) => unknown;
  assertThrows(
    () => untypedTask({ run, limits: [{ name: "db", max: 0 }, { name: "db", max: 1 }, { max: 1 }, { max: 1 }] }),
    TypeError,
    "Cannot define task: limits[0]: max must be an integer from 1 to 1,000,000, not 0; " +
      'limits[1] and [0] have the same name: "db"',
  );
});

test("a key that a function returns becomes a path", () => {
  const key = ({ tenant }: { readonly tenant: unknown }) => tenant;
  assertEquals(keyOf(limitOf({ key }), { tenant: "acme" }), ["acme"]);
  assertEquals(keyOf(limitOf({ key }), { tenant: ["acme", "job-7"] }), ["acme", "job-7"]);
  assertEquals(keyOf(limitOf({ key: ["a", "b"] }), {}), ["a", "b"]);
  assertEquals(keyOf(limitOf({ key: undefined }), {}), []);
});

test("an invalid key is refused with the names of its limit, task and workflow", () => {
  for (const [value, problem] of BAD_KEYS) {
    const error = assertThrows(() => keyOf(limitOf({ key: () => value }), {}), TypeError);
    assertEquals(error.message, `Cannot apply limit "db" of task "pay" of workflow "order": its ${problem}`);
  }
});

test("a weight that a function returns is a positive and finite number", () => {
  assertEquals(weightOf(limitOf({ weight: ({ n }: { readonly n: number }) => n * 2 }), { n: 2 }), 4);
  for (const [value, shown] of [[0, "0"], [-0.5, "-0.5"], [NaN, "NaN"], [Infinity, "Infinity"], ["2", '"2"']]) {
    const error = assertThrows(() => weightOf(limitOf({ weight: () => value }), {}), TypeError);
    assertEquals(
      error.message,
      'Cannot apply limit "db" of task "pay" of workflow "order": its weight must be a positive and finite number, ' +
        `not ${shown}`,
    );
  }
});

test("a function of a limit that returns a promise is refused, and its rejection is handled", async () => {
  const rejects = () => Promise.reject(new Error("away"));
  const key = assertThrows(() => keyOf(limitOf({ key: rejects }), {}), TypeError);
  assertEquals(
    key.message,
    'Cannot apply limit "db" of task "pay" of workflow "order": its key must be text or an array of texts, not a promise',
  );
  const weight = assertThrows(() => weightOf(limitOf({ weight: rejects }), {}), TypeError);
  assertEquals(weight.message.endsWith("its weight must be a positive and finite number, not a promise"), true);
  await Promise.resolve(); // an unhandled rejection would fail the test here
});

test("what a function of a limit throws is the cause of an error that names the limit", () => {
  const thrown = new Error("no tenant");
  const fails = () => {
    throw thrown;
  };
  const key = assertThrows(() => keyOf(limitOf({ key: fails }), {}), TypeError);
  assertEquals(key.message, 'Cannot apply limit "db" of task "pay" of workflow "order": its key threw: no tenant');
  assert(key.cause === thrown);
  const weight = assertThrows(() => weightOf(limitOf({ weight: fails }), {}), TypeError);
  assertEquals(
    weight.message,
    'Cannot apply limit "db" of task "pay" of workflow "order": its weight threw: no tenant',
  );
});

test("every change of a limit changes the version, and the structure unless it is code", () => {
  const one = () => "one";
  const two = () => "two";
  const options = { max: 1, per: 1_000 };
  const limited = (...limits: readonly object[]) =>
    [
      dynamicWorkflow({ name: "w", tasks: [{ id: "a", limits: limits as never, run }] }),
      dynamicWorkflow({ name: "w", limits: limits as never, tasks: [{ id: "a", run }] }),
      dynamicWorkflow({ name: "w", tasks: [{ id: "a", kind: "map", limits: limits as never, over, run }] }),
      dynamicWorkflow({
        name: "w",
        tasks: [{ id: "a", kind: "subworkflow", limits: limits as never, workflow: child }],
      }),
    ] as const;
  const structural = [
    [workflow("w").task("a", { run })],
    limited(options),
    limited({ ...options, max: 2 }),
    limited({ ...options, per: 2_000 }),
    limited({ max: 1 }),
    limited({ ...options, name: "n" }),
    limited({ ...options, key: "function" }),
    limited({ ...options, key: ["a", "b"] }),
    limited({ ...options, key: one }),
    limited({ ...options, weight: 2 }),
    limited({ ...options, weight: one }),
    limited({ ...options, key: one, weight: one }),
    limited(options, options),
  ].flat();
  assertEquals(new Set(structural.map(({ structure }) => structure)).size, structural.length);
  assertEquals(new Set(structural.map(({ version }) => version)).size, structural.length);
  for (const name of ["key", "weight"]) {
    const changed = limited({ ...options, [name]: two });
    limited({ ...options, [name]: one }).forEach((before, i) => {
      assertEquals(changed[i]?.structure, before.structure);
      assertNotEquals(changed[i]?.version, before.version);
    });
  }
  assertEquals(
    limited({ ...options, per: "1s", weight: 1, key: ["a"] }).map(({ version }) => version),
    limited({ ...options, key: "a" }).map(({ version }) => version),
  );
});

test("without limits the version is that of releases that had none", () => {
  // Its text is the same on every runtime.
  const code = new Function("return 1") as () => number;
  const plain = workflow("w", { tags: ["x"], timeout: "1h" }).task("a", { retry: 2, run: code })
    .map("b", { over: () => [], run: code, version: "1" });
  assertEquals([plain.structure, plain.version], ["d2d255a81dd6f987", "d7efefdadc5e43d5"]);
});

test("whenFull is part of the version and of the structure, and its default is not", () => {
  const limits = [{ max: 1 }];
  const all = [{}, { whenFull: "reject" }, { whenFull: "replace" }] as const;
  const structures = all.map((options) => workflow("w", { limits, ...options }).structure);
  assertEquals(new Set(structures).size, 3);
  assertEquals(workflow("w", { limits, whenFull: "wait" }).structure, structures[0]);
});

test("a stated version replaces the code of limits as well", () => {
  const keys = [() => "a", () => "b"];
  const [first, second] = keys.map((key) => [
    workflow("w", { version: "1", limits: [{ key, max: 1 }] }).task("a", { limits: [{ key, max: 1 }], run }).version,
    workflow("w").task("a", { version: "1", limits: [{ key, max: 1 }], run }).version,
  ]);
  assertEquals(first, second);
});

test("a stored definition has the limits of the workflow and of its tasks, and nothing about those without", () => {
  const limited = workflow("w", { limits: [{ max: 5 }], whenFull: "reject" })
    .task("a", { limits: [{ name: "db", key: ["x", "y"], max: 1, per: "1s", weight: 2 }], run })
    .map("b", { over, limits: [{ key: ({ item }) => `${item}`, max: 3, weight: ({ index }) => index + 1 }], run })
    .task("c", { run });
  const graph = JSON.parse(definitionsOf(catalogOf([limited]))[0]!.graph);
  assertEquals([graph.limits, graph.whenFull], [[{ name: "w", max: 5 }], "reject"]);
  assertEquals(graph.tasks.map(({ limits }: { limits?: unknown }) => limits), [
    [{ name: "db", max: 1, perMs: 1_000, key: ["x", "y"], weight: 2 }],
    [{ name: "w/b", max: 3, key: "function", weight: "function" }],
    undefined,
  ]);
  const plain = JSON.parse(definitionsOf(catalogOf([child]))[0]!.graph);
  assertEquals(["limits" in plain, "whenFull" in plain, "limits" in plain.tasks[0]], [false, false, false]);
});
