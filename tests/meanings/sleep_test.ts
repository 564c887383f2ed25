/** Tasks that wait for a time. */
import { assertEquals } from "@std/assert";
import { unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { open } from "./open.ts";

test("a sleep lasts as long as it says, and has no key in the outputs", async () => {
  const nap = workflow("nap")
    .task("first", { run: () => 1 })
    .sleep("rest", { after: ["first"], for: "30s" })
    .task("last", { after: ["first", "rest"], run: ({ first, rest }) => `${first} ${rest}` });
  await using opened = await open([nap]);
  const run = await opened.runner.start(nap);
  await opened.clock.advance("20s");
  assertEquals((await run.status()).state, "waiting");
  assertEquals((await opened.runner.stats()).runner?.runs, 0);
  assertEquals((await run.tasks()).map(({ id, kind, state }) => [id, kind, state]), [
    ["first", "task", "completed"],
    ["rest", "sleep", "waiting"],
    ["last", "task", "pending"],
  ]);
  await opened.clock.advance("10s");
  const outcome = await run.outcome();
  assertEquals(outcome.status === "completed" && outcome.result, { first: 1, last: "1 undefined" });
  assertEquals(Object.keys(outcome.outputs), ["first", "last"]);
});

const ends: readonly [name: string, until: (now: number) => Date | number | string][] = [
  ["a date", (now) => new Date(now + 60_000)],
  ["milliseconds", (now) => now + 60_000],
  ["ISO 8601 text", (now) => new Date(now + 60_000).toISOString()],
];
for (const [name, until] of ends) {
  test(`a sleep ends at the time that its function returns as ${name}`, async () => {
    const nap = workflow("nap", { input: unchecked<{ now: number }>() })
      .sleep("rest", { until: ({ input }) => until(input.now) })
      .task("last", { after: ["rest"], run: () => "awake" });
    await using opened = await open([nap]);
    const run = await opened.runner.start(nap, { now: opened.clock.now() });
    await opened.clock.advance(59_999);
    assertEquals((await run.tasks()).map(({ state }) => state), ["waiting", "pending"]);
    await opened.clock.advance(1);
    assertEquals(await run.result(), { last: "awake" });
  });
}

test("a sleep until a time that has passed ends at once", async () => {
  const nap = workflow("nap").sleep("rest", { until: "2001-01-01T00:00:00Z" })
    .task("last", { after: ["rest"], run: () => "awake" });
  await using opened = await open([nap]);
  const run = await opened.runner.start(nap);
  await opened.clock.settle();
  assertEquals(await run.result(), { last: "awake" });
});

test("the end of a sleep is computed once: another runner continues the same sleep", async () => {
  const durations = ["1m", "9m"] as const;
  let calls = 0;
  const nap = workflow("nap").sleep("rest", { for: () => durations[calls++]! })
    .task("last", { after: ["rest"], run: () => "awake" });
  await using opened = await open([nap], { shared: true });
  const run = await opened.runner.start(nap);
  await opened.clock.advance("30s");
  await opened.clock.until(opened.runner.stop());
  const client = await opened.client([nap]);
  await opened.another([nap]);
  await opened.clock.advance("30s");
  assertEquals(await client.get(run.id).result(), { last: "awake" });
  assertEquals(calls, 1);
});

const invalid: readonly [value: unknown, message: string][] = [
  ["soon", 'for of sleep "rest" is not a duration: "soon"'],
  [-1, 'for of sleep "rest" is not a duration: -1'],
  [undefined, 'for of sleep "rest" is not a duration: undefined'],
];
for (const [value, message] of invalid) {
  test(`a sleep for ${String(value)} fails with a message that names it`, async () => {
    const nap = workflow("nap").sleep("rest", { for: () => value as number });
    await using opened = await open([nap]);
    const outcome = await opened.runner.execute(nap);
    const failures = outcome.status === "failed" ? outcome.failures : [];
    assertEquals(failures.map(({ taskId, attempt }) => [taskId, attempt]), [["rest", 1]]);
    assertEquals(failures.map(({ error }) => error.message.startsWith(message)), [true]);
  });
}

test("a sleep until no time fails with a message that names it", async () => {
  const nap = workflow("nap").sleep("rest", { until: () => "tomorrow" });
  await using opened = await open([nap]);
  const outcome = await opened.runner.execute(nap);
  assertEquals(outcome.status === "failed" && outcome.failures.map(({ error }) => error.message), [
    'until of sleep "rest" is not a time: "tomorrow" (use a Date, milliseconds since the epoch or ISO 8601 text with a zone)',
  ]);
});

test("a run is cancelled, and timed out, while it sleeps", async () => {
  const nap = workflow("nap").sleep("rest", { for: "30m" });
  await using opened = await open([nap]);
  const cancelled = await opened.runner.start(nap);
  const timedOut = await opened.runner.start(nap, undefined, { timeout: "1m" });
  await opened.clock.advance("10s");
  await cancelled.cancel("enough");
  await opened.clock.advance("1m");
  assertEquals((await cancelled.status()).state, "cancelled");
  const { state, error } = await timedOut.status();
  assertEquals([state, error?.name], ["failed", "RunTimeoutError"]);
});

test("a sleep that ends while its run is paused continues when the run is resumed", async () => {
  const nap = workflow("nap").sleep("rest", { for: "30s" }).task("last", { after: ["rest"], run: () => "awake" });
  await using opened = await open([nap]);
  const run = await opened.runner.start(nap);
  await opened.clock.advance("10s");
  await run.pause();
  await opened.clock.advance("40s");
  assertEquals((await run.tasks()).map(({ state }) => state), ["waiting", "pending"]);
  await run.resume();
  await opened.clock.advance("1s");
  assertEquals(await run.result(), { last: "awake" });
});

test("a sleep is skipped by its condition, and after a failure", async () => {
  const nap = workflow("nap")
    .task("bad", {
      retry: 1,
      run: (): string => {
        throw new Error("no");
      },
    })
    .sleep("unwanted", { when: () => false, for: "1h" })
    .sleep("skipped", { after: ["bad"], for: "1h" });
  await using opened = await open([nap]);
  const run = await opened.runner.start(nap);
  await opened.clock.settle();
  assertEquals((await run.tasks()).map(({ id, state }) => [id, state]), [
    ["bad", "failed"],
    ["unwanted", "skipped"],
    ["skipped", "skipped"],
  ]);
});

test("explain() says until when a run sleeps", async () => {
  const nap = workflow("nap").sleep("rest", { for: "14d" });
  await using opened = await open([nap]);
  const run = await opened.runner.start(nap);
  await opened.clock.advance("10s");
  const { summary } = await opened.runner.explain(run.id);
  assertEquals(summary, 'the run is due in 14 d; task "rest" sleeps and continues in 14 d');
});
