/** What callers and bodies pass that is not what it seems: texts, thenables, steps, reasons of signals. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DeferError, type RunHandle, type Schema, UnknownTaskError, workflow } from "../../mod.ts";
import { within } from "../within.ts";
import { test } from "../harness.ts";
import { open } from "./open.ts";

const quick = workflow("quick").task("work", { run: () => 1 });

test("texts that a store cannot keep are refused at the call, and disturb nothing else", async () => {
  await using opened = await open([quick]);
  const { runner } = opened;
  const run = await runner.start(quick, undefined, { delay: "1h", tags: ["fine"] });
  for (const text of ["a\0b", "\ud800", "x".repeat(10_000)]) {
    for (
      const call of [
        () => runner.start(quick, undefined, { key: text }),
        () => runner.start(quick, undefined, { tags: [text] }),
        () => runner.startMany(quick, [undefined], { key: () => text }),
        () => runner.startMany(quick, [undefined], { tags: [text] }),
        () => runner.list({ tags: [text] }),
        () => runner.list({ workflow: text }),
        () => run.pause(text),
        () => run.cancel(text),
      ]
    ) await assertRejects(async () => await call(), TypeError);
    assertEquals((await runner.list({ tags: ["fine"] })).runs.length, 1);
  }
  const many = Array.from({ length: 101 }, (_, i) => `tag ${i}`);
  await assertRejects(() => runner.start(quick, undefined, { tags: many }), TypeError, "more than 100");
  await run.cancel("x".repeat(2_000));
});

test("a task whose id a store cannot keep is unknown to every method", async () => {
  const map = workflow("map").map("m", { over: () => [1], run: ({ item }) => item });
  await using opened = await open([map]);
  const run: RunHandle = await opened.runner.start(map);
  await opened.clock.until(run.result());
  for (const text of ["a\0b", "\ud800"]) {
    await assertRejects(() => run.items(text), UnknownTaskError);
    await assertRejects(() => run.fork({ from: text }), UnknownTaskError);
  }
});

test("a step whose name a store cannot keep fails its own task", async () => {
  for (const name of ["a\0b", "\udfff", "", "x".repeat(201)]) {
    const bad = workflow("bad")
      .task("bad", { retry: 1, run: ({ ctx }) => ctx.step(name, () => 1) })
      .task("good", { run: () => 1 });
    await using opened = await open([bad]);
    const outcome = await opened.runner.execute(bad);
    assert(outcome.status === "failed");
    assertEquals([outcome.error.name, outcome.outputs], ["TypeError", { good: 1 }]);
  }
});

test("a step name is used once in an attempt, and again in the next one", async () => {
  const loop = workflow("loop").task("work", {
    retry: 1,
    async run({ ctx }) {
      const out: number[] = [];
      for (let i = 0; i < 3; i++) out.push(await ctx.step("item", () => i));
      return out;
    },
  });
  const named = workflow("named").task("work", {
    retry: { attempts: 2, delay: 0, jitter: false },
    async run({ ctx }) {
      const out: number[] = [];
      for (let i = 0; i < 3; i++) out.push(await ctx.step(`item ${i}`, () => i * ctx.attempt));
      if (ctx.attempt === 1) throw new Error("again");
      return out;
    },
  });
  await using opened = await open([loop, named]);
  const outcome = await opened.runner.execute(loop);
  assert(outcome.status === "failed");
  assertStringIncludes(outcome.error.message, 'Cannot run step "item" again');
  const run = await opened.runner.start(named);
  assertEquals(await opened.clock.until(run.result()), { work: [0, 1, 2] });
});

test("a step that would wait for itself throws, also through another step", async () => {
  const steps = workflow("steps")
    .task("itself", { retry: 1, run: ({ ctx }) => ctx.step("a", () => ctx.step("a", () => 1)) })
    .task("deeper", { retry: 1, run: ({ ctx }) => ctx.step("a", () => ctx.step("b", () => ctx.step("a", () => 1))) })
    .task("each", {
      retry: 1,
      async run({ ctx }) {
        const gate = Promise.withResolvers<void>();
        const [a, b] = [
          ctx.step("a", async () => (await gate.promise, await ctx.step("b", () => 1))),
          ctx.step("b", async () => (await gate.promise, await ctx.step("a", () => 1))),
        ];
        gate.resolve();
        return await Promise.all([a, b]);
      },
    })
    .task("fine", { retry: 1, run: ({ ctx }) => ctx.step("a", () => ctx.step("b", () => 7)) });
  await using opened = await open([steps]);
  const outcome = await within("the steps", opened.runner.execute(steps));
  assert(outcome.status === "failed");
  assertEquals(outcome.failures.map(({ taskId, error }) => [taskId, error.message]), [
    ["itself", 'Cannot run step "a": it is called within itself and would wait for itself'],
    ["deeper", 'Cannot run step "a" in step "b": the two would wait for each other'],
    ["each", 'Cannot run step "a" in step "b": the two would wait for each other'],
  ]);
  assertEquals(outcome.outputs, { fine: 7 });
});

test("a signal may abort with anything", async () => {
  await using opened = await open([quick]);
  for (const reason of [Object.create(null), Symbol("s"), "x\0y".repeat(10_000), null]) {
    const abort = new AbortController();
    const run = await opened.runner.start(quick, undefined, { delay: "1h", signal: abort.signal });
    abort.abort(reason);
    const outcome = await within("the cancel", run.outcome());
    assertEquals(outcome.status, "cancelled");
  }
});

/** A query as query builders make it: it is executed when it is awaited. */
function lazy<T>(execute: () => T): PromiseLike<T> {
  return { then: (resolve, reject) => Promise.resolve().then(execute).then(resolve, reject) };
}

test("a thenable is awaited wherever a promise is", async () => {
  const done: string[] = [];
  const schema: Schema<number, number> = {
    "~standard": {
      version: 1,
      vendor: "lazy",
      validate: (value) => lazy(() => ({ value: Number(value) + 1 })) as Promise<{ value: number }>,
    },
  };
  const flow = workflow("flow", { input: schema })
    .task("good", { run: ({ input }) => lazy(() => input), onSuccess: () => lazy(() => done.push("success")) as never })
    .task("bad", {
      retry: 1,
      run: () => Promise.reject(new Error("no")),
      onFailure: () => lazy(() => done.push("failure")) as never,
    });
  await using opened = await open([flow]);
  const outcome = await opened.runner.execute(flow, 1);
  assertEquals(outcome.outputs, { good: 2 });
  await opened.runner.stop();
  assertEquals(done.sort(), ["failure", "success"]);
});

test("a schema that returns neither a value nor issues refuses the input", async () => {
  const schema: Schema<number, number> = {
    "~standard": { version: 1, vendor: "odd", validate: () => ({}) as { value: number } },
  };
  const flow = workflow("flow", { input: schema }).task("work", { run: () => 1 });
  await using opened = await open([flow]);
  await assertRejects(() => opened.runner.start(flow, 1), Error, "neither a value nor issues");
});

test("an asynchronous retryIf is refused, loudly", async () => {
  let calls = 0;
  const flow = workflow("flow").task("work", {
    retry: { attempts: 3, delay: 0, retryIf: (() => Promise.resolve(true)) as unknown as () => boolean },
    run: () => Promise.reject(new Error(`call ${++calls}`)),
  });
  await using opened = await open([flow]);
  assertEquals((await opened.runner.execute(flow)).status, "failed");
  assertEquals(calls, 1);
  assertEquals(opened.lines.filter(({ message }) => message.includes("retryIf")).map(({ level }) => level), ["error"]);
});

test("the message of a DeferError is shown wherever the deferral is", async () => {
  const patient = workflow("patient").task("look", {
    when: () => true,
    run: () => {
      throw new DeferError("10m", "the export: not ready of its condition");
    },
  });
  await using opened = await open([patient]);
  const run = await opened.runner.start(patient);
  await opened.clock.settle();
  const message = "the export: not ready of its condition";
  assertStringIncludes((await opened.runner.explain(run.id)).summary, message);
  assertStringIncludes((await run.tasks())[0]?.reason ?? "", message);
  assertEquals(opened.events.flatMap((event) => event.type === "task.deferred" ? [event.message] : []), [message]);
  const events: string[] = [];
  for await (const event of run.events()) {
    if (event.type === "task.deferred") events.push(event.message ?? "");
    if (events.length > 0) break;
  }
  assertEquals(events, [message]);
});
