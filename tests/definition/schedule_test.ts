import { assert, assertEquals, assertThrows } from "@std/assert";
import { DefinitionError } from "../../lib/errors.ts";
import { readCron } from "../../lib/definition/cron.ts";
import { schedule } from "../../lib/definition/schedule.ts";
import { unchecked } from "../../lib/definition/schema.ts";
import { workflow } from "../../lib/definition/workflow.ts";
import { compilerTest, test } from "../harness.ts";

const plain = workflow("plain").task("a", { run: () => 1 });
const typed = workflow("typed", { input: unchecked<{ day: string }>() }).task("a", { run: () => 1 });

/** The problems of a definition as callers without types write it. */
function problems(options: unknown): readonly string[] {
  const untyped = schedule as unknown as (options: unknown) => unknown;
  return assertThrows(() => untyped(options), DefinitionError).problems;
}

function cronProblems(text: string): readonly string[] {
  const found: string[] = [];
  readCron(text, (problem) => found.push(problem));
  return found;
}

test("a schedule is an immutable value with its defaults", () => {
  const nightly = schedule({ name: "nightly", workflow: plain, cron: "30 2 * * *", timeZone: "Europe/Berlin" });
  assert(Object.isFrozen(nightly));
  const { name, cron, everyMs, timeZone, overlap, catchUp, maxCatchUp, jitterMs, startAt, endAt } = nightly;
  assertEquals({ name, cron, everyMs, timeZone, overlap, catchUp, maxCatchUp, jitterMs, startAt, endAt }, {
    name: "nightly",
    cron: "30 2 * * *",
    everyMs: undefined,
    timeZone: "Europe/Berlin",
    overlap: "skip",
    catchUp: "last",
    maxCatchUp: 100,
    jitterMs: 0,
    startAt: undefined,
    endAt: undefined,
  });
  assertEquals(schedule({ name: "often", workflow: plain, every: "5m" }).everyMs, 300_000);
});

test("all problems of a schedule are reported at once", () => {
  assertEquals(
    problems({
      name: "",
      workflow: "plain",
      cron: "0 24 * * *",
      timeZone: "Europe/Berlim",
      overlapp: "skip",
      overlap: "skp",
      catchUp: "al",
      maxCatchUp: 0,
      jitter: "soon",
      startAt: "2026-01-02",
      endAt: "2026-01-01",
    }),
    [
      'options: unknown option "overlapp" (did you mean "overlap"?)',
      "its name must not be empty",
      'workflow must be a workflow that workflow() returned, not "plain"',
      'cron "0 24 * * *": its hour "24" is not from 0 to 23',
      'timeZone "Europe/Berlim" is unknown (did you mean "Europe/Berlin"?)',
      'overlap must be one of "skip", "queue", "allow", "cancelPrevious", not "skp" (did you mean "skip"?)',
      'catchUp must be one of "none", "last", "all", not "al" (did you mean "all"?)',
      "maxCatchUp must be an integer from 1 to 10000, not 0",
      'jitter is not a duration: "soon" (use milliseconds or "250ms", "30s", "5m", "2h", "7d")',
      "endAt must be after startAt",
    ],
  );
});

test("the message of a schedule's error names the schedule", () => {
  assertThrows(
    () => schedule({ name: "nightly", workflow: plain, every: "5m", jitter: "5m" }),
    DefinitionError,
    'Cannot define schedule "nightly": jitter must be shorter than every',
  );
});

test("a schedule states exactly one of cron and every", () => {
  assertEquals(problems({ name: "s", workflow: plain }), ["it has no cron and no every; state one"]);
  assertEquals(problems({ name: "s", workflow: plain, cron: "@daily", every: "1d" }), [
    "cron and every exclude each other; leave one out",
  ]);
  assertEquals(problems({ name: "s", workflow: plain, every: "1d", timeZone: "UTC" }), [
    "timeZone is for cron; an interval has no time zone",
  ]);
  assertEquals(problems({ name: "s", workflow: plain, every: 5 }), ["every must be at least 100 ms, not 5"]);
});

test("an input that its workflow cannot take is refused where the schedule is defined", () => {
  const bounded = workflow("bounded", {
    input: {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value: unknown) => typeof value === "number" ? { value } : { issues: [{ message: "no number" }] },
      },
    },
  }).task("a", { run: () => 1 });
  assertEquals(problems({ name: "s", workflow: bounded, every: "1m", input: "x" }), ["input: no number"]);
  assertEquals(problems({ name: "s", workflow: typed, every: "1m", input: { day: 1n } }), [
    "Cannot store input.day: it is a bigint - use String(n)",
  ]);
});

test("a cron expression has five or six fields within their ranges, or is a nickname", () => {
  const valid = [
    "*/5 * * * *",
    "0 9-17/2 * * MON-FRI",
    "0 0 1,15 JAN,jul *",
    "15 30 2 * * 0",
    "0 0 L * *",
    "0 0 15W * *",
    "0 0 LW * ?",
    "0 0 * * FRI#2",
    "0 0 * * 5L",
    "@daily",
    " @Weekly ",
  ];
  for (const text of valid) assertEquals(cronProblems(text), [], text);
  assertEquals(cronProblems("* * * *"), ["it has 4 fields and not five, or six with seconds first"]);
  assertEquals(cronProblems("@dayly"), [
    '"@dayly" is not one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly',
  ]);
  assertEquals(cronProblems("60 24 0 13 8"), [
    'its minute "60" is not from 0 to 59',
    'its hour "24" is not from 0 to 23',
    'its day of month "0" is not from 1 to 31',
    'its month "13" is not from 1 to 12',
    'its day of week "8" is not from 0 to 7',
  ]);
  assertEquals(cronProblems("5/10 9-5 * * *"), [
    'its minute "5/10" has a step without a range; use */10 or a range such as 5-59/10',
    'its hour "9-5" is a range that ends before it begins',
  ]);
  assertEquals(cronProblems("*/0 1,,2 * * x"), [
    'its minute "*/0" has a step that is not from 1 to 59',
    'its hour "" is not a number, a range such as 1-5, or *, each with a step such as */2',
    'its day of week "X" is not from 0 to 7',
  ]);
});

test("an expression with fixed seconds, minutes and hours is a time of day", () => {
  const isTimeOfDay = (text: string) => readCron(text, () => {}).isTimeOfDay;
  assertEquals(["30 2 * * *", "0 30 2,14 * * *", "0 2-4 1 * MON", "@daily"].map(isTimeOfDay), [true, true, true, true]);
  assertEquals(["0 * * * *", "*/5 2 * * *", "* 30 2 * * *", "@hourly"].map(isTimeOfDay), [false, false, false, false]);
});

compilerTest("the compiler checks the input, and that cron and every exclude each other", () => {
  schedule({ name: "s", workflow: typed, every: "1m", input: { day: "x" } });
  schedule({ name: "s", workflow: typed, every: "1m", input: ({ tick }) => ({ day: String(tick) }) });
  // @ts-expect-error -- the workflow needs an input
  assertEquals(typeof (() => schedule({ name: "s", workflow: typed, every: "1m" })), "function");
  // @ts-expect-error -- of another type
  assertEquals(typeof (() => schedule({ name: "s", workflow: typed, every: "1m", input: { day: 1 } })), "function");
  // @ts-expect-error -- the function returns another type
  assertEquals(typeof (() => schedule({ name: "s", workflow: typed, every: "1m", input: () => 1 })), "function");
  // @ts-expect-error -- exclude each other
  assertEquals(typeof (() => schedule({ name: "s", workflow: plain, every: "1m", cron: "@daily" })), "function");
  // @ts-expect-error -- neither
  assertEquals(typeof (() => schedule({ name: "s", workflow: plain })), "function");
});
