/** Cancelling a run, in whatever state it is. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { silent } from "../../lib/logger.ts";
import { createRunner, RunCancelledError, RunNotFoundError, RunStateError, type Store, workflow } from "../../mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";
import { within } from "../within.ts";
import { never, open, untilAborted } from "./open.ts";

const obedient = workflow("obedient")
  .task("first", { run: () => 1 })
  .task("hang", { after: ["first"], run: ({ ctx }) => untilAborted(ctx.signal) })
  .task("last", { after: ["hang"], on: "settled", run: () => "never" });

const quickly = workflow("quickly").task("work", { run: () => 1 });

test("cancel() aborts what runs, starts nothing more, and keeps what had completed", async () => {
  await using opened = await open([obedient]);
  const run = await opened.runner.start(obedient);
  await opened.clock.settle();
  await run.cancel("enough");
  await opened.clock.settle();
  const { runId } = await run.outcome();
  const ended = await run.outcome();
  const { startedAt, endedAt } = ended;
  assertEquals(ended, {
    status: "cancelled",
    runId,
    startedAt,
    endedAt,
    reason: "enough",
    compensated: [],
    outputs: { first: 1 },
  });
  const states = (await run.tasks()).map(({ id, state }) => `${id} ${state}`);
  assertEquals(states, ["first completed", "hang cancelled", "last cancelled"]);
  assertEquals(opened.events.filter(({ type }) => type === "task.started").length, 2);
});

test("a cancelled body sees RunCancelledError with the reason", async () => {
  const reasons: unknown[] = [];
  const listening = workflow("listening").task("hang", {
    run: ({ ctx }) => untilAborted(ctx.signal).catch((reason) => void reasons.push(reason)),
  });
  await using opened = await open([listening]);
  const run = await opened.runner.start(listening);
  await opened.clock.settle();
  await run.cancel("enough");
  await opened.clock.settle();
  const [reason] = reasons;
  assertInstanceOf(reason, RunCancelledError);
  assertEquals([reason.runId, reason.reason], [run.id, "enough"]);
});

test("result() of a cancelled run throws RunCancelledError", async () => {
  await using opened = await open([obedient]);
  const run = await opened.runner.start(obedient);
  await run.cancel("enough");
  const error = await assertRejects(() => opened.clock.until(run.result()), RunCancelledError, "was cancelled: enough");
  assertEquals(error.reason, "enough");
});

test("cancel() ends a run that has not begun", async () => {
  await using opened = await open([obedient]);
  const run = await opened.runner.start(obedient, undefined, { delay: "1h" });
  await run.cancel();
  assertEquals((await run.status()).state, "cancelled");
  await opened.clock.advance("2h");
  assertEquals(opened.events.filter(({ type }) => type === "task.started"), []);
});

for (const [where, delay] of [["in memory", "2s"], ["released from memory", "1h"]] as const) {
  test(`cancel() ends a run that waits for a retry, ${where}`, async () => {
    const failing = workflow("failing").task("call", {
      retry: { attempts: 2, delay, maxDelay: "1h", jitter: false },
      run: () => Promise.reject(new Error("no")),
    });
    await using opened = await open([failing]);
    const run = await opened.runner.start(failing);
    await opened.clock.settle();
    assertEquals((await run.status()).state, "waiting");
    await run.cancel();
    await opened.clock.settle();
    assertEquals((await run.status()).state, "cancelled");
    assertEquals((await run.tasks())[0]?.state, "cancelled");
  });
}

test("cancel() ends a paused run", async () => {
  await using opened = await open([obedient]);
  const run = await opened.runner.start(obedient, undefined, { delay: "1h" });
  await run.pause();
  await run.cancel();
  assertEquals((await run.status()).state, "cancelled");
});

test("cancel() ends a paused run whose body still runs", async () => {
  await using opened = await open([obedient]);
  const run = await opened.runner.start(obedient);
  await opened.clock.settle();
  await run.pause();
  await opened.clock.settle();
  await run.cancel();
  await opened.clock.settle();
  assertEquals((await run.status()).state, "cancelled");
});

test("a body that ignores its signal holds up the end for five seconds", async () => {
  const stubborn = workflow("stubborn").task("hang", { run: never });
  await using opened = await open([stubborn]);
  const run = await opened.runner.start(stubborn);
  await opened.clock.settle();
  await run.cancel();
  await opened.clock.advance(4_999);
  assertEquals((await run.status()).state, "running");
  await opened.clock.advance(1);
  assertEquals((await run.status()).state, "cancelled");
});

test("after the grace the place of a stubborn body is free", async () => {
  const stubborn = workflow("stubborn").task("hang", { run: never });
  const next = workflow("next").task("go", { run: () => "went" });
  await using opened = await open([stubborn, next], { concurrency: 1 });
  const run = await opened.runner.start(stubborn);
  const waiting = await opened.runner.start(next);
  await opened.clock.settle();
  await run.cancel();
  await opened.clock.advance("5s");
  assertEquals(await waiting.result(), { go: "went" });
});

test("a body that finishes within the grace has its result kept, and the run is still cancelled", async () => {
  const finish = Promise.withResolvers<string>();
  const tidy = workflow("tidy")
    .task("work", { run: () => finish.promise })
    .task("last", { after: ["work"], run: () => "never" });
  await using opened = await open([tidy]);
  const run = await opened.runner.start(tidy);
  await opened.clock.settle();
  await run.cancel();
  await opened.clock.advance("1s");
  finish.resolve("finished");
  await opened.clock.settle();
  const outcome = await run.outcome();
  assertEquals([outcome.status, outcome.outputs], ["cancelled", { work: "finished" }]);
});

test("a task that waits for a place never starts once its run is cancelled", async () => {
  const started: string[] = [];
  const wide = workflow("wide")
    .task("a", { run: ({ ctx }) => (started.push("a"), untilAborted(ctx.signal)) })
    .task("b", { run: () => void started.push("b") });
  await using opened = await open([wide], { concurrency: 1 });
  const run = await opened.runner.start(wide);
  await opened.clock.settle();
  await run.cancel();
  await opened.clock.settle();
  assertEquals([(await run.status()).state, started], ["cancelled", ["a"]]);
});

test("a body does not start when its run was cancelled while `when` was evaluated", async () => {
  const answer = Promise.withResolvers<boolean>();
  let isStarted = false;
  const asking = workflow("asking").task("go", { when: () => answer.promise, run: () => void (isStarted = true) });
  await using opened = await open([asking]);
  const run = await opened.runner.start(asking);
  await opened.clock.settle();
  await run.cancel();
  await opened.clock.settle();
  answer.resolve(true);
  await opened.clock.settle();
  assertEquals([isStarted, (await run.status()).state], [false, "cancelled"]);
});

for (const [state, body] of [["completed", () => "fine"], ["failed", () => Promise.reject(new Error("no"))]] as const) {
  test(`a ${state} run cannot be cancelled, paused or resumed`, async () => {
    const over = workflow("over").task("go", { retry: 1, run: (): string | Promise<string> => body() });
    await using opened = await open([over]);
    const run = await opened.runner.start(over);
    await run.outcome();
    for (const order of ["cancel", "pause", "resume"] as const) {
      const error = await assertRejects(
        () => run[order](),
        RunStateError,
        `Cannot ${order} run "${run.id}": it is ${state}`,
      );
      assertEquals(error.state, state);
    }
    assertEquals((await run.status()).state, state);
  });
}

test("a cancelled run cannot be cancelled again", async () => {
  await using opened = await open([obedient]);
  const run = await opened.runner.start(obedient);
  await run.cancel();
  await opened.clock.settle();
  await assertRejects(() => run.cancel(), RunStateError, "it is cancelled");
});

test("cancelling twice while bodies settle is no error", async () => {
  const stubborn = workflow("stubborn").task("hang", { run: never });
  await using opened = await open([stubborn]);
  const run = await opened.runner.start(stubborn);
  await opened.clock.settle();
  await run.cancel("first");
  await run.cancel("second");
  await opened.clock.advance("5s");
  const outcome = await run.outcome();
  assert(outcome.status === "cancelled");
  assertEquals(outcome.reason, "first");
});

test("the signal given to start() cancels the run with its reason", async () => {
  await using opened = await open([obedient]);
  const caller = new AbortController();
  const run = await opened.runner.start(obedient, undefined, { signal: caller.signal });
  await opened.clock.settle();
  caller.abort(new Error("the caller left"));
  await opened.clock.settle();
  const outcome = await run.outcome();
  assert(outcome.status === "cancelled");
  assertEquals(outcome.reason, "the caller left");
});

test("a signal that has aborted already starts nothing", async () => {
  await using opened = await open([obedient]);
  const signal = AbortSignal.abort(new Error("the caller left"));
  await assertRejects(() => opened.runner.start(obedient, undefined, { signal }), Error, "the caller left");
  assertEquals((await opened.runner.list()).runs, []);
});

test("a cancel by the signal of a start is logged if it fails, unless the run has ended", async () => {
  await using on = emptyStore("memory");
  const store = await openPlace(on);
  const failed = Promise.withResolvers<string>();
  const logger = { ...silent, error: (message: string) => failed.resolve(message) };
  const broken: Store = { ...store, control: () => Promise.reject(new Error("permission denied")) };
  const runner = await createRunner(broken, { workflows: [obedient], logger });
  const ended = new AbortController();
  const quick = await createRunner(store, { workflows: [quickly], logger });
  await quick.execute(quickly, undefined, { signal: ended.signal });
  ended.abort();
  const caller = new AbortController();
  const run = await runner.start(obedient, undefined, { signal: caller.signal });
  caller.abort();
  assertEquals(
    await within("the log line", failed.promise),
    `Cannot cancel run "${run.id}", whose signal has aborted; it continues`,
  );
  await Promise.all([runner.stop({ timeout: 0 }), quick.stop()]);
  await store.close();
});

test("a run that is not there cannot be cancelled", async () => {
  await using opened = await open([obedient]);
  await assertRejects(() => opened.runner.get("0198c0de-0000-7000-8000-000000000000").status(), RunNotFoundError);
});
