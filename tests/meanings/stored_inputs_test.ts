/** What a resumed run reads from its journal, and when. */
import { assertEquals } from "@std/assert";
import { createRunner, RetryAfterError, type Runner, type Store, StoreError, workflow } from "../../mod.ts";
import type { OutputsRequest } from "../../lib/store/outputs.ts";
import { createFakeClock, type FakeClock } from "../../lib/testing/mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";

let joined = 0;

// Released from memory between the two attempts of `wait`.
const patient = workflow("patient")
  .task("large", { run: () => "x".repeat(1_000) })
  .task("small", { run: () => 1 })
  .task("wait", {
    after: ["small"],
    async run({ small, ctx }) {
      const one = await ctx.step("one", () => 10 * ctx.attempt);
      await ctx.step("none", () => undefined);
      if (ctx.attempt === 1) throw new RetryAfterError("10s");
      return small + one;
    },
  })
  .task("use", { after: ["large", "wait"], run: ({ large, wait }) => large.length + wait })
  .task("join", { after: ["use", "large"], run: ({ use, large }) => (joined++, use + large.length) });

test("a resumed run reads outputs when a task needs them, and each once", async () => {
  await using on = await opened();
  const run = await on.runner.start(patient);
  await on.clock.settle();
  assertEquals([(await run.status()).state, on.requests], ["waiting", []]);
  const outcome = await on.clock.until(run.outcome());
  assertEquals(outcome.status === "completed" && outcome.outputs.join, 2_011);
  assertEquals(on.requests.map(({ task, of, item }) => [task, of, item]), [
    ["small", "results", -1],
    ["wait", "steps", -1],
    ["large", "results", -1],
  ]);
});

test("a read of outputs that fails is repeated, and the run goes on", async () => {
  await using on = await opened();
  const run = await on.runner.start(patient);
  await on.clock.settle();
  on.failures.push(new Error("the network is down"), new Error("still"));
  await on.clock.advance("10s");
  const outcome = await on.clock.until(run.outcome());
  assertEquals(outcome.status, "completed");
  assertEquals(on.errors.filter((line) => line.startsWith("Cannot read outputs")).length, 2);
});

test("an output that cannot be decoded fails the task that reads it", async () => {
  await using on = await opened();
  const run = await on.runner.start(patient);
  await on.clock.settle();
  on.failures.push(...[1, 2, 3].map(() => new StoreError("corrupt_row", "Cannot read column output")));
  const outcome = await on.clock.until(run.outcome());
  assertEquals(outcome.status === "failed" && outcome.error.message, "Cannot read column output");
  assertEquals((await run.tasks()).map(({ id, state }) => `${id} ${state}`), [
    "large completed",
    "small completed",
    "wait failed",
    "use skipped",
    "join skipped",
  ]);
});

for (const action of ["cancel", "pause"] as const) {
  test(`no body starts once ${action}() has resolved, even if its inputs were being read`, async () => {
    await using on = await opened();
    const run = await on.runner.start(patient);
    await on.clock.settle();
    joined = 0;
    const asked = Promise.withResolvers<void>();
    on.held = { asked: asked.resolve, answer: Promise.withResolvers() };
    await on.clock.advance("10s");
    await asked.promise;
    const controlled = run[action]();
    await on.clock.until(controlled);
    on.held.answer.resolve();
    on.held = undefined;
    await on.clock.settle();
    assertEquals((await run.status()).state, action === "cancel" ? "cancelled" : "paused");
    assertEquals((await run.tasks()).find(({ id }) => id === "wait")?.attempts, 1);
    if (action === "cancel") return;
    await run.resume();
    assertEquals((await on.clock.until(run.outcome())).status, "completed");
    assertEquals(joined, 1);
  });
}

interface Opened extends AsyncDisposable {
  readonly runner: Runner<typeof patient>;
  readonly clock: FakeClock;
  /** What was read, in order. */
  readonly requests: OutputsRequest[];
  /** What the next reads throw. */
  readonly failures: Error[];
  readonly errors: string[];
  /** Holds the next read back. */
  held: { readonly asked: () => void; readonly answer: PromiseWithResolvers<void> } | undefined;
}

async function opened(): Promise<Opened> {
  const place = emptyStore("memory");
  const clock = createFakeClock();
  const inner = await openPlace(place, { clock });
  const outputs: Store["outputs"] = async (requests) => {
    const failure = on.failures.shift();
    if (failure !== undefined) throw failure;
    on.requests.push(...requests);
    on.held?.asked();
    await on.held?.answer.promise;
    return await inner.outputs(requests);
  };
  const errors: string[] = [];
  const none = (): void => {};
  const logger = { debug: none, info: none, warn: none, error: (message: string) => void errors.push(message) };
  const runner = await createRunner({ ...inner, outputs }, { workflows: [patient], clock, logger });
  const on: Opened = {
    runner,
    clock,
    requests: [],
    failures: [],
    errors,
    held: undefined,
    async [Symbol.asyncDispose]() {
      await clock.until(runner.stop());
      await inner.close();
      await place[Symbol.asyncDispose]();
    },
  };
  return on;
}
