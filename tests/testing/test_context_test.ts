import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { createFakeClock, createTestContext } from "../../lib/testing/mod.ts";
import { z } from "zod";
import {
  PayloadError,
  RunCancelledError,
  StepTimeoutError,
  task,
  type TaskContext,
  ValidationError,
  workflow,
} from "../../mod.ts";
import { test } from "../harness.ts";

test("a context has defaults for everything", () => {
  const { runId, workflow, tenant, taskId, attempt, idempotencyKey, signal } = createTestContext();
  assertEquals({ runId, workflow, tenant, taskId, attempt, idempotencyKey, aborted: signal.aborted }, {
    runId: "test-run",
    workflow: "test-workflow",
    tenant: undefined,
    taskId: "test-task",
    attempt: 1,
    idempotencyKey: "test-run/test-task",
    aborted: false,
  });
});

test("a context has the given values", () => {
  const options = { runId: "r", workflow: "w", tenant: "s", taskId: "t", attempt: 3 };
  const { runId, workflow, tenant, taskId, attempt, idempotencyKey } = createTestContext(options);
  assertEquals({ runId, workflow, tenant, taskId, attempt }, options);
  assertEquals(idempotencyKey, "r/t");
});

test("a body can be tested with it, away from any workflow", async () => {
  const transform = task({
    run: async ({ extract, ctx }: { extract: number[]; ctx: TaskContext }) => {
      ctx.progress(1, extract.length, "rows");
      ctx.log("begun", { rows: extract.length });
      ctx.log.warn("slow");
      return await ctx.step("sum", () => extract.reduce((a, b) => a + b, 0));
    },
  });
  const ctx = createTestContext();
  assertEquals(await transform.run({ extract: [1, 2, 3], ctx }), 6);
  assertEquals(ctx.progressed, [{ done: 1, total: 3, message: "rows" }]);
  const who = { runId: "test-run", taskId: "test-task", attempt: 1 };
  assertEquals(ctx.logged, [
    { level: "info", message: "begun", fields: { ...who, rows: 3 } },
    { level: "warn", message: "slow", fields: who },
  ]);
  assertEquals([...ctx.steps], [["sum", 6]]);
});

test("a step runs once, at the same time and afterwards", async () => {
  const ctx = createTestContext();
  let calls = 0;
  const step = (): Promise<number> => ctx.step("one", () => ++calls);
  assertEquals([await Promise.all([step(), step()]), await step(), calls], [[1, 1], 1, 1]);
});

test("a step that throws is not remembered", async () => {
  const ctx = createTestContext();
  await assertRejects(() => ctx.step("shaky", () => Promise.reject(new Error("no"))), Error, "no");
  assertEquals(await ctx.step("shaky", () => "yes"), "yes");
});

test("steps of an earlier attempt can be given", async () => {
  const ctx = createTestContext({ attempt: 2, steps: { charge: { receipt: 7 } } });
  assertEquals(await ctx.step("charge", () => ({ receipt: 0 })), { receipt: 7 });
});

test("a step returns a copy, and refuses what a run could not store", async () => {
  const ctx = createTestContext({ maxPayloadBytes: 100 });
  const list = await ctx.step("list", () => [1]);
  list.push(2);
  assertEquals(await ctx.step("list", () => []), [1]);
  await assertRejects(() => ctx.step("big", () => 1n), PayloadError, 'the output of step "big"');
  await assertRejects(() => ctx.step("long", () => "x".repeat(200)), PayloadError, "100");
});

test("abort() aborts the signal, by default as a cancellation does", () => {
  const cancelled = createTestContext({ runId: "r" });
  cancelled.abort();
  assertInstanceOf(cancelled.signal.reason, RunCancelledError);
  const other = createTestContext();
  other.abort("my reason");
  assertEquals([other.signal.aborted, other.signal.reason], [true, "my reason"]);
  assert(!createTestContext().signal.aborted);
});

test("a step is repeated and limited as its options state", async () => {
  const clock = createFakeClock();
  const ctx = createTestContext({ clock });
  let calls = 0;
  const repeated = ctx.step("fetch", () => {
    if (++calls < 3) throw new Error("not yet");
    return calls;
  }, { retry: { attempts: 3, delay: "1h", maxDelay: "1h" } });
  assertEquals(await clock.until(repeated, "1d"), 3);
  const limited = ctx.step("hang", () => new Promise<never>(() => {}), { timeout: "1m" });
  await assertRejects(() => clock.until(limited), StepTimeoutError, 'Step "hang"');
  assertEquals([...ctx.steps], [["fetch", 3]]);
  await assertRejects(() => ctx.step("bad", () => 1, { retry: 0 }), TypeError, 'Cannot run step "bad": retry');
});

test("an abort ends the delay of a step", async () => {
  const ctx = createTestContext({ clock: createFakeClock() });
  const waits = ctx.step("fetch", (): number => {
    throw new Error("not yet");
  }, { retry: 2 });
  await Promise.resolve();
  ctx.abort();
  await assertRejects(() => waits, RunCancelledError);
});

test("the runs that a body starts are recorded, with validated inputs, and not executed", async () => {
  const mail = workflow("mail", { input: z.object({ to: z.string(), copies: z.number().default(1) }) })
    .task("send", { run: ({ input }) => input.to });
  const ctx = createTestContext();
  const first = await ctx.start(mail, { to: "ann" });
  const second = await ctx.start("mail", { to: "ben" }, { key: "ben" });
  const again = await ctx.start(mail, { to: "ben" }, { key: "ben" });
  assertEquals([first.isNew, second.isNew, again], [true, true, { runId: second.runId, isNew: false }]);
  assertEquals(ctx.started, [
    { workflow: "mail", input: { to: "ann", copies: 1 }, key: "test-run/test-task", runId: first.runId },
    { workflow: "mail", input: { to: "ben" }, key: "ben", runId: second.runId },
  ]);
  await assertRejects(() => ctx.start(mail, { to: "cyd" }), TypeError, "again without a key");
  await assertRejects(() => ctx.start("mail", {}, { keys: "x" } as object), TypeError, 'unknown option "keys"');
  await assertRejects(() => ctx.start(mail, { to: 5 } as never, { key: "c" }), ValidationError, "to");
});
