/** Maps whose items are child runs. */
import { assert, assertEquals } from "@std/assert";
import { unchecked, workflow } from "../../mod.ts";
import type { Child, ChildInfo } from "../../lib/types/mod.ts";
import { test } from "../harness.ts";
import { even } from "./even_schema.ts";
import { open, untilAborted } from "./open.ts";

const double = workflow("double", { input: unchecked<number>() })
  .task("twice", { run: ({ input }) => input * 2 })
  .returns("twice");

test("each item of a map with a workflow is a child run, and the output is their results in order", async () => {
  const parent = workflow("parent", { input: unchecked<number[]>() })
    .map("doubled", { over: ({ input }) => input, workflow: double, input: ({ item, index }) => item + index })
    .task("sum", { after: ["doubled"], run: ({ doubled }) => doubled.join(", ") })
    .returns("sum");
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent, [3, 1, 2]);
  await opened.clock.settle();
  assertEquals(await run.result(), "6, 4, 8");
  const outcome = await run.outcome();
  assertEquals(outcome.outputs.doubled, [6, 4, 8]);
  assertEquals(listed(await run.children()), [0, 1, 2].map((item) => ["double", "completed", "doubled", item]));
});

test("the child run of a task is known however many child runs the run has started before", async () => {
  const named = workflow("named").task("id", { run: ({ ctx }) => ctx.runId }).returns("id");
  const parent = workflow("parent")
    .map("many", { over: () => Array.from({ length: 1_001 }, (_, at) => at), workflow: double, input: () => 1 })
    .subworkflow("last", { after: ["many"], workflow: named })
    .returns("last");
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  const id = await opened.clock.until(run.result());
  assertEquals((await run.tasks()).map(({ childRunId }) => childRunId), [undefined, id]);
});

test("an empty array starts no child run and gives an empty array", async () => {
  const parent = workflow("parent").map("none", { over: () => [] as number[], workflow: double, input: () => 1 });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  assertEquals((await run.outcome()).outputs, { none: [] });
  assertEquals(await run.children(), []);
});

test("`concurrency` bounds the child runs that are live at once", async () => {
  const parent = workflow("parent").map("rests", {
    over: () => [0, 1, 2, 3, 4],
    concurrency: 2,
    workflow: resting,
  });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  assertEquals((await run.children()).map(({ item }) => item), [0, 1]);
  await opened.clock.advance("20s");
  assertEquals((await run.children()).map(({ item, state }) => [item, state]), [
    [0, "completed"],
    [1, "completed"],
    [2, "waiting"],
    [3, "waiting"],
  ]);
  await opened.clock.advance("40s");
  assertEquals((await run.status()).state, "completed");
});

test("stop: the failure of a child run cancels the others, and the map fails when they have ended", async () => {
  const aborted: number[] = [];
  const busy = workflow("busy", { input: unchecked<number>() }).task("work", {
    retry: 1,
    async run({ input, ctx }) {
      if (input === 1) throw new RangeError("no luck");
      await untilAborted(ctx.signal).catch(() => aborted.push(input));
      throw ctx.signal.reason;
    },
  });
  const parent = workflow("parent").map("each", {
    over: () => [0, 1, 2, 3],
    concurrency: 3,
    workflow: busy,
    input: ({ item }) => item,
  });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  const outcome = await run.outcome();
  assert(outcome.status === "failed");
  const children = await run.children();
  assertEquals(children.map(({ item, state }) => [item, state]), [[0, "cancelled"], [1, "failed"], [2, "cancelled"]]);
  assertEquals(aborted.sort(), [0, 2]);
  assertEquals(
    outcome.error.message,
    `1 of 4 items of task "each" failed; the first is item 1: Run "${
      children[1]?.id
    }" of workflow "busy" failed: no luck`,
  );
  assert(outcome.error.cause instanceof Error && outcome.error.cause.cause instanceof Error);
  assertEquals([outcome.error.cause.name, outcome.error.cause.cause.name], ["RunFailedError", "RangeError"]);
  const { reason } = await opened.runner.get(children[0]!.id).status();
  assertEquals(reason, 'Another item of task "each" failed');
});

test("stop: child runs that no runner has begun are cancelled, too", async () => {
  const parent = workflow("parent").map("each", { over: () => [0, 1, 2], workflow: mixed, input: ({ item }) => item });
  await using opened = await open([parent], { concurrency: 1 });
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  assertEquals((await run.outcome()).status, "failed");
  assertEquals((await run.children()).map(({ state }) => state), ["failed", "cancelled", "cancelled"]);
});

test("finish: all child runs end, then the map fails, and retry() of the parent repeats only the failed ones", async () => {
  let isBroken = true;
  const flaky = workflow("flaky", { input: unchecked<number>() }).task("work", {
    retry: 1,
    run({ input }) {
      if (isBroken && input % 2 === 1) throw new Error("broken");
      return input;
    },
  }).returns("work");
  const parent = workflow("parent")
    .map("each", { over: () => [0, 1, 2, 3], onItemFailure: "finish", workflow: flaky, input: ({ item }) => item })
    .returns("each");
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  const outcome = await run.outcome();
  assert(outcome.status === "failed");
  assertEquals(outcome.error.message.startsWith('2 of 4 items of task "each" failed; the first is item '), true);
  assertEquals((await run.children()).map(({ state }) => state), ["completed", "failed", "completed", "failed"]);
  isBroken = false;
  await run.retry();
  await opened.clock.settle();
  assertEquals(await run.result(), [0, 1, 2, 3]);
  const children = await run.children();
  assertEquals(children.slice(4).map(({ item, state }) => [item, state]), [[1, "completed"], [3, "completed"]]);
});

test("collect: the output has the results and the errors of the child runs", async () => {
  const parent = workflow("parent").map("each", {
    over: () => [0, 1],
    onItemFailure: "collect",
    workflow: mixed,
    input: ({ item }) => item,
  }).returns("each");
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  const [failed] = await run.children();
  await opened.clock.advance("20s");
  const [first, second] = await run.result();
  assert(first?.ok === false);
  assertEquals([first.error.name, first.error.cause?.message], ["RunFailedError", "no luck"]);
  assertEquals(first.error.message.includes(failed!.id), true);
  assertEquals(second, { ok: true, value: "rested" });
});

test("an input that the schema of the child's workflow rejects fails its item, and starts no child run", async () => {
  const strict = workflow("strict", { input: even }).task("a", { run: ({ input }) => input }).returns("a");
  const parent = workflow("parent").map("each", {
    over: () => [2, 3],
    onItemFailure: "collect",
    workflow: strict,
    input: ({ item }) => item,
  }).returns("each");
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  const [first, second] = await run.result();
  assertEquals(first, { ok: true, value: 2 });
  assertEquals(second?.ok === false && second.error.name, "ValidationError");
  assertEquals((await run.children()).map(({ item }) => item), [0]);
});

test("a map whose inputs all fail ends in the commit that expands it, and keeps its items", async () => {
  const parent = workflow("parent").map("each", {
    over: () => [0, 1, 2],
    onItemFailure: "finish",
    workflow: double,
    input: ({ item }): number => {
      throw new RangeError(`no input for ${item}`);
    },
  });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  const outcome = await run.outcome();
  assert(outcome.status === "failed");
  assertEquals(outcome.error.message, '3 of 3 items of task "each" failed; the first is item 0: no input for 0');
  const { items } = await run.items("each");
  assertEquals(items.map(({ index, state }) => [index, state]), [[0, "failed"], [1, "failed"], [2, "failed"]]);
  assertEquals(await run.children(), []);
});

test("cancel of the parent cancels its child runs, and the parent ends after them", async () => {
  const parent = workflow("parent").map("rests", { over: () => [0, 1, 2], workflow: resting });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  await run.cancel("enough");
  await opened.clock.settle();
  const children = await run.children();
  assertEquals(children.map(({ state }) => state), ["cancelled", "cancelled", "cancelled"]);
  const { state, endedAt } = await run.status();
  assertEquals(state, "cancelled");
  for (const child of children) assert(child.endedAt! <= endedAt!);
});

test("the timeout of the parent cancels its child runs", async () => {
  const parent = workflow("parent", { timeout: "10s" }).map("rests", { over: () => [0, 1], workflow: resting });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.advance("12s");
  const outcome = await run.outcome();
  assert(outcome.status === "failed");
  assertEquals(outcome.error.name, "RunTimeoutError");
  assertEquals((await run.children()).map(({ state }) => state), ["cancelled", "cancelled"]);
});

test("pause and resume of the parent reach its child runs", async () => {
  const parent = workflow("parent").map("rests", { over: () => [0, 1], workflow: resting }).returns("rests");
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  await run.pause("lunch");
  await opened.clock.advance("30s");
  assertEquals((await run.children()).map(({ state }) => state), ["paused", "paused"]);
  await run.resume();
  await opened.clock.advance("20s");
  assertEquals(await run.result(), ["rested", "rested"]);
});

test("a workflow can start itself for each item", async () => {
  interface Tree {
    readonly value: number;
    readonly below: readonly Tree[];
  }
  const sum = workflow("sum", { input: unchecked<Tree>() })
    .map("below", {
      over: ({ input }) => [...input.below],
      workflow: (): Child<Tree, number> => sum,
      input: ({ item }) => item,
    })
    .task("total", { after: ["below"], run: ({ below, input }) => below.reduce((a, b) => a + b, input.value) })
    .returns("total");
  await using opened = await open([sum]);
  const leaf = (value: number): Tree => ({ value, below: [] });
  const run = await opened.runner.start(sum, { value: 1, below: [leaf(2), { value: 3, below: [leaf(4)] }, leaf(5)] });
  await opened.clock.settle();
  assertEquals(await run.result(), 15);
});

test("explain says in words how many child runs a map waits for", async () => {
  const parent = workflow("parent").map("rests", { over: () => [0, 1, 2], concurrency: 2, workflow: resting });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  assertEquals((await opened.runner.explain(run.id)).reasons, [{
    kind: "child",
    taskId: "rests",
    message: 'task "rests" waits for 2 child runs of workflow "resting": 0 of 3 items completed',
  }]);
});

const resting = workflow("resting").sleep("rest", { for: "20s" })
  .task("done", { after: ["rest"], run: () => "rested" })
  .returns("done");

/** Fails at once for the input 0, and rests for others. */
const mixed = workflow("mixed", { input: unchecked<number>() })
  .task("work", {
    retry: 1,
    run({ input }) {
      if (input === 0) throw new Error("no luck");
      return input;
    },
  })
  .sleep("rest", { after: ["work"], for: "20s" })
  .task("done", { after: ["rest"], run: () => "rested" })
  .returns("done");

function listed(children: readonly ChildInfo[]): unknown[] {
  return children.map(({ workflow, state, taskId, item }) => [workflow, state, taskId, item]);
}
