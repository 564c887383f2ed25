/** The runner for tests of workflows: virtual time, stubs, schedules, death and resurrection. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { poll, schedule, unchecked, workflow } from "../../mod.ts";
import { createTestRunner } from "../../lib/testing/mod.ts";
import { compilerTest, test } from "../harness.ts";

const DAY = 86_400_000;

const shipping = workflow("shipping", { input: unchecked<{ weight: number }>() })
  .task("label", { run: ({ input }) => `label of ${input.weight}` })
  .returns("label");

const order = workflow("order", { input: unchecked<{ lines: number[] }>() })
  .task("quote", { run: (): number => fail("quote") })
  .event("approval", { after: ["quote"], schema: unchecked<string>(), timeout: "3d" })
  .map("pack", {
    after: ["approval"],
    over: ({ approval }) => [1, 2, approval?.length ?? 0],
    run: ({ item }) => item * 2,
  })
  .subworkflow("ship", { after: ["pack"], workflow: shipping, input: ({ pack }) => ({ weight: pack.length }) })
  .sleep("rest", { after: ["ship"], for: "14d" })
  .task("close", { after: ["rest", "ship", "quote"], run: ({ ship, quote }) => `${ship} for ${quote}` })
  .returns("close");

function fail(what: string): never {
  throw new Error(`${what} was called`);
}

test("a run of weeks passes at once, with stubs in place of what tests cannot call", async () => {
  await using runner = await createTestRunner({ workflows: [order], stubs: { order: { quote: 7 } } });
  const begun = runner.clock.now();
  const run = await runner.start(order, { lines: [] });
  await runner.advance("2d");
  assertEquals((await runner.explain(run.id)).state, "waiting");
  assertEquals(await run.send("approval", "yes"), { accepted: true });
  assertEquals(await runner.until(run.result()), "label of 3 for 7");
  assertEquals(Math.floor((runner.clock.now() - begun) / DAY), 16);
  assertEquals((await runner.execute("order", { lines: [] })).status, "completed");
});

test("a stub is an output or a function of what its task receives, for each kind of task", async () => {
  const seen: unknown[] = [];
  await using runner = await createTestRunner({
    workflows: [order],
    stubs: {
      order: {
        quote: ({ input, ctx }) => {
          seen.push(input, ctx.taskId);
          return Promise.resolve(5);
        },
        approval: "sent",
        pack: ({ approval }) => [String(approval).length],
        ship: ({ pack, status }) => {
          seen.push(pack, status);
          return "shipped";
        },
      },
    },
  });
  const outcome = await runner.execute(order, { lines: [1] });
  assertEquals(outcome.status === "completed" && outcome.result, "shipped for 5");
  assertEquals(seen, [{ lines: [1] }, "quote", [4], { pack: "completed" }]);
  assertEquals((await runner.list({ workflow: "shipping" })).runs, []);
});

test("a task of a child run can have a stub, and bodies start workflows by their values", async () => {
  const parent = workflow("parent")
    .subworkflow("ship", { workflow: shipping, input: () => ({ weight: 1 }) })
    .task("more", { after: ["ship"], run: async ({ ctx }) => (await ctx.start(shipping, { weight: 2 })).isNew })
    .returns("ship");
  await using runner = await createTestRunner({
    workflows: [parent, shipping],
    stubs: { shipping: { label: ({ input }) => `stub of ${input.weight}` } },
  });
  const outcome = await runner.execute(parent);
  assertEquals(outcome.status === "completed" && outcome.result, "stub of 1");
  await runner.settle();
  const { runs } = await runner.list({ workflow: "shipping" });
  assertEquals(runs.map(({ state }) => state), ["completed", "completed"]);
  assertEquals((await runner.get(runs[0]!.id).status()).version, shipping.version);
});

test("a stub for a task that does not exist is refused, with the nearest that does, as is one that cannot be stored", async () => {
  const stubs = { order: { quotes: 1, rest: 1, close: 1n }, odrer: {} } as unknown as { readonly order: { quote: 1 } };
  await assertRejects(
    () => createTestRunner({ workflows: [order], stubs }),
    TypeError,
    'Cannot create a test runner: stubs.order: workflow "order" has no task "quotes" (did you mean "quote"?); ' +
      "stubs.order.rest: a sleep has no output; move the time on with advance(); " +
      "Cannot store stubs.order.close: it is a bigint - use String(n); " +
      'stubs are for workflow "odrer", which is not registered (did you mean "order"?)',
  );
});

test("an output of a stub that its task cannot have fails the task", async () => {
  const strict = workflow("strict", { input: unchecked<{ bad: string }>() })
    .event("sent", {
      schema: {
        "~standard": {
          version: 1,
          vendor: "test",
          validate: (value) => typeof value === "string" ? { value } : { issues: [{ message: "no text" }] },
        },
      },
    })
    .map("all", { on: "settled", after: ["sent"], over: () => [1], run: ({ item }) => item })
    .task("last", { on: "settled", after: ["all"], run: () => "", retry: 1 });
  const wrong = { strict: { sent: () => 5, all: () => 5, last: () => 5n } } as unknown as { strict: { last: "" } };
  await using runner = await createTestRunner({ workflows: [strict], stubs: wrong, defaults: { retry: 1 } });
  const run = await runner.start(strict, { bad: "" });
  await runner.until(run.outcome());
  assertEquals((await run.tasks()).map(({ error }) => error?.message), [
    'Cannot stub event "sent": no text',
    'The stub of map "all" must return its whole output, an array, not 5',
    "Cannot store output: it is a bigint - use String(n)",
  ]);
});

test("a transaction needs a stub, as memory has no database for it", async () => {
  const { transaction } = await import("../../lib/store/sqlite/mod.ts");
  const paying = workflow("paying").task("pay", { ...transaction, run: () => 1, undo: () => fail("undo") }).returns(
    "pay",
  );
  await assertRejects(
    () => createTestRunner({ workflows: [paying] }),
    TypeError,
    'task "pay" of workflow "paying" is a transaction, for which a store in memory has no database; give it a stub: ' +
      "{ paying: { pay: … } }",
  );
  await using runner = await createTestRunner({ workflows: [paying], stubs: { paying: { pay: 3 } } });
  const outcome = await runner.execute(paying);
  assertEquals(outcome.status === "completed" && outcome.result, 3);
});

test("idle days cost nothing: a year takes as many statements as a day, also with schedules", async () => {
  const yearly = schedule({
    name: "y",
    workflow: shipping,
    every: "365d",
    startAt: "2026-07-01",
    input: { weight: 1 },
  });
  await using runner = await createTestRunner({ workflows: [order, shipping], schedules: [yearly] });
  await runner.advance("1m");
  const costs: number[] = [];
  for (const duration of ["1d", "100d"] as const) {
    const before = (await runner.stats()).store.statements;
    await runner.advance(duration);
    costs.push((await runner.stats()).store.statements - before);
  }
  assertEquals(costs[0], costs[1]);
  assert(costs[0]! < 30, `${costs}`);
  const timers = runner.clock.timers;
  await runner.advance("100d");
  assertEquals((await runner.schedules.history("y")).map(({ tick }) => new Date(tick!).toISOString()), [
    "2026-07-01T00:00:00.000Z",
  ]);
  assertEquals(runner.clock.timers, timers);
});

test("schedules and polls tick in virtual time, and what was missed while the runner was dead is caught up", async () => {
  const hourly = schedule({
    name: "hourly",
    workflow: shipping,
    cron: "0 * * * *",
    catchUp: "all",
    input: { weight: 1 },
  });
  const inbox = poll({
    name: "inbox",
    workflow: shipping,
    every: "6h",
    cursor: 0,
    check: ({ cursor }) => ({ input: { weight: cursor }, key: `mail-${cursor}`, cursor: cursor + 1 }),
  });
  await using runner = await createTestRunner({ workflows: [shipping], schedules: [hourly, inbox] });
  await runner.advance("150m");
  const started = async () => (await runner.schedules.get("hourly")).counts.started;
  assertEquals([await started(), (await runner.schedules.get("inbox")).poll?.cursor], [2, 1]);
  await runner.kill();
  await runner.advance("1d");
  assertEquals([await started(), runner.isKilled], [2, true]);
  await runner.restart();
  await runner.advance("1m");
  assertEquals([await started(), (await runner.schedules.get("inbox")).poll?.cursor], [26, 2]);
  assertEquals((await runner.stats()).runs.completed, 28);
});

test("a killed runner writes nothing more, and a new one repeats what was not written", async () => {
  const calls: string[] = [];
  const release = Promise.withResolvers<void>();
  const slow = workflow("slow")
    .task("first", { run: () => void calls.push("first") })
    .task("second", {
      after: ["first"],
      async run({ ctx }) {
        calls.push(`second ${ctx.attempt}`);
        if (calls.length === 2) await release.promise;
        return calls.length;
      },
    })
    .event("go", { after: ["second"], schema: unchecked<boolean>() })
    .returns("second");
  await using runner = await createTestRunner({ workflows: [slow] });
  const run = await runner.start(slow);
  await runner.settle();
  await runner.kill();
  release.resolve();
  await runner.settle();
  assertEquals((await run.tasks()).map(({ state }) => state), ["completed", "pending", "pending"]);
  assertEquals(await run.send("go", true), { accepted: true });
  await runner.restart();
  assertEquals(await runner.until(run.result()), 3);
  assertEquals(calls, ["first", "second 1", "second 1"]);
  assertEquals((await run.history()).map(({ type }) => type).filter((type) => type === "run.recovered"), [
    "run.recovered",
  ]);
  assertEquals(runner.events.filter(({ type }) => type === "run.recovered").length, 1);
});

test("a restart hands back the runs of a runner that lives, and may bring another version", async () => {
  const v1 = workflow("w").task("a", { run: () => "a1" }).sleep("wait", { after: ["a"], for: "1h" })
    .task("b", { after: ["wait", "a"], run: ({ a }) => `${a} b1` }).returns("b");
  const v2 = workflow("w").task("a", { run: () => "a2" }).sleep("wait", { after: ["a"], for: "1h" })
    .task("b", { after: ["wait", "a"], run: ({ a }) => `${a} b2` }).returns("b");
  await using runner = await createTestRunner({ workflows: [v1] });
  const run = await runner.start(v1);
  await runner.advance("1m");
  await runner.restart({ workflows: [v2] });
  assertEquals(await runner.until(run.result()), "a1 b2");
  const parked = await runner.start("w");
  await runner.advance("1m");
  await runner.restart({ workflows: [workflow("w").task("b", { run: () => "b3" })] });
  await runner.advance("2h");
  assertEquals((await runner.stranded()).map(({ id }) => id), [parked.id]);
});

test("what cannot end within 30 days is an error that says so", async () => {
  const asking = workflow("asking").event("answer", { schema: unchecked<string>() });
  await using runner = await createTestRunner({ workflows: [asking] });
  await assertRejects(() => runner.execute(asking), Error, "Cannot wait for the promise");
});

test("all problems of the options are reported", async () => {
  const options = { workflows: [order], stub: {}, now: "x" } as unknown as { readonly workflows: [typeof order] };
  await assertRejects(
    () => createTestRunner(options),
    TypeError,
    'Cannot create a test runner: the options: unknown option "stub" (did you mean "stubs"?); now is not a time',
  );
});

compilerTest("the compiler checks the tasks of stubs and their outputs", () => {
  const right = () =>
    createTestRunner({ workflows: [order, shipping], stubs: { order: { quote: 1 }, shipping: { label: () => "" } } });
  // @ts-expect-error -- no such task
  const noTask = () => createTestRunner({ workflows: [order], stubs: { order: { quotes: 1 } } });
  // @ts-expect-error -- no such workflow
  const noWorkflow = () => createTestRunner({ workflows: [order], stubs: { odrer: { quote: 1 } } });
  // @ts-expect-error -- the output is a number
  const wrong = () => createTestRunner({ workflows: [order], stubs: { order: { quote: "1" } } });
  // @ts-expect-error -- the function returns text
  const wrongFunction = () => createTestRunner({ workflows: [order], stubs: { order: { quote: () => "1" } } });
  // @ts-expect-error -- a sleep has no output
  const sleep = () => createTestRunner({ workflows: [order], stubs: { order: { rest: undefined } } });
  // @ts-expect-error -- the whole output of a map, not that of an item
  const item = () => createTestRunner({ workflows: [order], stubs: { order: { pack: () => 1 } } });
  assertEquals([right, noTask, noWorkflow, wrong, wrongFunction, sleep, item].length, 7);
});

test("limits hold in a test runner, and those of a killed runner are free again", async () => {
  let [running, most] = [0, 0];
  const narrow = workflow("narrow").task("a", {
    limits: [{ max: 1 }],
    async run() {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
    },
  });
  await using runner = await createTestRunner({ workflows: [narrow] });
  const runs = [await runner.start(narrow), await runner.start(narrow), await runner.start(narrow)];
  for (const run of runs) assertEquals((await runner.until(run.outcome())).status, "completed");
  assertEquals(most, 1);
  const held = workflow("held").task("a", {
    limits: [{ name: "one", max: 1 }],
    run: () => new Promise<never>(() => {}),
  });
  const free = workflow("held").task("a", { limits: [{ name: "one", max: 1 }], run: () => "done" });
  await runner.restart({ workflows: [held] });
  const [first, second] = [await runner.start("held" as "narrow"), await runner.start("held" as "narrow")];
  await runner.settle();
  await runner.kill();
  await runner.restart({ workflows: [free] });
  for (const run of [first, second]) assertEquals((await runner.until(run.outcome())).status, "completed");
});
