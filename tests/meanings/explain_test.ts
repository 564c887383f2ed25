/** What explain() says of each kind of wait, also of one that is over before a runner has noticed. */
import { assert, assertEquals } from "@std/assert";
import { poll, schedule, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { never, open, untilAborted } from "./open.ts";

const order = workflow("order")
  .event("approval", { schema: unchecked<string>() })
  .task("pay", { after: ["approval"], run: ({ approval }) => approval });

test("a message that no runner has received yet is named, with its age", async () => {
  await using opened = await open([order], { shared: true });
  const { id } = await opened.runner.start(order);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: "1s" }), "10s");
  const client = await opened.client([order]);
  assertEquals(await client.get(id).send("approval", "yes"), { accepted: true });
  await opened.clock.advance("30s");
  assertEquals((await client.explain(id)).reasons, [
    { kind: "runner", message: "no runner is alive" },
    {
      kind: "event",
      taskId: "approval",
      message: 'task "approval" is about to continue: it has a message, sent 30 s ago',
    },
    { kind: "task", taskId: "pay", message: 'task "pay" waits for "approval"' },
  ]);
});

test("a child run that has ended is named before its parent continues", async () => {
  const parent = workflow("parent").subworkflow("child", { workflow: order });
  await using opened = await open([parent], { shared: true });
  const { id } = await opened.runner.start(parent);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: "1s" }), "10s");
  const client = await opened.client([parent]);
  const [child] = await client.get(id).children();
  assert(child !== undefined);
  await client.get(child.id).cancel("too late");
  assertEquals((await client.explain(id)).reasons.slice(1), [{
    kind: "child",
    taskId: "child",
    runId: child.id,
    message: `task "child" is about to continue: run "${child.id}" of workflow "order" ended as cancelled`,
  }]);
});

test("the child run of a task is named, however many child runs started before it", async () => {
  const small = workflow("small").task("one", { run: () => 1 });
  const parent = workflow("parent")
    .map("many", { over: () => Array.from({ length: 1_001 }, (_, at) => at), workflow: small })
    .subworkflow("last", { after: ["many"], workflow: order });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  let runId: string | undefined;
  while (runId === undefined) {
    await opened.clock.settle();
    runId = (await opened.runner.explain(run.id)).reasons.find(({ kind }) => kind === "child")?.runId;
  }
  assertEquals((await opened.runner.get(runId).status()).workflow, "order");
});

test("items that are blocked are counted and explained", async () => {
  const pack = workflow("pack").map("parcels", {
    over: () => [1, 2, 3],
    guarantee: "atMostOnce",
    version: "1",
    run: ({ item, ctx }): Promise<number> => item === 1 ? Promise.resolve(1) : untilAborted(ctx.signal),
  });
  await using opened = await open([pack], { shared: true });
  const { id } = await opened.runner.start(pack);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: "1s" }), "10s");
  const runner = await opened.another([pack]);
  await opened.clock.advance("10s");
  const blocked =
    'of task "parcels" 2 items are blocked: their attempts ended without a result, and the task runs at ' +
    "most once; call resolve() with the item to decide";
  assertEquals((await runner.explain(id)).reasons, [
    { kind: "task", taskId: "parcels", message: 'task "parcels" runs: 1 of 3 items completed, 2 blocked' },
    { kind: "blocked", taskId: "parcels", message: blocked },
  ]);
  assertEquals((await runner.get(id).tasks())[0]?.items?.blocked, 2);
  await runner.get(id).resolve("parcels", { output: 2 as never }, { item: 1 });
  await opened.clock.settle();
  assertEquals(
    (await runner.explain(id)).reasons[1]?.message,
    blocked.replace("2 items are", "1 item is").replace("their attempts", "its attempt"),
  );
});

test("a map of a run without an owner is described by its items, not as about to start", async () => {
  const pack = workflow("pack").map("parcels", {
    over: () => [1, 2, 3],
    version: "1",
    run: ({ item }) => item === 1 ? Promise.resolve() : never(),
  });
  await using opened = await open([pack], { shared: true });
  const { id } = await opened.runner.start(pack);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: 0 }), "10s");
  const client = await opened.client([pack]);
  assertEquals(
    (await client.explain(id)).summary,
    'no runner is alive; task "parcels" has 1 of 3 items completed',
  );
});

test("a run names the schedule and the tick that started it, or the poll", async () => {
  const nightly = schedule({ name: "nightly", workflow: order, cron: "30 2 * * *", timeZone: "UTC" });
  const inbox = poll({
    name: "inbox",
    workflow: order,
    every: "1d",
    cursor: 0,
    check: ({ cursor }) => ({ input: undefined, cursor }),
  });
  await using opened = await open([order], { schedules: [nightly, inbox] });
  const { runner, clock } = opened;
  const started = await runner.start(order);
  await clock.advance("3h");
  const [[ticked], [polled]] = [
    await runner.schedules.history("nightly"),
    (await runner.list({ schedule: "inbox" })).runs,
  ];
  const triggered = await runner.schedules.trigger("nightly");
  const tick = Date.UTC(2026, 0, 1, 2, 30);
  const ids = [ticked!.run!.id, polled!.id, triggered.id, started.id];
  const explained = await Promise.all(ids.map(async (id) => (await runner.explain(id)).startedBy));
  assertEquals(explained, [
    {
      kind: "schedule",
      name: "nightly",
      tick,
      message: 'it was started by schedule "nightly" for its tick at 2026-01-01T02:30:00.000Z',
    },
    { kind: "poll", name: "inbox", message: 'it was started by poll "inbox"' },
    { kind: "schedule", name: "nightly", message: 'it was started by schedule "nightly", which was triggered' },
    undefined,
  ]);
  assertEquals(
    (await runner.explain(ticked!.run!.id)).summary,
    'task "approval" has waited for a message for 30 min; ' +
      'task "pay" waits for "approval"; ' + explained[0]!.message,
  );
});
