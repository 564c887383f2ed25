/** The context that a body receives: `ctx`. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createRunner, TaskTimeoutError, workflow } from "../../mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { open, untilAborted } from "./open.ts";

test("ctx names the run, its workflow, the task and the attempt", async () => {
  const seen = workflow("seen").task("look", {
    run: ({ ctx }) => [ctx.runId, ctx.workflow, ctx.taskId, ctx.attempt, ctx.item === undefined],
  });
  await using opened = await open([seen]);
  const run = await opened.runner.start(seen);
  assertEquals(await run.result(), { look: [run.id, "seen", "look", 1, true] });
});

test("ctx.item is the index of the item of a map", async () => {
  const seen = workflow("seen").map("look", { over: () => ["a", "b"], run: ({ item, ctx }) => `${ctx.item} ${item}` });
  await using opened = await open([seen]);
  const run = await opened.runner.start(seen);
  assertEquals(await run.result(), { look: ["0 a", "1 b"] });
});

test("ctx.tenant is the schema of the store on Postgres, and undefined on SQLite", async () => {
  const seen = workflow("seen").task("look", { run: ({ ctx }) => ctx.tenant ?? "none" });
  await using store = emptyStore("memory");
  await using runner = await createRunner(store.url, { ...store.options, workflows: [seen], logger: false });
  const run = await runner.start(seen);
  assertEquals(await run.result(), { look: store.options.schema ?? "none" });
});

test("ctx.idempotencyKey is the same for every attempt, and different for every task and run", async () => {
  const keys: string[] = [];
  const body = {
    retry: { attempts: 2, delay: 0 },
    run: ({ ctx }: { ctx: { idempotencyKey: string; attempt: number } }) => {
      keys.push(ctx.idempotencyKey);
      if (ctx.attempt === 1) throw new Error("again");
    },
  };
  const keyed = workflow("keyed").task("a", body).task("b", { after: ["a"], ...body });
  await using opened = await open([keyed]);
  await opened.clock.until(opened.runner.execute(keyed));
  await opened.clock.until(opened.runner.execute(keyed));
  const [a1, a2, b1, b2, c1] = keys;
  assertEquals([a1 === a2, b1 === b2, new Set(keys).size, c1 === a1], [true, true, 4, false]);
});

test("a step runs once, however often its task is tried", async () => {
  let charged = 0;
  const pay = workflow("pay").task("charge", {
    retry: { attempts: 3, delay: "1h", maxDelay: "1h" },
    async run({ ctx }) {
      const receipt = await ctx.step("charge the card", () => ({ number: ++charged }));
      if (ctx.attempt < 3) throw new Error("the mail server is down");
      return receipt;
    },
  });
  await using opened = await open([pay]);
  const run = await opened.runner.start(pay);
  assertEquals(await opened.clock.until(run.result(), "1d"), { charge: { number: 1 } });
  assertEquals(charged, 1);
  const [task] = await run.tasks();
  assertEquals(task?.steps.map(({ name, output }) => [name, output]), [["charge the card", { number: 1 }]]);
});

test("a step that throws is not remembered", async () => {
  let calls = 0;
  const shaky = workflow("shaky").task("work", {
    retry: { attempts: 2, delay: 0 },
    run: ({ ctx }) =>
      ctx.step("try", () => {
        if (++calls === 1) throw new Error("not yet");
        return calls;
      }),
  });
  await using opened = await open([shaky]);
  assertEquals(await opened.clock.until(opened.runner.start(shaky).then((run) => run.result())), { work: 2 });
});

test("a step is durable when its promise resolves", async () => {
  let stepsOf = (_runId: string): Promise<string[]> => Promise.resolve([]);
  const stepped = workflow("stepped").task("work", {
    async run({ ctx }) {
      await ctx.step("first", () => "stored");
      return await stepsOf(ctx.runId);
    },
  });
  await using opened = await open([stepped]);
  stepsOf = async (runId) => {
    const [task] = await opened.runner.get(runId).tasks();
    return task?.steps.map(({ name }) => name) ?? [];
  };
  const run = await opened.runner.start(stepped);
  assertEquals(await run.result(), { work: ["first"] });
});

test("a step that is called twice at the same time runs once", async () => {
  let calls = 0;
  const twice = workflow("twice").task("work", {
    run: async ({ ctx }) => await Promise.all([ctx.step("one", () => ++calls), ctx.step("one", () => ++calls)]),
  });
  await using opened = await open([twice]);
  const run = await opened.runner.start(twice);
  assertEquals(await run.result(), { work: [1, 1] });
});

test("steps of the same name in two tasks are two steps", async () => {
  const two = workflow("two")
    .task("a", { run: ({ ctx }) => ctx.step("make", () => "of a") })
    .task("b", { run: ({ ctx }) => ctx.step("make", () => "of b") });
  await using opened = await open([two]);
  const run = await opened.runner.start(two);
  assertEquals(await run.result(), { a: "of a", b: "of b" });
});

test("each call of a running step returns its own copy", async () => {
  const copies = workflow("copies").task("work", {
    async run({ ctx }) {
      const [first, second] = await Promise.all([ctx.step("list", () => [1]), ctx.step("list", () => [9])]);
      first.push(2);
      return second;
    },
  });
  await using opened = await open([copies]);
  const run = await opened.runner.start(copies);
  assertEquals(await run.result(), { work: [1] });
});

test("a step whose output cannot be stored fails its task, which is not tried again", async () => {
  const bad = workflow("bad").task("work", {
    retry: 5,
    run: async ({ ctx }) => void await ctx.step("big", () => 1n),
  });
  await using opened = await open([bad]);
  const outcome = await opened.runner.execute(bad);
  assert(outcome.status === "failed");
  assertEquals([outcome.failures.length, outcome.error.name], [1, "PayloadError"]);
});

test("a step cannot be run once its attempt is over", async () => {
  const late = Promise.withResolvers<unknown>();
  const slow = workflow("slow").task("work", {
    retry: 1,
    timeout: "1s",
    async run({ ctx }) {
      await untilAborted(ctx.signal).catch(() => {});
      late.resolve(assertRejects(() => ctx.step("late", () => "too late"), TaskTimeoutError));
    },
  });
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow);
  await opened.clock.advance("1s");
  await late.promise;
  assertEquals((await run.tasks())[0]?.steps, []);
});

for (const [name, what] of [["", "an empty name"], ["x".repeat(201), "a name that is too long"]] as const) {
  test(`a step with ${what} fails its attempt`, async () => {
    const bad = workflow("bad").task("work", { retry: 1, run: ({ ctx }) => ctx.step(name, () => 1) });
    await using opened = await open([bad]);
    const outcome = await opened.runner.execute(bad);
    assert(outcome.status === "failed");
    assertEquals(outcome.error.name, "TypeError");
  });
}

test("ctx.progress can be read while the body runs", async () => {
  const finish = Promise.withResolvers<void>();
  const long = workflow("long").task("copy", {
    async run({ ctx }) {
      ctx.progress(3, 10, "files");
      await finish.promise;
      ctx.progress(10, 10);
    },
  });
  await using opened = await open([long]);
  const run = await opened.runner.start(long);
  await opened.clock.advance("1s");
  const [task] = await run.tasks();
  assertEquals([task?.state, task?.progress], ["running", { done: 3, total: 10, message: "files" }]);
  finish.resolve();
  await run.result();
  assertEquals((await run.tasks())[0]?.progress, { done: 10, total: 10 });
});

test("ctx.log writes to the runner's logger, with the run, task and attempt beside it", async () => {
  const chatty = workflow("chatty").task("talk", {
    run: ({ ctx }) => {
      ctx.log("hello", { rows: 3 });
      ctx.log.warn("careful");
      ctx.log.debug("details");
      ctx.log.error("broken");
    },
  });
  await using opened = await open([chatty]);
  const { runId } = await opened.runner.execute(chatty);
  const who = { runId, taskId: "talk", attempt: 1 };
  assertEquals(opened.lines, [
    { level: "info", message: "hello", fields: { ...who, rows: 3 } },
    { level: "warn", message: "careful", fields: who },
    { level: "debug", message: "details", fields: who },
    { level: "error", message: "broken", fields: who },
  ]);
});

test("ctx.signal is not aborted while all is well, and the same at every look", async () => {
  const calm = workflow("calm").task("look", {
    run: ({ ctx }) => {
      const { signal } = ctx;
      return [signal.aborted, signal === ctx.signal];
    },
  });
  await using opened = await open([calm]);
  const run = await opened.runner.start(calm);
  assertEquals(await run.result(), { look: [false, true] });
});

test("a step that hangs runs again in the next attempt, and its late result is ignored", async () => {
  const hung = Promise.withResolvers<string>();
  const shaky = workflow("shaky").task("work", {
    timeout: "10s",
    retry: { attempts: 2, delay: "1s", jitter: false },
    run: async ({ ctx }) => {
      const value = await ctx.step("fetch", () => ctx.attempt === 1 ? hung.promise : "second");
      hung.resolve("first");
      return [value, await ctx.step("again", () => "third")];
    },
  });
  await using opened = await open([shaky]);
  const run = await opened.runner.start(shaky);
  assertEquals(await opened.clock.until(run.result()), { work: ["second", "third"] });
  assertEquals((await run.tasks())[0]?.steps.map(({ output }) => output).sort(), ["second", "third"]);
});
