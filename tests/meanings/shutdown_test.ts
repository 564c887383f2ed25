/** Stopping a runner: what is drained, what is handed back, and that nothing is left. */
import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { ShutdownError, workflow } from "../../mod.ts";
import { spawn } from "../child.ts";
import { test } from "../harness.ts";
import { never, open, untilAborted } from "./open.ts";

test("stop() lets running bodies finish, and records what they answer", async () => {
  const finish = Promise.withResolvers<string>();
  const chain = workflow("chain").task("a", { run: () => finish.promise }).task("b", {
    after: ["a"],
    run: () => "later",
  });
  await using opened = await open([chain], { shared: true });
  const client = await opened.client([chain]);
  const run = client.get((await opened.runner.start(chain)).id);
  await opened.clock.settle();
  const stopped = opened.runner.stop();
  await opened.clock.settle();
  finish.resolve("finished");
  await opened.clock.settle();
  await stopped;
  assertEquals((await run.tasks()).map(({ state, output }) => [state, output]), [["completed", "finished"], [
    "pending",
    undefined,
  ]]);
  const { state, crashes } = await run.status();
  assertEquals([state, crashes], ["pending", 0]);
});

test("a body that takes longer than the drain is aborted with ShutdownError, and its attempt does not count", async () => {
  const reasons: unknown[] = [];
  const slow = workflow("slow").task("hang", {
    retry: 1,
    run: ({ ctx }) =>
      reasons.length > 0 ? `attempt ${ctx.attempt}` : untilAborted(ctx.signal).catch((reason) => {
        reasons.push(reason);
        throw reason;
      }),
  });
  await using opened = await open([slow], { shared: true });
  const { id } = await opened.runner.start(slow);
  await opened.clock.settle();
  const stopped = opened.runner.stop({ timeout: "3s" });
  await opened.clock.advance(2_999);
  assertEquals(reasons, []);
  await opened.clock.advance(1);
  await stopped;
  assertInstanceOf(reasons[0], ShutdownError);
  const other = await opened.another([slow]);
  assertEquals(await opened.clock.until(other.get(id).result()), { hang: "attempt 1" });
});

test("a body that ignores everything is left behind, and its run handed back", async () => {
  const stubborn = workflow("stubborn").task("hang", { run: never });
  await using opened = await open([stubborn], { shared: true });
  const client = await opened.client([stubborn]);
  const { id } = await opened.runner.start(stubborn);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: "1s" }), "10s");
  const { state, crashes } = await client.get(id).status();
  assertEquals([state, crashes, (await client.get(id).tasks())[0]?.state], ["pending", 0, "pending"]);
});

test("what waits for a place, for a retry or for its time is handed back as it is", async () => {
  const hold = workflow("hold").task("hang", { run: ({ ctx }) => untilAborted(ctx.signal) });
  const flaky = workflow("flaky").task("call", {
    retry: { attempts: 2, delay: "3s", jitter: false },
    run: ({ ctx }) => ctx.attempt === 1 ? Promise.reject(new Error("no")) : ctx.attempt,
  });
  const quick = workflow("quick").task("go", { run: () => "went" });
  await using opened = await open([hold, flaky, quick], { shared: true, concurrency: 1 });
  const retried = await opened.runner.start(flaky);
  await opened.clock.settle();
  const holding = await opened.runner.start(hold);
  const queued = await opened.runner.start(quick);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: 0 }));
  const other = await opened.another([hold, flaky, quick]);
  await opened.clock.settle();
  assertEquals(await other.get(queued.id).result(), { go: "went" });
  assertEquals((await other.get(retried.id).status()).state, "waiting");
  assertEquals(await opened.clock.until(other.get(retried.id).result()), { call: 2 });
  await other.get(holding.id).cancel();
  assertEquals((await opened.clock.until(other.get(holding.id).outcome())).status, "cancelled");
});

test("after stop() no timer is left", async () => {
  const failing = workflow("failing", { timeout: "1h" }).task("call", {
    timeout: "1m",
    retry: { attempts: 2, delay: "2s" },
    run: () => Promise.reject(new Error("no")),
  });
  await using opened = await open([failing], { shared: true, retention: "1h" });
  await opened.runner.start(failing);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop());
  assertEquals(opened.clock.timers, 0);
});

test("stopping twice is stopping once", async () => {
  await using opened = await open([workflow("quick").task("go", { run: () => 1 })]);
  await Promise.all([opened.runner.stop(), opened.runner.stop({ timeout: 0 })]);
  await opened.runner.stop();
});

test("a wait for a run rejects when its runner stops", async () => {
  const slow = workflow("slow").task("hang", { run: ({ ctx }) => untilAborted(ctx.signal) });
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow);
  const waiting = assertRejects(() => run.result(), ShutdownError, "other runners continue the run");
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: 0 }));
  await waiting;
});

test("a run that is cancelled while its runner stops ends as cancelled", async () => {
  const slow = workflow("slow").task("hang", { run: ({ ctx }) => untilAborted(ctx.signal) });
  await using opened = await open([slow], { shared: true });
  const client = await opened.client([slow]);
  const run = await opened.runner.start(slow);
  await opened.clock.settle();
  const stopped = opened.runner.stop({ timeout: "5s" });
  await client.get(run.id).cancel("no more");
  await opened.clock.until(stopped);
  assertEquals((await client.get(run.id).status()).state, "cancelled");
});

test("what is cancelled while its runner drains ends at once, and the drain with it", async () => {
  const endless = workflow("endless").task("wait", { run: ({ ctx }) => untilAborted(ctx.signal) });
  await using opened = await open([endless]);
  const run = await opened.runner.start(endless);
  await opened.clock.settle();
  const stopped = opened.runner.stop({ timeout: "1h" });
  await run.cancel("enough");
  const outcome = await run.outcome();
  await stopped;
  assertEquals([outcome.status, outcome.status === "cancelled" && outcome.reason], ["cancelled", "enough"]);
});

test("a process whose runner was stopped ends by itself", async () => {
  await using child = spawn("fixtures/stops.ts");
  const { code, signal, stdout, stderr } = await child.exited;
  assertEquals([code, signal, stdout], [0, null, "completed\nstopped\n"], stderr);
});
