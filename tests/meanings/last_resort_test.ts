/** What is left when even the store, or the caller, does not play along. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Store, unchecked, workflow } from "../../mod.ts";
import { createRunner } from "../../mod.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";
import { open, untilAborted } from "./open.ts";

const one = workflow("one").task("a", { run: () => 1 }).returns("a");

test("a store that takes no result fails no run, is reported once, and does not keep stop() from resolving", async () => {
  await using on = emptyStore("memory");
  const store = await openPlace(on);
  let tries = 0;
  const tried = Promise.withResolvers<void>();
  const broken: Store = {
    ...store,
    commit(batch) {
      if (batch.writes.length === 0) return store.commit(batch);
      if (++tries === 3) tried.resolve();
      return Promise.reject(new Error("torn page"));
    },
  };
  const lines: string[] = [];
  const write = (message: string): void => void lines.push(message);
  const runner = await createRunner(broken, {
    workflows: [one],
    logger: { debug() {}, info() {}, warn: write, error: write },
  });
  const run = await runner.start(one);
  const outcome = run.outcome();
  await tried.promise;
  assertEquals((await run.status()).state, "running");
  await Promise.all([
    assertRejects(() => outcome, Error, "closed before the run had ended"),
    runner.stop({ timeout: 0 }),
  ]);
  assertEquals(lines.map((line) => line.replace(/^.*?: /, "")), [
    "torn page; retrying until it succeeds",
    "1 runs were not released; other runners recover them when the lease expires",
  ]);
  await store.close();
});

test("result() waits for a run whose insert takes long, and does not report it as missing", async () => {
  const clock = createFakeClock();
  await using on = emptyStore("memory");
  const store = await openPlace(on, { clock });
  const slow: Store = {
    ...store,
    async commit(batch) {
      if (batch.starts.length > 0) await new Promise<void>((resolve) => void clock.after(5_000, resolve));
      return await store.commit(batch);
    },
  };
  const runner = await createRunner(slow, { workflows: [one], clock });
  const outcome = await clock.until(runner.execute(one));
  assertEquals(outcome.status === "completed" && outcome.result, 1);
  await runner.stop();
  await store.close();
});

test("explain() says that a task waits for a place for its body", async () => {
  const long = workflow("long").task("a", { run: ({ ctx }) => untilAborted(ctx.signal) });
  await using opened = await open([long], { concurrency: 1 });
  const first = await opened.runner.start(long);
  const second = await opened.runner.start(long);
  await opened.clock.settle();
  const [reason] = (await opened.runner.explain(second.id)).reasons;
  assertEquals([reason?.kind, reason?.taskId], ["limit", "a"]);
  const { runs, active, queued } = (await opened.runner.stats()).runner!;
  assertEquals({ runs, active, queued }, { runs: 2, active: 1, queued: 1 });
  await second.cancel();
  await opened.clock.settle();
  assertEquals((await opened.runner.stats()).runner?.queued, 0);
  await first.cancel();
});

test("fork() refuses what contradicts itself", async () => {
  await using opened = await open([one]);
  const run = await opened.runner.start(one);
  await run.result();
  await assertRejects(() => run.fork({ from: "a", outputs: { a: 2 } }), TypeError, "is named by both from and outputs");
  await assertRejects(() => run.fork(JSON.parse(`{ "outputs": 5 }`)), TypeError, "outputs must be an object, not 5");
  await assertRejects(() => run.fork(JSON.parse(`{ "from": 5 }`)), TypeError, "from must be a string, not 5");
});

test("ctx.progress() refuses what is no number, and cuts off what is no line", async () => {
  const told = workflow("told", { input: unchecked<number | null>() })
    .task("a", { retry: 1, run: ({ input, ctx }) => ctx.progress(input ?? NaN, 2, "x".repeat(10_000)) });
  await using opened = await open([told]);
  const bad = await opened.runner.execute(told, null);
  assert(bad.status === "failed" && bad.error.message.includes("Cannot report progress"));
  assertEquals((await opened.runner.execute(told, 1)).status, "completed");
  const lengths = opened.events.flatMap((event) => event.type === "task.progress" ? [event.message?.length] : []);
  assertEquals(lengths, [500]);
});
