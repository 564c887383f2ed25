/** The history of a run: `handle.history()`. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { DeferError, type RunHandle, unchecked, workflow } from "../../mod.ts";
import type { HistoryEntry } from "../../lib/types/mod.ts";
import { test } from "../harness.ts";
import { never, open, untilAborted } from "./open.ts";

/** The entries of a history in short: type, task or item, attempt, and the rest that matters. */
function inShort(history: readonly HistoryEntry[]): string[] {
  return history.map((entry) =>
    [
      entry.type,
      "taskId" in entry && `${entry.taskId}${entry.item === undefined ? "" : `#${entry.item}`}`,
      "attempt" in entry && entry.attempt,
      "step" in entry && entry.step,
      "error" in entry && entry.error.message,
      "reason" in entry && entry.reason,
      "state" in entry && entry.state,
      "runner" in entry && `by ${entry.runner}`,
    ].filter((part) => part !== false && part !== undefined).join(" ")
  );
}

/** Reads a history, whose entries are numbered and in order. */
async function historyOf(run: Pick<RunHandle, "history">): Promise<readonly HistoryEntry[]> {
  const history = await run.history();
  assertEquals(history.map(({ number }) => number), history.map((_, at) => at + 1));
  assertEquals(history.map(({ at }) => at), history.map(({ at }) => at).toSorted((a, b) => a - b));
  return history;
}

test("the history lists the attempts and steps of tasks between the start and the end of the run", async () => {
  const flaky = workflow("flaky")
    .task("zero", { when: () => false, run: () => 1 })
    .task("work", {
      retry: { attempts: 3, delay: "1s", jitter: false },
      async run({ ctx }) {
        await ctx.step(`step ${ctx.attempt}`, () => 1);
        if (ctx.attempt < 3) throw new Error(`down ${ctx.attempt}`);
      },
    })
    .task("after", { after: ["work"], run: () => 1 });
  await using opened = await open([flaky], { shared: true });
  const run = await opened.runner.start(flaky);
  await opened.clock.until(run.result());
  const history = await historyOf(run);
  assertEquals(inShort(history), [
    "run.created",
    "run.started",
    "task.skipped zero its condition returned false",
    "task.started work 1",
    "step.completed work step 1",
    "task.retrying work 1 down 1",
    "task.started work 2",
    "step.completed work step 2",
    "task.retrying work 2 down 2",
    "task.started work 3",
    "step.completed work step 3",
    "task.completed work 3",
    "task.started after 1",
    "task.completed after 1",
    "run.completed",
  ]);
  const client = await opened.client([flaky]);
  assertEquals(await client.get(run.id).history(), history);
});

test("the history lists pauses, resumes, messages, deferrals, and the request and the end of a cancel", async () => {
  const waits = workflow("waits")
    .event("approval", { schema: unchecked<number>() })
    .task("poll", {
      after: ["approval"],
      run({ ctx }) {
        throw new DeferError("10s", `not ready ${ctx.attempt}`);
      },
    })
    .task("hang", { after: ["approval"], run: ({ ctx }) => (ctx.log("hangs"), never()) });
  await using opened = await open([waits]);
  const { runner, clock } = opened;
  const run = await runner.start(waits);
  await clock.advance("1s");
  assertEquals(inShort(await historyOf(run)).slice(2), ["task.started approval 1", "task.waiting approval message"]);
  await run.pause("lunch");
  await clock.advance("1s");
  await run.resume();
  await clock.advance("1s");
  await run.send("approval", 1);
  await clock.advance("1s");
  assertEquals(inShort(await historyOf(run)).slice(2), [
    "task.started approval 1",
    "run.paused lunch",
    "run.resumed",
    "task.messageAccepted approval",
    "task.completed approval 1",
    "task.waiting poll deferred: not ready 1",
    "task.started hang 1",
  ]);
  await run.cancel("enough");
  await clock.until(run.outcome());
  assertEquals(inShort(await historyOf(run)).slice(-2), ["run.cancelRequested enough", "run.cancelled enough"]);
});

test("the history keeps the failed attempts of a run that is retried, those of items included", async () => {
  let isDown = true;
  const orders = workflow("orders")
    .task("pay", {
      retry: { attempts: 2, delay: "1s", jitter: false },
      run({ ctx }) {
        if (isDown) throw new Error(`down ${ctx.attempt}`);
      },
    })
    .map("pack", {
      over: () => ["a", "b"],
      onItemFailure: "finish",
      retry: 1,
      run({ item }) {
        if (isDown && item === "b") throw new Error("broken");
      },
    });
  await using opened = await open([orders]);
  const run = await opened.runner.start(orders);
  assertEquals((await opened.clock.until(run.outcome())).status, "failed");
  isDown = false;
  await opened.clock.advance("1s");
  await run.retry();
  await opened.clock.until(run.result());
  const history = inShort(await historyOf(run));
  assertEquals(history.filter((entry) => entry.includes("pay") || entry.startsWith("run")), [
    "run.created",
    "run.started",
    "task.started pay 1",
    "task.retrying pay 1 down 1",
    "task.started pay 2",
    "task.failed pay 2 down 2",
    "run.retried",
    "run.claimed by 1",
    "task.started pay 1",
    "task.completed pay 1",
    "run.completed",
  ]);
  assert(history.includes("task.failed pack#1 1 broken"));
});

test("the history lists child runs, blocked attempts and decisions about them", async () => {
  const child = workflow("child").task("work", { run: () => 1 });
  const parent = workflow("parent")
    .subworkflow("ship", { workflow: child })
    .task("charge", { after: ["ship"], guarantee: "atMostOnce", run: never })
    .task("end", { after: ["charge"], run: () => 1 });
  await using opened = await open([parent], { shared: true });
  const run = await opened.runner.start(parent);
  await opened.clock.advance("1s");
  await opened.clock.until(opened.runner.stop({ timeout: 0 }));
  const next = await opened.another([parent]);
  const handle = next.get(run.id);
  await opened.clock.advance("1s");
  assertEquals(inShort(await historyOf(handle)), [
    "run.created",
    "run.started",
    "task.started ship 1",
    "child.started ship",
    "child.ended ship completed",
    "task.completed ship 1",
    "task.started charge 1",
    "task.blocked charge 1",
  ]);
  await handle.resolve("charge", { output: null as never });
  await opened.clock.until(handle.outcome());
  assertEquals(inShort(await historyOf(handle)).slice(-5), [
    "task.resolved charge 1",
    "task.completed charge 1",
    "task.started end 1",
    "task.completed end 1",
    "run.completed",
  ]);
});

test("the history lists the hand-back of a run by a runner that stops, and its claim by another", async () => {
  const slow = workflow("slow").task("work", {
    run: ({ ctx }) => ctx.attempt === 1 && isFirst ? untilAborted(ctx.signal) : 1,
  }).sleep("rest", { after: ["work"], for: "1h" });
  let isFirst = true;
  await using opened = await open([slow], { shared: true });
  const run = await opened.runner.start(slow);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop({ timeout: 0 }));
  isFirst = false;
  const next = await opened.another([slow]);
  const handle = next.get(run.id);
  await opened.clock.until(handle.outcome());
  const history = inShort(await historyOf(handle)).filter((entry) => entry.startsWith("run."));
  const [first, second] = history.filter((entry) => entry.includes(" by ")).map((entry) => entry.split(" by ")[1]);
  // The run has been claimed once more, after its sleep: that is shown by the task.
  assertEquals(history, [
    "run.created",
    "run.started",
    `run.handedBack by ${first}`,
    `run.claimed by ${second}`,
    "run.completed",
  ]);
  assertNotEquals(first, second);
});
