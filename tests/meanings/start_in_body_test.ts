/** Runs that bodies start: `ctx.start`. */
import { assert, assertEquals, assertInstanceOf, assertNotEquals } from "@std/assert";
import { KeyConflictError, type Schema, type TaskContext, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { never, open } from "./open.ts";

const child = workflow("child", { input: unchecked<{ n: number }>() })
  .task("double", { run: ({ input }) => input.n * 2 })
  .returns("double");
const other = workflow("other").task("work", { run: () => "done" }).returns("work");

/** A workflow whose only task is tried three times, and a count of its attempts. */
function threeTries(body: (ctx: TaskContext) => Promise<unknown>) {
  return workflow("parent").task("start", {
    retry: { attempts: 3, delay: 0 },
    async run({ ctx }) {
      const started = JSON.stringify(await body(ctx));
      if (ctx.attempt < 3) throw new Error("again");
      return started;
    },
  }).returns("start");
}

test("ctx.start starts an independent run, by value or by name", async () => {
  const parent = workflow("parent").task("start", {
    run: async ({ ctx }) => ({
      value: await ctx.start(child, { n: 4 }, { tags: ["from parent"], priority: 3 }),
      name: await ctx.start("other"),
    }),
  }).returns("start");
  await using opened = await open([parent, child, other]);
  const { runner } = opened;
  const run = await runner.start(parent);
  const { value, name } = await run.result();
  assertEquals([value.isNew, name.isNew], [true, true]);
  assertEquals([await runner.get(value.runId).result(), await runner.get(name.runId).result()], [8, "done"]);
  const { workflow: of, key, tags, priority } = await runner.get(value.runId).status();
  assertEquals({ of, key, tags, priority }, {
    of: "child",
    key: `${run.id}/start`,
    tags: ["from parent"],
    priority: 3,
  });
  assertEquals(await run.children(), []);
  const [task] = await run.tasks();
  assertEquals(task?.steps.map(({ name, output }) => [name, output]), [
    ['ctx.start("child")', value],
    ['ctx.start("other")', name],
  ]);
});

test("however often a body is repeated, each of its runs is started once, and each attempt receives the same", async () => {
  const seen: string[] = [];
  const parent = threeTries(async (ctx) => {
    const started = [
      await ctx.start(child, { n: ctx.attempt }),
      await ctx.start(child, { n: ctx.attempt }, { key: "a" }),
      await ctx.start(child, { n: ctx.attempt }, { key: "a" }),
    ];
    seen.push(JSON.stringify(started));
    return started.map(({ isNew }) => isNew);
  });
  await using opened = await open([parent, child]);
  const run = await opened.runner.start(parent);
  assertEquals(await opened.clock.until(run.result()), "[true,true,false]");
  assertEquals([seen.length, new Set(seen).size], [3, 1]);
  const { runs } = await opened.runner.list({ workflow: "child" });
  assertEquals(runs.map(({ key }) => key), ["a", `${run.id}/start`]);
  // The input is that of the first attempt.
  for (const { id } of runs) assertEquals(await opened.runner.get(id).result(), 2);
});

test("a run that was deleted in the meantime is not started again by a repeated body", async () => {
  const parent = workflow("parent").task("start", {
    retry: { attempts: 2, delay: "8s", jitter: false },
    async run({ ctx }) {
      const { runId } = await ctx.start(other);
      if (ctx.attempt === 1) throw new Error("again");
      return runId;
    },
  }).returns("start");
  await using opened = await open([parent, other, child], { retention: "1s" });
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  const [{ id } = { id: "" }] = (await opened.runner.list({ workflow: "other" })).runs;
  await opened.clock.advance("5s");
  assertEquals((await opened.runner.list({ workflow: "other" })).runs, []);
  assertEquals(await opened.clock.until(run.result(), "10s"), id);
  assertEquals((await opened.runner.list({ workflow: "other" })).runs, []);
});

test("a body that starts several runs of a workflow has to give each of them a key", async () => {
  const parent = workflow("parent").task("start", {
    retry: 1,
    async run({ ctx }) {
      const messages: string[] = [];
      const failed = (error: unknown): void => void messages.push(error instanceof TypeError ? error.message : "none");
      await Promise.all([ctx.start(other), ctx.start(other).catch(failed)]);
      await ctx.start(other).catch(failed);
      const keyed = [];
      for (const i of [1, 2, 1]) keyed.push(await ctx.start(other, undefined, { key: `${ctx.idempotencyKey}/${i}` }));
      return { messages, isNew: keyed.map(({ isNew }) => isNew), same: keyed[0]!.runId === keyed[2]!.runId };
    },
  }).returns("start");
  await using opened = await open([parent, other]);
  const message =
    'Cannot start workflow "other" again without a key: the attempt has started a run of this workflow; ' +
    "give each run a key, such as { key: `${ctx.idempotencyKey}/${i}` }";
  assertEquals(await (await opened.runner.start(parent)).result(), {
    messages: [message, message],
    isNew: [true, true, false],
    same: true,
  });
  assertEquals((await opened.runner.list({ workflow: "other" })).runs.length, 3);
});

test("a run with the same key that something else has started is returned, compared or rejected", async () => {
  const results: unknown[] = [];
  const parent = workflow("parent").task("start", {
    retry: 1,
    async run({ ctx }) {
      results.push(await ctx.start(child, { n: 2 }, { key: "first" }));
      results.push(await ctx.start(child, { n: 2 }, { key: "second", ifExists: "compare" }).catch((e) => e));
      results.push(await ctx.start(child, { n: 1 }, { key: "third", ifExists: "compare" }));
      results.push(await ctx.start(child, { n: 1 }, { key: "fourth", ifExists: "reject" }).catch((e) => e));
    },
  });
  await using opened = await open([parent, child]);
  const ids: string[] = [];
  for (const key of ["first", "second", "third", "fourth"]) {
    ids.push((await opened.runner.start(child, { n: 1 }, { key })).id);
  }
  await opened.runner.execute(parent);
  assertEquals([results[0], results[2]], [{ runId: ids[0], isNew: false }, { runId: ids[2], isNew: false }]);
  assertInstanceOf(results[1], KeyConflictError);
  assertInstanceOf(results[3], KeyConflictError);
  assertEquals((await opened.runner.list({ workflow: "child" })).runs.length, 4);
});

test("each item of a map starts its own run", async () => {
  const parent = workflow("parent").map("start", {
    over: () => [1, 2, 3],
    retry: { attempts: 2, delay: 0 },
    async run({ item, ctx }) {
      const { runId } = await ctx.start(child, { n: item });
      if (ctx.attempt === 1) throw new Error("again");
      return runId;
    },
  }).returns("start");
  await using opened = await open([parent, child]);
  const ids = await opened.clock.until((await opened.runner.start(parent)).result());
  assertEquals(await Promise.all(ids.map((id) => opened.runner.get(id).result())), [2, 4, 6]);
  assertEquals((await opened.runner.list({ workflow: "child" })).runs.length, 3);
});

test("a step may start a run, and starts none once it has timed out", async () => {
  const late = Promise.withResolvers<unknown>();
  const parent = workflow("parent").task("start", {
    retry: 1,
    async run({ ctx }) {
      let calls = 0;
      const runId = await ctx.step("start", async () => {
        const started = await ctx.start(other);
        if (++calls === 1) throw new Error("again");
        return started.runId;
      }, { retry: { attempts: 2, delay: 0 } });
      await ctx.step("slow", async () => {
        await new Promise<void>((resolve) => void opened.clock.after(2_000, resolve));
        await ctx.start(child, { n: 1 }).then(late.resolve, late.resolve);
      }, { timeout: "1s" }).catch(() => {});
      await late.promise;
      return runId;
    },
  }).returns("start");
  await using opened = await open([parent, other, child]);
  const run = await opened.runner.start(parent);
  const id = await opened.clock.until(run.result());
  assertEquals((await opened.runner.list({ workflow: "other" })).runs.map((run) => run.id), [id]);
  assertEquals(String(await late.promise), 'StepTimeoutError: Step "slow" took longer than its timeout of 1000 ms');
  assertEquals((await opened.runner.list({ workflow: "child" })).runs, []);
});

test("a cancel, a failure and retry() of the starting run do not reach the started one", async () => {
  let fails = true;
  const parent = workflow("parent")
    .task("start", { retry: 1, run: async ({ ctx }) => (await ctx.start(other, undefined, { delay: "10s" })).runId })
    .task("end", {
      after: ["start"],
      retry: 1,
      run() {
        if (fails) throw new Error("down");
      },
    })
    .returns("start");
  const hangs = workflow("hangs").task("start", {
    run: async ({ ctx }) => (await ctx.start(other, undefined, { key: "hangs", delay: "10s" }), await never()),
  });
  await using opened = await open([parent, hangs, other]);
  const run = await opened.runner.start(parent);
  assertEquals((await opened.clock.until(run.outcome(), "1s")).status, "failed");
  fails = false;
  await run.retry();
  const id = await opened.clock.until(run.result(), "1s");
  const hanging = await opened.runner.start(hangs);
  await opened.clock.settle();
  await hanging.cancel("enough");
  await opened.clock.until(hanging.outcome(), "6s");
  const { runs } = await opened.runner.list({ workflow: "other" });
  assertEquals(runs.map(({ key }) => key), ["hangs", `${run.id}/start`]);
  assertEquals(await opened.clock.until(opened.runner.get(id).result()), "done");
  assertEquals(await opened.clock.until(opened.runner.get(runs[0]!.id).result()), "done");
});

test("a fork of the starting run starts a run of its own if the task runs again, and none if it does not", async () => {
  const parent = workflow("parent")
    .task("start", { run: async ({ ctx }) => (await ctx.start(other)).runId })
    .task("end", { after: ["start"], run: () => 1 })
    .returns("start");
  await using opened = await open([parent, other]);
  const run = await opened.runner.start(parent);
  const id = await run.result();
  assertEquals(await (await run.fork({ from: "end" })).result(), id);
  assertNotEquals(await (await run.fork({ from: "start" })).result(), id);
  assertEquals((await opened.runner.list({ workflow: "other" })).runs.length, 2);
});

test("what is wrong with a start fails the call in the body, and nothing is started", async () => {
  const messages: string[] = [];
  const strict: Schema<{ n: number }> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: () => ({ issues: [{ message: "not a number", path: ["n"] }] }),
    },
  };
  const picky = workflow("picky", { input: strict }).task("work", { run: () => 1 });
  const unknown = workflow("unknown").task("work", { run: () => 1 });
  const parent = workflow("parent").task("start", {
    retry: 1,
    async run({ ctx }) {
      const calls: readonly (() => Promise<unknown>)[] = [
        () => ctx.start(unknown),
        () => ctx.start("chidl", { n: 1 }),
        () => ctx.start(picky, { n: 1 }),
        () => ctx.start(other, undefined, { signal: ctx.signal } as object),
        () => ctx.start(other, undefined, { key: "" }),
        () => ctx.step('ctx.start("other")', () => 1),
      ];
      for (const call of calls) await call().catch((error) => messages.push(`${error.name}: ${error.message}`));
    },
  });
  await using opened = await open([parent, child, other, picky]);
  await opened.runner.execute(parent);
  assertEquals(messages, [
    'UnknownWorkflowError: Cannot start workflow "unknown": no workflow of that name is registered',
    'UnknownWorkflowError: Cannot start workflow "chidl": no workflow of that name is registered (did you mean "child"?)',
    'ValidationError: Cannot start workflow "picky": n: not a number',
    'TypeError: Cannot start workflow "other": the options: unknown option "signal"',
    'TypeError: Cannot start workflow "other": key must be text of 1 to 500 characters, not ""',
    'TypeError: Cannot run step "ctx.start(\\"other\\")": names that begin with "ctx.start(" are reserved',
  ]);
  assertEquals((await opened.runner.list()).runs.length, 1);
});

test("starts are distinguished by keys and names of any length", async () => {
  const long = "k".repeat(499);
  const parent = threeTries(async (ctx) => {
    const started = [];
    for (const end of ["1", "2"]) started.push(await ctx.start(other, undefined, { key: long + end }));
    return started.map(({ isNew }) => isNew);
  });
  await using opened = await open([parent, other]);
  assertEquals(await opened.clock.until((await opened.runner.start(parent)).result()), "[true,true]");
  assertEquals((await opened.runner.list({ workflow: "other" })).runs.length, 2);
});

test("the input that is too large, or cannot be stored, starts nothing", async () => {
  const parent = workflow("parent").task("start", {
    run: ({ ctx }) => ctx.start("other", "x".repeat(2_000)).then(() => true),
  });
  await using opened = await open([parent, other], { maxPayloadBytes: 1_000 });
  const outcome = await opened.runner.execute(parent);
  assert(outcome.status === "failed");
  assertEquals(outcome.error.name, "PayloadError");
  assertEquals(outcome.failures.length, 1);
});
