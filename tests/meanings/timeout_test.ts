/** Time-outs of tasks and of runs. */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { RunTimeoutError, TaskTimeoutError, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { never, open, untilAborted } from "./open.ts";

test("a task that takes too long is aborted with TaskTimeoutError", async () => {
  const reasons: unknown[] = [];
  const slow = workflow("slow").task("hang", {
    retry: 1,
    timeout: "30s",
    run: ({ ctx }) => untilAborted(ctx.signal).catch((reason) => void reasons.push(reason)),
  });
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow);
  await opened.clock.advance("29s");
  assertEquals((await run.status()).state, "running");
  await opened.clock.advance("1s");
  const outcome = await run.outcome();
  assert(outcome.status === "failed");
  assertEquals(outcome.error.message, 'Task "hang" took longer than its timeout of 30000 ms');
  const [reason] = reasons;
  assertInstanceOf(reason, TaskTimeoutError);
  assertEquals([reason.taskId, reason.timeoutMs], ["hang", 30_000]);
});

test("a time-out counts as a failed attempt", async () => {
  const slow = workflow("slow").task("hang", {
    retry: { attempts: 2, delay: "1s", jitter: false },
    timeout: "5s",
    run: ({ ctx }) => ctx.attempt === 1 ? never() : "quick",
  });
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow);
  assertEquals(await opened.clock.until(run.result()), { hang: "quick" });
  const [task] = await run.tasks();
  assertEquals([task?.attempts, task?.failures.map(({ error }) => error.name)], [2, ["TaskTimeoutError"]]);
});

test("a body that ignores its time-out gives its place away at once", async () => {
  const stubborn = workflow("stubborn").task("hang", { retry: 1, timeout: "1s", run: never });
  const next = workflow("next").task("go", { run: () => "went" });
  await using opened = await open([stubborn, next], { concurrency: 1 });
  const first = await opened.runner.start(stubborn);
  const second = await opened.runner.start(next);
  await opened.clock.settle();
  assertEquals((await second.status()).state, "running");
  await opened.clock.advance("1s");
  assertEquals((await first.status()).state, "failed");
  assertEquals(await second.result(), { go: "went" });
});

test("the result of a body after its time-out is ignored", async () => {
  const late = Promise.withResolvers<string>();
  const slow = workflow("slow").task("answer", {
    retry: { attempts: 2, delay: "1s", jitter: false },
    timeout: "1s",
    run: ({ ctx }) => ctx.attempt === 1 ? late.promise : "in time",
  });
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow);
  await opened.clock.advance("1s");
  late.resolve("too late");
  await opened.clock.settle();
  assertEquals((await run.tasks())[0]?.state, "waiting");
  await opened.clock.advance("1s");
  assertEquals(await run.result(), { answer: "in time" });
});

test("what a body throws after its time-out is ignored", async () => {
  const late = Promise.withResolvers<never>();
  const slow = workflow("slow").task("answer", { retry: 1, timeout: "1s", run: () => late.promise });
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow);
  await opened.clock.advance("1s");
  late.reject(new Error("too late"));
  await opened.clock.settle();
  assertEquals((await run.tasks())[0]?.failures.map(({ error }) => error.name), ["TaskTimeoutError"]);
});

test("each attempt has the whole time", async () => {
  const slow = workflow("slow").task("hang", {
    retry: { attempts: 3, delay: 0 },
    timeout: "10s",
    run: never,
  });
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow);
  await opened.clock.advance("29s");
  assertEquals((await run.status()).state, "running");
  await opened.clock.advance("1s");
  assertEquals((await run.status()).state, "failed");
});

test("time that an attempt waits for a place does not count", async () => {
  const first = workflow("first").task("long", { run: ({ ctx }) => untilAborted(ctx.signal) });
  const second = workflow("second").task("short", { retry: 1, timeout: "1s", run: () => "done" });
  await using opened = await open([first, second], { concurrency: 1 });
  const blocker = await opened.runner.start(first);
  const run = await opened.runner.start(second);
  await opened.clock.advance("1m");
  await blocker.cancel();
  await opened.clock.settle();
  assertEquals(await run.result(), { short: "done" });
});

test("a run that takes too long fails with RunTimeoutError, and its open tasks are cancelled", async () => {
  const slow = workflow("slow", { timeout: "1m" })
    .task("first", { run: () => 1 })
    .task("hang", { after: ["first"], run: ({ ctx }) => untilAborted(ctx.signal) })
    .task("last", { after: ["hang"], run: () => 2 });
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow);
  await opened.clock.advance("59s");
  assertEquals((await run.status()).state, "running");
  await opened.clock.advance("1s");
  const outcome = await run.outcome();
  assert(outcome.status === "failed");
  assertInstanceOf(outcome.error, RunTimeoutError);
  assertEquals([outcome.error.timeoutMs, outcome.outputs], [60_000, { first: 1 }]);
  const states = (await run.tasks()).map(({ id, state }) => `${id} ${state}`);
  assertEquals(states, ["first completed", "hang cancelled", "last cancelled"]);
});

test("the time-out of a run aborts its bodies with RunTimeoutError", async () => {
  const reasons: unknown[] = [];
  const slow = workflow("slow").task("hang", {
    run: ({ ctx }) => untilAborted(ctx.signal).catch((reason) => void reasons.push(reason)),
  });
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow, undefined, { timeout: "10s" });
  await opened.clock.advance("10s");
  assertInstanceOf(reasons[0], RunTimeoutError);
  assertEquals((await run.status()).state, "failed");
});

test("the time-out of a run ends one that waits for a retry", async () => {
  const failing = workflow("failing", { timeout: "1m" }).task("call", {
    retry: { attempts: 2, delay: "1h", maxDelay: "1h" },
    run: () => {
      throw new Error("no");
    },
  });
  await using opened = await open([failing]);
  const run = await opened.runner.start(failing);
  await opened.clock.advance("1m");
  const outcome = await run.outcome();
  assert(outcome.status === "failed");
  assertInstanceOf(outcome.error, RunTimeoutError);
});

test("the time-out given to start() takes precedence over that of the workflow", async () => {
  const slow = workflow("slow", { timeout: "1h" }).task("hang", { run: ({ ctx }) => untilAborted(ctx.signal) });
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow, undefined, { timeout: "2s" });
  await opened.clock.advance("2s");
  assertEquals((await run.status()).state, "failed");
});

test("the time of a run counts from when it is taken, not while it waits to be due", async () => {
  const quick = workflow("quick", { timeout: "5s" }).task("go", { run: () => "went" });
  await using opened = await open([quick]);
  const run = await opened.runner.start(quick, undefined, { delay: "1m" });
  await opened.clock.advance("1m");
  assertEquals(await run.result(), { go: "went" });
});

test("a timer longer than the machine's longest does not fire at once", async () => {
  const patient = workflow("patient", { timeout: "60d" }).task("go", { timeout: "50d", run: () => "went" });
  await using opened = await open([patient]);
  assertEquals(await opened.runner.execute(patient).then((outcome) => outcome.status), "completed");
});
