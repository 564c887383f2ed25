/** The events of `onEvent` and `events()`. */
import { assertEquals } from "@std/assert";
import { DeferError, type RunEvent, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { open, untilAborted } from "./open.ts";

const eventful = workflow("eventful")
  .task("flaky", {
    retry: { attempts: 2, delay: "1s", jitter: false },
    run: ({ ctx }) => {
      if (ctx.attempt === 1) throw new Error("not yet");
      ctx.progress(1, 2, "half");
      return "done";
    },
  })
  .task("off", { after: ["flaky"], when: () => false, run: () => 1 })
  .task("bad", { after: ["flaky"], retry: 1, run: () => Promise.reject(new TypeError("no")) });

test("onEvent reports the events of a run in order, from its start to its end", async () => {
  await using opened = await open([eventful]);
  const { runId } = await opened.clock.until(opened.runner.execute(eventful));
  assertEquals(opened.events.map(show), [
    "run.started",
    "task.started flaky 1",
    "task.retrying flaky 1",
    "task.started flaky 2",
    "task.progress flaky 2",
    "task.completed flaky 2",
    "task.started off 1",
    "task.started bad 1",
    "task.skipped off 1",
    "task.failed bad 1",
    "run.failed",
  ]);
  assertEquals(opened.events.every((event) => event.runId === runId && event.workflow === "eventful"), true);
});

test("events carry what they are about", async () => {
  await using opened = await open([eventful]);
  const start = opened.clock.now();
  await opened.clock.until(opened.runner.execute(eventful));
  const of = (type: RunEvent["type"]): Record<string, unknown> => ({ ...opened.events.find((e) => e.type === type) });
  assertEquals([of("task.retrying")["dueAt"], (of("task.retrying")["error"] as Error).message], [
    start + 1_000,
    "not yet",
  ]);
  const { done, total, message } = of("task.progress");
  assertEquals({ done, total, message }, { done: 1, total: 2, message: "half" });
  assertEquals(of("task.completed")["output"], "done");
  assertEquals(of("task.skipped")["reason"], "its condition returned false");
  assertEquals((of("task.failed")["error"] as Error).name, "TypeError");
  assertEquals((of("run.failed")["error"] as Error).message, "no");
  assertEquals(of("run.failed")["at"], start + 1_000);
});

test("an onEvent that throws is logged and changes nothing", async () => {
  const quick = workflow("quick").task("go", { run: () => 1 });
  await using opened = await open([quick], {
    onEvent: () => {
      throw new Error("from the listener");
    },
  });
  assertEquals((await opened.runner.execute(quick)).status, "completed");
  assertEquals(opened.lines.every(({ level, message }) => level === "warn" && message === "onEvent threw"), true);
  assertEquals(opened.lines.length > 0, true);
});

test("events() of a run that has ended yields all its events", async () => {
  await using opened = await open([eventful]);
  const run = await opened.runner.start(eventful);
  await opened.clock.until(run.outcome());
  const told = (await all(run.events())).map(show);
  assertEquals([told[0], told.at(-1)], ["run.started", "run.failed"]);
  for (const event of ["task.retrying flaky 1", "task.completed flaky 2", "task.skipped off 1", "task.failed bad 1"]) {
    assertEquals([event, told.filter((one) => one === event).length], [event, 1]);
  }
});

test("events() yields each retry of a task that fails more often than is recorded", async () => {
  const stubborn = workflow("stubborn").task("call", {
    retry: { attempts: 14, delay: "1m", backoff: "fixed", jitter: false },
    run: () => Promise.reject(new Error("not yet")),
  });
  await using opened = await open([stubborn]);
  const run = await opened.runner.start(stubborn);
  const told = await opened.clock.until(all(run.events()));
  const retries = told.filter(({ type }) => type === "task.retrying").map(show);
  assertEquals(retries, Array.from({ length: 13 }, (_, at) => `task.retrying call ${at + 1}`));
});

test("events() of a running run yields events as they happen, and ends with the run", async () => {
  const steps = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
  const chain = workflow("chain")
    .task("a", { run: () => steps[0].promise })
    .task("b", { after: ["a"], run: () => steps[1].promise });
  await using opened = await open([chain]);
  const run = await opened.runner.start(chain);
  const told: string[] = [];
  const ended = (async () => {
    for await (const event of run.events()) told.push(show(event));
  })();
  await opened.clock.advance("1s");
  assertEquals(told.includes("run.started"), true);
  steps[0].resolve();
  await opened.clock.advance("1s");
  assertEquals(told.includes("task.completed a 1"), true);
  steps[1].resolve();
  await opened.clock.until(ended);
  assertEquals(told.at(-1), "run.completed");
  assertEquals(told.filter((event) => event.startsWith("task.completed")), [
    "task.completed a 1",
    "task.completed b 1",
  ]);
});

test("events() can be left, and leaves nothing behind", async () => {
  const slow = workflow("slow").task("hang", { run: ({ ctx }) => untilAborted(ctx.signal) });
  await using opened = await open([slow]);
  const timers = opened.clock.timers;
  const run = await opened.runner.start(slow);
  await opened.clock.advance("1s");
  for await (const _ of run.events()) break;
  await run.cancel();
  await opened.clock.advance("10s");
  assertEquals(opened.clock.timers, timers);
});

test("events() of a run in another process come through the store", async () => {
  const quick = workflow("quick").task("go", { run: () => "went" });
  await using opened = await open([quick], { shared: true });
  const client = await opened.client([quick]);
  const run = await client.start(quick);
  const told = await opened.clock.until(all(run.events()));
  assertEquals(told.map(show), ["run.started", "task.started go 1", "task.completed go 1", "run.completed"]);
});

test("a deferral, a pause and a cancellation are events", async () => {
  const patient = workflow("patient").task("look", {
    run: () => {
      throw new DeferError("2s");
    },
  });
  await using opened = await open([patient]);
  const run = await opened.runner.start(patient);
  await opened.clock.settle();
  await run.pause();
  await opened.clock.settle();
  await run.resume();
  await opened.clock.settle();
  await run.cancel("enough");
  await opened.clock.settle();
  assertEquals([...new Set(opened.events.map(({ type }) => type))], [
    "run.started",
    "task.started",
    "task.deferred",
    "run.paused",
    "run.resumed",
    "run.cancelled",
  ]);
  assertEquals((opened.events.at(-1) as { reason?: string }).reason, "enough");
});

function show(event: RunEvent): string {
  return "taskId" in event ? `${event.type} ${event.taskId} ${event.attempt}` : event.type;
}

async function all(events: AsyncIterable<RunEvent>): Promise<RunEvent[]> {
  const told: RunEvent[] = [];
  for await (const event of events) told.push(event);
  return told;
}
