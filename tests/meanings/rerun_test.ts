/** `retry()` of a failed run, and `fork()` of any. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { PayloadError, RunStateError, unchecked, UnknownTaskError, ValidationError, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { open } from "./open.ts";

/** Adds one to `input` through three tasks; `calls` lists the bodies that ran. */
function counting(calls: string[], isBroken: () => boolean = () => false) {
  const body = <T>(id: string, value: T): T => (calls.push(id), value);
  return workflow("counting", { input: unchecked<{ n: number }>() })
    .task("a", { run: ({ input }) => body("a", input.n) })
    .task("b", {
      after: ["a"],
      retry: 1,
      run: ({ a }) => {
        if (isBroken()) throw new Error("broken");
        return body("b", a + 1);
      },
    })
    .task("side", { run: () => body("side", "side") })
    .task("c", { after: ["b"], run: ({ b }) => body("c", b * 10) })
    .returns("c");
}

test("retry() runs again what failed and what follows, and keeps completed results", async () => {
  const calls: string[] = [];
  let isBroken = true;
  const flow = counting(calls, () => isBroken);
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow, { n: 1 });
  assertEquals((await run.outcome()).status, "failed");
  isBroken = false;
  await run.retry();
  assertEquals(await opened.clock.until(run.result()), 20);
  assertEquals(calls, ["a", "side", "b", "c"]);
  const { state, error } = await run.status();
  assertEquals([state, error], ["completed", undefined]);
});

test("a run that fails again can be retried again", async () => {
  let left = 3;
  const flow = counting([], () => left-- > 0);
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow, { n: 1 });
  for (let n = 0; n < 2; n++) {
    assertEquals((await opened.clock.until(run.outcome())).status, "failed");
    await run.retry();
    await opened.clock.settle();
  }
  assertEquals((await run.outcome()).status, "failed");
  await run.retry();
  assertEquals(await opened.clock.until(run.result()), 20);
});

test("retry() gives the failed task all its attempts again", async () => {
  let calls = 0;
  const flow = workflow("flow").task("call", {
    retry: { attempts: 2, delay: 0 },
    run: () => ++calls < 4 ? Promise.reject(new Error("no")) : calls,
  });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.until(run.outcome());
  await run.retry();
  assertEquals(await opened.clock.until(run.result()), { call: 4 });
  assertEquals((await run.tasks())[0]?.attempts, 2);
});

test("retry() keeps the steps of the failed task", async () => {
  let steps = 0;
  let isBroken = true;
  const flow = workflow("flow").task("work", {
    retry: 1,
    async run({ ctx }) {
      const n = await ctx.step("count", () => ++steps);
      if (isBroken) throw new Error("no");
      return n;
    },
  });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await run.outcome();
  isBroken = false;
  await run.retry();
  assertEquals(await opened.clock.until(run.result()), { work: 1 });
});

test("retry() sets a run going that ran out of time, with new time", async () => {
  let isSlow = true;
  const flow = workflow("flow", { timeout: "1m" })
    .task("first", { run: () => 1 })
    .task("hang", { after: ["first"], run: ({ first }) => isSlow ? new Promise<number>(() => {}) : first + 1 });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  assertEquals((await opened.clock.until(run.outcome())).status, "failed");
  isSlow = false;
  await run.retry();
  assertEquals(await opened.clock.until(run.result()), { first: 1, hang: 2 });
});

test("only a failed run can be retried", async () => {
  const flow = counting([]);
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow, { n: 1 });
  await run.result();
  await assertRejects(() => run.retry(), RunStateError, `Cannot retry run "${run.id}": it is completed`);
  const waiting = await opened.runner.start(flow, { n: 1 }, { delay: "1h" });
  await assertRejects(() => waiting.retry(), RunStateError, "it is pending");
});

test("two retries at the same time set the run going once", async () => {
  const calls: string[] = [];
  let isBroken = true;
  const flow = counting(calls, () => isBroken);
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow, { n: 1 });
  await run.outcome();
  isBroken = false;
  const both = await Promise.allSettled([run.retry(), run.retry()]);
  assertEquals(both.filter(({ status }) => status === "fulfilled").length, 1);
  await opened.clock.until(run.result());
  assertEquals(calls.filter((id) => id === "b"), ["b"]);
});

test("fork() of a failed run runs what has not completed, as a run of its own", async () => {
  const calls: string[] = [];
  let isBroken = true;
  const flow = counting(calls, () => isBroken);
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow, { n: 1 });
  await run.outcome();
  isBroken = false;
  const fork = await run.fork();
  assertEquals(await opened.clock.until(fork.result()), 20);
  assertEquals([(await run.status()).state, (await fork.status()).forkedFrom], ["failed", run.id]);
  assertEquals(calls, ["a", "side", "b", "c"]);
});

test("fork({ from }) runs that task and what follows again", async () => {
  const calls: string[] = [];
  const flow = counting(calls);
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow, { n: 1 });
  await run.result();
  calls.length = 0;
  const fork = await run.fork({ from: "b" });
  assertEquals(await opened.clock.until(fork.result()), 20);
  assertEquals(calls, ["b", "c"]);
});

test("fork({ outputs }) takes them as given, and runs what depends on them again", async () => {
  const calls: string[] = [];
  const flow = counting(calls);
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow, { n: 1 });
  await run.result();
  calls.length = 0;
  const fork = await run.fork({ outputs: { b: 7 } });
  assertEquals(await opened.clock.until(fork.result()), 70);
  assertEquals(calls, ["c"]);
  const b = (await fork.tasks()).find(({ id }) => id === "b");
  assertEquals([b?.state, b?.output, b?.reason], ["completed", 7, "output given to fork()"]);
});

test("fork({ input }) runs everything again with the other input", async () => {
  const calls: string[] = [];
  const flow = counting(calls);
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow, { n: 1 });
  await run.result();
  const fork = await run.fork({ input: { n: 4 } });
  assertEquals(await opened.clock.until(fork.result()), 50);
  assertEquals(calls.length, 8);
});

test("fork({ from, input }) keeps the results before `from`", async () => {
  const calls: string[] = [];
  const flow = counting(calls);
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow, { n: 1 });
  await run.result();
  const fork = await run.fork({ from: "b", input: { n: 4 } });
  assertEquals(await opened.clock.until(fork.result()), 20);
  assertEquals(calls.length, 6);
});

test("a wrong fork is refused at the call, and nothing is written", async () => {
  const flow = counting([]);
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow, { n: 1 });
  await run.result();
  const error = await assertRejects(() => run.fork({ from: "bb" as never }), UnknownTaskError, 'has no task "bb"');
  assert(error.message.includes('"b"'), error.message);
  await assertRejects(() => run.fork({ outputs: { x: 1 } as never }), UnknownTaskError);
  await assertRejects(() => run.fork({ outputs: { b: NaN } }), PayloadError, "outputs.b");
  await assertRejects(() => run.fork({ form: "b" } as never), TypeError, '"from"');
  assertEquals((await opened.runner.list()).runs.length, 1);
});

test("fork() checks another input by the schema", async () => {
  const schema = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value: unknown) => Number(value) > 0 ? { value: Number(value) } : { issues: [{ message: "no" }] },
      types: undefined as unknown as { input: number; output: number },
    },
  } as const;
  const flow = workflow("flow", { input: schema }).task("say", { run: ({ input }) => input });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow, 1);
  await run.result();
  await assertRejects(() => run.fork({ input: -1 }), ValidationError, "no");
});
