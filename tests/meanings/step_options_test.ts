/** The options `retry` and `timeout` of `ctx.step`. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import type { StepOptions } from "../../lib/definition/context.ts";
import { NonRetryableError, RetryAfterError, RunCancelledError, StepTimeoutError, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { never, open } from "./open.ts";

test("a step with a retry policy is repeated within one attempt of its task", async () => {
  let calls = 0;
  const times: number[] = [];
  const shaky = workflow("shaky").task("work", {
    retry: 1,
    run: async ({ ctx }) => [
      ctx.attempt,
      await ctx.step("fetch", () => {
        times.push(opened.clock.now());
        if (++calls < 3) throw new Error("not yet");
        return calls;
      }, { retry: { attempts: 3, backoff: "linear", delay: "1m", maxDelay: "1h", jitter: false } }),
    ],
  });
  await using opened = await open([shaky]);
  const run = await opened.runner.start(shaky);
  assertEquals(await opened.clock.until(run.result()), { work: [1, 3] });
  assertEquals(times.map((time) => time - times[0]!), [0, 60_000, 180_000]);
  const [task] = await run.tasks();
  assertEquals(task?.failures, []);
  assertEquals(task?.steps.map(({ name, output }) => [name, output]), [["fetch", 3]]);
});

test("a step fails with its last error when its attempts are used up, and is run again by the next attempt", async () => {
  let calls = 0;
  const broken = workflow("broken").task("work", {
    retry: { attempts: 2, delay: 0 },
    run: ({ ctx }) =>
      ctx.step("fetch", (): void => {
        throw new Error(`call ${++calls}`);
      }, { retry: { attempts: 2, delay: 0 } }),
  });
  await using opened = await open([broken]);
  const outcome = await opened.clock.until(opened.runner.execute(broken));
  assert(outcome.status === "failed");
  assertEquals(outcome.failures.map(({ error }) => error.message), ["call 2", "call 4"]);
});

test("NonRetryableError and retryIf end the attempts of a step, RetryAfterError states the delay", async () => {
  const times: number[] = [];
  const fetch = workflow("fetch").task("work", {
    retry: 1,
    async run({ ctx }) {
      const calls = { final: 0, unwanted: 0, later: 0 };
      await ctx.step("final", () => {
        calls.final++;
        throw new NonRetryableError("gone");
      }, { retry: 5 }).catch(() => {});
      await ctx.step("unwanted", () => {
        calls.unwanted++;
        throw new Error("gone");
      }, { retry: { attempts: 5, retryIf: () => false } }).catch(() => {});
      await ctx.step("later", () => {
        times.push(opened.clock.now());
        if (++calls.later === 1) throw new RetryAfterError("7m");
      }, { retry: 2 });
      return calls;
    },
  });
  await using opened = await open([fetch]);
  const run = await opened.runner.start(fetch);
  assertEquals(await opened.clock.until(run.result()), { work: { final: 1, unwanted: 1, later: 2 } });
  assertEquals(times[1]! - times[0]!, 7 * 60_000);
});

test("an abort ends the delay of a step at once, with the reason of the signal", async () => {
  let calls = 0;
  const reason = Promise.withResolvers<unknown>();
  const waits = workflow("waits").task("work", {
    retry: 1,
    async run({ ctx }) {
      const failed = ctx.step("fetch", () => {
        calls++;
        throw new Error("not yet");
      }, { retry: { attempts: 2, delay: "1h", maxDelay: "1h" } });
      await failed.catch(reason.resolve);
    },
  });
  await using opened = await open([waits]);
  const run = await opened.runner.start(waits);
  await opened.clock.settle();
  const before = opened.clock.now();
  await run.cancel("enough");
  await opened.clock.settle();
  assertInstanceOf(await reason.promise, RunCancelledError);
  assertEquals([calls, opened.clock.now() - before, (await run.status()).state], [1, 0, "cancelled"]);
});

test("an attempt at a step that takes too long fails with StepTimeoutError, and its late result is ignored", async () => {
  const hung = Promise.withResolvers<string>();
  const errors: unknown[] = [];
  let calls = 0;
  const slow = workflow("slow").task("work", {
    retry: 1,
    async run({ ctx }) {
      const value = await ctx.step("fetch", () => ++calls === 1 ? hung.promise : "second", {
        timeout: "10s",
        retry: {
          attempts: 2,
          delay: 0,
          retryIf: (error) => {
            errors.push(error);
            return true;
          },
        },
      });
      hung.resolve("first");
      return [value, ctx.signal.aborted];
    },
  });
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow);
  assertEquals(await opened.clock.until(run.result()), { work: ["second", false] });
  const [error] = errors;
  assertInstanceOf(error, StepTimeoutError);
  assertEquals([error.code, error.step, error.timeoutMs], ["step_timeout", "fetch", 10_000]);
  assertEquals(error.message, 'Step "fetch" took longer than its timeout of 10000 ms');
  assertEquals((await run.tasks())[0]?.steps.map(({ output }) => output), ["second"]);
});

test("a step that rejects after its timeout is ignored", async () => {
  const hung = Promise.withResolvers<string>();
  const slow = workflow("slow").task("work", {
    retry: 1,
    async run({ ctx }) {
      const error = await assertRejects(
        () => ctx.step("fetch", () => hung.promise, { timeout: "1s" }),
        StepTimeoutError,
      );
      hung.reject(new Error("late"));
      return error.step;
    },
  });
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow);
  assertEquals(await opened.clock.until(run.result()), { work: "fetch" });
});

test("timers of a step end with the attempt of its task", async () => {
  const floating = workflow("floating").task("work", {
    retry: 1,
    async run({ ctx }) {
      ctx.step("limited", never, { timeout: "1d" }).catch(() => {});
      ctx.step("delayed", (): void => {
        throw new Error("not yet");
      }, { retry: { attempts: 2, delay: "1d", maxDelay: "1d" } }).catch(() => {});
      await opened.clock.settle();
    },
  });
  const calm = workflow("calm").task("work", { run: () => 1 });
  await using opened = await open([calm, floating]);
  await opened.runner.execute(calm);
  // Short timers of the runner have fired by then.
  await opened.clock.advance("1s");
  const before = opened.clock.timers;
  await opened.runner.execute(floating);
  await opened.clock.advance("1s");
  assertEquals(opened.clock.timers, before);
});

test("a step that is repeated gets the recorded outputs of the steps in it that have completed", async () => {
  const calls = { outer: 0, inner: 0 };
  const nested = workflow("nested").task("work", {
    retry: 1,
    run: ({ ctx }) =>
      ctx.step("outer", async () => {
        const value = await ctx.step("inner", () => ++calls.inner);
        if (++calls.outer === 1) throw new Error("not yet");
        return value;
      }, { retry: { attempts: 2, delay: 0 } }),
  });
  await using opened = await open([nested]);
  const run = await opened.runner.start(nested);
  assertEquals(await opened.clock.until(run.result()), { work: 1 });
  assertEquals(calls, { outer: 2, inner: 1 });
});

test("a step that failed can be called again with the steps in it that have completed", async () => {
  let failed = false;
  const nested = workflow("nested").task("work", {
    retry: 1,
    async run({ ctx }) {
      const outer = (): Promise<number> =>
        ctx.step("outer", async () => {
          const value = await ctx.step("inner", () => 1);
          if (failed) return value;
          failed = true;
          throw new Error("not yet");
        });
      await outer().catch(() => {});
      return await outer();
    },
  });
  await using opened = await open([nested]);
  const run = await opened.runner.start(nested);
  assertEquals(await run.result(), { work: 1 });
});

test("a step that hangs in a step that timed out runs again, and the body that timed out can run no other", async () => {
  const hung = Promise.withResolvers<string>();
  const late = Promise.withResolvers<unknown>();
  let calls = 0;
  const nested = workflow("nested").task("work", {
    retry: 1,
    async run({ ctx }) {
      const value = await ctx.step("outer", async () => {
        const isFirst = ++calls === 1;
        const inner = await ctx.step("inner", () => isFirst ? hung.promise : "second").catch(String);
        if (isFirst) late.resolve([inner, await ctx.step("other", () => 1).catch(String)]);
        return inner;
      }, { timeout: "1s", retry: { attempts: 2, delay: 0 } });
      hung.resolve("first");
      await late.promise;
      return value;
    },
  });
  await using opened = await open([nested]);
  const run = await opened.runner.start(nested);
  assertEquals(await opened.clock.until(run.result()), { work: "second" });
  const error = 'StepTimeoutError: Step "outer" took longer than its timeout of 1000 ms';
  assertEquals(await late.promise, [error, error]);
  assertEquals(new Set((await run.tasks())[0]?.steps.map(({ name }) => name)), new Set(["inner", "outer"]));
});

for (
  const [options, problem] of [
    [{ retry: 0 }, "retry: attempts must be a positive integer, not 0"],
    [{ timeout: 0 }, "timeout must be longer than zero"],
    [{ timeuot: "1s" }, 'its options: unknown option "timeuot" (did you mean "timeout"?)'],
  ] as const
) {
  test(`a step with the options ${JSON.stringify(options)} fails its attempt`, async () => {
    const bad = workflow("bad").task("work", {
      retry: 1,
      run: ({ ctx }) => ctx.step("fetch", () => 1, options as StepOptions),
    });
    await using opened = await open([bad]);
    const outcome = await opened.runner.execute(bad);
    assert(outcome.status === "failed");
    assertEquals(outcome.error.name, "TypeError");
    assertStringIncludes(outcome.error.message, `Cannot run step "fetch": ${problem}`);
  });
}
