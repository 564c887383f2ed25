/** How much a runner does at once, and in which order. */
import { assert, assertEquals } from "@std/assert";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { createRunner, type Store, unchecked, workflow } from "../../mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";
import { open } from "./open.ts";

test("never more than `concurrency` bodies run at once, and no place stays empty", async () => {
  let running = 0;
  let most = 0;
  const busy = workflow("busy", { input: unchecked<number>() })
    .task("a", { run: work })
    .task("b", { run: work })
    .task("c", { after: ["a", "b"], run: work });
  await using opened = await open([busy], { concurrency: 5 });
  const runs = await opened.runner.startMany(busy, Array.from({ length: 40 }, (_, n) => n));
  await opened.clock.until(Promise.all(runs.map((run) => run.result())));
  assertEquals([most, running], [5, 0]);

  async function work(): Promise<void> {
    most = Math.max(most, ++running);
    await new Promise((resolve) => opened.clock.after(10, () => resolve(undefined)));
    running--;
  }
});

test("the end of a run is reported when its slot is free, even if it is in the store before", async () => {
  const durable = Promise.withResolvers<void>();
  const told = Promise.withResolvers<void>();
  const quick = workflow("quick").task("go", { run: () => 1 });
  await using on = emptyStore("memory");
  const clock = createFakeClock();
  const store = await openPlace(on, { clock });
  const commit: Store["commit"] = async (batch) => {
    const receipt = await store.commit(batch);
    if (batch.writes.some(({ move }) => move?.to === "completed")) {
      durable.resolve();
      await told.promise;
    }
    return receipt;
  };
  const runner = await createRunner({ ...store, commit }, { workflows: [quick], clock, maxRuns: 1 });
  const runsAtEnd = runner.execute(quick).then(() => runner.stats()).then((stats) => stats.runner?.runs);
  await durable.promise;
  await clock.advance("2s"); // in which the watcher polls the store
  told.resolve();
  assertEquals(await runsAtEnd, 0);
  await clock.until(runner.stop());
  await store.close();
});

test("never more than `maxRuns` runs are held in memory", async () => {
  let most = 0;
  const full = Promise.withResolvers<void>();
  const busy = workflow("busy").task("look", {
    async run() {
      const { runner } = await opened.runner.stats();
      most = Math.max(most, runner?.runs ?? 0);
      // Whoever has looked stays, so that the last one to come in must see all.
      if (most >= 7) full.resolve();
      await full.promise;
    },
  });
  await using opened = await open([busy], { maxRuns: 7 });
  const runs = await opened.runner.startMany(busy, Array.from({ length: 100 }, () => undefined));
  await opened.clock.until(Promise.all(runs.map((run) => run.result())));
  assertEquals(most, 7);
});

test("a run that waits long makes room for others", async () => {
  const patient = workflow("patient").task("call", {
    retry: { attempts: 2, delay: "1h", maxDelay: "1h", jitter: false },
    run: ({ ctx }) => ctx.attempt === 1 ? Promise.reject(new Error("later")) : "done",
  });
  const quick = workflow("quick").task("go", { run: () => "went" });
  await using opened = await open([patient, quick], { maxRuns: 1 });
  const waiting = await opened.runner.start(patient);
  await opened.clock.settle();
  const run = await opened.runner.start(quick);
  await opened.clock.settle();
  assertEquals(await run.result(), { go: "went" });
  assertEquals(await opened.clock.until(waiting.result(), "2h"), { call: "done" });
});

test("due runs are taken by priority, lower numbers first, then in the order of their due times", async () => {
  const order: number[] = [];
  const gate = Promise.withResolvers<void>();
  const ordered = workflow("ordered", { input: unchecked<number>() }).task("go", {
    run: ({ input }) => (order.push(input), input === 0 ? gate.promise : undefined),
  });
  await using opened = await open([ordered], { maxRuns: 1 });
  await opened.runner.start(ordered, 0);
  const now = opened.clock.now();
  // By number, what is wanted; all of them are due when the first one makes room.
  const wanted = [[4, 0, 20], [6, 5, 10], [1, -10, 30], [3, 0, 10], [5, 0, 30], [2, -1, 40]] as const;
  for (const [n, priority, later] of wanted) await opened.runner.start(ordered, n, { priority, startAt: now + later });
  await opened.clock.advance("1s");
  gate.resolve();
  await opened.clock.settle();
  assertEquals(order, [0, 1, 2, 3, 4, 5, 6]);
});

test("a runner that starts many runs itself takes those that others left in between", async () => {
  const order: string[] = [];
  const named = workflow("named", { input: unchecked<string>() }).task("go", {
    run: ({ input }) => void order.push(input),
  });
  await using opened = await open([named], { shared: true, maxRuns: 2 });
  const client = await opened.client([named]);
  const left = await client.startMany(named, Array.from({ length: 20 }, (_, n) => `left ${n}`));
  // It knows of the backlog once it has looked and found more than it has room for.
  await opened.clock.advance(20);
  const own = await opened.runner.startMany(named, Array.from({ length: 200 }, (_, n) => `own ${n}`));
  await opened.clock.until(Promise.all([...left, ...own].map((run) => run.result())));
  const lastLeft = order.findLastIndex((name) => name.startsWith("left"));
  assert(lastLeft < 60, `the last run that others had left was number ${lastLeft + 1} of 220`);
});

test("a body that takes long is marked as running once, and a short one never", async () => {
  const finish = Promise.withResolvers<void>();
  const mixed = workflow("mixed").task("short", { run: () => 1 }).task("long", { run: () => finish.promise });
  await using opened = await open([mixed]);
  await opened.clock.settle();
  const before = (await opened.runner.stats()).store;
  const run = await opened.runner.start(mixed);
  await opened.clock.advance("5s");
  finish.resolve();
  await run.result();
  const after = (await opened.runner.stats()).store;
  // The run, the mark, two results and the end.
  assertEquals(after.rows - before.rows, 5);
});
