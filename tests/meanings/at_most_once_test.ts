/** Tasks whose bodies run at most once. */
import { assertEquals, assertRejects } from "@std/assert";
import { type Runner, RunStateError, UnknownTaskError, workflow } from "../../mod.ts";
import type { TaskInfo } from "../../lib/types/mod.ts";
import { test } from "../harness.ts";
import { never, open, type Opened, untilAborted } from "./open.ts";

/** A workflow whose first task runs at most once, and how often its body was called. */
function payment(body: (call: number, signal: AbortSignal) => unknown) {
  const calls: number[] = [];
  const pay = workflow("pay")
    .task("charge", {
      guarantee: "atMostOnce",
      version: "1",
      run: ({ ctx }): Promise<number> => {
        calls.push(ctx.attempt);
        return Promise.resolve(body(calls.length, ctx.signal)) as Promise<number>;
      },
    })
    .task("receipt", { after: ["charge"], version: "1", run: ({ charge }) => `paid ${charge}` })
    .returns("receipt");
  return { pay, calls };
}

const shown = ({ id, state, attempts }: TaskInfo) => `${id} ${state} ${attempts}`;

/** Starts a run, stops its runner in the middle of the first body, and opens another runner. */
async function interrupted(body: (call: number, signal: AbortSignal) => unknown) {
  const { pay, calls } = payment(body);
  const opened: Opened<typeof pay> = await open([pay], { shared: true });
  const { id } = await opened.runner.start(pay);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: "1s" }), "10s");
  const runner: Runner<typeof pay> = await opened.another([pay]);
  await opened.clock.advance("10s");
  return { opened, runner, run: runner.get(id), calls };
}

test("the start of an attempt is durable before its body runs", async () => {
  let states: readonly string[] = [];
  const { pay } = payment(async () => {
    states = (await run.tasks()).map(shown);
    return 1;
  });
  await using opened = await open([pay]);
  const run = await opened.runner.start(pay);
  assertEquals(await run.result(), "paid 1");
  assertEquals(states, ["charge running 1", "receipt pending 0"]);
});

for (
  const [name, body] of [["heeds", (_: number, signal: AbortSignal) => untilAborted(signal)], [
    "ignores",
    never,
  ]] as const
) {
  test(`an attempt that is stopped and ${name} its signal is blocked, and its body does not run again`, async () => {
    const { opened, runner, run, calls } = await interrupted(body);
    await using _ = opened;
    assertEquals([(await run.status()).state, calls], ["waiting", [1]]);
    assertEquals((await run.tasks()).map(shown), ["charge blocked 1", "receipt pending 0"]);
    const blocked = (await runner.blocked()).map(({ runId, taskId, item, attempt }) => [runId, taskId, item, attempt]);
    assertEquals(blocked, [[run.id, "charge", undefined, 1]]);
    assertEquals(
      (await runner.explain(run.id)).summary,
      'task "charge" is blocked: attempt 1 ended without a result, and the task runs at most once; call resolve() to ' +
        'decide; task "receipt" waits for "charge"',
    );
    assertEquals(opened.events.filter(({ type }) => type === "task.blocked").length, 1);
  });
}

test("a blocked task is resolved with its output", async () => {
  const { opened, runner, run, calls } = await interrupted(never);
  await using _ = opened;
  await run.resolve("charge", { output: 7 });
  assertEquals(await opened.clock.until(run.result()), "paid 7");
  assertEquals([calls, await runner.blocked()], [[1], []]);
});

test("a blocked task is resolved with its error, and is not retried", async () => {
  const { opened, run, calls } = await interrupted(never);
  await using _ = opened;
  await run.resolve("charge", { error: new RangeError("the bank knows nothing of it") });
  const outcome = await opened.clock.until(run.outcome());
  const failures = outcome.status === "failed" ? outcome.failures : [];
  assertEquals(failures.map(({ taskId, attempt, error }) => [taskId, attempt, error.name, error.message]), [
    ["charge", 1, "RangeError", "the bank knows nothing of it"],
  ]);
  assertEquals(calls, [1]);
});

test("a blocked task is resolved by another attempt, which may be blocked and resolved as well", async () => {
  const { opened, run, calls } = await interrupted((call) => call === 1 ? never() : call * 10);
  await using _ = opened;
  await run.resolve("charge", { retry: true });
  assertEquals(await opened.clock.until(run.result()), "paid 20");
  assertEquals(calls, [1, 2]);
  assertEquals((await run.tasks()).map(shown), ["charge completed 2", "receipt completed 1"]);
});

test("only the first decision counts", async () => {
  const { opened, run } = await interrupted(never);
  await using _ = opened;
  await run.pause();
  await run.resolve("charge", { output: 1 });
  const error = await assertRejects(() => run.resolve("charge", { output: 2 }), RunStateError);
  assertEquals(error.message, `Cannot resolve task "charge" of run "${run.id}": it is already resolved`);
  await run.resume();
  assertEquals(await opened.clock.until(run.result()), "paid 1");
});

test("resolve() rejects with the reason if the task is not blocked or the decision is invalid", async () => {
  const { opened, run } = await interrupted(never);
  await using _ = opened;
  const pending = await assertRejects(() => run.resolve("receipt", { output: "x" }), RunStateError);
  assertEquals(pending.message, `Cannot resolve task "receipt" of run "${run.id}": it is pending`);
  const item = await assertRejects(() => run.resolve("charge", { output: 1 }, { item: 3 }), RunStateError);
  assertEquals(item.message, `Cannot resolve item 3 of task "charge" of run "${run.id}": it is pending`);
  const unknown = await assertRejects(() => run.resolve("chrage" as "charge", { output: 1 }), UnknownTaskError);
  assertEquals(unknown.message.endsWith('workflow "pay" has no task "chrage" (did you mean "charge"?)'), true);
  for (const decision of [{}, { output: 1, retry: true }, { retry: false }]) {
    await assertRejects(() => run.resolve("charge", decision as never), TypeError, 'Cannot resolve task "charge"');
  }
  await run.cancel("enough");
  await opened.clock.advance("1s");
  const ended = await assertRejects(() => run.resolve("charge", { output: 1 }), RunStateError);
  assertEquals(ended.message, `Cannot resolve task "charge" of run "${run.id}": it is cancelled`);
});

test("an error ends the attempt with a result: it is retried as its policy says, by default not at all", async () => {
  let calls = 0;
  const run = (): number => {
    calls++;
    throw new Error("declined");
  };
  const once = workflow("once").task("charge", { guarantee: "atMostOnce", run });
  const twice = workflow("twice").task("charge", { guarantee: "atMostOnce", retry: { attempts: 2, delay: 10 }, run });
  await using opened = await open([once, twice]);
  assertEquals((await opened.clock.until(opened.runner.execute(once))).status, "failed");
  assertEquals(calls, 1);
  assertEquals((await opened.clock.until(opened.runner.execute(twice))).status, "failed");
  assertEquals(calls, 3);
});

test("an attempt that waits for a slot when its runner stops is not blocked", async () => {
  const { pay, calls } = payment((call) => call);
  const busy = workflow("busy").task("hang", { run: ({ ctx }) => untilAborted(ctx.signal) });
  await using opened = await open([pay, busy], { shared: true, concurrency: 1 });
  await opened.runner.start(busy);
  const { id } = await opened.runner.start(pay);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: "1s" }), "10s");
  const runner = await opened.another([pay]);
  assertEquals(await opened.clock.until(runner.get(id).result()), "paid 1");
  assertEquals(calls, [1]);
});

test("the condition of a task is evaluated before its attempt counts as started", async () => {
  let asked = 0;
  let calls = 0;
  const pay = workflow("pay").task("charge", {
    guarantee: "atMostOnce",
    version: "1",
    when: ({ ctx }) => ++asked === 1 ? untilAborted(ctx.signal) : true,
    run: () => ++calls,
  });
  await using opened = await open([pay], { shared: true });
  const { id } = await opened.runner.start(pay);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: "1s" }), "10s");
  const runner = await opened.another([pay]);
  assertEquals(await opened.clock.until(runner.get(id).result()), { charge: 1 });
  assertEquals([asked, calls], [2, 1]);
});

test("an item of a map is blocked and resolved by itself", async () => {
  const calls: number[] = [];
  const pack = workflow("pack").map("parcels", {
    over: () => [1, 2, 3],
    guarantee: "atMostOnce",
    concurrency: 1,
    version: "1",
    run: ({ item, ctx }): Promise<number> => {
      calls.push(item);
      return item === 2 ? untilAborted(ctx.signal) : Promise.resolve(item * 10);
    },
  }).returns("parcels");
  await using opened = await open([pack], { shared: true });
  const { id } = await opened.runner.start(pack);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: "1s" }), "10s");
  const runner = await opened.another([pack]);
  await opened.clock.advance("10s");
  const blocked = (await runner.blocked()).map(({ taskId, item, attempt }) => [taskId, item, attempt]);
  assertEquals([blocked, calls], [[["parcels", 1, 1]], [1, 2]]);
  await runner.get(id).resolve("parcels", { output: 20 as never }, { item: 1 });
  assertEquals(await opened.clock.until(runner.get(id).result()), [10, 20, 30]);
  assertEquals(calls, [1, 2, 3]);
});
