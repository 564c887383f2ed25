/** Tests that are repeated with a crash after each durable write. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { NonRetryableError, schedule, unchecked, workflow } from "../../mod.ts";
import { crashAtEveryWrite, createTestRunner } from "../../lib/testing/mod.ts";
import { test } from "../harness.ts";

const HOUR = 3_600_000;

/** Each kind of task, and a failure at the end, so that all of it is undone. */
function everyKind(log: string[]) {
  const undo = ({ ctx }: { readonly ctx: { readonly idempotencyKey: string; readonly runId: string } }): void =>
    void log.push(ctx.idempotencyKey.replace(ctx.runId, ""));
  const child = workflow("child", { input: unchecked<number>(), version: "1" })
    .task("double", { run: ({ input }) => input * 2, undo })
    .returns("double");
  return workflow("every", { version: "1" })
    .task("first", { run: () => 1, undo })
    .event("go", { after: ["first"], schema: unchecked<number>() })
    .map("items", { after: ["go"], over: () => [1, 2], run: ({ item }) => item, undo })
    .subworkflow("one", { after: ["items"], workflow: child, input: ({ items }) => items.length })
    .map("each", { after: ["one"], over: () => [5, 6], workflow: child, input: ({ item }) => item })
    .sleep("rest", { after: ["each"], for: "1d" })
    .task("flaky", {
      after: ["rest"],
      retry: { attempts: 2, delay: "1m", jitter: false },
      run: ({ ctx }) => {
        if (ctx.attempt === 1) throw new Error("once");
      },
      undo,
    })
    .task("last", {
      after: ["flaky", "one", "each"],
      run({ one, each }): string {
        throw new NonRetryableError(`${one} ${each}`);
      },
    });
}

test("a run of every kind ends the same whichever of its writes its runner dies after", async () => {
  const log: string[] = [];
  const every = everyKind(log);
  const crashed = await crashAtEveryWrite(async () => {
    log.length = 0;
    await using runner = await createTestRunner({ workflows: [every] });
    const run = await runner.start(every);
    await runner.settle();
    await run.send("go", 1);
    const outcome = await runner.until(run.outcome());
    assert(outcome.status === "failed");
    assertEquals([outcome.error.message, outcome.compensated.map(({ taskId }) => taskId)], [
      "4 10,12",
      ["first", "items", "one", "each", "flaky"],
    ]);
    assertEquals(
      [...new Set(log)].sort(),
      ["double", "first", "flaky", "items/0", "items/1"].map((at) => `/${at}/undo`),
    );
    assertEquals((await runner.list({ workflow: "child" })).runs.length, 3);
    const { runs } = await runner.stats();
    assertEquals(runs.running + runs.pending + runs.waiting + runs.compensating, 0);
  });
  assert(crashed > 15, `${crashed} writes`);
});

test("each tick has one run whichever write of a tick or run the runner dies after", async () => {
  const work = workflow("work", { version: "1" }).task("a", { run: () => 1 });
  for (const overlap of ["skip", "queue", "allow", "cancelPrevious"] as const) {
    const s = schedule({ name: "s", workflow: work, every: "1h", overlap, catchUp: "all" });
    const crashed = await crashAtEveryWrite(async () => {
      await using runner = await createTestRunner({ workflows: [work], schedules: [s] });
      const begun = runner.clock.now();
      await runner.advance("2h");
      await runner.settle();
      const { runs } = await runner.list();
      assertEquals(
        runs.map(({ tick, state }) => [(tick! - begun) / HOUR, state]),
        [2, 1].map((at) => [at, "completed"]),
      );
    });
    assert(crashed >= 5, `${overlap}: ${crashed} writes`);
  }
});

test("a test that does not survive a crash is named with the write", async () => {
  const notes: number[] = [];
  const work = workflow("work", { version: "1" }).task("note", { run: () => void notes.push(1) });
  const fragile = async (): Promise<void> => {
    notes.length = 0;
    await using runner = await createTestRunner({ workflows: [work] });
    await runner.execute(work);
    assertEquals(notes.length, 1);
    assertEquals((await runner.list()).runs[0]!.crashes, 0);
  };
  const error = await assertRejects(
    () => crashAtEveryWrite(fragile),
    Error,
    "The test fails with a crash after write 1 (claim)",
  );
  assert((error as Error).cause instanceof Error);
});

test("a test that fails without a crash, or opens no test runner, is an error that says so", async () => {
  await assertRejects(
    () => crashAtEveryWrite(() => Promise.reject(new Error("wrong"))),
    Error,
    "The test fails without a crash: wrong",
  );
  await assertRejects(() => crashAtEveryWrite(() => {}), Error, "the test opened no test runner that wrote anything");
});
