/** `debounce`: one run for a burst of starts, with the last input. */
import { assertEquals, assertRejects } from "@std/assert";
import { RunNotFoundError, type TaskContext, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { open } from "./open.ts";

const seen = workflow("seen", { input: unchecked<number>() }).task("work", { run: ({ input }) => input }).returns(
  "work",
);
const debounce = { key: "d", delay: "5s", maxDelay: "12s" } as const;

test("a burst of debounced starts is one run with the last input, once it has been quiet for the delay", async () => {
  await using opened = await open([seen]);
  const { runner, clock } = opened;
  const begin = clock.now();
  const first = await runner.start(seen, 1, { debounce, tags: ["a"] });
  await clock.advance("4s");
  const second = await runner.start(seen, 2, { debounce, tags: ["b"], priority: 2 });
  assertEquals([first.isNew, second.isNew, second.id], [true, false, first.id]);
  const { state, input, tags, priority, dueAt, debounce: how } = await first.status();
  assertEquals({ state, input, tags, priority, dueAt }, {
    state: "pending",
    input: 2,
    tags: ["b"],
    priority: 2,
    dueAt: begin + 9_000,
  });
  assertEquals(how, { key: "d", delayMs: 5_000, maxDelayMs: 12_000, replaced: 1 });
  const [reason] = (await runner.explain(first.id)).reasons;
  assertEquals(reason?.message, "the run is debounced (replaced once) and due in 5 s");
  await clock.advance("4999ms");
  assertEquals((await first.status()).state, "pending");
  await clock.advance("1ms");
  assertEquals([await first.result(), (await runner.list()).runs.length], [2, 1]);
  const third = await runner.start(seen, 3, { debounce });
  assertEquals([third.isNew, await clock.until(third.result(), "5s")], [true, 3]);
});

test("maxDelay counts from the first start of a burst that does not end", async () => {
  await using opened = await open([seen]);
  const { runner, clock } = opened;
  const results: unknown[] = [];
  const runs = new Set<string>();
  for (let at = 0; at < 10; at++) {
    const run = await runner.start(seen, at, { debounce });
    if (run.isNew) run.result().then((result) => results.push(result), () => {});
    runs.add(run.id);
    await clock.advance("4s");
  }
  // The starts at 0 s to 12 s, when the first run is claimed, then those up to 28 s.
  assertEquals([results, runs.size], [[2, 5, 8], 4]);
});

test("execute() waits for the run that took its input", async () => {
  await using opened = await open([seen]);
  const { runner, clock } = opened;
  const outcomes = Promise.all([
    runner.execute(seen, 1, { debounce }),
    runner.execute(seen, 2, { debounce }),
    runner.execute(seen, 3, { debounce }),
  ]);
  const found = await clock.until(outcomes, "10s");
  assertEquals(found.map((outcome) => outcome.status === "completed" && outcome.result), [3, 3, 3]);
  assertEquals(new Set(found.map(({ runId }) => runId)).size, 1);
});

test("starts of clients and of the runner are debounced together, and the runner claims in time", async () => {
  await using opened = await open([seen], { shared: true });
  const { runner, clock } = opened;
  const client = await opened.client([seen]);
  const first = await client.start(seen, 1, { debounce });
  await clock.advance("3s");
  const second = await runner.start(seen, 2, { debounce });
  await clock.advance("3s");
  const short = { key: "d", delay: "1s" } as const;
  const third = await client.start(seen, 3, { debounce: short });
  assertEquals([second.id, third.id, third.isNew], [first.id, first.id, false]);
  assertEquals(await clock.until(third.result(), "3s"), 3);
});

test("a debounce key is apart from keys, and a debounced run that is deleted or cancelled is replaced by a new one", async () => {
  await using opened = await open([seen]);
  const { runner, clock } = opened;
  const keyed = await runner.start(seen, 0, { key: "d" });
  const first = await runner.start(seen, 1, { debounce });
  assertEquals([first.isNew, first.id === keyed.id, (await first.status()).key], [true, false, undefined]);
  await first.cancel("no");
  const second = await runner.start(seen, 2, { debounce });
  assertEquals([second.isNew, await clock.until(second.result(), "5s")], [true, 2]);
  await first.delete();
  await assertRejects(() => first.status(), RunNotFoundError);
});

test("a body cannot debounce, as its repetition would restart the delay", async () => {
  const parent = workflow("parent").task("start", {
    retry: 1,
    run: async ({ ctx }: { ctx: TaskContext }) => await ctx.start(seen, 1, { debounce } as never).catch((e) => `${e}`),
  }).returns("start");
  await using opened = await open([parent, seen]);
  const result = await (await opened.runner.start(parent)).result();
  assertEquals(result, 'TypeError: Cannot start workflow "seen": the options: unknown option "debounce"');
});

test("the signal of a debounced start does not cancel the run, which is also that of the starts that followed", async () => {
  await using opened = await open([seen]);
  const { runner, clock } = opened;
  const abort = new AbortController();
  const first = await runner.start(seen, 1, { debounce, signal: abort.signal });
  await runner.start(seen, 2, { debounce });
  abort.abort();
  assertEquals(await clock.until(first.result(), "5s"), 2);
});
