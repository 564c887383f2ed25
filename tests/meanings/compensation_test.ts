/** Compensation: what completed tasks did is undone after their run has failed, timed out or was cancelled. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  DeferError,
  DefinitionError,
  dynamicWorkflow,
  NonRetryableError,
  type RunHandle,
  RunStateError,
  type TaskContext,
  unchecked,
  workflow,
} from "../../mod.ts";
import { metricsOf } from "../../lib/engine/client/client_context.ts";
import { test } from "../harness.ts";
import { open, type Opened, untilAborted } from "./open.ts";

/** A body that fails and is not repeated. */
function boom(): never {
  throw new NonRetryableError("boom");
}

async function statesOf(run: Pick<RunHandle, "tasks">): Promise<Readonly<Record<string, string>>> {
  return Object.fromEntries((await run.tasks()).map(({ id, state }) => [id, state]));
}

async function compensatedIn(run: Pick<RunHandle, "outcome">): Promise<readonly unknown[]> {
  const outcome = await run.outcome();
  if (outcome.status === "completed") throw new Error("it completed");
  return outcome.compensated.map(({ taskId, error }) => error === undefined ? taskId : [taskId, error.message]);
}

/** Errors that were logged. */
function errorsIn({ lines }: Pick<Opened<never>, "lines">): string[] {
  return lines.filter(({ level }) => level === "error").map(({ message }) => message);
}

/** A run of three tasks of which the first two have an undo, and the last one fails. */
function failing(undone: unknown[]) {
  return workflow("failing")
    .task("book", { run: () => ({ seat: 7 }), undo: ({ output }) => void undone.push(["book", output.seat]) })
    .task("pay", {
      after: ["book"],
      run: ({ book }) => book.seat * 10,
      undo: ({ output }) => undone.push(["pay", output]),
    })
    .task("print", { after: ["pay"], run: boom });
}

/** A run that waits for a message after two tasks with an undo. */
function waiting(undone: unknown[]) {
  return workflow("waiting")
    .task("book", { run: () => 1, undo: () => void undone.push("book") })
    .task("pay", { after: ["book"], run: () => 2, undo: () => void undone.push("pay") })
    .event("go", { after: ["pay"], schema: unchecked<null>() });
}

test("when a run fails, its completed tasks are undone in reverse order", async () => {
  const undone: unknown[] = [];
  const flow = failing(undone);
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  const outcome = await run.outcome();
  assertEquals([outcome.status, undone], ["failed", [["pay", 70], ["book", 7]]]);
  assertEquals(await compensatedIn(run), ["book", "pay"]);
  assertEquals(outcome.status === "failed" && [outcome.error.message, outcome.failures.length], ["boom", 1]);
  assertEquals(outcome.outputs, { book: { seat: 7 }, pay: 70 });
  assertEquals(await statesOf(run), { book: "compensated", pay: "compensated", print: "failed" });
});

test("a run that completes undoes nothing, also if a failure was handled", async () => {
  const undone: unknown[] = [];
  const flow = workflow("handled")
    .task("a", { run: () => 1, undo: () => undone.push("a") })
    .task("b", { after: ["a"], run: boom })
    .task("mend", { after: ["b"], on: "anyFailed", run: () => 2 });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  assertEquals([(await run.outcome()).status, undone], ["completed", []]);
});

test("a run that times out is compensated, and its time-out does not end the compensation", async () => {
  const undone: unknown[] = [];
  const flow = workflow("slow", { timeout: "1m" })
    .task("a", {
      run: () => 1,
      retry: { attempts: 3, delay: "10m", maxDelay: "10m", jitter: false },
      undo: ({ ctx }) => {
        undone.push(ctx.attempt);
        if (ctx.attempt < 3) throw new Error("not yet");
      },
    })
    .task("b", { after: ["a"], run: ({ ctx }) => untilAborted(ctx.signal) });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  await opened.clock.advance(60_000);
  assertEquals([(await run.status()).state, undone], ["compensating", [1]]);
  await opened.clock.advance(1_800_000);
  const outcome = await run.outcome();
  assertEquals([outcome.status, undone], ["failed", [1, 2, 3]]);
  assertEquals(outcome.status === "failed" && outcome.error.name, "RunTimeoutError");
});

test("a run that is cancelled while it runs is compensated after its bodies have settled", async () => {
  const steps: string[] = [];
  const settled = Promise.withResolvers<void>();
  const flow = workflow("busy")
    .task("a", { run: () => 1, undo: () => void steps.push("undo a") })
    .task("b", {
      after: ["a"],
      run: async ({ ctx }) => {
        await untilAborted(ctx.signal).catch(() => {});
        await settled.promise;
        steps.push("b has settled");
      },
      undo: () => void steps.push("undo b"),
    });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  await run.cancel("enough");
  assertEquals(steps, []);
  settled.resolve();
  await opened.clock.settle();
  const outcome = await run.outcome();
  assertEquals([outcome.status, steps.at(0), steps.at(-1)], ["cancelled", "b has settled", "undo a"]);
  assertEquals(outcome.status === "cancelled" && outcome.reason, "enough");
});

test("a body that completes although its run is cancelled is undone", async () => {
  const undone: string[] = [];
  const release = Promise.withResolvers<void>();
  const flow = workflow("deaf").task("a", { run: () => release.promise, undo: () => void undone.push("a") });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  await run.cancel();
  release.resolve();
  await opened.clock.settle();
  assertEquals([(await run.outcome()).status, undone], ["cancelled", ["a"]]);
});

test("a run that waits without an owner is compensated when it is cancelled", async () => {
  const undone: unknown[] = [];
  const flow = waiting(undone);
  await using opened = await open([flow], { shared: true });
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  assertEquals((await run.status()).state, "waiting");
  await run.cancel("enough");
  await opened.clock.settle();
  const outcome = await run.outcome();
  assertEquals([outcome.status, undone], ["cancelled", ["pay", "book"]]);
  assertEquals(outcome.status === "cancelled" && outcome.reason, "enough");
  assertEquals(await statesOf(run), { book: "compensated", pay: "compensated", go: "cancelled" });
});

test("cancel(reason, { compensate: false }) undoes nothing, whether the run waits or runs", async () => {
  const undone: unknown[] = [];
  const idle = waiting(undone);
  const busy = workflow("busy")
    .task("a", { run: () => 1, undo: () => void undone.push("a") })
    .task("b", { after: ["a"], run: ({ ctx }) => untilAborted(ctx.signal) });
  await using opened = await open([idle, busy]);
  const runs = [await opened.runner.start(idle), await opened.runner.start(busy)];
  await opened.clock.settle();
  for (const run of runs) await run.cancel("enough", { compensate: false });
  await opened.clock.settle();
  for (const run of runs) assertEquals([(await run.outcome()).status, await compensatedIn(run)], ["cancelled", []]);
  assertEquals(undone, []);
});

test("wrong options of cancel are refused", async () => {
  const flow = waiting([]);
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await assertRejects(() => run.cancel("x", { compensate: 1 as never }), TypeError, "compensate must be true or false");
  await assertRejects(() => run.cancel("x", { undo: false } as never), TypeError, 'unknown option "undo"');
});

test("a cancelled run whose tasks did nothing that can be undone ends at once", async () => {
  const undone: unknown[] = [];
  const flow = workflow("late")
    .event("go", { schema: unchecked<null>() })
    .task("pay", { after: ["go"], run: () => 1, undo: () => void undone.push("pay") });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  await run.cancel();
  await opened.clock.settle();
  assertEquals([(await run.outcome()).status, undone, await compensatedIn(run)], ["cancelled", [], []]);
});

test("an undo receives what the body received, its output, and a context of its own", async () => {
  const seen: unknown[] = [];
  const flow = workflow("seen", { input: unchecked<{ n: number }>() })
    .task("root", { run: () => "r" })
    .task("side", { after: ["root"], run: () => "s" })
    .task("a", {
      after: ["side"],
      reads: ["root"],
      run: ({ ctx }) => {
        seen.push(ctx.idempotencyKey);
        return { done: true };
      },
      undo: ({ input, side, root, status, output, ctx, ...others }) => {
        seen.push([input, side, root, status, output, Object.keys(others)]);
        seen.push([ctx.idempotencyKey, ctx.attempt, ctx.taskId, ctx.item, ctx.workflow]);
      },
    })
    .task("b", { after: ["a"], run: boom });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow, { n: 3 });
  await opened.clock.settle();
  assertEquals(seen, [
    `${run.id}/a`,
    [{ n: 3 }, "s", "r", { side: "completed", root: "completed" }, { done: true }, []],
    [`${run.id}/a/undo`, 1, "a", undefined, "seen"],
  ]);
});

test("an undo is retried with the policy of its task, under one idempotency key", async () => {
  const keys: string[] = [];
  const flow = workflow("stubborn")
    .task("a", {
      retry: { attempts: 3, delay: "1h", maxDelay: "1h", jitter: false },
      run: () => 1,
      undo: ({ ctx }) => {
        keys.push(ctx.idempotencyKey);
        if (ctx.attempt === 1) throw new Error("not yet");
        if (ctx.attempt === 2 && keys.length === 2) throw new DeferError("1h", "busy");
      },
    })
    .task("b", { after: ["a"], run: boom });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  assertEquals(
    (await opened.runner.explain(run.id)).summary.replace(run.id, "…"),
    [
      "the run is compensated and then ends as failed (boom)",
      "the run is due in 60 min",
      'the undo of task "a" failed (not yet) and is retried in 60 min',
    ].join("; "),
  );
  await opened.clock.advance(2 * 3_600_000);
  assertEquals(await compensatedIn(run), ["a"]);
  assertEquals(keys, Array(3).fill(`${run.id}/a/undo`));
  const [a] = await run.tasks();
  assertEquals([a?.undo?.state, a?.undo?.attempts, a?.undo?.failures.length], ["completed", 2, 1]);
});

test("the progress of an undo is reported, and can be read while it runs", async () => {
  const gate = Promise.withResolvers<void>();
  const flow = workflow("slowly")
    .task("a", {
      run: () => 1,
      async undo({ ctx }) {
        ctx.progress(1, 2, "half");
        await gate.promise;
        ctx.progress(2, 2);
      },
    })
    .task("b", { after: ["a"], run: boom });
  await using opened = await open([flow], { shared: true });
  const run = await opened.runner.start(flow);
  await opened.clock.advance("2s");
  const [a] = await run.tasks();
  assertEquals([a?.progress, a?.undo?.progress], [undefined, { done: 1, total: 2, message: "half" }]);
  gate.resolve();
  assertEquals(await opened.clock.until(compensatedIn(run)), ["a"]);
  const seen: unknown[] = [];
  for (const event of opened.events) {
    if (event.type === "undo.progress") {
      seen.push([event.taskId, event.attempt, event.done, event.total, event.message]);
    }
  }
  assertEquals(seen, [["a", 1, 1, 2, "half"], ["a", 1, 2, 2, undefined]]);
  const client = await opened.client([flow]);
  const read: unknown[] = [];
  for await (const event of client.get(run.id).events()) {
    if (event.type.startsWith("undo.")) read.push([event.type, "done" in event ? event.done : undefined]);
  }
  assertEquals(read, [["undo.started", undefined], ["undo.progress", 2], ["undo.completed", undefined]]);
});

test("an undo that exceeds the time-out of its task fails", async () => {
  const flow = workflow("stuck")
    .task("a", { timeout: "5s", retry: 1, run: () => 1, undo: ({ ctx }) => untilAborted(ctx.signal) })
    .task("b", { after: ["a"], run: boom });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  await opened.clock.advance(5_000);
  assertEquals(await compensatedIn(run), [["a", 'Task "a" took longer than its timeout of 5000 ms']]);
});

test("a failed undo is logged, reported and listed, and does not stop the undos before it", async () => {
  const undone: string[] = [];
  const flow = workflow("broken")
    .task("a", { run: () => 1, undo: () => void undone.push("a") })
    .task("b", {
      after: ["a"],
      retry: 1,
      run: () => 2,
      undo: () => {
        throw new Error("no way back");
      },
    })
    .task("c", { after: ["b"], run: boom });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  assertEquals([undone, await compensatedIn(run)], [["a"], ["a", ["b", "no way back"]]]);
  assertEquals(await statesOf(run), { a: "compensated", b: "completed", c: "failed" });
  assertEquals(
    errorsIn(opened).filter((message) => message.startsWith("Cannot undo")),
    [`Cannot undo task "b" of run "${run.id}": no way back; its effects remain, and the other undos continue`],
  );
  const failed = opened.events.find(({ type }) => type === "undo.failed");
  assertEquals(failed !== undefined && "taskId" in failed && failed.taskId, "b");
});

test("what an undo returns is ignored, and need not be JSON", async () => {
  const flow = workflow("rich")
    .task("a", { run: () => 1, undo: () => new Map([[1, 2n]]) })
    .task("b", { run: () => 1, undo: () => Promise.resolve(Symbol("x")) })
    .task("c", { after: ["a", "b"], run: boom });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  assertEquals(await compensatedIn(run), ["a", "b"]);
});

test("the steps of an undo are remembered apart from those of its body", async () => {
  const calls: string[] = [];
  const body = (who: string, fails: boolean) => async ({ ctx }: { ctx: TaskContext }) => {
    await ctx.step("call", () => {
      calls.push(who);
      return who;
    });
    if (fails && ctx.attempt === 1) throw new Error("once more");
  };
  const flow = workflow("steps")
    .task("a", { retry: { attempts: 2, delay: 0 }, run: body("body", true), undo: body("undo", true) })
    .task("b", { after: ["a"], run: boom });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  await opened.clock.advance(10);
  assertEquals([calls, await compensatedIn(run)], [["body", "undo"], ["a"]]);
});

test("undos without an order between them run at once, within the places for bodies", async () => {
  let running = 0;
  let most = 0;
  const release = Promise.withResolvers<void>();
  const undo = async (): Promise<void> => {
    most = Math.max(most, ++running);
    await release.promise;
    running--;
  };
  const flow = workflow("wide")
    .task("a", { run: () => 1, undo })
    .task("b", { run: () => 1, undo })
    .task("c", { run: () => 1, undo })
    .task("d", { after: ["a", "b", "c"], run: boom });
  await using opened = await open([flow], { concurrency: 2 });
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  release.resolve();
  await opened.clock.settle();
  assertEquals([most, await compensatedIn(run)], [2, ["a", "b", "c"]]);
});

test("the order of undos holds through tasks without an undo, and through tasks that did not complete", async () => {
  const undone: string[] = [];
  const undo = (id: string) => () => void undone.push(id);
  const flow = workflow("through")
    .task("a", { run: () => 1, undo: undo("a") })
    .task("plain", { after: ["a"], run: () => 1 })
    .task("bad", { after: ["plain"], run: boom })
    .task("late", { after: ["bad"], on: "settled", run: () => 1, undo: undo("late") });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  assertEquals([undone, await compensatedIn(run)], [["late", "a"], ["a", "late"]]);
});

test("the items of a map are undone one by one, the last one first", async () => {
  const undone: unknown[] = [];
  const flow = workflow("items")
    .task("base", { run: () => 100 })
    .map("m", {
      after: ["base"],
      over: () => ["x", "y", "z"],
      concurrency: 1,
      retry: { attempts: 2, delay: 0 },
      run: ({ item, base }) => `${item}${base}`,
      undo: ({ item, index, output, base, ctx }) => {
        undone.push([
          item,
          index,
          output,
          base,
          ctx.item,
          ctx.attempt,
          ctx.idempotencyKey.split("/").slice(1).join("/"),
        ]);
        if (item === "y" && ctx.attempt === 1) throw new Error("once more");
      },
    })
    .task("end", { after: ["m"], run: boom });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  await opened.clock.advance(10);
  assertEquals(undone.filter((_, at) => at === 0 || at === 2), [
    ["z", 2, "z100", 100, 2, 1, "m/2/undo"],
    ["x", 0, "x100", 100, 0, 1, "m/0/undo"],
  ]);
  assertEquals([undone.length, await compensatedIn(run)], [4, ["m"]]);
  const { items } = await run.items("m", {});
  assertEquals(items.map(({ state, undo }) => [state, undo?.attempts]), [
    ["compensated", 1],
    ["compensated", 2],
    ["compensated", 1],
  ]);
  assertEquals((await run.items("m", { state: "compensated" })).items.length, 3);
  assertEquals((await run.items("m", { state: "completed" })).items.length, 0);
});

test("the items of a map that were undone are not undone again after their runner has stopped", async () => {
  const undone: unknown[] = [];
  let isFirst = true;
  const flow = workflow("handed")
    .map("m", {
      over: () => [0, 1, 2, 3, 4],
      concurrency: 2,
      run: ({ item }) => item * 10,
      async undo({ output, ctx }) {
        if (isFirst && output < 30) await untilAborted(ctx.signal);
        undone.push(output);
      },
    })
    .task("end", { after: ["m"], run: boom });
  await using opened = await open([flow], { shared: true });
  const { id } = await opened.runner.start(flow);
  await opened.clock.advance("2s");
  assertEquals((await opened.runner.get(id).tasks())[0]?.undo?.progress, { done: 2, total: 5 });
  await opened.clock.until(opened.runner.stop({ timeout: 0 }));
  isFirst = false;
  const run = (await opened.another([flow])).get(id);
  assertEquals(await opened.clock.until(compensatedIn(run)), ["m"]);
  assertEquals(undone.toSorted(), [0, 10, 20, 30, 40]);
});

test("of a map that failed, the items that completed are undone", async () => {
  const undone: unknown[] = [];
  const flow = workflow("partly").map("m", {
    over: () => [0, 1, 2, 3, 4],
    concurrency: 1,
    onItemFailure: "finish",
    run: ({ item }) => item % 2 === 0 ? item * 10 : boom(),
    undo: ({ output }) => void undone.push(output),
  });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  assertEquals([undone, await compensatedIn(run)], [[40, 20, 0], ["m"]]);
  assertEquals(await statesOf(run), { m: "failed" });
  const { items } = await run.items("m");
  assertEquals(items.map(({ state }) => state), ["compensated", "failed", "compensated", "failed", "compensated"]);
  const [m] = await run.tasks();
  const none = { running: 0, waiting: 0, blocked: 0 };
  assertEquals(m?.items, { total: 5, completed: 0, failed: 2, ...none, compensated: 3 });
  assertEquals(m?.undo?.items, { total: 3, completed: 3, failed: 0, ...none, compensated: 0 });
  assertEquals([m?.progress, m?.undo?.progress], [{ done: 5, total: 5 }, { done: 3, total: 3 }]);
});

test("of a map whose run is cancelled, the items that completed are undone", async () => {
  const undone: unknown[] = [];
  const flow = workflow("cut").map("m", {
    over: () => [0, 1, 2, 3],
    concurrency: 1,
    run: ({ item, ctx }) => item < 2 ? item : untilAborted(ctx.signal),
    undo: ({ output }) => void undone.push(output),
  });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  await run.cancel();
  await opened.clock.settle();
  assertEquals([undone, await compensatedIn(run)], [[1, 0], ["m"]]);
});

test("an item whose undo fails does not stop the undos of the others", async () => {
  const undone: unknown[] = [];
  const flow = workflow("stubbornItem")
    .map("m", {
      over: () => [0, 1, 2],
      concurrency: 1,
      retry: 1,
      run: ({ item }) => item,
      undo: ({ item }) => {
        if (item === 1) throw new Error("stuck");
        undone.push(item);
      },
    })
    .task("end", { after: ["m"], run: boom });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  assertEquals(undone, [2, 0]);
  assertEquals(await compensatedIn(run), [["m", '1 of 3 items of task "m" failed; the first is item 1: stuck']]);
  assertEquals((await run.items("m")).items.map(({ state }) => state), ["compensated", "completed", "compensated"]);
});

test("compensating a subworkflow task compensates the child run", async () => {
  const undone: string[] = [];
  const child = workflow("child")
    .task("pick", { run: () => 1, undo: () => void undone.push("pick") })
    .task("label", { after: ["pick"], run: () => "l", undo: () => void undone.push("label") })
    .returns("label");
  const parent = workflow("parent")
    .task("pay", { run: () => 1, undo: () => void undone.push("pay") })
    .subworkflow("ship", { after: ["pay"], workflow: child })
    .task("end", { after: ["ship"], run: boom });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  assertEquals([undone, await compensatedIn(run)], [["label", "pick", "pay"], ["pay", "ship"]]);
  const [ship] = await run.children();
  assertEquals([ship?.state, await compensatedIn(opened.runner.get(ship!.id))], ["cancelled", ["pick", "label"]]);
  assertEquals((await opened.runner.get(ship!.id).status()).reason, `its parent run "${run.id}" is compensated`);
  assertEquals(await statesOf(run), { pay: "compensated", ship: "compensated", end: "failed" });
});

test("a child run without an undo is left as it is", async () => {
  const child = workflow("child").task("pick", { run: () => 1 });
  const parent = workflow("parent")
    .task("pay", { run: () => 1, undo: () => {} })
    .subworkflow("ship", { after: ["pay"], workflow: child })
    .task("end", { after: ["ship"], run: boom });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  assertEquals([await compensatedIn(run), (await run.children())[0]?.state], [["pay"], "completed"]);
});

test("a child run whose undo fails makes the undo of its task fail, and the others continue", async () => {
  const undone: string[] = [];
  const child = workflow("child").task("pick", {
    retry: 1,
    run: () => 1,
    undo: () => {
      throw new Error("lost");
    },
  });
  const parent = workflow("parent")
    .task("pay", { run: () => 1, undo: () => void undone.push("pay") })
    .subworkflow("ship", { after: ["pay"], workflow: child })
    .task("end", { after: ["ship"], run: boom });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  assertEquals([undone, await compensatedIn(run)], [
    ["pay"],
    ["pay", ["ship", 'The child run of task "ship" was not compensated: lost']],
  ]);
});

test("a child run that fails compensates itself, before its parent does", async () => {
  const undone: string[] = [];
  const child = workflow("child")
    .task("pick", { run: () => 1, undo: () => void undone.push("pick") })
    .task("label", { after: ["pick"], run: boom });
  const parent = workflow("parent")
    .task("pay", { run: () => 1, undo: () => void undone.push("pay") })
    .subworkflow("ship", { after: ["pay"], workflow: child });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  assertEquals([undone, await compensatedIn(run)], [["pick", "pay"], ["pay"]]);
  assertEquals((await run.children())[0]?.state, "failed");
});

test("when a parent is cancelled, its child runs compensate themselves before it does", async () => {
  const undone: string[] = [];
  const child = workflow("child")
    .task("pick", {
      retry: { attempts: 2, delay: "1m", maxDelay: "1m", jitter: false },
      run: () => 1,
      undo: ({ ctx }) => {
        if (ctx.attempt === 1) throw new Error("not yet");
        undone.push("pick");
      },
    })
    .event("go", { after: ["pick"], schema: unchecked<null>() });
  const parent = workflow("parent")
    .task("pay", { run: () => 1, undo: () => void undone.push("pay") })
    .subworkflow("ship", { after: ["pay"], workflow: child });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  await run.cancel("enough");
  await opened.clock.settle();
  // Its child run needs longer than bodies are given.
  await opened.clock.advance(6_000);
  assertEquals([(await run.status()).state, undone], ["compensating", []]);
  await opened.clock.advance(60_000);
  assertEquals([undone, (await run.outcome()).status, await compensatedIn(run)], [["pick", "pay"], "cancelled", [
    "pay",
  ]]);
});

test("cancel with { compensate: false } reaches child runs", async () => {
  const undone: string[] = [];
  const child = workflow("child")
    .task("pick", { run: () => 1, undo: () => void undone.push("pick") })
    .event("go", { after: ["pick"], schema: unchecked<null>() });
  const parent = workflow("parent").subworkflow("ship", { workflow: child });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  await run.cancel("enough", { compensate: false });
  await opened.clock.settle();
  assertEquals([undone, (await run.outcome()).status, (await run.children())[0]?.state], [
    [],
    "cancelled",
    "cancelled",
  ]);
});

test("the child runs of the items of a map are compensated", async () => {
  const undone: number[] = [];
  const child = workflow("child", { input: unchecked<{ n: number }>() })
    .task("pick", {
      run: ({ input }) => input.n === 1 ? boom() : input.n,
      undo: ({ output }) => void undone.push(output),
    })
    .returns("pick");
  const parent = workflow("parent").map("all", {
    over: () => [0, 1, 2],
    onItemFailure: "finish",
    workflow: child,
    input: ({ item }) => ({ n: item }),
  });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.settle();
  assertEquals([undone.toSorted(), await compensatedIn(run)], [[0, 2], ["all"]]);
  assertEquals((await run.children()).map(({ state }) => state), ["cancelled", "failed", "cancelled"]);
});

test("child runs of items that were compensated are not compensated again after their parent's runner has stopped", async () => {
  const undone: number[] = [];
  let isFirst = true;
  const child = workflow("child", { input: unchecked<number>() }).task("x", {
    run: ({ input }) => input,
    async undo({ output, ctx }) {
      if (isFirst && output < 2) await untilAborted(ctx.signal);
      undone.push(output);
    },
  });
  const parent = workflow("parent")
    .map("all", { over: () => [0, 1, 2, 3], concurrency: 2, workflow: child, input: ({ item }) => item })
    .task("end", { after: ["all"], run: boom });
  await using opened = await open([parent, child], { shared: true });
  const { id } = await opened.runner.start(parent);
  await opened.clock.advance("20s");
  assertEquals(undone.toSorted(), [2, 3]);
  await opened.clock.until(opened.runner.stop({ timeout: 0 }));
  isFirst = false;
  const run = (await opened.another([parent, child])).get(id);
  assertEquals(await opened.clock.until(compensatedIn(run)), ["all"]);
  assertEquals(undone.toSorted(), [0, 1, 2, 3]);
  const [all] = await run.tasks();
  assertEquals([all?.items?.compensated, all?.undo?.progress], [4, { done: 4, total: 4 }]);
});

test("a compensation reaches the child runs of child runs", async () => {
  const undone: string[] = [];
  const inner = workflow("inner").task("x", { run: () => 1, undo: () => void undone.push("x") }).returns("x");
  const middle = workflow("middle").subworkflow("in", { workflow: inner }).returns("in");
  const outer = workflow("outer").subworkflow("mid", { workflow: middle }).task("end", { after: ["mid"], run: boom });
  await using opened = await open([outer]);
  const run = await opened.runner.start(outer);
  await opened.clock.settle();
  assertEquals([undone, await compensatedIn(run)], [["x"], ["mid"]]);
});

test("a compensation can be paused and resumed, and a cancel does not stop it", async () => {
  const undone: string[] = [];
  const release = Promise.withResolvers<void>();
  const flow = workflow("paused")
    .task("a", { run: () => 1, undo: () => void undone.push("a") })
    .task("b", {
      after: ["a"],
      run: () => 1,
      undo: async () => {
        await release.promise;
        undone.push("b");
      },
    })
    .task("c", { after: ["b"], run: boom });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  await run.pause("hold");
  await run.cancel("no effect");
  release.resolve();
  await opened.clock.settle();
  assertEquals([(await run.status()).state, undone], ["paused", ["b"]]);
  await run.cancel("no effect");
  await run.cancel("no effect", { compensate: false });
  await run.resume();
  await opened.clock.settle();
  assertEquals([undone, (await run.outcome()).status], [["b", "a"], "failed"]);
  await assertRejects(() => run.cancel(), RunStateError);
});

test("a message to a run that is compensated is refused, also while it is paused", async () => {
  const release = Promise.withResolvers<void>();
  const flow = workflow("deaf")
    .task("a", { run: () => 1, undo: () => release.promise })
    .event("go", { after: ["a"], schema: unchecked<string>() });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  await run.cancel();
  await opened.clock.settle();
  const refused = async (): Promise<string> =>
    (await assertRejects(() => run.send("go", "now"), RunStateError)).message.replace(run.id, "<id>");
  assertEquals(await refused(), 'Cannot send a message to run "<id>": it is compensating');
  await run.pause();
  assertEquals(await refused(), 'Cannot send a message to run "<id>": it is compensating');
  // Resumed first: once its last undo has ended, a paused run has, too.
  await run.resume();
  release.resolve();
  await opened.clock.settle();
  assertEquals([(await run.outcome()).status, await compensatedIn(run)], ["cancelled", ["a"]]);
});

test("a paused run that is cancelled is compensated", async () => {
  const undone: unknown[] = [];
  const flow = waiting(undone);
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  await run.pause();
  await opened.clock.settle();
  await run.cancel();
  await opened.clock.settle();
  assertEquals([undone, (await run.outcome()).status], [["pay", "book"], "cancelled"]);
});

test("a runner that stops hands a compensation over, and no recorded undo is repeated", async () => {
  const undone: string[] = [];
  const flow = workflow("handed")
    .task("a", { run: () => 1, undo: () => void undone.push("a") })
    .task("b", {
      after: ["a"],
      run: () => 1,
      retry: 1,
      undo: ({ ctx }) => {
        undone.push("b");
        if (undone.length === 1) return untilAborted(ctx.signal);
      },
    })
    .task("c", { after: ["b"], run: () => 1, undo: () => {} })
    .task("d", { after: ["c"], run: boom });
  await using opened = await open([flow], { shared: true });
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  const other = await opened.another([flow]);
  await opened.clock.until(opened.runner.stop({ timeout: 0 }));
  await opened.clock.settle();
  await opened.clock.advance(5_000);
  assertEquals([undone, await compensatedIn(other.get(run.id))], [["b", "b", "a"], ["a", "b", "c"]]);
});

test("retry() of a run that was compensated runs the compensated tasks again, as if they had never run", async () => {
  const calls: string[] = [];
  let isBroken = true;
  const flow = workflow("again")
    .task("first", { run: () => void calls.push("first") })
    .task("book", {
      after: ["first"],
      run: async ({ ctx }) => {
        await ctx.step("call", () => void calls.push("step"));
        calls.push(ctx.idempotencyKey.split("/").slice(1).join("/"));
      },
      undo: ({ ctx }) => void calls.push(ctx.idempotencyKey.split("/").slice(1).join("/")),
    })
    .task("after", { after: ["book"], run: () => void calls.push("after") })
    .task("end", { after: ["after"], run: () => isBroken ? boom() : "done" })
    .returns("end");
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  assertEquals((await run.outcome()).status, "failed");
  await run.retry();
  await opened.clock.settle();
  isBroken = false;
  await run.retry();
  await opened.clock.settle();
  assertEquals(await run.result(), "done");
  const attempt = (key: string, undo: string): string[] => ["step", key, "after", undo];
  assertEquals(calls, [
    "first",
    ...attempt("book", "book/undo"),
    ...attempt("book#1", "book#1/undo"),
    ...attempt("book#2", "").slice(0, 3),
  ]);
  const retried = (await run.history()).filter(({ type }) => type === "run.retried");
  assertEquals(retried.map((entry) => "compensated" in entry && entry.compensated), [["book"], ["book"]]);
});

test("retry() keeps a task whose undo failed, and starts a new child run for a compensated one", async () => {
  let isBroken = true;
  const calls: string[] = [];
  const child = workflow("child").task("pick", { run: () => void calls.push("pick"), undo: () => {} });
  const flow = workflow("again")
    .task("a", {
      retry: 1,
      run: () => void calls.push("a"),
      undo: () => {
        throw new Error("stuck");
      },
    })
    .subworkflow("ship", { after: ["a"], workflow: child })
    .map("m", {
      after: ["ship"],
      concurrency: 1,
      over: () => [0, 1],
      run: ({ item }) => {
        calls.push(`m${item}`);
        if (item === 1 && isBroken) boom();
      },
      undo: () => void calls.push("undo m"),
    });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  assertEquals(await compensatedIn(run), [["a", "stuck"], "ship", "m"]);
  isBroken = false;
  await run.retry();
  await opened.clock.settle();
  assertEquals((await run.outcome()).status, "completed");
  assertEquals(calls, ["a", "pick", "m0", "m1", "undo m", "pick", "m0", "m1"]);
  assertEquals((await run.children()).map(({ state }) => state), ["cancelled", "completed"]);
});

test("a fork reuses no compensated result, and never undoes what it reuses", async () => {
  const calls: string[] = [];
  let isBroken = true;
  const flow = workflow("forked")
    .task("a", { run: () => void calls.push("a"), undo: () => void calls.push("undo a") })
    .task("b", { after: ["a"], run: () => isBroken ? boom() : 1 })
    .task("c", { after: ["b"], run: () => void calls.push("c"), undo: () => void calls.push("undo c") })
    .task("d", { after: ["c"], run: boom });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  assertEquals(calls, ["a", "undo a"]);
  isBroken = false;
  const fork = await run.fork();
  await opened.clock.settle();
  assertEquals(calls.splice(0), ["a", "undo a", "a", "c", "undo c", "undo a"]);
  const kept = workflow("kept")
    .task("a", { run: () => void calls.push("a"), undo: () => void calls.push("undo a") })
    .task("b", { after: ["a"], run: () => 1 });
  await using other = await open([kept]);
  const done = await other.runner.start(kept);
  await other.clock.settle();
  const next = await done.fork({ from: "b" });
  await next.cancel().catch(() => {});
  await other.clock.settle();
  assertEquals(calls, ["a"]);
  assert(fork.isNew);
});

test("a fork that fails leaves the effects of its original alone", async () => {
  const calls: string[] = [];
  const flow = workflow("shared", { input: unchecked<{ fails: boolean }>() })
    .task("a", { run: () => void calls.push("a"), undo: () => void calls.push("undo a") })
    .task("b", { after: ["a"], run: ({ input }) => input.fails ? boom() : 1 });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow, { fails: false });
  await opened.clock.settle();
  const fork = await run.fork({ from: "b", input: { fails: true } });
  await opened.clock.settle();
  assertEquals([(await fork.outcome()).status, await compensatedIn(fork), calls], ["failed", [], ["a"]]);
});

test("events, history and counts show a compensation", async () => {
  const flow = failing([]);
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  const undos = [
    "run.compensating",
    "undo.started pay",
    "undo.completed pay",
    "undo.started book",
    "undo.completed book",
  ];
  const text = (event: { readonly type: string }): string =>
    "taskId" in event ? `${event.type} ${event.taskId}` : event.type;
  const tail = <T>(all: readonly T[]): readonly T[] => all.slice(-6);
  assertEquals(tail(opened.events.map(text)), [...undos, "run.failed"]);
  assertEquals(tail((await run.history()).map(text)), [...undos, "run.failed"]);
  const derived: string[] = [];
  for await (const event of run.events()) derived.push(text(event));
  assertEquals(derived.filter((line) => line.startsWith("undo")).toSorted(), undos.slice(1).toSorted());
  const [metrics] = metricsOf(opened.runner)!.workflows;
  assertEquals([metrics?.runs.compensating, metrics?.runs.failed], [1, 1]);
  assertEquals(metrics?.tasks.map(({ attempts, compensated, undoFailed }) => [attempts, compensated, undoFailed]), [
    [1, 1, 0],
    [1, 1, 0],
    [1, 0, 0],
  ]);
});

test("a run that is compensated is listed, counted and explained as such", async () => {
  const release = Promise.withResolvers<void>();
  const flow = workflow("shown")
    .task("a", { run: () => 1, undo: () => {} })
    .task("b", { after: ["a"], run: () => 1, undo: () => release.promise })
    .task("c", { after: ["b"], run: boom })
    .task("d", { after: ["c"], run: () => 1 });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  await opened.clock.advance(200);
  const { runs } = await opened.runner.list({ state: "compensating" });
  assertEquals([runs.map(({ id }) => id), (await opened.runner.stats()).runs.compensating], [[run.id], 1]);
  const { state, reasons } = await opened.runner.explain(run.id);
  assertEquals([state, reasons.map(({ message }) => message)], ["compensating", [
    "the run is compensated and then ends as failed (boom)",
    'the undo of task "a" waits for the undos before it',
    'the undo of task "b" is running (attempt 1)',
  ]]);
  release.resolve();
  await opened.clock.settle();
  assertEquals((await run.outcome()).status, "failed");
});

test("dynamicWorkflow supports undo", async () => {
  const undone: unknown[] = [];
  const flow = dynamicWorkflow({
    name: "data",
    tasks: [
      { id: "a", run: () => 1, undo: ({ output }) => undone.push(output) },
      {
        id: "m",
        kind: "map",
        after: ["a"],
        over: () => [5],
        run: ({ item }) => item,
        undo: ({ output }) => undone.push(output),
      },
      { id: "z", after: ["m"], run: boom },
    ],
  });
  await using opened = await open([flow]);
  const run = await opened.runner.start(flow);
  await opened.clock.settle();
  assertEquals([undone, await compensatedIn(run)], [[5, 1], ["a", "m"]]);
});

test("an undo is part of the content version, and not of the structure", () => {
  const flow = (undo?: () => void) =>
    workflow("v").task("a", { run: () => 1, ...(undo === undefined ? {} : { undo }) });
  const versions = [flow(), flow(() => {}), flow(() => void 1)];
  assertEquals(new Set(versions.map(({ version }) => version)).size, 3);
  assertEquals(new Set(versions.map(({ structure }) => structure)).size, 1);
});

test("a task of a kind without a body of its own has no undo", () => {
  const child = workflow("child").task("a", { run: () => 1 });
  const undo = { undo: () => {} } as unknown as Record<never, never>;
  const problems = (define: () => unknown): readonly string[] => {
    try {
      define();
    } catch (error) {
      return error instanceof DefinitionError ? error.problems : [String(error)];
    }
    return [];
  };
  const only = "undo is only for tasks and maps with `run`";
  const ofBody = `${only}; put the \`undo\` on the task that has the effects`;
  const ofChild = `${only}; give the tasks of its workflow an \`undo\`, and omit this one`;
  assertEquals(problems(() => workflow("w").sleep("s", { for: "1s", ...undo })), [`sleep "s": ${ofBody}`]);
  assertEquals(problems(() => workflow("w").event("e", { schema: unchecked<null>(), ...undo })), [
    `event "e": ${ofBody}`,
  ]);
  assertEquals(problems(() => workflow("w").subworkflow("c", { workflow: child, ...undo })), [
    `subworkflow "c": ${ofChild}`,
  ]);
  assertEquals(problems(() => workflow("w").map("m", { over: () => [1], workflow: child, ...undo })), [
    `map "m": ${ofChild}`,
  ]);
  assertEquals(problems(() => workflow("w").task("t", { run: () => 1, undo: 3 as never })), [
    'task "t": undo must be a function, not 3',
  ]);
});
