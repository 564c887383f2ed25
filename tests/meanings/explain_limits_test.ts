/** What explain(), tasks(), history() and status() say of runs, tasks and items that wait for a limit. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { never, open } from "./open.ts";

test("a task that waits for a limit names the limit, its key, who holds it and how many are before it", async () => {
  const order = workflow("order", { input: unchecked<string>() })
    .task("pay", { limits: [{ name: "payments", max: 1, key: ({ input }) => input }], run: () => never() })
    .task("ship", { after: ["pay"], run: () => 1 });
  await using opened = await open([order]);
  const { runner, clock } = opened;
  const runs = [];
  for (const key of ["acme", "acme", "acme", "zeta"]) {
    runs.push(await runner.start(order, key));
    await clock.advance("10s");
  }
  const [first, , third] = runs;
  const since = (await first!.status()).startedAt!;
  const { reasons } = await runner.explain(third!.id);
  const { limit, ...reason } = reasons[0]!;
  assertEquals(reason, {
    kind: "limit",
    taskId: "pay",
    message: 'task "pay" waits for limit "payments" of key "acme": 1 of 1 slots is in use, by task "pay" of run ' +
      `"${first!.id}" (for ${Math.round((clock.now() - since) / 1_000)} s); 1 waits before it`,
  });
  const { holders, ...lane } = limit!;
  assertEquals(lane, { limit: "payments", key: ["acme"], max: 1, held: 1, waiting: 2, ahead: 1 });
  assertEquals(holders.map(({ runId, taskId }) => [runId, taskId]), [[first!.id, "pay"]]);
  assertEquals(reasons.slice(1), [{ kind: "task", taskId: "ship", message: 'task "ship" waits for "pay"' }]);
  const [pay] = await third!.tasks();
  assertEquals([pay?.state, pay?.reason, pay?.attempts, pay?.dueAt, pay?.startedAt], [
    "waiting",
    "limit",
    0,
    undefined,
    undefined,
  ]);
  const history = await third!.history();
  const created = history[0]!.at;
  assertEquals(
    history.flatMap((entry) => entry.type === "task.waiting" ? [[entry.taskId, entry.reason, entry.dueAt]] : []),
    [["pay", "limit", undefined]],
  );
  assert(history.at(-1)!.at >= created && history.at(-1)!.at < created + 10_000);
});

test("a task that failed and then waits for a limit is not described as one that is retried", async () => {
  let isBroken = true;
  const w = workflow("w", { input: unchecked<"fails" | "holds">() }).task("call", {
    limits: [{ name: "api", max: 1 }],
    retry: { attempts: 2, delay: "1s", jitter: false },
    run: async ({ input }) => {
      if (input === "holds") await never();
      if (isBroken) throw new Error("broken");
    },
  });
  await using opened = await open([w]);
  const { runner, clock } = opened;
  const fails = await runner.start(w, "fails");
  await clock.settle();
  assertStringIncludes((await runner.explain(fails.id)).summary, "failed (broken) and is retried");
  await runner.start(w, "holds");
  isBroken = false;
  await clock.advance("5s");
  const [reason] = (await runner.explain(fails.id)).reasons;
  assertEquals(reason?.kind, "limit");
  assertStringIncludes(reason!.message, 'task "call" waits for limit "api": 1 of 1 slots is in use, by task "call"');
  const types = (await fails.history()).map(({ type }) => type);
  assertEquals(types, ["run.created", "run.started", "task.started", "task.retrying", "task.waiting"]);
});

test("a run that waits for a limit of its workflow says so, and a limit of rate names its period", async () => {
  const w = workflow("w", { limits: [{ name: "open", max: 2 }, { name: "rate", max: 2, per: "1m" }] })
    .sleep("wait", { for: "1h" });
  await using opened = await open([w]);
  const { runner, clock } = opened;
  const runs = [await runner.start(w), await runner.start(w), await runner.start(w), await runner.start(w)];
  await clock.advance("5s");
  const { state, reasons } = await runner.explain(runs[3]!.id);
  assertEquals(state, "waiting");
  assertEquals(reasons.map(({ kind, limit }) => [kind, limit?.limit]), [
    ["limit", "open"],
    ["limit", "rate"],
    ["task", undefined],
  ]);
  const [open_, rate] = reasons;
  assert(
    /^the run waits for limit "open": 2 of 2 slots are in use, by run ".+" \(for \d s\), run ".+" \(for \d s\); 1 waits before it$/
      .test(open_!.message),
    open_!.message,
  );
  assertEquals(
    open_?.limit?.holders.map(({ runId }) => runId).toSorted(),
    runs.slice(0, 2).map(({ id }) => id).toSorted(),
  );
  assertEquals(
    rate?.message,
    'the run waits for limit "rate": 2 of 2 starts per 60 s are used; 1 waits before it',
  );
  await runs[3]!.pause();
  assertStringIncludes((await runner.explain(runs[3]!.id)).summary, "the run is paused: call resume() to continue it");
});

test("of a map the items that wait are counted for each limit, apart from child runs", async () => {
  const small = workflow("small").event("never", { schema: unchecked<string>() });
  const w = workflow("w")
    .map("many", { over: () => [1, 2, 3, 4, 5], limits: [{ name: "few", max: 2 }], workflow: small });
  await using opened = await open([w]);
  const { runner, clock } = opened;
  const run = await runner.start(w);
  await clock.advance("5s");
  const [map, limit, ...rest] = (await runner.explain(run.id)).reasons;
  assertEquals(rest, []);
  assertEquals(
    map?.message,
    'task "many" waits for 2 child runs of workflow "small": 0 of 5 items completed, 3 waiting',
  );
  assertStringIncludes(
    limit!.message,
    '3 items of task "many" wait for limit "few": 2 of 2 slots are in use, by item 0 of task "many"',
  );
  assertEquals(limit?.limit?.holders.map(({ item }) => item), [0, 1]);
});

test("a delayed run of a workflow with limits is due when it asks for their places", async () => {
  const w = workflow("w", { limits: [{ max: 1 }] }).task("a", { run: () => never() });
  await using opened = await open([w], { shared: true });
  const { runner, clock } = opened;
  await runner.start(w);
  await clock.settle();
  const at = clock.now() + 60_000;
  const delayed = await runner.start(w, undefined, { delay: "1m" });
  const dueAt = (await delayed.status()).dueAt!;
  assert(Math.abs(dueAt - at) < 5_000, `due ${dueAt - at} ms later`);
  assertEquals((await runner.explain(delayed.id)).reasons[0]?.kind, "timer");
  assertStringIncludes((await runner.explain(delayed.id)).summary, "the run is due in 60 s");
  await clock.advance("70s");
  assertEquals((await delayed.status()).dueAt, undefined);
  assertStringIncludes(
    (await runner.explain(delayed.id)).summary,
    'the run waits for limit "w": 1 of 1 slots is in use',
  );
});

test("a run whose runner is gone says who holds the place, and that no runner is alive", async () => {
  const w = workflow("w", { limits: [{ max: 1 }] }).event("go", { schema: unchecked<string>() });
  await using opened = await open([w], { shared: true });
  const { runner, clock } = opened;
  const first = await runner.start(w);
  const second = await runner.start(w);
  await clock.advance("5s");
  await clock.until(runner.stop({ timeout: 0 }), "10s");
  const client = await opened.client([w]);
  const { reasons } = await client.explain(second.id);
  assertEquals(reasons.map(({ kind }) => kind), ["limit", "runner", "task"]);
  assertEquals(reasons[0]?.limit?.holders[0]?.runId, first.id);
  assertEquals(reasons[1]?.message, "no runner is alive");
});
