/** What a resumed run reads from its journal, and when. */
import { assertEquals } from "@std/assert";
import {
  type AnyWorkflow,
  createRunner,
  RetryAfterError,
  type Runner,
  type Store,
  StoreError,
  unchecked,
  workflow,
} from "../../mod.ts";
import type { OutputsRequest } from "../../lib/store/port/outputs.ts";
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
  await using on = await opened([patient]);
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

test("a task after a map reads outputs of its items only if they are large together", async () => {
  let requests: readonly OutputsRequest[] = [];
  let read: string[] = [];
  const mapped = workflow("mapped", { input: unchecked<number>() })
    .map("each", { over: () => Array.from({ length: 1_000 }, (_, n) => n), run: ({ input }) => "x".repeat(input) })
    .map("tolerated", {
      over: () => [0, 1],
      onItemFailure: "collect",
      run: ({ item }) => item === 0 ? undefined : item,
    })
    .task("join", {
      after: ["each", "tolerated"],
      run({ each, tolerated }) {
        read = requests.map(({ task }) => task);
        return JSON.stringify([each.join("").length, tolerated]);
      },
    })
    .returns("join");
  for (const length of [100, 1_200]) {
    await using on = await opened([mapped]);
    requests = on.requests;
    const run = await on.runner.start(mapped, length);
    const joined = await on.clock.until(run.result());
    assertEquals(joined, `[${1_000 * length},[{"ok":true},{"ok":true,"value":1}]]`);
    assertEquals(read, length === 100 ? [] : ["each"]);
    // The result of the run is the output of another task, so it needs no read of these.
    assertEquals(on.requests.length, read.length);
  }
});

test("a task whose functions take no arguments reads no outputs", async () => {
  const taking = { run: ({ each }: { readonly each: readonly string[] }) => each.length };
  const ignoring = workflow("ignoring")
    .map("each", { over: () => ["a", "b"], run: () => "x".repeat(600_000) })
    .task("arrow", { after: ["each"], run: () => 3 })
    .task("asynchronous", { after: ["each"], run: async () => await Promise.resolve(4) })
    .task("next", { after: ["arrow", "asynchronous"], ...taking, reads: ["each"] });
  await using on = await opened([ignoring]);
  const run = await on.runner.start(ignoring);
  await on.clock.settle();
  assertEquals((await run.tasks()).map(({ id, output }) => [id, output]).slice(1), [
    ["arrow", 3],
    ["asynchronous", 4],
    ["next", 2],
  ]);
  // Of the last task, once.
  assertEquals(on.requests.filter(({ of, item }) => of === "results" && item === undefined).length, 1);
});

test("a read of outputs that fails is repeated, and the run continues", async () => {
  await using on = await opened([patient]);
  const run = await on.runner.start(patient);
  await on.clock.settle();
  on.failures.push(new Error("the network is down"), new Error("still"));
  await on.clock.advance("10s");
  const outcome = await on.clock.until(run.outcome());
  assertEquals(outcome.status, "completed");
  assertEquals(on.errors.filter((line) => line.startsWith("Cannot read outputs")).length, 2);
});

test("an output that cannot be decoded fails the task that reads it", async () => {
  await using on = await opened([patient]);
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
    await using on = await opened([patient]);
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

interface Opened<W extends AnyWorkflow> extends AsyncDisposable {
  readonly runner: Runner<W>;
  readonly clock: FakeClock;
  /** What was read, in order. */
  readonly requests: OutputsRequest[];
  /** What the next reads throw. */
  readonly failures: Error[];
  readonly errors: string[];
  /** Holds the next read back. */
  held: { readonly asked: () => void; readonly answer: PromiseWithResolvers<void> } | undefined;
}

async function opened<const W extends AnyWorkflow>(workflows: readonly W[]): Promise<Opened<W>> {
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
  const runner = await createRunner({ ...inner, outputs }, { workflows, clock, logger });
  const on: Opened<W> = {
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
