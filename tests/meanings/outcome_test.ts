/** How runs end, and what `on` and `when` have to do with it. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { TaskStatus } from "../../lib/definition/context.ts";
import type { Trigger } from "../../lib/definition/definition.ts";
import { RunFailedError, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { open } from "./open.ts";

test("without `returns`, the result is every output by id", async () => {
  const sum = workflow("sum").task("a", { run: () => 1 }).task("b", { after: ["a"], run: ({ a }) => a + 1 });
  await using opened = await open([sum]);
  const outcome = await opened.runner.execute(sum);
  const { runId, startedAt, endedAt } = outcome;
  const values = { a: 1, b: 2 };
  assertEquals(outcome, { status: "completed", runId, startedAt, endedAt, result: values, outputs: values });
});

test("an outcome has the times of its run, in the process that executed it as in any other", async () => {
  const slow = workflow("slow", { input: unchecked<boolean>() })
    .task("first", { run: () => 1 })
    .sleep("pause", { after: ["first"], for: "3s" })
    .task("last", { after: ["pause"], retry: 1, run: ({ input }) => input ? 1 : boom("no") });
  await using opened = await open([slow], { shared: true });
  const client = await opened.client([slow]);
  for (const [input, status] of [[true, "completed"], [false, "failed"]] as const) {
    const run = await opened.runner.start(slow, input);
    const outcome = await opened.clock.until(run.outcome());
    const { startedAt, endedAt } = await run.status();
    assertEquals([outcome.status, outcome.startedAt, outcome.endedAt], [status, startedAt, endedAt]);
    assert(outcome.startedAt !== undefined && outcome.endedAt - outcome.startedAt >= 3_000);
    const read = await opened.clock.until(client.get(run.id).outcome());
    assertEquals([read.status, read.startedAt, read.endedAt], [status, startedAt, endedAt]);
  }
});

test("a run that is cancelled before it starts has no time of a start", async () => {
  const later = workflow("later").task("a", { run: () => 1 });
  await using opened = await open([later]);
  const run = await opened.runner.start(later, undefined, { delay: "1h" });
  await run.cancel();
  const outcome = await opened.clock.until(run.outcome());
  assertEquals([outcome.status, outcome.startedAt], ["cancelled", undefined]);
  assertEquals(outcome.endedAt, (await run.status()).endedAt);
});

test("with `returns`, the result is that task's output", async () => {
  const sum = workflow("sum").task("a", { run: () => 1 }).task("b", { after: ["a"], run: ({ a }) => a + 1 }).returns(
    "b",
  );
  await using opened = await open([sum]);
  const run = await opened.runner.start(sum);
  assertEquals(await run.result(), 2);
});

test("a run without an output has an empty result", async () => {
  const silent = workflow("silent").task("a", { run: () => {} });
  await using opened = await open([silent]);
  const run = await opened.runner.start(silent);
  assertEquals(await run.result(), { a: undefined });
});

test("a dependent of a failed task is skipped, transitively, and an independent branch continues", async () => {
  const tree = workflow("tree")
    .task("bad", { retry: 1, run: () => boom("bad") })
    .task("child", { after: ["bad"], run: () => 1 })
    .task("grandchild", { after: ["child"], run: () => 1 })
    .task("good", { run: () => 1 })
    .task("better", { after: ["good"], run: ({ good }) => good + 1 });
  await using opened = await open([tree]);
  const run = await opened.runner.start(tree);
  const outcome = await run.outcome();
  assert(outcome.status === "failed");
  assertEquals(outcome.outputs, { good: 1, better: 2 });
  assertEquals((await run.tasks()).map(({ id, state, reason }) => [id, state, reason]), [
    ["bad", "failed", undefined],
    ["child", "skipped", 'dependency "bad" failed'],
    ["grandchild", "skipped", 'dependency "child" failed'],
    ["good", "completed", undefined],
    ["better", "completed", undefined],
  ]);
});

test("result() of a failed run throws RunFailedError with every failed attempt and the cause", async () => {
  const bad = workflow("bad")
    .task("one", { retry: { attempts: 2, delay: 0 }, run: ({ ctx }) => boom(`one ${ctx.attempt}`) })
    .task("two", { retry: 1, run: () => boom("two") });
  await using opened = await open([bad]);
  const run = await opened.runner.start(bad);
  const error = await assertRejects(() => run.result(), RunFailedError, "failed: one 2");
  assertEquals([error.runId, error.workflow, error.code], [run.id, "bad", "run_failed"]);
  assertEquals(error.failures.map((failure) => failure.error.message), ["one 1", "one 2", "two"]);
  assertEquals((error.cause as Error).message, "one 2");
});

const triggers: readonly [on: Trigger, dependencies: string, end: string][] = [
  ["success", "ok ok", "completed"],
  ["success", "ok skip", "completed"],
  ["success", "ok bad", "skipped"],
  ["allSucceeded", "ok ok", "completed"],
  ["allSucceeded", "ok skip", "skipped"],
  ["allSucceeded", "ok bad", "skipped"],
  ["allSucceeded", "skip bad", "skipped"],
  ["settled", "bad bad", "completed"],
  ["settled", "skip", "completed"],
  ["anySucceeded", "ok bad", "completed"],
  ["anySucceeded", "skip bad", "skipped"],
  ["anyFailed", "ok bad", "completed"],
  ["anyFailed", "ok skip", "skipped"],
  ["allFailed", "bad bad", "completed"],
  ["allFailed", "bad ok", "skipped"],
  ["allFailed", "bad skip", "skipped"],
];
for (const [on, dependencies, end] of triggers) {
  test(`a task on "${on}" is ${end} after tasks that end "${dependencies}"`, async () => {
    const body = (how: string) => ({
      retry: 1,
      when: () => how !== "skip",
      run: () => how === "bad" ? boom("bad") : how,
    });
    const [first = "", second = "ok"] = dependencies.split(" ");
    const asked = dependencies.includes(" ") ? ["a", "b"] as const : ["a"] as const;
    const branch = workflow("branch").task("a", body(first)).task("b", body(second))
      .task("c", { after: asked, on, run: () => "ran" });
    await using opened = await open([branch]);
    const run = await opened.runner.start(branch);
    await run.outcome();
    assertEquals((await run.tasks())[2]?.state, end);
  });
}

test("a body receives in `status` how each dependency ended", async () => {
  const seen: Record<string, TaskStatus>[] = [];
  const mixed = workflow("mixed")
    .task("fine", { run: () => 1 })
    .task("bad", { retry: 1, run: () => boom("bad") })
    .task("after", { after: ["bad"], run: () => 1 })
    .task("off", { when: () => false, run: () => 1 })
    .task("last", {
      after: ["fine", "bad", "after", "off"],
      on: "settled",
      run: ({ status, fine, bad, after, off }) => {
        seen.push({ ...status });
        return [fine ?? null, bad ?? null, after ?? null, off ?? null];
      },
    });
  await using opened = await open([mixed]);
  const run = await opened.runner.start(mixed);
  assertEquals((await run.outcome()).outputs.last, [1, null, null, null]);
  assertEquals(seen, [{ fine: "completed", bad: "failed", after: "failed", off: "skipped" }]);
});

test("a failure that a handler completes on is handled, and the run completes", async () => {
  const mended = workflow("mended")
    .task("bad", { retry: 1, run: () => boom("bad") })
    .task("mend", { after: ["bad"], on: "anyFailed", run: () => "mended" });
  await using opened = await open([mended]);
  const run = await opened.runner.start(mended);
  const { mend } = await run.result();
  assertEquals(mend, "mended");
});

test('a "settled" clean-up task does not hide a failure', async () => {
  const cleaned = workflow("cleaned")
    .task("bad", { retry: 1, run: () => boom("bad") })
    .task("clean", { after: ["bad"], on: "settled", run: () => "clean" });
  await using opened = await open([cleaned]);
  const outcome = await opened.runner.execute(cleaned);
  assertEquals([outcome.status, outcome.outputs], ["failed", { clean: "clean" }]);
});

test("a run fails if the task it returns has no output because of a failure, handled or not", async () => {
  const lost = workflow("lost")
    .task("bad", { retry: 1, run: () => boom("bad") })
    .task("mend", { after: ["bad"], on: "anyFailed", run: () => "mended" })
    .task("wanted", { after: ["bad"], run: () => 1 })
    .returns("wanted");
  await using opened = await open([lost]);
  const outcome = await opened.runner.execute(lost);
  assert(outcome.status === "failed");
  assertEquals(outcome.error.message, "bad");
});

test("a task skipped by its own condition arrives as `undefined`", async () => {
  const optional = workflow("optional")
    .task("extra", { when: () => false, run: () => 5 })
    .task("sum", { after: ["extra"], run: ({ extra = 100 }) => extra + 1 })
    .returns("sum");
  await using opened = await open([optional]);
  const run = await opened.runner.start(optional);
  assertEquals(await run.result(), 101);
  const { state, reason, attempts } = (await run.tasks())[0]!;
  assertEquals([state, reason, attempts], ["skipped", "its condition returned false", 1]);
});

test("`when` sees what its body would see, and may be asynchronous", async () => {
  const picky = workflow("picky")
    .task("rows", { run: () => [1, 2, 3] })
    .task("many", { after: ["rows"], when: ({ rows }) => Promise.resolve(rows.length > 5), run: () => "many" })
    .task("few", { after: ["rows"], when: ({ rows }) => rows.length <= 5, run: () => "few" });
  await using opened = await open([picky]);
  const run = await opened.runner.start(picky);
  assertEquals((await run.outcome()).outputs, { rows: [1, 2, 3], few: "few" });
});

test("`when` is not evaluated if `on` does not hold", async () => {
  let asked = 0;
  const picky = workflow("picky")
    .task("bad", { retry: 1, run: () => boom("bad") })
    .task("next", { after: ["bad"], when: () => ++asked > 0, run: () => 1 });
  await using opened = await open([picky]);
  await opened.runner.execute(picky);
  assertEquals(asked, 0);
});

test("`when` is evaluated once, however often the body is retried", async () => {
  let asked = 0;
  const flaky = workflow("flaky").task("call", {
    retry: { attempts: 3, delay: "1s" },
    when: () => ++asked > 0,
    run: ({ ctx }) => ctx.attempt < 3 ? boom("not yet") : "done",
  });
  await using opened = await open([flaky]);
  const run = await opened.runner.start(flaky);
  assertEquals(await opened.clock.until(run.result()), { call: "done" });
  assertEquals(asked, 1);
});

for (const delay of ["1s", "1h"] as const) {
  test(`a \`when\` that throws fails the attempt, and is evaluated again ${delay} later`, async () => {
    let asked = 0;
    const shaky = workflow("shaky").task("call", {
      retry: { attempts: 3, delay, maxDelay: "1h", jitter: false },
      when: () => ++asked < 2 ? boom("cannot tell") : false,
      run: () => "ran",
    });
    await using opened = await open([shaky]);
    const run = await opened.runner.start(shaky);
    await opened.clock.until(run.outcome(), "1d");
    assertEquals([asked, (await run.tasks())[0]?.state], [2, "skipped"]);
  });
}

test("a resumed run does not ask `when` again", async () => {
  let asked = 0;
  let bodies = 0;
  const asking = workflow("asking").task("work", {
    retry: 1,
    when: () => ++asked > 0,
    run: ({ ctx }) => {
      if (++bodies > 1) return "second";
      return new Promise<string>((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason)));
    },
  });
  await using opened = await open([asking], { shared: true });
  const run = await opened.runner.start(asking);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: 0 }));
  const other = await opened.another([asking]);
  const again = other.get(run.id);
  assertEquals(await opened.clock.until(again.result()), { work: "second" });
  assertEquals([asked, bodies, (await again.tasks())[0]?.attempts], [1, 2, 1]);
});

test("a run that was handed back during `when` evaluates it again", async () => {
  let asked = 0;
  const asking = workflow("asking").task("work", {
    when: () => ++asked === 1 ? new Promise<boolean>(() => {}) : false,
    run: () => "ran",
  });
  await using opened = await open([asking], { shared: true });
  const { id } = await opened.runner.start(asking);
  await opened.clock.advance("1s");
  await opened.clock.until(opened.runner.stop({ timeout: 0 }));
  const other = await opened.another([asking]);
  await opened.clock.until(other.get(id).outcome());
  assertEquals([asked, (await other.get(id).tasks())[0]?.state], [2, "skipped"]);
});

function boom(message: string): never {
  throw new Error(message);
}
