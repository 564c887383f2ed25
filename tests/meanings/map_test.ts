/** What a map means: each sentence of its documentation, on a clock that is moved by hand. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  createRunner,
  DefinitionError,
  dynamicWorkflow,
  NonRetryableError,
  type RunEvent,
  workflow,
} from "../../mod.ts";
import { metricsOf } from "../../lib/engine/client/client_context.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";
import { never, open, untilAborted } from "./open.ts";

const once = { attempts: 1 } as const;

test("a map runs its body for each element, and its output is the array of results in that order", async () => {
  let computed = 0;
  const double = workflow("double")
    .task("numbers", { run: () => ({ list: [3, 1, 2], offset: 10 }) })
    .map("doubled", {
      after: ["numbers"],
      over: ({ numbers }) => (computed++, numbers.list),
      run: ({ item, index, numbers, ctx }) => `${index}/${ctx.item}: ${item * 2 + numbers.offset}`,
    })
    .task("joined", { after: ["doubled"], run: ({ doubled }) => doubled.join(", ") })
    .returns("joined");
  await using opened = await open([double]);
  const outcome = await opened.runner.execute(double);
  assert(outcome.status === "completed");
  assertEquals(outcome.result, "0/0: 16, 1/1: 12, 2/2: 14");
  assertEquals(outcome.outputs.doubled, ["0/0: 16", "1/1: 12", "2/2: 14"]);
  assertEquals(computed, 1);
});

test("the array may be computed asynchronously, and an empty one gives an empty array", async () => {
  const none = workflow("none")
    .map("items", { over: () => Promise.resolve<number[]>([]), run: ({ item }) => item })
    .map("collected", { over: () => [] as number[], onItemFailure: "collect", run: ({ item }) => item })
    .task("count", { after: ["items", "collected"], run: ({ items, collected }) => items.length + collected.length });
  await using opened = await open([none]);
  const outcome = await opened.runner.execute(none);
  assertEquals(outcome.outputs, { items: [], collected: [], count: 0 });
});

test("items that return nothing are undefined in the output, and each body receives a copy of its element", async () => {
  const seen: string[] = [];
  const silent = workflow("silent")
    .map("items", {
      over: () => [{ n: 1 }, { n: 2 }],
      retry: { attempts: 2, delay: 0 },
      run({ item, ctx }) {
        item.n *= 10;
        seen.push(`${ctx.item} ${ctx.attempt}: ${item.n}`);
        if (ctx.attempt === 1) throw new Error("once more");
      },
    });
  await using opened = await open([silent]);
  const outcome = await opened.clock.until(opened.runner.execute(silent));
  assertEquals(outcome.outputs, { items: [undefined, undefined] });
  assertEquals(seen.sort(), ["0 1: 10", "0 2: 10", "1 1: 20", "1 2: 20"]);
});

test("what is no array, or too large, fails the map with a message that says so", async () => {
  const wrong = dynamicWorkflow({
    name: "wrong",
    tasks: [
      { id: "text", kind: "map", over: () => "abc", run: () => 1, retry: 1 },
      { id: "date", kind: "map", over: () => [{ at: new Date(0) }], run: () => 1 },
      { id: "large", kind: "map", over: () => ["x".repeat(2_000)], run: () => 1 },
    ],
  });
  await using opened = await open([wrong], { maxPayloadBytes: 1_000 });
  const outcome = await opened.runner.execute(wrong);
  assert(outcome.status === "failed");
  assertEquals(outcome.failures.map(({ error }) => error.message), [
    'Cannot run map "text": over() must return an array, not "abc"',
    "Cannot store items[0].at: it is a Date - use date.toISOString()",
    "Cannot store items: it is 2,004 bytes as JSON, and the limit is 1,000 (maxPayloadBytes)",
  ]);
});

test("the limit of a payload holds for each output, not for all of a map together", async () => {
  const wide = workflow("wide")
    .map("items", { over: () => [..."abc"], retry: once, run: ({ item }) => item.repeat(900) })
    .task("sum", { after: ["items"], run: ({ items }) => items.join("").length });
  await using opened = await open([wide], { maxPayloadBytes: 1_000 });
  const outcome = await opened.runner.execute(wide);
  assertEquals(outcome.status === "completed" && outcome.outputs.sum, 2_700);
});

test("`concurrency` bounds the items that run at once", async () => {
  let running = 0;
  let most = 0;
  const busy = workflow("busy").map("items", {
    over: () => Array.from({ length: 20 }, (_, n) => n),
    concurrency: 3,
    async run() {
      most = Math.max(most, ++running);
      await new Promise((resolve) => opened.clock.after(10, () => resolve(undefined)));
      running--;
    },
  });
  await using opened = await open([busy]);
  await opened.clock.until(opened.runner.execute(busy));
  assertEquals([most, running], [3, 0]);
});

test("each item is attempted, delayed and retried by itself", async () => {
  const times: string[] = [];
  const flaky = workflow("flaky").map("items", {
    over: () => [0, 1, 2],
    retry: { attempts: 3, delay: "10s", backoff: "fixed", jitter: false },
    run({ item, ctx }) {
      times.push(`${item}.${ctx.attempt} at ${opened.clock.now() - start}`);
      if (ctx.attempt <= item) throw new Error("not yet");
      return ctx.attempt;
    },
  });
  await using opened = await open([flaky]);
  const start = opened.clock.now();
  const outcome = await opened.clock.until(opened.runner.execute(flaky));
  assertEquals(outcome.outputs.items, [1, 2, 3]);
  assertEquals(times, ["0.1 at 0", "1.1 at 0", "2.1 at 0", "1.2 at 10000", "2.2 at 10000", "2.3 at 20000"]);
});

test("an item has its own timeout, steps and idempotency key", async () => {
  const steps: string[] = [];
  const keys = new Set<string>();
  const slow = workflow("slow").map("items", {
    over: () => ["a", "b"],
    timeout: "1s",
    retry: { attempts: 2, delay: 0 },
    async run({ item, ctx }) {
      keys.add(ctx.idempotencyKey);
      const made = await ctx.step("make", () => (steps.push(item), `${item}!`));
      if (item === "b" && ctx.attempt === 1) await never();
      return made;
    },
  });
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow);
  const outcome = await opened.clock.until(run.outcome());
  assertEquals(outcome.outputs.items, ["a!", "b!"]);
  assertEquals(steps, ["a", "b"]);
  assertEquals([...keys], [`${run.id}/items/0`, `${run.id}/items/1`]);
});

test('"stop" starts no further items, aborts those that run, and fails the map', async () => {
  const begun: number[] = [];
  const aborted: string[] = [];
  const fragile = workflow("fragile")
    .map("items", {
      over: () => [0, 1, 2, 3],
      concurrency: 2,
      retry: once,
      async run({ item, ctx }) {
        begun.push(item);
        if (item === 1) throw new TypeError("bad item");
        await untilAborted(ctx.signal).catch((reason: Error) => {
          aborted.push(reason.message);
          throw reason;
        });
      },
    })
    .task("after", { after: ["items"], run: () => 1 });
  await using opened = await open([fragile]);
  const run = await opened.runner.start(fragile);
  const outcome = await opened.clock.until(run.outcome());
  assert(outcome.status === "failed");
  assertEquals([begun, aborted], [[0, 1], ['Another item of task "items" failed']]);
  assertEquals(outcome.error.message, '1 of 4 items of task "items" failed; the first is item 1: bad item');
  assert(outcome.error.cause instanceof Error);
  assertEquals([outcome.error.cause.name, outcome.error.cause.message], ["TypeError", "bad item"]);
  assertEquals((await run.tasks()).map(({ state }) => state), ["failed", "skipped"]);
});

test('"finish" runs all items and then fails, and retry() repeats only the failed ones', async () => {
  const runs: number[] = [];
  let isBroken = true;
  const thorough = workflow("thorough")
    .map("items", {
      over: () => (computed++, [0, 1, 2, 3, 4]),
      concurrency: 1,
      retry: once,
      onItemFailure: "finish",
      run({ item }) {
        runs.push(item);
        if (isBroken && item % 2 === 1) throw new Error(`broken ${item}`);
        return item * 10;
      },
    })
    .task("sum", { after: ["items"], run: ({ items }) => items.reduce((a, b) => a + b, 0) });
  let computed = 0;
  await using opened = await open([thorough]);
  const run = await opened.runner.start(thorough);
  const failed = await run.outcome();
  assert(failed.status === "failed");
  assertEquals(failed.error.message, '2 of 5 items of task "items" failed; the first is item 1: broken 1');
  assertEquals(failed.failures.map(({ item }) => item), [1, 3, undefined]);
  assertEquals(runs.splice(0), [0, 1, 2, 3, 4]);
  isBroken = false;
  await run.retry();
  const outcome = await opened.clock.until(run.outcome());
  assertEquals(outcome.outputs, { items: [0, 10, 20, 30, 40], sum: 100 });
  assertEquals([runs, computed], [[1, 3], 1]);
});

test("a map records the failures of ten items at most", async () => {
  const many = workflow("many").map("items", {
    over: () => Array.from({ length: 100 }, (_, n) => n),
    retry: once,
    onItemFailure: "finish",
    run({ item }) {
      throw new Error(`no ${item}`);
    },
  });
  await using opened = await open([many]);
  const outcome = await opened.runner.execute(many);
  assert(outcome.status === "failed");
  assertEquals(outcome.error.message, '100 of 100 items of task "items" failed; the first is item 0: no 0');
  assertEquals(outcome.failures.length, 11);
});

test('"collect" never fails: each element says whether its item completed', async () => {
  const tolerant = workflow("tolerant")
    .map("items", {
      over: () => [1, 0, 2],
      onItemFailure: "collect",
      run({ item }) {
        if (item === 0) throw new NonRetryableError("zero");
        return 10 / item;
      },
    })
    .task("good", { after: ["items"], run: ({ items }) => items.flatMap((each) => each.ok ? [each.value] : []) });
  await using opened = await open([tolerant], { shared: true });
  const run = await opened.runner.start(tolerant);
  const outcome = await run.outcome();
  assert(outcome.status === "completed");
  assertEquals(outcome.outputs.good, [10, 5]);
  const [first, second] = outcome.outputs.items!;
  assertEquals(first, { ok: true, value: 10 });
  assert(second?.ok === false);
  assertEquals([second.error.name, second.error.message, second.error.code], [
    "NonRetryableError",
    "zero",
    "non_retryable",
  ]);
  // Another process reads the same.
  const client = await opened.client([tolerant]);
  const there = await (await client.get(run.id))!.outcome();
  assertEquals(there.outputs, outcome.outputs);
});

test("a cancelled run starts no further items and aborts those that run", async () => {
  let begun = 0;
  const long = workflow("long").map("items", {
    over: () => [0, 1, 2, 3],
    concurrency: 2,
    run: ({ ctx }) => (begun++, untilAborted(ctx.signal)),
  });
  await using opened = await open([long]);
  const run = await opened.runner.start(long);
  await opened.clock.settle();
  await run.cancel("enough");
  const outcome = await opened.clock.until(run.outcome());
  assertEquals([outcome.status, begun], ["cancelled", 2]);
  assertEquals((await run.tasks())[0]?.state, "cancelled");
});

test("the timeout of a run ends its items", async () => {
  const long = workflow("long", { timeout: "1m" }).map("items", {
    over: () => [0, 1],
    run: ({ ctx }) => untilAborted(ctx.signal),
  });
  await using opened = await open([long]);
  const outcome = await opened.clock.until(opened.runner.execute(long));
  assertEquals(outcome.status === "failed" && outcome.error.name, "RunTimeoutError");
});

test("a paused run finishes the items that run, and continues with the others when it is resumed", async () => {
  const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const begun: number[] = [];
  const gated = workflow("gated").map("items", {
    over: () => [0, 1, 2, 3],
    concurrency: 2,
    async run({ item }) {
      begun.push(item);
      await gates[item]!.promise;
      return item;
    },
  });
  await using opened = await open([gated]);
  const run = await opened.runner.start(gated);
  await opened.clock.settle();
  await run.pause();
  for (const gate of gates) gate.resolve();
  await opened.clock.settle();
  assertEquals([(await run.status()).state, begun], ["paused", [0, 1]]);
  await run.resume();
  const outcome = await opened.clock.until(run.outcome());
  assertEquals([outcome.outputs.items, begun], [[0, 1, 2, 3], [0, 1, 2, 3]]);
});

test("a runner that stops hands a map back, and the next one runs only what has not completed", async () => {
  const begun: string[] = [];
  const versionOf = (name: string) =>
    workflow("moved").map("items", {
      over: () => Array.from({ length: 50 }, (_, n) => n),
      concurrency: name === "a" ? 10 : 5,
      version: "1",
      async run({ item, ctx }) {
        begun.push(`${name}${item}`);
        if (name === "a" && item >= 20) await untilAborted(ctx.signal);
        return await ctx.step("double", () => item * 2);
      },
    }).task("sum", { after: ["items"], run: ({ items }) => items.reduce((a, b) => a + b, 0) });
  await using opened = await open([versionOf("a")], { shared: true });
  const run = await opened.runner.start("moved");
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: "1s" }));
  // Its concurrency differs, and so its version.
  const next = await opened.another([versionOf("b")]);
  const outcome = await opened.clock.until((await next.get(run.id))!.outcome());
  assertEquals(outcome.outputs["sum"], 50 * 49);
  assertEquals(begun.filter((each) => each.startsWith("b")).length, 30);
});

test("fork() copies the items of a map that completed, and runs a map that failed from its beginning", async () => {
  const runs: string[] = [];
  let isBroken = true;
  const two = workflow("two")
    .map("good", { over: () => [1, 2], run: ({ item }) => (runs.push(`good ${item}`), item) })
    .map("bad", {
      after: ["good"],
      over: ({ good }) => good,
      retry: once,
      run({ item }) {
        runs.push(`bad ${item}`);
        if (isBroken && item === 2) throw new Error("no");
        return item;
      },
    })
    .task("sum", { after: ["good", "bad"], run: ({ good, bad }) => [...good, ...bad].length });
  await using opened = await open([two]);
  const run = await opened.runner.start(two);
  assertEquals((await run.outcome()).status, "failed");
  isBroken = false;
  runs.length = 0;
  const fork = await run.fork();
  const outcome = await opened.clock.until(fork.outcome());
  assertEquals(outcome.outputs, { good: [1, 2], bad: [1, 2], sum: 4 });
  assertEquals(runs, ["bad 1", "bad 2"]);
  const given = await run.fork({ outputs: { bad: [7, 8, 9] } });
  assertEquals((await opened.clock.until(given.outcome())).outputs.sum, 5);
});

test("a map shows its progress without code of the user", async () => {
  const gate = Promise.withResolvers<void>();
  const watched = workflow("watched").map("items", {
    over: () => [0, 1, 2, 3],
    concurrency: 2,
    retry: once,
    onItemFailure: "collect",
    async run({ item }) {
      if (item === 1) throw new Error("no");
      if (item > 1) await gate.promise;
    },
  });
  await using opened = await open([watched]);
  const run = await opened.runner.start(watched);
  await opened.clock.advance("1s");
  const [task] = await run.tasks();
  assertEquals([task?.kind, task?.state, task?.output], ["map", "running", undefined]);
  assertEquals(task?.items, { total: 4, completed: 1, failed: 1, running: 2, waiting: 0, blocked: 0, compensated: 0 });
  assertEquals(task?.progress, { done: 2, total: 4 });
  const { summary } = await opened.runner.explain(run.id);
  assertEquals(summary, 'task "items" runs: 1 of 4 items completed, 1 failed, 2 running');
  gate.resolve();
  await opened.clock.until(run.outcome());
  assertEquals((await run.tasks())[0]?.items, {
    total: 4,
    completed: 3,
    failed: 1,
    running: 0,
    waiting: 0,
    blocked: 0,
    compensated: 0,
  });
});

test("events of items carry their index, and metrics count items as attempts of their task", async () => {
  const small = workflow("small").map("items", { over: () => [7, 8], concurrency: 1, run: ({ item }) => item });
  await using opened = await open([small]);
  const run = await opened.runner.start(small);
  await run.outcome();
  assertEquals(opened.events.map(textOf), [
    "run.started",
    "task.started items",
    "task.started items/0",
    "task.started items/1",
    "task.completed items/0",
    "task.completed items/1",
    "task.completed items",
    "run.completed",
  ]);
  const past: string[] = [];
  for await (const event of run.events()) past.push(textOf(event));
  assertEquals(past, [
    "run.started",
    "task.started items",
    "task.progress items",
    "task.completed items",
    "run.completed",
  ]);
  const [counts] = metricsOf(opened.runner)!.workflows[0]!.tasks;
  assertEquals([counts?.attempts, counts?.completed], [3, 1]);
});

test("a map whose output nothing reads loads none of it", async () => {
  await using place = emptyStore("memory");
  const clock = createFakeClock();
  const store = await openPlace(place, { clock });
  let reads = 0;
  const outputs: typeof store.outputs = (requests) => (reads++, store.outputs(requests));
  const alone = workflow("alone").map("items", { over: () => [1, 2, 3], run: ({ item }) => item }).task("other", {
    run: () => 1,
  });
  const runner = await createRunner({ ...store, outputs }, { workflows: [alone], clock });
  const run = await runner.start(alone);
  await clock.settle();
  assertEquals([(await run.status()).state, reads], ["completed", 0]);
  assertEquals((await run.outcome()).outputs, { items: [1, 2, 3], other: 1 });
  assertEquals(reads, 1);
  await clock.until(runner.stop());
  await store.close();
});

test("a wrong map is refused when it is defined", () => {
  const define = (options: Record<string, unknown>): unknown =>
    dynamicWorkflow({ name: "wrong", tasks: [{ id: "m", kind: "map", run: () => 1, over: () => [], ...options }] });
  for (
    const options of [{ concurrency: 0 }, { onItemFailure: "ignore" }, { over: 3 }, { run: undefined }, { limit: 3 }]
  ) {
    assertThrows(() => define(options), DefinitionError);
  }
});

function textOf(event: RunEvent): string {
  if (!("taskId" in event)) return event.type;
  return `${event.type} ${event.taskId}${event.item === undefined ? "" : `/${event.item}`}`;
}
