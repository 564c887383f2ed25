/** Retries: how often, after how long, and who may say otherwise. */
import { assert, assertEquals } from "@std/assert";
import {
  createRunner,
  DeferError,
  NonRetryableError,
  RetryAfterError,
  type RetryPolicy,
  type Store,
  workflow,
} from "../../mod.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";
import { open } from "./open.ts";

test("a task without a policy is tried three times", async () => {
  const flaky = workflow("flaky").task("call", { run: ({ ctx }) => fail(`attempt ${ctx.attempt}`) });
  await using opened = await open([flaky]);
  const outcome = await opened.clock.until(opened.runner.execute(flaky));
  assert(outcome.status === "failed");
  assertEquals(outcome.failures.map(({ taskId, attempt, error }) => [taskId, attempt, error.message]), [
    ["call", 1, "attempt 1"],
    ["call", 2, "attempt 2"],
    ["call", 3, "attempt 3"],
  ]);
  assertEquals(outcome.error.message, "attempt 3");
});

test("`retry: 2` means two tries in all", async () => {
  assertEquals((await delaysOf({ attempts: 2 })).length, 1);
});

test("an attempt that succeeds ends the tries", async () => {
  const flaky = workflow("flaky").task("call", {
    run: ({ ctx }) => ctx.attempt < 2 ? fail("not yet") : `attempt ${ctx.attempt}`,
  });
  await using opened = await open([flaky]);
  const run = await opened.runner.start(flaky);
  assertEquals(await opened.clock.until(run.result()), { call: "attempt 2" });
  const [task] = await run.tasks();
  assertEquals([task?.state, task?.attempts, task?.failures.length], ["completed", 2, 1]);
});

test("each failed attempt has its start and end", async () => {
  const flaky = workflow("flaky").task("call", {
    retry: { attempts: 2, delay: "1s", jitter: false },
    run: ({ ctx }) => fail(`attempt ${ctx.attempt}`),
  });
  await using opened = await open([flaky]);
  const outcome = await opened.clock.until(opened.runner.execute(flaky));
  assert(outcome.status === "failed");
  const [first, second] = outcome.failures.map(({ startedAt, endedAt }) => ({ startedAt, endedAt }));
  const [task] = await opened.runner.get(outcome.runId).tasks();
  assertEquals([second?.startedAt, second?.endedAt], [task?.startedAt, task?.endedAt]);
  assertEquals((second?.startedAt ?? 0) - (first?.endedAt ?? 0), 1_000);
});

test("of many failed attempts the first and the nine latest are recorded, and the stack of the latest", async () => {
  const flaky = workflow("flaky").task("call", {
    retry: { attempts: 40, delay: 0 },
    run: ({ ctx }) => {
      throw new Error(`attempt ${ctx.attempt}`, { cause: new Error("the cause") });
    },
  });
  await using opened = await open([flaky]);
  const outcome = await opened.clock.until(opened.runner.execute(flaky));
  assert(outcome.status === "failed");
  assertEquals(outcome.failures.map(({ attempt }) => attempt), [1, 32, 33, 34, 35, 36, 37, 38, 39, 40]);
  const stacks = outcome.failures.map(({ error }) => [error.stack !== undefined, error.cause?.stack !== undefined]);
  assertEquals(stacks, [...Array(9).fill([false, false]), [true, true]]);
  assertEquals(outcome.failures[0]?.error.cause, { name: "Error", message: "the cause" });
  assertEquals((await opened.runner.get(outcome.runId).tasks())[0]?.failures, outcome.failures);
});

test("an exponential backoff doubles up to maxDelay", async () => {
  const policy = { attempts: 6, delay: "1s", maxDelay: "5s", jitter: false } as const;
  assertEquals(await delaysOf(policy), [1_000, 2_000, 4_000, 5_000, 5_000]);
});

test("a linear backoff grows by its delay", async () => {
  const policy = { attempts: 4, backoff: "linear", delay: "10s", jitter: false } as const;
  assertEquals(await delaysOf(policy), [10_000, 20_000, 30_000]);
});

test("a fixed backoff stays as it is", async () => {
  assertEquals(await delaysOf({ attempts: 3, backoff: "fixed", delay: 250, jitter: false }), [250, 250]);
});

test("jitter draws between half of a delay and all of it", async () => {
  const delays = await delaysOf({ attempts: 20, backoff: "fixed", delay: "10s" });
  assertEquals(delays.filter((ms) => ms < 5_000 || ms > 10_000), []);
  assert(new Set(delays).size > 1);
});

test("a retry without a delay follows at once", async () => {
  assertEquals(await delaysOf({ attempts: 3, delay: 0 }), [0, 0]);
});

test("retryIf decides which errors are worth another attempt", async () => {
  const seen: unknown[] = [];
  const picky = workflow("picky").task("call", {
    retry: { attempts: 5, retryIf: (error) => (seen.push(error), error instanceof TypeError) },
    run: ({ ctx }) => {
      throw ctx.attempt < 3 ? new TypeError("again") : new RangeError("enough");
    },
  });
  await using opened = await open([picky]);
  const outcome = await opened.clock.until(opened.runner.execute(picky));
  assert(outcome.status === "failed");
  assertEquals(outcome.failures.map(({ error }) => error.name), ["TypeError", "TypeError", "RangeError"]);
  assertEquals(seen.length, 3);
});

test("a retryIf that throws means no", async () => {
  const broken = workflow("broken").task("call", {
    retry: { attempts: 5, retryIf: () => fail("the predicate broke") },
    run: () => fail("the body broke"),
  });
  await using opened = await open([broken]);
  const outcome = await opened.runner.execute(broken);
  assert(outcome.status === "failed");
  assertEquals(outcome.failures.map(({ error }) => error.message), ["the body broke"]);
  assertEquals(opened.lines.map(({ level }) => level), ["warn"]);
});

test("NonRetryableError fails the task now", async () => {
  const final = workflow("final").task("call", {
    retry: 9,
    run: () => {
      throw new NonRetryableError("it will not get better", { cause: new Error("gone") });
    },
  });
  await using opened = await open([final]);
  const outcome = await opened.runner.execute(final);
  assert(outcome.status === "failed");
  assertEquals(outcome.failures.length, 1);
  assertEquals(outcome.failures[0]?.error.cause?.message, "gone");
  assertEquals(outcome.error.name, "NonRetryableError");
});

test("RetryAfterError chooses the delay, and counts as an attempt", async () => {
  const delays = await delaysOf({ attempts: 3, delay: "1s" }, () => {
    throw new RetryAfterError("90s");
  });
  assertEquals(delays, [90_000, 90_000]);
});

test("DeferError is no attempt, however often it is thrown", async () => {
  let calls = 0;
  const patient = workflow("patient").task("look", {
    retry: 1,
    run: ({ ctx }) => {
      if (++calls <= 10) throw new DeferError("30s");
      return ctx.attempt;
    },
  });
  await using opened = await open([patient]);
  const run = await opened.runner.start(patient);
  await opened.clock.advance("200s");
  assertEquals((await run.status()).state, "waiting");
  assertEquals(await opened.clock.until(run.result()), { look: 1 });
  const [task] = await run.tasks();
  assertEquals([calls, task?.attempts, task?.failures], [11, 1, []]);
});

test("a long wait leaves memory, and is taken up when it is due", async () => {
  const slow = workflow("slow").task("call", {
    retry: { attempts: 2, delay: "1h", maxDelay: "1h", jitter: false },
    run: ({ ctx }) => ctx.attempt === 1 ? fail("later") : "done",
  });
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow);
  await opened.clock.settle();
  assertEquals((await opened.runner.stats()).runner?.runs, 0);
  const { state, dueAt } = await run.status();
  assertEquals([state, dueAt], ["waiting", opened.clock.now() + 3_600_000]);
  await opened.clock.advance("59m");
  assertEquals((await run.status()).state, "waiting");
  await opened.clock.advance("1m");
  assertEquals(await run.result(), { call: "done" });
});

test("while one task waits for its retry, others continue", async () => {
  const mixed = workflow("mixed")
    .task("flaky", {
      retry: { attempts: 2, delay: "2s", jitter: false },
      run: ({ ctx }) => ctx.attempt === 1 ? fail("later") : 1,
    })
    .task("a", { run: () => 1 })
    .task("b", { after: ["a"], run: ({ a }) => a + 1 });
  await using opened = await open([mixed]);
  const run = await opened.runner.start(mixed);
  await opened.clock.settle();
  assertEquals((await run.tasks()).map(({ id, state }) => `${id} ${state}`), [
    "flaky waiting",
    "a completed",
    "b completed",
  ]);
  await opened.clock.advance("2s");
  assertEquals(await run.result(), { flaky: 1, a: 1, b: 2 });
});

/** The waits between the attempts of a task that always fails. */
async function delaysOf(retry: RetryPolicy, run: () => never = () => fail("as always")): Promise<number[]> {
  const failing = workflow("failing").task("call", { retry, run });
  await using opened = await open([failing]);
  await opened.clock.until(opened.runner.execute(failing), "1d");
  const starts = opened.events.flatMap((event) => event.type === "task.started" ? [event.at] : []);
  return starts.slice(1).map((at, index) => at - starts[index]!);
}

function fail(message: string): never {
  throw new Error(message);
}

test("another attempt starts only once the failure of the last one is durable", async () => {
  await using on = emptyStore("memory");
  const clock = createFakeClock();
  const store = await openPlace(on, { clock });
  const held = Promise.withResolvers<void>();
  const slow: Store = {
    ...store,
    async commit(batch) {
      if (batch.writes.some(({ records }) => records.some(({ state }) => state === "waiting"))) await held.promise;
      return await store.commit(batch);
    },
  };
  const attempts: number[] = [];
  const twice = workflow("twice").task("a", {
    retry: { attempts: 2, delay: 10 },
    run({ ctx }) {
      attempts.push(ctx.attempt);
      if (ctx.attempt === 1) throw new Error("once more");
    },
  });
  const runner = await createRunner(slow, { workflows: [twice], clock });
  const outcome = runner.execute(twice);
  await clock.advance("1s");
  assertEquals(attempts, [1]);
  held.resolve();
  assertEquals((await clock.until(outcome)).status, "completed");
  assertEquals(attempts, [1, 2]);
  await clock.until(runner.stop());
  await store.close();
});
