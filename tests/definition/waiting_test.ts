import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { DefinitionError } from "../../lib/errors.ts";
import { dynamicWorkflow } from "../../lib/definition/dynamic.ts";
import { unchecked } from "../../lib/definition/schema.ts";
import { workflow } from "../../lib/definition/workflow.ts";
import { test } from "../harness.ts";

const schema = unchecked<string>();

/** A workflow as callers without types see it. */
interface Untyped {
  sleep(id: unknown, options?: unknown): Untyped;
  event(id: unknown, options?: unknown): Untyped;
}
const untyped = workflow as unknown as (name: string) => Untyped;
const sleepProblems = (options: unknown) =>
  assertThrows(() => untyped("w").sleep("nap", options), DefinitionError).problems;
const eventProblems = (options: unknown) =>
  assertThrows(() => untyped("w").event("mail", options), DefinitionError).problems;

test("a sleep states exactly one of for and until", () => {
  assertEquals(sleepProblems({}), ['sleep "nap" has no `for` and no `until`; state one']);
  assertEquals(sleepProblems({ for: 1, until: 1 }), ['sleep "nap" has both `for` and `until`; leave one out']);
  assertEquals(sleepProblems({ fro: "1d" }), [
    'sleep "nap": unknown option "fro" (did you mean "for"?)',
    'sleep "nap" has no `for` and no `until`; state one',
  ]);
  assertEquals(sleepProblems({ for: "1d", run: () => 1, retry: 3 }), [
    'sleep "nap": unknown option "run"',
    'sleep "nap": unknown option "retry"',
  ]);
});

test("a sleep takes durations, times and functions", () => {
  const byId = workflow("w").sleep("a", { for: "5m" }).sleep("b", { for: 0 }).sleep("c", { for: () => "1d" })
    .sleep("d", { until: new Date(5) }).sleep("e", { until: 5.4 }).sleep("f", { until: "1970-01-02" })
    .sleep("g", { until: "1970-01-01T01:00+01:00" }).sleep("h", { until: () => 0 }).tasks;
  assertEquals(
    byId.map((task) => task.kind === "sleep" && [task.for, task.until].map((end) => typeof end === "function" || end)),
    [
      [300_000, undefined],
      [0, undefined],
      [true, undefined],
      [undefined, 5],
      [undefined, 5],
      [undefined, 86_400_000],
      [undefined, 0],
      [undefined, true],
    ],
  );
  assertEquals(byId.map(({ retry, timeoutMs }) => [retry?.attempts, timeoutMs]), byId.map(() => [1, undefined]));
});

test("a sleep refuses what is not a duration or a time", () => {
  assertEquals(sleepProblems({ for: "5 minutes" }), [
    'sleep "nap": for is not a duration: "5 minutes" (use milliseconds or "250ms", "30s", "5m", "2h", "7d")',
  ]);
  const refused = 'sleep "nap": until must be a Date, milliseconds since the epoch or ISO 8601 text with a zone, not ';
  for (
    const [until, shown] of [
      ["tomorrow", '"tomorrow"'],
      ["2026-11-30T08:00:00", '"2026-11-30T08:00:00"'],
      ["2026-13-30", '"2026-13-30"'],
      [new Date(NaN), "an invalid Date"],
      [-1, "-1"],
      [{}, "an object"],
    ]
  ) assertEquals(sleepProblems({ until }), [`${refused}${shown}`]);
});

test("an event has a schema, and a timeout over zero", () => {
  assertEquals(eventProblems({}), ['event "mail" has no `schema`; state one, or unchecked<T>()']);
  assertEquals(eventProblems({ schema: {}, timeout: 0, on: "anyFaild" }), [
    'event "mail": schema must be a Standard Schema, such as one of zod, valibot or arktype, not an object',
    'event "mail": on must be one of "success", "allSucceeded", "settled", "anySucceeded", "anyFailed", "allFailed", ' +
    'not "anyFaild" (did you mean "anyFailed"?)',
    'event "mail": timeout must be longer than zero',
  ]);
  const [bounded, forever] = workflow("w").event("a", { schema, timeout: "1d" }).event("b", { schema }).tasks;
  assertEquals(bounded?.kind === "event" && [bounded.schema === schema, bounded.waitMs], [true, 86_400_000]);
  assertEquals(forever?.kind === "event" && [forever.waitMs, forever.retry?.attempts, forever.timeoutMs], [
    undefined,
    1,
    undefined,
  ]);
});

test("generated workflows have the same tasks", () => {
  const built = workflow("w").event("mail", { schema, timeout: "1d" }).sleep("nap", { after: ["mail"], for: "1h" });
  const generated = dynamicWorkflow({
    name: "w",
    tasks: [
      { id: "nap", kind: "sleep", after: ["mail"], for: "1h" },
      { id: "mail", kind: "event", schema, timeout: "1d" },
    ],
  });
  assertEquals([generated.version, generated.structure], [built.version, built.structure]);
  const { problems } = assertThrows(
    () => dynamicWorkflow({ name: "w", tasks: [{ id: "nap", kind: "sleep", run: () => 1 } as never] }),
    DefinitionError,
  );
  assertEquals(problems, [
    'tasks[0]: unknown option "run"',
    'sleep "nap" has no `for` and no `until`; state one',
  ]);
});

test("policies of a wait are part of the structure, and its functions of the version", () => {
  const structures = [
    workflow("w").task("a", { run: () => 1 }),
    workflow("w").event("a", { schema }),
    workflow("w").event("a", { schema, timeout: "1d" }),
    workflow("w").sleep("a", { for: "1d" }),
    workflow("w").sleep("a", { for: "2d" }),
    workflow("w").sleep("a", { until: 86_400_000 }),
    workflow("w").sleep("a", { for: () => "1d" }),
    workflow("w").sleep("a", { until: () => 1 }),
  ].map(({ structure }) => structure);
  assertEquals(new Set(structures).size, structures.length);
  const [one, two] = [() => "1d", () => "2d"].map((end) => workflow("w").sleep("a", { for: end as () => "1d" }));
  assertEquals(one?.structure, two?.structure);
  assertNotEquals(one?.version, two?.version);
});

test("a flowchart shows waits by their shape, and reads by a dotted edge", () => {
  const chart = workflow("w").task("start", { run: () => 1 }).event("mail", { after: ["start"], schema })
    .sleep("nap", { after: ["mail"], for: "1d" })
    .sleep("maybe", { after: ["mail"], when: () => true, for: "1d" })
    .task("end", { after: ["nap"], reads: ["start"], run: () => 1 }).toMermaid();
  assertEquals(
    chart,
    `flowchart TD
  t0["start"]
  t1>"mail"]
  t2(["nap"])
  t3{"maybe"}
  t4["end"]
  t0 --> t1
  t1 --> t2
  t1 --> t3
  t2 --> t4
  t0 -.-> t4
`,
  );
});
