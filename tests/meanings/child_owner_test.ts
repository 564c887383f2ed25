/** Which runner owns a child run, from its insert on. */
import { assert, assertEquals } from "@std/assert";
import { unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { even } from "./even_schema.ts";
import { open, untilAborted } from "./open.ts";

const double = workflow("double", { input: unchecked<number>() })
  .task("twice", { run: ({ input }) => input * 2 })
  .returns("twice");

const family = workflow("family", { input: unchecked<number>() })
  .map("all", {
    over: ({ input }) => Array.from({ length: input }, (_, n) => n),
    workflow: double,
    input: ({ item }) => item,
  })
  .task("count", { after: ["all"], run: ({ all }) => all.length })
  .returns("count");

test("a runner that is alone begins all child runs that it has room for without a claim", async () => {
  await using opened = await open([family], { concurrency: 2 });
  const run = await opened.runner.start(family, 40);
  await opened.clock.settle();
  assertEquals(await run.result(), 40);
  const { rows } = (await opened.runner.stats()).store;
  const again = await opened.runner.start(family, 40);
  await opened.clock.settle();
  assertEquals(await again.result(), 40);
  // Three for each child; the start of the parent, the array and its end, the end, and the move to `waiting`.
  const grown = (await opened.runner.stats()).store.rows - rows;
  assertEquals(grown >= 40 * 3 + 4 && grown <= 40 * 3 + 9, true, `${grown} rows`);
});

test("a parent that is resumed waits again in its row, and is not written while ends of children change nothing", async () => {
  const rest = workflow("rest", { input: unchecked<number>() })
    .sleep("nap", { for: ({ input }) => input * 1_000 })
    .task("done", { after: ["nap"], run: () => 1 })
    .returns("done");
  const parent = workflow("parent")
    .map("all", { over: () => [1, 2, 3, 4], workflow: rest, input: ({ item }) => item })
    .returns("all");
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  assertEquals((await run.status()).state, "waiting");
  const { rows } = (await opened.runner.stats()).store;
  await opened.clock.advance("1s");
  // Of the child its nap and its end with its task, and the result of its item.
  assertEquals((await opened.runner.stats()).store.rows - rows, 3);
  await run.pause();
  await opened.clock.settle();
  assertEquals((await run.status()).state, "paused");
  await run.resume();
  await opened.clock.settle();
  assertEquals((await run.status()).state, "waiting");
  await opened.clock.advance("10s");
  assertEquals(await run.result(), [1, 1, 1, 1]);
});

test("child runs beyond the room of a runner are begun as their forerunners end", async () => {
  await using opened = await open([family], { maxRuns: 4, concurrency: 2 });
  const run = await opened.runner.start(family, 30);
  await opened.clock.settle();
  assertEquals(await run.result(), 30);
  assertEquals((await run.children()).map(({ state }) => state), Array(30).fill("completed"));
});

test("a map whose child runs take all slots does not keep another run from its turn", async () => {
  const begun: string[] = [];
  let pass = Promise.withResolvers<void>();
  const slow = workflow("slow", { input: unchecked<string>() }).task("work", {
    async run({ input }) {
      begun.push(input);
      await pass.promise;
    },
  });
  const parent = workflow("parent").map("all", {
    over: () => Array.from({ length: 40 }, (_, n) => `child ${n}`),
    concurrency: 6,
    workflow: slow,
    input: ({ item }) => item,
  });
  await using opened = await open([parent, slow], { concurrency: 2, shared: true });
  const client = await opened.client([slow]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  await client.start(slow, "other");
  while ((await run.status()).endedAt === undefined) {
    pass.resolve();
    pass = Promise.withResolvers();
    await opened.clock.advance("3s");
  }
  const turn = begun.indexOf("other");
  assertEquals(turn > 0 && turn < 20, true, `${turn} of ${begun.length}`);
});

test("an item ends with its child run though all slots of its runner are taken", async () => {
  const asked = workflow("asked").event("answer", { schema: even });
  const parent = workflow("parent")
    .map("all", { over: () => [0, 1], onItemFailure: "collect", workflow: asked })
    .returns("all");
  const endless = workflow("endless").task("wait", { run: ({ ctx }) => untilAborted(ctx.signal) });
  await using opened = await open([parent, endless, asked], { concurrency: 1 });
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  await opened.runner.start(endless);
  await opened.clock.settle();
  for (const { id } of await run.children()) await opened.runner.get(id).cancel("enough");
  const outcome = await opened.clock.until(run.outcome());
  assert(outcome.status === "completed");
  assertEquals(outcome.result.map(({ ok }) => ok), [false, false]);
});

test("child runs queue behind runs that wait in the store", async () => {
  const begun: string[] = [];
  const gate = Promise.withResolvers<void>();
  const noting = workflow("noting", { input: unchecked<string>() })
    .task("note", { run: ({ input }) => void begun.push(input) });
  const parent = workflow("parent")
    .task("wait", { run: () => gate.promise })
    .subworkflow("child", { after: ["wait"], workflow: noting, input: () => "child" });
  await using opened = await open([parent, noting], { maxRuns: 2, concurrency: 2 });
  const run = await opened.runner.start(parent);
  await opened.runner.startMany(noting, ["a", "b", "c", "d"]);
  gate.resolve();
  await opened.clock.settle();
  assertEquals((await run.status()).state, "completed");
  assertEquals(begun.toSorted(), ["a", "b", "c", "child", "d"]);
});

test("a pause of the parent reaches a child run that has been inserted and has not begun", async () => {
  const begun: number[] = [];
  const slow = workflow("slow", { input: unchecked<number>() })
    .task("work", {
      async run({ input }) {
        begun.push(input);
        await gate.promise;
        return input;
      },
    })
    .returns("work");
  const gate = Promise.withResolvers<void>();
  const parent = workflow("parent")
    .map("all", { over: () => [0, 1, 2], workflow: slow, input: ({ item }) => item })
    .returns("all");
  await using opened = await open([parent], { concurrency: 1 });
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  assertEquals(begun, [0]);
  await run.pause();
  gate.resolve();
  await opened.clock.advance("1m");
  assertEquals(begun, [0]);
  assertEquals((await run.children()).map(({ state }) => state), ["completed", "paused", "paused"]);
  await run.resume();
  await opened.clock.advance("1m");
  assertEquals(await run.result(), [0, 1, 2]);
});

test("a runner that stops owns no child run that is inserted in the meantime, and another begins it", async () => {
  const validated = Promise.withResolvers<void>();
  const validating = Promise.withResolvers<void>();
  const slowInput = {
    "~standard": {
      version: 1 as const,
      vendor: "test",
      async validate(value: unknown) {
        validating.resolve();
        await validated.promise;
        return { value: value as number };
      },
    },
  };
  const child = workflow("child", { input: slowInput }).task("work", { run: ({ input }) => input }).returns("work");
  const parent = workflow("parent").subworkflow("only", { workflow: child, input: () => 7 }).returns("only");
  await using opened = await open([parent], { shared: true });
  const run = await opened.runner.start(parent);
  await validating.promise;
  const stopped = opened.runner.stop({ timeout: "5s" });
  validated.resolve();
  await opened.clock.until(stopped);
  const client = await opened.client([parent]);
  const again = client.get(run.id);
  const [inserted] = await again.children();
  assertEquals([inserted?.state, (await client.get(inserted!.id).status()).crashes], ["pending", 0]);
  const other = await opened.another([parent]);
  await opened.clock.settle();
  assertEquals(await again.result(), 7);
  assertEquals((await again.children()).map(({ id }) => id), [inserted!.id]);
  await opened.clock.until(other.stop());
  await client.stop();
});
