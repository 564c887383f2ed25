/** Sentences of the documentation of tasks that no other test shows. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { createRunner, DefinitionError, dynamicWorkflow, RetryAfterError, unchecked, workflow } from "../../mod.ts";
import { transaction } from "../../lib/store/sqlite/mod.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { backend, emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { transactionOn } from "../transactions/place.ts";
import { JOURNAL } from "../journal.ts";
import { never, open, untilAborted } from "./open.ts";

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

test("a map of more than 1,000,000 items fails with a message that says so, and stores none", async () => {
  const large = workflow("large").map("items", {
    over: () => new Array<number>(1_000_001).fill(0),
    retry: 1,
    run: ({ item }) => item,
  });
  await using opened = await open([large]);
  const outcome = await opened.runner.execute(large);
  assert(outcome.status === "failed");
  assertEquals(outcome.failures.map(({ error: { name, message } }) => `${name}: ${message}`), [
    'RangeError: Cannot run map "items": over() returned 1,000,001 items, and the limit is 1,000,000; split them ' +
    "between several maps or child runs",
  ]);
  assertEquals((await opened.runner.get(outcome.runId).tasks())[0]?.items, undefined);
});

test("a workflow that is made from data may have tasks of every kind", async () => {
  const child = workflow("child", { input: unchecked<number>() }).task("half", { run: ({ input }) => input / 2 })
    .returns("half");
  const seen: unknown[] = [];
  const flow = dynamicWorkflow({
    name: "everything",
    tasks: [
      { id: "first", guarantee: "atMostOnce", run: () => 10, onSuccess: ({ output }) => seen.push(["first", output]) },
      {
        id: "paid",
        after: ["first"],
        ...transactionOn(backend),
        run: ({ first, tx }) => tx === undefined ? 0 : Number(first) + 1,
      },
      {
        id: "each",
        kind: "map",
        after: ["paid"],
        over: ({ paid }) => [paid, 2],
        run: ({ item, index }) => Number(item) * Number(index),
      },
      {
        id: "halves",
        kind: "map",
        after: ["each"],
        over: ({ each }) => each,
        workflow: child,
        input: ({ item }) => item,
      },
      { id: "one", kind: "subworkflow", after: ["halves"], workflow: child, input: () => 8, priority: -7, tags: ["t"] },
      { id: "rest", kind: "sleep", after: ["one"], for: "1h" },
      { id: "word", kind: "event", after: ["rest"], schema: unchecked<string>(), timeout: "1d" },
      { id: "none", kind: "event", after: ["rest"], schema: unchecked<string>(), timeout: "1s" },
      {
        id: "last",
        after: ["word", "none"],
        reads: ["one", "halves"],
        run: ({ word, none, one, halves }) => [word, none === undefined, one, halves],
      },
    ],
  }).returns("last");
  await using opened = await open([flow], { shared: true });
  const run = await opened.runner.start(flow);
  await opened.clock.advance("2h");
  assertEquals(await run.send("word", "hello"), { accepted: true });
  assertEquals(await opened.clock.until(run.result()), ["hello", true, 4, [0, 1]]);
  assertEquals(seen, [["first", 10]]);
  const [one] = (await opened.runner.list({ workflow: "child", tags: ["t"] })).runs;
  assertEquals(one?.priority, -7);
});

test("what a run has evaluated before its runner stopped is not evaluated again", async () => {
  const asked: string[] = [];
  const child = workflow("child", { input: unchecked<number>(), version: "1" }).task("wait", {
    version: "1",
    run: never,
  });
  let isFirst = true;
  const once = workflow("once", { version: "1" })
    .map("items", {
      over: () => (asked.push("over"), [1, 2]),
      concurrency: 1,
      run: ({ item, ctx }) => isFirst && item === 2 ? untilAborted(ctx.signal) : item,
    })
    .task("later", {
      when: () => (asked.push("when"), true),
      retry: { attempts: 2, delay: "1h", maxDelay: "1h", jitter: false },
      run({ ctx }) {
        if (ctx.attempt === 1) throw new Error("not yet");
      },
    })
    .sleep("rest", { for: () => (asked.push("for"), "1h") })
    .subworkflow("child", {
      workflow: child,
      input: () => (asked.push("input"), 1),
      key: () => (asked.push("key"), "k"),
    });
  await using opened = await open([once], { shared: true });
  const { id } = await opened.runner.start(once);
  await opened.clock.advance("10s");
  const first = asked.splice(0);
  assertEquals(first.toSorted(), ["for", "input", "key", "over", "when"]);
  await opened.clock.until(opened.runner.stop({ timeout: 0 }));
  isFirst = false;
  const next = await opened.another([once]);
  await opened.clock.advance("2h");
  const states = (await next.get(id).tasks()).map((task) => [task.id, task.state]);
  assertEquals([states, asked], [[
    ["items", "completed"],
    ["later", "completed"],
    ["rest", "completed"],
    ["child", "waiting"],
  ], []]);
});

test("a run with a blocked task ends when it times out", async () => {
  const timed = workflow("timed", { timeout: "1h" }).task("charge", {
    guarantee: "atMostOnce",
    version: "1",
    run: never,
  });
  await using opened = await open([timed], { shared: true });
  const { id } = await opened.runner.start(timed);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: 0 }));
  const next = await opened.another([timed]);
  await opened.clock.advance("10s");
  assertEquals((await next.blocked()).map(({ runId, taskId }) => [runId, taskId]), [[id, "charge"]]);
  const outcome = await opened.clock.until(next.get(id).outcome(), "2h");
  assertEquals([outcome.status, outcome.status === "failed" && outcome.error.name], ["failed", "RunTimeoutError"]);
  assertEquals([await next.blocked(), (await next.get(id).tasks())[0]?.state], [[], "cancelled"]);
});

test("a run that sleeps has no owner, and its sleep is one row", async () => {
  await using store = emptyStore("shared");
  const clock = createFakeClock();
  const nap = workflow("nap").sleep("rest", { for: "14d" });
  await using runner = await createRunner(store.url, {
    workflows: [nap],
    clock,
    durability: "process",
    ...store.options,
  });
  const run = await runner.start(nap);
  await clock.advance("1m");
  const count = `(select count(*) from ${JOURNAL}) as n`;
  const rows = await store.query(`select owner, ${count} from runs`);
  assertEquals(rows.map(({ owner, n }) => [owner, Number(n)]), [[null, 1]]);
  await clock.until(run.result(), "15d");
  assertEquals(Number((await store.query(`select ${count}`))[0]?.["n"]), 1);
});
