/** Sentences of the documentation of tasks that no other test shows. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { DefinitionError, dynamicWorkflow, RetryAfterError, unchecked, workflow } from "../../mod.ts";
import { transaction } from "../../lib/store/sqlite/mod.ts";
import { test } from "../harness.ts";
import { open } from "./open.ts";

test("functions that must be synchronous fail their task with a message if they return a promise", async () => {
  const child = workflow("child", { input: unchecked<unknown>() }).task("work", { run: () => 1 });
  const rejects = (): never => Promise.reject(new Error("not handled")) as never;
  const asynchronous = dynamicWorkflow({
    name: "asynchronous",
    tasks: [
      { id: "a", kind: "sleep", for: rejects },
      { id: "b", kind: "sleep", until: rejects },
      { id: "c", kind: "subworkflow", workflow: child, input: rejects },
      { id: "d", kind: "subworkflow", workflow: child, input: () => 1, key: rejects },
    ],
  });
  await using opened = await open([asynchronous], { unhandledRejections: "ignore" });
  const outcome = await opened.clock.until(opened.runner.execute(asynchronous));
  assert(outcome.status === "failed");
  const rest = "returned a promise, and must return a value; compute it in a task, and name that in after";
  assertEquals(outcome.failures.map(({ error }) => `${error.name}: ${error.message}`), [
    `TypeError: for of sleep "a" ${rest}`,
    `TypeError: until of sleep "b" ${rest}`,
    `TypeError: input of task "c" ${rest}`,
    `TypeError: key of task "d" ${rest}`,
  ]);
  assertEquals((await opened.runner.list({ workflow: "child" })).runs, []);
});

test("a RetryAfterError with a negative duration repeats the attempt now, and counts it", async () => {
  const past = workflow("past").task("work", {
    retry: { attempts: 2, delay: "1h", maxDelay: "1h" },
    run({ ctx }) {
      if (ctx.attempt === 1) throw new RetryAfterError(-5_000);
      return ctx.attempt;
    },
  });
  await using opened = await open([past]);
  const before = opened.clock.now();
  const outcome = await opened.clock.until(opened.runner.execute(past));
  assertEquals([outcome.outputs, opened.clock.now() - before], [{ work: 2 }, 0]);
});

test("status() has the input of the run, as its schema returned it", async () => {
  const echo = workflow("echo", { input: unchecked<{ n: number } | undefined>() }).task("work", { run: () => 1 });
  await using opened = await open([echo], { shared: true });
  const run = await opened.runner.start(echo, { n: 1 });
  const client = await opened.client([echo]);
  assertEquals((await run.status()).input, { n: 1 });
  assertEquals((await client.get(run.id).status()).input, { n: 1 });
  assertEquals((await (await opened.runner.start(echo)).status()).input, undefined);
});

test("a transaction with a guarantee is refused when it is defined", () => {
  assertThrows(
    () => workflow("w").task("pay", { ...transaction, guarantee: "atMostOnce" as never, run: () => 1 }),
    DefinitionError,
    'task "pay" is a transaction, which runs exactly once; leave `guarantee` out',
  );
  assertThrows(
    () =>
      workflow("w").map("pay", {
        over: () => [1],
        ...transaction,
        guarantee: "atMostOnce" as never,
        run: ({ item }) => item,
      }),
    DefinitionError,
    'map "pay" is a transaction, which runs exactly once; leave `guarantee` out',
  );
});

test("ids that name an argument of a body are refused when a task is defined", () => {
  for (const id of ["output", "input", "ctx", "status", "item", "index", "tx"]) {
    assertThrows(
      () => dynamicWorkflow({ name: "w", tasks: [{ id, run: () => 1 }] }),
      DefinitionError,
      `must not be "${id}": it names a task argument`,
    );
  }
});
