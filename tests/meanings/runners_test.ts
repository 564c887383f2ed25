/** Several runners and clients on one store, and what becomes of runs when their workflow has changed. */
import { assert, assertEquals } from "@std/assert";
import { createRunner, DeferError, type Store, unchecked, workflow } from "../../mod.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { test } from "../harness.ts";
import { emptyStore } from "../empty_store.ts";
import { openPlace } from "../place.ts";
import { open, untilAborted } from "./open.ts";

test("two runners in one process do not know of each other", async () => {
  const one = workflow("same").task("go", { run: () => "one" });
  const two = workflow("same").task("go", { run: () => "two" });
  const clock = createFakeClock();
  await using here = emptyStore("memory");
  await using there = emptyStore("memory");
  await using first = await createRunner(here.url, { ...here.options, workflows: [one], clock });
  await using second = await createRunner(there.url, { ...there.options, workflows: [two], clock });
  const [a, b] = [await first.start("same"), await second.start("same")];
  assertEquals([await a.result(), await b.result()], [{ go: "one" }, { go: "two" }]);
  assertEquals((await first.list()).runs.length, 1);
});

test("a client starts what a runner elsewhere executes", async () => {
  const echo = workflow("echo", { input: unchecked<number>() }).task("say", { run: ({ input }) => input }).returns(
    "say",
  );
  await using opened = await open([echo], { shared: true });
  const client = await opened.client([echo]);
  const run = await client.start(echo, 5);
  assertEquals(await opened.clock.until(run.result()), 5);
  assertEquals((await opened.clock.until(client.execute(echo, 6))).status, "completed");
});

test("without a runner, what a client starts waits in the store", async () => {
  const quick = workflow("quick").task("go", { run: () => "went" });
  await using opened = await open([workflow("other").task("x", { run: () => 1 })], { shared: true });
  const client = await opened.client([quick]);
  const run = await client.start(quick);
  await opened.clock.advance("1m");
  assertEquals((await run.status()).state, "pending");
  await opened.another([quick]);
  assertEquals(await opened.clock.until(run.result()), { go: "went" });
});

test("cancel, pause and resume reach the runner from another process", async () => {
  const first = Promise.withResolvers<void>();
  const chain = workflow("chain")
    .task("a", { run: () => first.promise })
    .task("b", { after: ["a"], run: ({ ctx }) => untilAborted(ctx.signal) });
  await using opened = await open([chain], { shared: true });
  const client = await opened.client([chain]);
  const run = client.get((await opened.runner.start(chain)).id);
  await opened.clock.settle();
  await run.pause();
  // A heartbeat, with which every order has arrived at the latest.
  await opened.clock.advance("10s");
  first.resolve();
  await opened.clock.advance("1s");
  assertEquals([(await run.status()).state, (await run.tasks())[1]?.state], ["paused", "pending"]);
  await run.resume();
  await opened.clock.advance("10s");
  assertEquals((await run.tasks())[1]?.state, "running");
  await run.cancel("from afar");
  const outcome = await opened.clock.until(run.outcome());
  assertEquals(outcome.status === "cancelled" && outcome.reason, "from afar");
});

test("runners on one store share its runs, and each run has one of them", async () => {
  const bodies: string[] = [];
  const busy = workflow("busy", { input: unchecked<number>() }).task("go", {
    run: ({ ctx }) => void bodies.push(ctx.runId),
  });
  await using opened = await open([busy], { shared: true, maxRuns: 10 });
  await opened.another([busy], { maxRuns: 10 });
  const client = await opened.client([busy]);
  const runs = await client.startMany(busy, Array.from({ length: 200 }, (_, n) => n));
  await opened.clock.until(Promise.all(runs.map((run) => run.result())));
  assertEquals([bodies.length, new Set(bodies).size], [200, 200]);
});

test("a runner takes up what a stopped one had left, and no completed task runs again", async () => {
  const calls: string[] = [];
  const chain = workflow("chain")
    .task("a", { run: () => calls.push("a") })
    .task("b", {
      after: ["a"],
      run: ({ ctx }) => (calls.push("b"), calls.length > 2 ? "done" : untilAborted(ctx.signal)),
    });
  await using opened = await open([chain], { shared: true });
  const { id } = await opened.runner.start(chain);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: 0 }));
  const other = await opened.another([chain]);
  assertEquals(await opened.clock.until(other.get(id).result()), { a: 1, b: "done" });
  assertEquals(calls, ["a", "b", "b"]);
});

// What a run has done before its workflow changes: task "a" is recorded, "b" is not.
const before = workflow("flow").task("a", { run: () => "old a" }).task("b", {
  after: ["a"],
  run: ({ ctx }) => untilAborted(ctx.signal),
});

test("a run continues with the new code of its workflow if its records still fit", async () => {
  const after = workflow("flow").task("a", { run: () => "new a" }).task("b", {
    after: ["a"],
    run: ({ a }) => `new b, ${a}`,
  })
    .task("c", { after: ["b"], run: () => "new c" });
  await using opened = await open([before], { shared: true });
  const { id } = await opened.runner.start(before);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: 0 }));
  const other = await opened.another([after]);
  const run = other.get(id);
  assertEquals<unknown>(await opened.clock.until(run.result()), { a: "old a", b: "new b, old a", c: "new c" });
  assertEquals((await run.status()).version, before.version);
});

test("a run whose recorded task is gone is stranded and reported, and claimed by a runner of its own version", async () => {
  const after = workflow("flow").task("b", { run: () => "alone" });
  await using opened = await open([before], { shared: true });
  const { id } = await opened.runner.start(before);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: 0 }));
  const other = await opened.another([after]);
  await opened.clock.advance("1s");
  const [lost, ...more] = await other.stranded();
  assertEquals([lost?.id, lost?.version, more], [id, before.version, []]);
  assert(lost?.reason.includes('task "a" has a recorded result and was removed'), lost?.reason);
  assert((await other.explain(id)).summary.includes(before.version));
  await opened.clock.advance("1m");
  assertEquals((await other.get(id).status()).state, "pending");
  const old = await opened.another([before]);
  await opened.clock.advance("3s");
  assertEquals([await old.stranded(), (await old.get(id).status()).state], [[], "running"]);
});

test("the definition of an old version is read once, however many of its runs continue", async () => {
  const isReady = { value: false };
  const flow = (version: string) =>
    workflow("flow", { version }).task("a", { run: () => 1 }).task("b", {
      after: ["a"],
      run: ({ a }) => {
        if (!isReady.value) throw new DeferError("1h");
        return a + 1;
      },
    }).returns("b");
  const [old, current] = [flow("1"), flow("2")];
  const clock = createFakeClock();
  await using on = emptyStore("memory");
  const store = await openPlace(on, { clock });
  const starter = await createRunner(store, { workflows: [old], clock });
  const runs = await clock.until(starter.startMany(old, Array.from({ length: 500 }, () => undefined)));
  await clock.advance("1m");
  await clock.until(starter.stop());
  isReady.value = true;
  const read: string[] = [];
  const definition: Store["definition"] = (of) => {
    read.push(of.version);
    return store.definition(of);
  };
  const runner = await createRunner({ ...store, definition }, { workflows: [current], clock });
  await clock.advance("1h");
  const ends = await clock.until(Promise.all(runs.map(({ id }) => runner.get(id).outcome())));
  assertEquals(ends.filter((end) => end.status === "completed" && end.result === 2).length, 500);
  assertEquals(read, [old.version]);
  await clock.until(runner.stop());
  await store.close();
});

test('with onVersionChange: "pin" a run waits for a runner of its very version', async () => {
  const after = workflow("flow").task("a", { run: () => "new a" }).task("b", { after: ["a"], run: () => "new b" });
  await using opened = await open([before], { shared: true });
  const { id } = await opened.runner.start(before);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: 0 }));
  const pinned = await opened.another([after], { onVersionChange: "pin" });
  await opened.clock.advance("1m");
  assertEquals((await pinned.get(id).status()).state, "pending");
  assertEquals((await pinned.stranded()).map((run) => run.id), [id]);
  const resuming = await opened.another([after]);
  assertEquals<unknown>(await opened.clock.until(resuming.get(id).result()), { a: "old a", b: "new b" });
});

test("a run that has not begun runs with whatever version is there", async () => {
  const after = workflow("flow").task("other", { run: () => "all new" });
  await using opened = await open([after], { shared: true });
  const client = await opened.client([before]);
  const run = await client.start(before);
  assertEquals<unknown>(await opened.clock.until(run.outcome()).then((outcome) => outcome.status), "completed");
});

test("finished runs are deleted after `retention`, and others stay", async () => {
  const quick = workflow("quick").task("go", { run: () => 1 });
  await using opened = await open([quick], { retention: "1h" });
  const old = await opened.runner.execute(quick);
  await opened.clock.advance("50m");
  const young = await opened.runner.execute(quick);
  const waiting = await opened.runner.start(quick, undefined, { delay: "1d" });
  await opened.clock.advance("20m");
  const left = (await opened.runner.list()).runs.map(({ id }) => id);
  assertEquals([left.includes(old.runId), left.includes(young.runId), left.includes(waiting.id)], [false, true, true]);
});

test("a runner joins before it stores its definitions, so that none is deleted as unused", async () => {
  await using place = emptyStore("shared");
  const inner = await openPlace(place);
  const calls: string[] = [];
  const store: Store = {
    ...inner,
    join: (...args) => (calls.push("join"), inner.join(...args)),
    define: (...args) => (calls.push("define"), inner.define(...args)),
  };
  const runner = await createRunner(store, { workflows: [workflow("any").task("go", { run: () => 1 })] });
  await runner.stop();
  await inner.close();
  assertEquals(calls, ["join", "define"]);
});
