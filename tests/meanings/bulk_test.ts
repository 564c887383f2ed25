/** Operations on many runs: each means what the operation on one run means. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type RunState, unchecked, workflow } from "../../mod.ts";
import type { BulkProgress } from "../../lib/types/mod.ts";
import type { Bulk } from "../../lib/engine/client/bulk.ts";
import { test } from "../harness.ts";
import { open } from "./open.ts";

const waits = workflow("waits", { input: unchecked<number | undefined>() })
  .event("go", { schema: unchecked<number>() })
  .returns("go");

test("cancelMany() cancels the runs that match, with a reason, and counts them", async () => {
  await using opened = await open([waits]);
  const { runner } = opened;
  const eu = await runner.startMany(waits, [1, 2, 3], { tags: ["eu"] });
  const us = await runner.start(waits, 4, { tags: ["us"] });
  assertEquals(await runner.cancelMany({ tags: ["eu"] }, { reason: "closed" }), 3);
  for (const run of eu) {
    const outcome = await run.outcome();
    assertEquals(outcome.status === "cancelled" && outcome.reason, "closed");
  }
  assertEquals(await runner.cancelMany({ tags: ["eu"] }), 0);
  assertEquals(await runner.cancelMany({ workflow: "none" }), 0);
  assertEquals((await us.status()).state, "waiting");
  assertEquals(await runner.cancelMany({ all: true }), 1);
});

test("cancelMany() aborts bodies that run here, and compensates completed tasks unless compensate is false", async () => {
  const undone: string[] = [];
  const order = workflow("order", { input: unchecked<string>() })
    .task("pay", { run: ({ input }) => input, undo: ({ output }) => void undone.push(output) })
    .task("ship", {
      after: ["pay"],
      retry: 1,
      run: ({ ctx }) =>
        new Promise<void>((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason))),
    });
  await using opened = await open([order]);
  const { runner, clock } = opened;
  const runs = [await runner.start(order, "a", { key: "a" }), await runner.start(order, "b", { key: "b" })];
  const isShipping = async (): Promise<boolean> =>
    (await Promise.all(runs.map(async (run) => (await run.tasks())[0]?.state === "completed"))).every(Boolean);
  while (!await isShipping()) await clock.advance(10);
  assertEquals(await runner.cancelMany({ keyPrefix: "a" }), 1);
  assertEquals(await runner.cancelMany({ keyPrefix: "b" }, { compensate: false }), 1);
  for (const run of runs) assertEquals((await clock.until(run.outcome())).status, "cancelled");
  assertEquals(undone, ["a"]);
});

test("pauseMany() and resumeMany() reach the child runs of the runs that match, and count only those", async () => {
  const parent = workflow("parent").subworkflow("child", { workflow: waits, input: () => 1 });
  await using opened = await open([parent, waits]);
  const { runner, clock } = opened;
  const run = await runner.start(parent);
  let child: string | undefined;
  while (child === undefined) {
    await clock.advance(10);
    child = (await run.children())[0]?.id;
  }
  const states = async (): Promise<readonly RunState[]> =>
    await Promise.all([run, runner.get(child)].map(async (one) => (await one.status()).state));
  assertEquals(await runner.pauseMany({ all: true }, { reason: "lunch" }), 1);
  assertEquals(await states(), ["paused", "paused"]);
  assertEquals((await run.status()).reason, "lunch");
  assertEquals(await runner.pauseMany({ all: true }), 0);
  assertEquals(await runner.resumeMany({ state: "paused", workflow: "parent" }), 1);
  assertEquals((await states()).includes("paused"), false);
  await runner.send(child, "go", 7);
  assertEquals(await clock.until(run.result()), { child: 7 });
});

test("retryMany() retries what retry() retries, and leaves failed child runs to their parents", async () => {
  let isDown = true;
  const fetch = workflow("fetch").task("call", {
    retry: 1,
    run: () => isDown ? Promise.reject(new Error("service is down")) : "up",
  }).returns("call");
  const parent = workflow("parent").subworkflow("fetch", { workflow: fetch }).returns("fetch");
  await using opened = await open([fetch, parent]);
  const { runner, clock } = opened;
  const family = await runner.start(parent);
  const ids = [family, ...await runner.startMany(fetch, [undefined, undefined])].map(({ id }) => id);
  const runs = ids.map((id) => runner.get(id));
  for (const run of runs) assertEquals((await clock.until(run.outcome())).status, "failed");
  isDown = false;
  assertEquals((await runner.list({ error: "service is down" })).runs.length, 4);
  assertEquals(await runner.retryMany({ error: "service is down" }), 3);
  for (const run of runs) assertEquals((await clock.until(run.outcome())).status, "completed");
  const children = await family.children();
  assertEquals(children.map(({ state }) => state), ["failed", "completed"]);
  // The first child run belongs to the past of its parent.
  await assertRejects(() => runner.get(children[0]!.id).retry(), Error, "runs again, with another child run");
  assertEquals(await runner.retryMany({ state: "failed" }), 0);
});

test("retryMany() leaves a run whose key another run has taken", async () => {
  const failing = workflow("failing", { input: unchecked<boolean>() }).task("a", {
    retry: 1,
    run: ({ input }) => input ? Promise.reject(new Error("no")) : new Promise<void>(() => {}),
  });
  await using opened = await open([failing]);
  const { runner } = opened;
  const first = await runner.start(failing, true, { key: "k", keyScope: "active" });
  await first.outcome();
  const other = await runner.start(failing, false, { key: "k", keyScope: "active" });
  assertEquals(await runner.retryMany({ workflow: "failing" }), 0);
  assertEquals((await first.status()).state, "failed");
  await other.cancel();
});

test("deleteMany() deletes runs that have ended, with their child runs, and no others", async () => {
  const child = workflow("child").task("a", { run: () => 1 });
  const parent = workflow("parent").subworkflow("child", { workflow: child });
  await using opened = await open([parent, child, waits]);
  const { runner, clock } = opened;
  const family = await clock.until(runner.execute(parent));
  const live = await runner.start(waits);
  const between = clock.now() + 1_000;
  await clock.advance("1h");
  const late = await clock.until(runner.execute(child));
  // A child run is deleted with its parent alone.
  assertEquals(await runner.deleteMany({ parent: family.runId }), 0);
  assertEquals(await runner.deleteMany({ endedUntil: between }), 1);
  assertEquals((await runner.list()).runs.map(({ id }) => id), [late.runId, live.id]);
  assertEquals(await runner.deleteMany({ all: true }), 1);
  assertEquals((await runner.list()).runs.map(({ id }) => id), [live.id]);
});

test("tagMany() adds and removes tags, by which runs are then found", async () => {
  await using opened = await open([waits]);
  const { runner } = opened;
  const runs = await runner.startMany(waits, [1, 2], { tags: ["new"] });
  assertEquals(await runner.tagMany({ tags: ["new"] }, ["seen", "eu"]), 2);
  assertEquals((await runner.list({ tags: ["seen", "new"] })).runs.length, 2);
  assertEquals(await runner.tagMany({ tags: ["seen"] }, { add: ["old"], remove: ["new", "eu"] }), 2);
  assertEquals((await runs[0]!.status()).tags, ["seen", "old"]);
  assertEquals(await runner.tagMany({ tags: ["seen"] }, { add: ["old"] }), 0);
  const many = Array.from({ length: 100 }, (_, at) => `t${at}`);
  await assertRejects(() => runner.tagMany({ all: true }, many), RangeError, "more than 100 tags");
  await runs[1]!.send("go", 5);
  assertEquals(await runs[1]!.result(), 5);
});

test("a bulk operation refuses an empty filter, `all` together with a filter, and unknown options", async () => {
  await using opened = await open([waits]);
  const { runner } = opened;
  const run = await runner.start(waits);
  const operations: readonly (readonly [keyof Bulk, (filter: never, options?: never) => Promise<number>])[] = [
    ["cancelMany", runner.cancelMany],
    ["pauseMany", runner.pauseMany],
    ["resumeMany", runner.resumeMany],
    ["retryMany", runner.retryMany],
    ["deleteMany", runner.deleteMany],
    ["tagMany", (filter, options) => runner.tagMany(filter, ["a"], options)],
  ];
  for (const [name, call] of operations) {
    const action = name.replace("Many", "");
    for (const empty of [{}, { tags: [] }, { keyPrefix: "" }, { error: "" }, { all: false }, { workflow: undefined }]) {
      await assertRejects(
        () => call(empty as never),
        TypeError,
        `Cannot ${action} runs: the filter is empty; state { all: true } to ${action} all runs`,
      );
    }
    const cases: readonly (readonly [unknown, unknown, string])[] = [
      [undefined, {}, "the filter must be an object, not undefined"],
      [{ all: true, workflow: "waits" }, {}, "all: true excludes other filters"],
      [{ all: 1 }, {}, "all must be true or false, not 1"],
      [{ stat: "failed" }, {}, 'the filter: unknown option "stat" (did you mean "state"?)'],
      [{ all: true }, { limit: 3 }, 'the options: unknown option "limit"'],
      [{ all: true }, { signal: 3 }, "signal must be an AbortSignal, not 3"],
      [{ all: true }, { onProgress: 3 }, "onProgress must be a function, not 3"],
    ];
    for (const [filter, options, message] of cases) {
      await assertRejects(() => call(filter as never, options as never), TypeError, message);
    }
  }
  await assertRejects(
    () => runner.cancelMany({ all: true }, { reason: "a\0" }),
    TypeError,
    "the reason must not contain",
  );
  await assertRejects(() => runner.tagMany({ all: true }, []), TypeError, "no tag is stated");
  await assertRejects(() => runner.tagMany({ all: true }, { add: ["a"], remove: ["a"] }), TypeError, "both added and");
  await assertRejects(() => runner.tagMany({ all: true }, ["\0"]), TypeError, "a tag must not contain");
  await run.send("go", 1);
  assertEquals([await run.result(), (await run.status()).tags], [1, []]);
});

test("a bulk operation reports its progress, and stops between two batches when its signal aborts", async () => {
  await using opened = await open([waits]);
  const { runner } = opened;
  await runner.startMany(waits, Array.from({ length: 250 }, () => undefined), { delay: "1h" });
  const abort = new AbortController();
  const seen: BulkProgress[] = [];
  const onProgress = (progress: BulkProgress): void => {
    seen.push(progress);
    if (progress.done >= 200) abort.abort(new Error("enough"));
  };
  await assertRejects(
    () => runner.cancelMany({ workflow: "waits" }, { signal: abort.signal, onProgress }),
    Error,
    "enough",
  );
  assertEquals(seen, [{ total: 250, done: 100, changed: 100 }, { total: 250, done: 200, changed: 200 }]);
  assertEquals((await runner.stats()).runs.cancelled, 200);
  await assertRejects(
    () => runner.cancelMany({ all: true }, { signal: AbortSignal.abort(new Error("late")) }),
    Error,
    "late",
  );
  assertEquals(
    await runner.cancelMany({ workflow: "waits" }, { onProgress: (progress) => void seen.push(progress) }),
    50,
  );
  assertEquals(seen.at(-1), { total: 250, done: 250, changed: 50 });
});

test("a client changes runs that a runner in another process executes", async () => {
  await using opened = await open([waits], { shared: true });
  const client = await opened.client([waits]);
  const runs = await opened.runner.startMany(waits, [1, 2, 3]);
  while ((await opened.runner.stats()).runs.waiting < 3) await opened.clock.advance(10);
  assertEquals(await client.pauseMany({ workflow: "waits" }), 3);
  assertEquals(await client.resumeMany({ workflow: "waits" }), 3);
  assertEquals(await client.cancelMany({ workflow: "waits" }), 3);
  for (const run of runs) assertEquals((await opened.clock.until(run.outcome())).status, "cancelled");
  assertEquals(await client.deleteMany({ state: "cancelled" }), 3);
});

test("retention deletes runs by the state in which they ended", async () => {
  const flow = workflow("flow", { input: unchecked<boolean>() }).task("a", {
    retry: 1,
    run: ({ input }) => input ? 1 : Promise.reject(new Error("no")),
  });
  await using opened = await open([flow], { retention: { completed: "1h", failed: "3d" } });
  const { runner, clock } = opened;
  const completed = await runner.execute(flow, true);
  const failed = await runner.execute(flow, false);
  const cancelled = await runner.start(flow, true, { delay: "1h" });
  await cancelled.cancel();
  const left = async (): Promise<readonly string[]> => (await runner.list()).runs.map(({ id }) => id);
  assertEquals(await left(), [cancelled.id, failed.runId, completed.runId]);
  await clock.advance("2h");
  assertEquals(await left(), [cancelled.id, failed.runId]);
  await clock.advance("4d");
  assertEquals(await left(), [cancelled.id]);
  await assertRejects(
    () => opened.another([flow], { retention: { complete: "1h" } as never }),
    TypeError,
    'retention: unknown option "complete" (did you mean "completed"?)',
  );
  const error = await opened.another([flow], { retention: { failed: "soon" } as never }).catch(String);
  assert(String(error).includes("retention.failed"), String(error));
});
