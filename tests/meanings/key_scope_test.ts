/** `keyScope: "active"`: a run holds its key until it ends. */
import { assertEquals, assertRejects } from "@std/assert";
import { KeyConflictError, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { open } from "./open.ts";

const flow = workflow("flow", { input: unchecked<{ n: number }>() })
  .event("go", { schema: unchecked<boolean>() })
  .task("work", { after: ["go"], retry: 1, run: ({ go, input }) => go ? input.n : Promise.reject(new Error("no")) })
  .returns("work");
const ACTIVE = { key: "k", keyScope: "active" } as const;

test("a start with an active key returns the run that has it, until that ends", async () => {
  await using opened = await open([flow]);
  const { runner } = opened;
  const first = await runner.start(flow, { n: 1 }, ACTIVE);
  const second = await runner.start(flow, { n: 2 }, ACTIVE);
  assertEquals([second.id, first.isNew, second.isNew], [first.id, true, false]);
  await first.send("go", true);
  assertEquals(await first.result(), 1);
  const third = await runner.start(flow, { n: 3 }, ACTIVE);
  assertEquals([third.isNew, third.id === first.id], [true, false]);
  const { key, keyScope } = await third.status();
  assertEquals([key, keyScope, (await runner.list({ keyPrefix: "k" })).runs.length], ["k", "active", 2]);
});

test("startMany() and execute() honour active keys as start() does", async () => {
  await using opened = await open([flow]);
  const { runner } = opened;
  const many = await runner.startMany(flow, [{ n: 1 }, { n: 2 }, { n: 3 }], {
    key: ({ n }) => n === 3 ? "other" : "k",
    keyScope: "active",
  });
  assertEquals(many.map(({ isNew }) => isNew), [true, false, true]);
  const executed = runner.execute(flow, { n: 4 }, ACTIVE);
  await many[0]!.send("go", true);
  const { runId } = await executed;
  assertEquals(runId, many[0]!.id);
  const next = runner.execute(flow, { n: 5 }, ACTIVE);
  await opened.clock.settle();
  const { runs: [live] } = await runner.list({ state: "waiting", keyPrefix: "k" });
  await runner.send(live!.id, "go", true);
  assertEquals((await next).status, "completed");
});

test("ifExists concerns only the run that has the active key", async () => {
  await using opened = await open([flow]);
  const { runner } = opened;
  const first = await runner.start(flow, { n: 1 }, ACTIVE);
  assertEquals((await runner.start(flow, { n: 1 }, { ...ACTIVE, ifExists: "compare" })).isNew, false);
  const starts = [{ n: 2, ifExists: "compare" }, { n: 1, ifExists: "reject" }] as const;
  const messages = [];
  for (const { n, ifExists } of starts) {
    const error = await assertRejects(() => runner.start(flow, { n }, { ...ACTIVE, ifExists }), KeyConflictError);
    messages.push(error.message.replace(first.id, "…"));
  }
  assertEquals(messages, [
    'Cannot start workflow "flow" with key "k": run "…" was started with another input',
    'Cannot start workflow "flow" with key "k": run "…" has not ended',
  ]);
  await first.cancel("enough");
  await opened.clock.until(first.outcome());
  for (const { n, ifExists } of starts) {
    const run = await runner.start(flow, { n }, { ...ACTIVE, ifExists });
    assertEquals(run.isNew, true);
    await run.cancel();
    await opened.clock.until(run.outcome());
  }
});

test("retry() of a run whose active key another run has is refused by a clear error", async () => {
  const held = Promise.withResolvers<void>();
  let calls = 0;
  // Once it is retried it does not end before the test does, so that it still has its key.
  const once = workflow("once", { input: unchecked<{ n: number }>() })
    .event("go", { schema: unchecked<boolean>() })
    .task("work", {
      after: ["go"],
      retry: 1,
      run: () => ++calls === 1 ? Promise.reject(new Error("no")) : held.promise,
    });
  await using opened = await open([once]);
  const { runner } = opened;
  const failed = await runner.start(once, { n: 1 }, ACTIVE);
  await failed.send("go", true);
  assertEquals((await failed.outcome()).status, "failed");
  const other = await runner.start(once, { n: 2 }, ACTIVE);
  const error = await assertRejects(() => failed.retry(), KeyConflictError);
  assertEquals([error.runId, error.key, error.code], [other.id, "k", "key_conflict"]);
  assertEquals(
    error.message,
    `Cannot retry run "${failed.id}": run "${other.id}" has its key "k" and has not ended`,
  );
  await other.cancel();
  await opened.clock.until(other.outcome());
  await failed.retry();
  assertEquals((await runner.start(once, { n: 3 }, ACTIVE)).id, failed.id);
  held.resolve();
});

test("a fork has no key, and leaves that of its origin alone", async () => {
  await using opened = await open([flow]);
  const first = await opened.runner.start(flow, { n: 1 }, ACTIVE);
  const fork = await first.fork();
  assertEquals([(await fork.status()).key, (await opened.runner.start(flow, { n: 2 }, ACTIVE)).id], [
    undefined,
    first.id,
  ]);
});

test("a body starts a run with an active key once, however often it is repeated", async () => {
  const started: unknown[] = [];
  const parent = workflow("parent").task("start", {
    retry: { attempts: 2, delay: 0 },
    async run({ ctx }) {
      started.push(await ctx.start(flow, { n: 1 }, ACTIVE));
      if (ctx.attempt === 1) throw new Error("again");
    },
  });
  await using opened = await open([parent, flow]);
  const { runner } = opened;
  const other = await runner.start(flow, { n: 0 }, ACTIVE);
  await opened.clock.until(runner.execute(parent));
  await other.cancel();
  await opened.clock.until(other.outcome());
  await opened.clock.until(runner.execute(parent));
  const { runs } = await runner.list({ workflow: "flow" });
  const { id } = runs.find(({ state }) => state === "waiting")!;
  assertEquals(started, [
    { runId: other.id, isNew: false },
    { runId: other.id, isNew: false },
    { runId: id, isNew: true },
    { runId: id, isNew: true },
  ]);
  assertEquals(runs.length, 2);
});
