/** Tasks that start a child run and wait for it. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createRunner, DefinitionError, type Runner, unchecked, workflow } from "../../mod.ts";
import type { Child } from "../../lib/types/mod.ts";
import { test } from "../harness.ts";
import { even } from "./even_schema.ts";
import { never, open, untilAborted } from "./open.ts";
import { emptyStore } from "../empty_store.ts";
import { openPlace } from "../place.ts";
import { within } from "../within.ts";

const shipping = workflow("shipping", { input: unchecked<{ parcels: number }>(), tags: ["logistics"] })
  .task("pick", { run: ({ input }) => input.parcels * 2 })
  .task("label", { after: ["pick"], run: ({ pick }) => `label ${pick}` })
  .returns("label");

const order = workflow("order")
  .task("pack", { run: () => 3 })
  .subworkflow("ship", { after: ["pack"], workflow: shipping, input: ({ pack }) => ({ parcels: pack }) })
  .task("close", { after: ["ship"], run: ({ ship }) => `closed with ${ship}` })
  .returns("close");

test("the result of a child run is the output of its task", async () => {
  await using opened = await open([order]);
  const run = await opened.runner.start(order);
  await opened.clock.settle();
  assertEquals(await run.result(), "closed with label 6");
  const [child] = await run.children();
  assertEquals([child?.workflow, child?.state, child?.taskId, child?.item], [
    "shipping",
    "completed",
    "ship",
    undefined,
  ]);
  assertEquals((await run.tasks()).map(({ id, childRunId }) => [id, childRunId]), [
    ["pack", undefined],
    ["ship", child?.id],
    ["close", undefined],
  ]);
});

test("without returns, the result of a child run is all its outputs", async () => {
  const pair = workflow("pair").task("a", { run: () => 1 }).task("b", { run: () => [2] });
  const parent = workflow("parent").subworkflow("both", { workflow: pair }).returns("both");
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  assertEquals(await run.result(), { a: 1, b: [2] });
});

test("a child run has the tags of its workflow and of its task, and the priority of its parent", async () => {
  const slow = workflow("slow", { tags: ["s"] }).sleep("rest", { for: "1h" });
  const parent = workflow("parent").subworkflow("child", {
    workflow: slow,
    tags: ["t"],
    key: () => "k",
    timeout: "2h",
  });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent, undefined, { priority: -5 });
  await opened.clock.settle();
  const child = opened.runner.get((await run.children())[0]!.id);
  const { tags, priority, key, deadlineAt, startedAt } = await child.status();
  assertEquals([tags, priority, key, deadlineAt! - startedAt!], [["s", "t"], -5, "k", 7_200_000]);
});

test("an input that the schema of the child's workflow rejects fails the task, and starts nothing", async () => {
  const strict = workflow("strict", { input: even }).task("a", { run: ({ input }) => input }).returns("a");
  const parent = workflow("parent").subworkflow("child", { workflow: strict, input: () => 3 });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  const [task] = await run.tasks();
  assertEquals([task?.state, task?.error?.name, task?.childRunId], ["failed", "ValidationError", undefined]);
  assertEquals(await run.children(), []);
});

test("the failure of a child run fails its task, with the error of the child run as its cause", async () => {
  const parent = workflow("parent").subworkflow("child", { workflow: failing });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  const outcome = await run.outcome();
  assert(outcome.status === "failed");
  const [child] = await run.children();
  assertEquals(outcome.error.name, "RunFailedError");
  assertEquals(outcome.error.message, `Run "${child?.id}" of workflow "failing" failed: no luck`);
  assert(outcome.error.cause instanceof Error);
  assertEquals([outcome.error.cause.name, outcome.error.cause.message], ["RangeError", "no luck"]);
  assertEquals((await run.tasks())[0]?.attempts, 1);
});

test("a child run that is cancelled by itself fails its task", async () => {
  const parent = workflow("parent").subworkflow("child", { workflow: sleeping });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  await opened.runner.get((await run.children())[0]!.id).cancel("not needed");
  await opened.clock.settle();
  const outcome = await run.outcome();
  assert(outcome.status === "failed");
  assertEquals(outcome.error.name, "RunCancelledError");
  assertEquals(outcome.error.message.endsWith("not needed"), true);
});

test("a key that another run of the workflow has fails the task instead of waiting for that run", async () => {
  const parent = workflow("parent").subworkflow("child", { workflow: sleeping, key: "taken" });
  await using opened = await open([parent, sleeping]);
  await opened.runner.start(sleeping, undefined, { key: "taken" });
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  const outcome = await run.outcome();
  assert(outcome.status === "failed");
  assertEquals(outcome.error.name, "KeyConflictError");
});

test("a child run with a key of its own is waited for", async () => {
  const parent = workflow("parent")
    .subworkflow("child", { workflow: shipping, input: () => ({ parcels: 1 }), key: "k" })
    .returns("child");
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  assertEquals(await run.result(), "label 2");
});

test("retry() of the parent starts a new child run for the task whose child failed, and keeps the old one", async () => {
  let isBroken = true;
  const flaky = workflow("flaky").task("a", {
    retry: 1,
    run() {
      if (isBroken) throw new Error("broken");
      return "fine";
    },
  }).returns("a");
  const parent = workflow("parent").subworkflow("child", { workflow: flaky }).returns("child");
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  assertEquals((await run.status()).state, "failed");
  isBroken = false;
  await run.retry();
  await opened.clock.settle();
  assertEquals(await run.result(), "fine");
  const children = await run.children();
  assertEquals(children.map(({ state }) => state), ["failed", "completed"]);
  assertEquals((await run.tasks())[0]?.childRunId, children[1]?.id);
});

test("cancel of the parent cancels its child run and theirs, and the parent ends after them", async () => {
  const { grandparent, aborted } = family();
  await using opened = await open([grandparent]);
  const run = await opened.runner.start(grandparent);
  await opened.clock.settle();
  const [parent] = await run.children();
  const [child] = await opened.runner.get(parent!.id).children();
  await run.cancel("enough");
  await opened.clock.settle();
  assertEquals(await states(opened.runner, [run.id, parent!.id, child!.id]), ["cancelled", "cancelled", "cancelled"]);
  assertEquals(aborted(), true);
  const ends = await Promise.all(
    [child!.id, run.id].map(async (id) => (await opened.runner.get(id).status()).endedAt!),
  );
  assert(ends[0]! <= ends[1]!);
});

test("a parent in memory whose child run does not settle ends after 5 s", async () => {
  const stubborn = workflow("stubborn").task("a", { run: never });
  const parent = workflow("parent").subworkflow("child", { workflow: stubborn }).task("busy", {
    run: ({ ctx }) => untilAborted(ctx.signal),
  });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  await run.cancel();
  await opened.clock.advance("3s");
  assertEquals((await run.status()).state, "running");
  await opened.clock.advance("3s");
  assertEquals((await run.status()).state, "cancelled");
});

test("a parent that no runner has in memory ends at once, and its child run is aborted", async () => {
  const { grandparent, aborted } = family();
  await using opened = await open([grandparent]);
  const run = await opened.runner.start(grandparent);
  await opened.clock.advance("10s");
  await run.cancel();
  assertEquals((await run.status()).state, "cancelled");
  await opened.clock.settle();
  assertEquals(aborted(), true);
});

test("the timeout of the parent cancels its child run", async () => {
  const { grandparent, aborted } = family();
  const timed = workflow("timed", { timeout: "1m" }).subworkflow("inner", { workflow: grandparent });
  await using opened = await open([timed]);
  const run = await opened.runner.start(timed);
  await opened.clock.advance("50s");
  const [child] = await run.children();
  assertEquals([(await run.status()).state, aborted()], ["waiting", false]);
  await opened.clock.advance("20s");
  const outcome = await run.outcome();
  assert(outcome.status === "failed");
  assertEquals([outcome.error.name, aborted()], ["RunTimeoutError", true]);
  assertEquals((await opened.runner.get(child!.id).status()).state, "cancelled");
});

test("pause and resume of the parent reach its child run and theirs", async () => {
  const slow = workflow("slow").sleep("rest", { for: "1m" }).task("a", { after: ["rest"], run: () => "done" }).returns(
    "a",
  );
  const middle = workflow("middle").subworkflow("slow", { workflow: slow }).returns("slow");
  const top = workflow("top").subworkflow("middle", { workflow: middle }).returns("middle");
  await using opened = await open([top]);
  const run = await opened.runner.start(top);
  await opened.clock.settle();
  const [child] = await run.children();
  const [grandchild] = await opened.runner.get(child!.id).children();
  const ids = [run.id, child!.id, grandchild!.id];
  await run.pause("lunch");
  await opened.clock.advance("90s");
  assertEquals(await states(opened.runner, ids), ["paused", "paused", "paused"]);
  await run.resume();
  await opened.clock.settle();
  assertEquals(await run.result(), "done");
});

test("a workflow can start itself", async () => {
  interface Depth {
    readonly depth: number;
  }
  const tree = workflow("tree", { input: unchecked<Depth>() })
    .subworkflow("below", {
      when: ({ input }) => input.depth > 0,
      workflow: (): Child<Depth, number> => tree,
      input: ({ input }) => ({ depth: input.depth - 1 }),
    })
    .task("sum", { after: ["below"], run: ({ below }) => (below ?? 0) + 1 })
    .returns("sum");
  await using opened = await open([tree]);
  const run = await opened.runner.start(tree, { depth: 5 });
  await opened.clock.settle();
  assertEquals(await run.result(), 6);
});

test("the 65th level of nesting fails with a clear error", async () => {
  const endless = workflow("endless").subworkflow("below", { workflow: (): Child<undefined, unknown> => endless });
  await using opened = await open([endless]);
  const run = await opened.runner.start(endless);
  await opened.clock.settle();
  const outcome = await opened.clock.until(run.outcome());
  assert(outcome.status === "failed");
  let error: unknown = outcome.error;
  while (error instanceof Error && error.cause !== undefined) error = error.cause;
  assertEquals((await opened.runner.list({ limit: 100 })).runs.length, 65);
});

test("workflows of child runs need not be registered, and two of one name are refused", async () => {
  await using opened = await open([order]);
  const run = await opened.runner.start("shipping" as "order", { parcels: 1 } as never);
  await opened.clock.settle();
  assertEquals(await run.result(), "label 2");
  const other = workflow("shipping").task("a", { run: () => 1 });
  await assertRejects(
    () => createRunner("sqlite::memory:", { workflows: [order, other] }),
    DefinitionError,
    "same name",
  );
});

test("explain names the child run that a task waits for", async () => {
  const parent = workflow("parent").subworkflow("ship", { workflow: sleeping });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  const [child] = await run.children();
  assertEquals((await opened.runner.explain(run.id)).reasons, [{
    kind: "child",
    taskId: "ship",
    runId: child!.id,
    message: `task "ship" waits for run "${child!.id}" of workflow "sleeping" (waiting)`,
  }]);
});

const failing = workflow("failing").task("a", {
  retry: 1,
  run() {
    throw new RangeError("no luck");
  },
});

const sleeping = workflow("sleeping").sleep("rest", { for: "1d" });

/** Three generations; the body of the youngest runs until it is aborted. */
function family() {
  let isAborted = false;
  const child = workflow("child").task("busy", {
    async run({ ctx }) {
      await untilAborted(ctx.signal).catch(() => isAborted = true);
    },
  });
  const parent = workflow("parent").subworkflow("child", { workflow: child });
  const grandparent = workflow("grandparent").subworkflow("parent", { workflow: parent });
  return { grandparent, aborted: () => isAborted };
}

async function states(runner: Pick<Runner<never>, "get">, ids: readonly string[]): Promise<string[]> {
  return await Promise.all(ids.map(async (id) => (await runner.get(id).status()).state));
}

test("a child run with a key that ends while its end is being read wakes its parent", async () => {
  const keyed = workflow("keyed")
    .subworkflow("ship", { workflow: shipping, input: () => ({ parcels: 1 }), key: "k" })
    .returns("ship");
  await using empty = emptyStore();
  const store = await openPlace(empty);
  await using _closed = { [Symbol.asyncDispose]: () => store.close() };
  const ended = Promise.withResolvers<void>();
  const childEnds: typeof store.childEnds = async (waits) => {
    const ends = await store.childEnds(waits);
    await ended.promise;
    return ends;
  };
  const held = new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(name === "childEnds" ? { childEnds } : target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  await using runner = await createRunner(held, {
    workflows: [keyed, shipping],
    onEvent: (event) => event.type === "run.completed" && event.workflow === "shipping" ? ended.resolve() : undefined,
  });
  const run = await runner.start(keyed);
  assertEquals(await within("the parent", run.result({ timeout: "20s" })), "label 2");
});
