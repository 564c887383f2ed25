/** Pausing and resuming a run. */
import { assertEquals } from "@std/assert";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { createRunner, type Store, workflow } from "../../mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";
import { open, untilAborted } from "./open.ts";

test("a paused run lets its bodies finish and starts nothing new", async () => {
  const first = Promise.withResolvers<string>();
  const chain = workflow("chain")
    .task("a", { run: () => first.promise })
    .task("b", { after: ["a"], run: ({ a }) => `${a}, then b` });
  await using opened = await open([chain]);
  const run = await opened.runner.start(chain);
  await opened.clock.settle();
  await run.pause("lunch");
  first.resolve("a");
  await opened.clock.advance("1h");
  const { state, reason } = await run.status();
  assertEquals([state, reason], ["paused", "lunch"]);
  assertEquals((await run.tasks()).map((task) => task.state), ["completed", "pending"]);
  await run.resume();
  await opened.clock.settle();
  assertEquals(await run.result(), { a: "a", b: "a, then b" });
});

test("once pause() has resolved, nothing new starts in this process, however slow the store is", async () => {
  const first = Promise.withResolvers<string>();
  const chain = workflow("chain")
    .task("a", { run: () => first.promise })
    .task("b", { after: ["a"], run: ({ a }) => `${a}, then b` });
  await using on = emptyStore("memory");
  const clock = createFakeClock();
  const store = await openPlace(on, { clock });
  const slow: Store["inbox"] = async (runner) => {
    await new Promise<void>((resolve) => setTimeout(resolve, 50));
    return await store.inbox(runner);
  };
  const runner = await createRunner({ ...store, inbox: slow }, { workflows: [chain], clock });
  const run = await runner.start(chain);
  await clock.settle();
  await run.pause();
  first.resolve("a");
  await clock.advance("1h");
  assertEquals((await run.tasks()).map((task) => task.state), ["completed", "pending"]);
  await clock.until(runner.stop());
  await store.close();
});

test("a paused run leaves memory once its bodies have finished", async () => {
  const first = Promise.withResolvers<void>();
  const chain = workflow("chain").task("a", { run: () => first.promise }).task("b", { after: ["a"], run: () => 1 });
  await using opened = await open([chain]);
  const run = await opened.runner.start(chain);
  await opened.clock.settle();
  await run.pause();
  await opened.clock.settle();
  assertEquals((await opened.runner.stats()).runner?.runs, 1);
  first.resolve();
  await opened.clock.settle();
  assertEquals((await opened.runner.stats()).runner?.runs, 0);
});

test("a run that is resumed before its body has finished continues as if it had not been paused", async () => {
  const first = Promise.withResolvers<number>();
  const chain = workflow("chain").task("a", { run: () => first.promise }).task("b", {
    after: ["a"],
    run: ({ a }) => a + 1,
  });
  await using opened = await open([chain]);
  const run = await opened.runner.start(chain);
  await opened.clock.settle();
  await run.pause();
  await opened.clock.settle();
  await run.resume();
  await opened.clock.settle();
  first.resolve(1);
  await opened.clock.settle();
  assertEquals(await run.result(), { a: 1, b: 2 });
  assertEquals((await run.tasks()).map(({ attempts }) => attempts), [1, 1]);
});

for (const delay of ["2s", "10m"] as const) {
  test(`a retry ${delay} away waits while its run is paused`, async () => {
    const flaky = workflow("flaky").task("call", {
      retry: { attempts: 2, delay, maxDelay: "1h", jitter: false },
      run: ({ ctx }) => ctx.attempt === 1 ? Promise.reject(new Error("not yet")) : "done",
    });
    await using opened = await open([flaky]);
    const run = await opened.runner.start(flaky);
    await opened.clock.settle();
    await run.pause();
    await opened.clock.advance("20m");
    assertEquals((await run.status()).state, "paused");
    assertEquals((await run.tasks())[0]?.attempts, 1);
    await run.resume();
    assertEquals(await opened.clock.until(run.result()), { call: "done" });
  });
}

test("a retry that is not due yet when its run is resumed waits for its time", async () => {
  const flaky = workflow("flaky").task("call", {
    retry: { attempts: 2, delay: "1m", maxDelay: "1h", jitter: false },
    run: ({ ctx }) => ctx.attempt === 1 ? Promise.reject(new Error("not yet")) : "done",
  });
  await using opened = await open([flaky]);
  const run = await opened.runner.start(flaky);
  await opened.clock.settle();
  await run.pause();
  await opened.clock.advance("10s");
  await run.resume();
  await opened.clock.advance("49s");
  assertEquals((await run.tasks())[0]?.attempts, 1);
  await opened.clock.advance("1s");
  assertEquals(await run.result(), { call: "done" });
});

test("a run can be paused before it is due, and stays so", async () => {
  const quick = workflow("quick").task("go", { run: () => "went" });
  await using opened = await open([quick]);
  const run = await opened.runner.start(quick, undefined, { delay: "1m" });
  await run.pause();
  await opened.clock.advance("5m");
  assertEquals((await run.status()).state, "paused");
  await run.resume();
  assertEquals(await opened.clock.until(run.result()), { go: "went" });
});

test("a task that waits for a place does not start while its run is paused", async () => {
  const first = Promise.withResolvers<void>();
  const started: string[] = [];
  const wide = workflow("wide")
    .task("a", { run: () => (started.push("a"), first.promise) })
    .task("b", { run: () => void started.push("b") });
  await using opened = await open([wide], { concurrency: 1 });
  const run = await opened.runner.start(wide);
  await opened.clock.settle();
  await run.pause();
  await opened.clock.settle();
  first.resolve();
  await opened.clock.settle();
  assertEquals(started, ["a"]);
  await run.resume();
  await opened.clock.settle();
  assertEquals([started, (await run.status()).state], [["a", "b"], "completed"]);
});

test("resuming a run that is not paused is no error", async () => {
  const quick = workflow("quick").task("go", { run: () => "went" });
  await using opened = await open([quick]);
  const run = await opened.runner.start(quick, undefined, { delay: "1m" });
  await run.resume();
  assertEquals((await run.status()).state, "pending");
});

test("the timeout of a run does not count the time of a pause", async () => {
  const finish = Promise.withResolvers<void>();
  const slow = workflow("slow", { timeout: "1m" })
    .task("a", { run: () => finish.promise })
    .task("b", { after: ["a"], run: ({ ctx }) => untilAborted(ctx.signal) });
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow);
  await opened.clock.settle();
  await run.pause();
  finish.resolve();
  await opened.clock.advance("2m");
  assertEquals((await run.status()).state, "paused");
  await run.resume();
  await opened.clock.advance("59s");
  assertEquals((await run.status()).state, "running");
  await opened.clock.advance("1s");
  assertEquals((await run.status()).state, "failed");
});

test("the timeout of a run does not count the time of a pause, also while its body still runs", async () => {
  const slow = workflow("slow", { timeout: "1m" }).task("hang", { run: ({ ctx }) => untilAborted(ctx.signal) });
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow);
  await opened.clock.advance("50s");
  await run.pause();
  await opened.clock.advance("1h");
  assertEquals((await run.status()).state, "paused");
  await run.resume();
  await opened.clock.advance("9s");
  assertEquals((await run.status()).state, "running");
  await opened.clock.advance("1s");
  assertEquals((await run.status()).state, "failed");
});
