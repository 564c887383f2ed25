/** Tasks that wait for a message. */
import { assertEquals, assertRejects } from "@std/assert";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { createClient, createRunner, RunNotFoundError, RunStateError, unchecked } from "../../mod.ts";
import { UnknownTaskError, ValidationError, workflow } from "../../mod.ts";
import type { Schema, Store } from "../../mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";
import { open, untilAborted } from "./open.ts";

interface Approval {
  readonly by: string;
}

const order = workflow("order")
  .task("quote", { run: () => 100 })
  .event("approval", { after: ["quote"], schema: unchecked<Approval>() })
  .task("pay", { after: ["quote", "approval"], run: ({ quote, approval }) => `${quote} by ${approval.by}` })
  .returns("pay");

test("a message is the output of its task, and the run waits for it without being in memory", async () => {
  await using opened = await open([order]);
  const run = await opened.runner.start(order);
  await opened.clock.advance("30s");
  const { state, dueAt } = await run.status();
  assertEquals([state, dueAt, (await opened.runner.stats()).runner?.runs], ["waiting", undefined, 0]);
  assertEquals(await run.send("approval", { by: "ann" }), { accepted: true });
  await opened.clock.settle();
  assertEquals(await run.result(), "100 by ann");
  assertEquals((await run.tasks())[1]?.output, { by: "ann" });
});

test("a message wakes a run that is in memory at once", async () => {
  const quick = workflow("quick")
    .event("go", { schema: unchecked<number>() })
    .task("busy", { run: ({ ctx }) => untilAborted(ctx.signal) })
    .task("next", { after: ["go"], run: ({ go }) => go + 1 });
  await using opened = await open([quick]);
  const run = await opened.runner.start(quick);
  await opened.clock.settle();
  await run.send("go", 1);
  await opened.clock.settle();
  assertEquals((await run.tasks()).map(({ output }) => output), [1, undefined, 2]);
  assertEquals((await opened.runner.stats()).runner?.active, 1);
  await run.cancel();
});

test("a message that arrives while the row of its wait is being written is received, although nothing else runs by then", async () => {
  await using place = emptyStore("shared");
  const clock = createFakeClock();
  const [inner, other] = [await openPlace(place, { clock }), await openPlace(place, { clock })];
  const body = Promise.withResolvers<void>();
  const written = Promise.withResolvers<void>();
  const flow = workflow("flow")
    .event("message", { schema: unchecked<string>() })
    .task("work", { run: () => body.promise })
    .task("join", { after: ["message", "work"], run: ({ message }) => message })
    .returns("join");
  const store: Store = {
    ...inner,
    async commit(batch) {
      if (batch.writes.some(({ records }) => records.some(({ task }) => task === "message"))) await written.promise;
      return await inner.commit(batch);
    },
  };
  const runner = await createRunner(store, { workflows: [flow], clock });
  const client = await createClient(other, { workflows: [flow], clock });
  const run = await runner.start(flow);
  await clock.settle();
  assertEquals(await client.get(run.id).send("message", "hello"), { accepted: true });
  await clock.advance("10s"); // the heartbeat, with which it has arrived at the latest
  body.resolve();
  await clock.settle();
  written.resolve();
  assertEquals(await clock.until(run.result()), "hello");
  for (const opened of [runner, client]) await clock.until(opened.stop());
  for (const opened of [inner, other]) await opened.close();
});

test("a message that arrives before its task waits is received", async () => {
  await using opened = await open([order]);
  const run = await opened.runner.start(order, undefined, { delay: "1m" });
  assertEquals(await run.send("approval", { by: "ann" }), { accepted: true });
  await opened.clock.advance("59s");
  assertEquals((await run.status()).state, "pending");
  await opened.clock.advance("1s");
  assertEquals(await run.result(), "100 by ann");
});

test("the first message is accepted, and every later one is not", async () => {
  // The sleep keeps the run from its end between the messages.
  const rested = workflow("rested")
    .event("approval", { schema: unchecked<Approval>() })
    .sleep("rest", { after: ["approval"], for: "1d" })
    .task("pay", { after: ["approval", "rest"], run: ({ approval }) => approval.by })
    .returns("pay");
  await using opened = await open([rested]);
  const run = await opened.runner.start(rested);
  await opened.clock.settle();
  const answers = [];
  for (const by of ["ann", "bob"]) answers.push(await run.send("approval", { by }));
  assertEquals(answers, [{ accepted: true }, { accepted: false }]);
  await opened.clock.advance("1d");
  assertEquals(await run.result(), "ann");
  await assertRejects(() => run.send("approval", { by: "eve" }), RunStateError, "it is completed");
});

test("a task that has its message accepts no other, although its run continues", async () => {
  const slow = workflow("slow")
    .event("go", { schema: unchecked<number>() })
    .sleep("rest", { after: ["go"], for: "1d" });
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow);
  await run.send("go", 1);
  await opened.clock.advance("10s");
  assertEquals(await run.send("go", 2), { accepted: false });
});

test("a task whose time-out has passed completes without output and accepts no message", async () => {
  const timed = workflow("timed")
    .event("approval", { schema: unchecked<Approval>(), timeout: "30s" })
    .task("close", { after: ["approval"], run: ({ approval }) => approval?.by ?? "nobody answered" })
    .sleep("rest", { after: ["close"], for: "1d" });
  await using opened = await open([timed]);
  const run = await opened.runner.start(timed);
  await opened.clock.advance("30s");
  assertEquals((await run.tasks()).map(({ state, output }) => [state, output]), [
    ["completed", undefined],
    ["completed", "nobody answered"],
    ["waiting", undefined],
  ]);
  assertEquals(await run.send("approval", { by: "late" }), { accepted: false });
});

test("a message that was accepted before the time-out is received after it, although no runner was alive", async () => {
  const timed = workflow("timed").event("approval", { schema: unchecked<Approval>(), timeout: "1m" });
  await using opened = await open([timed], { shared: true });
  const run = await opened.runner.start(timed);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop());
  const client = await opened.client([timed]);
  await opened.clock.advance("30s");
  assertEquals(await client.send(run.id, "approval", { by: "ann" }), { accepted: true });
  await opened.clock.advance("1m");
  await opened.another([timed]);
  await opened.clock.settle();
  assertEquals(await client.get(run.id).result(), { approval: { by: "ann" } });
});

test("a client in another process sends a message", async () => {
  await using opened = await open([order], { shared: true });
  const client = await opened.client([order]);
  const run = await client.start(order);
  await opened.clock.advance("1s");
  assertEquals(await client.send(run.id, "approval", { by: "ann" }), { accepted: true });
  await opened.clock.advance("1s");
  assertEquals(await client.get(run.id).result(), "100 by ann");
});

test("a payload is validated before anything is written, and its task receives what the schema returns", async () => {
  const schema: Schema<string, number> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: async (value) => {
        await Promise.resolve();
        return typeof value === "string" && /^\d+$/.test(value)
          ? { value: Number(value) }
          : { issues: [{ message: "expected digits" }] };
      },
    },
  };
  const counted = workflow("counted").event("count", { schema })
    .task("next", { after: ["count"], run: ({ count }) => count + 1 }).returns("next");
  await using opened = await open([counted]);
  const run = await opened.runner.start(counted);
  await opened.clock.settle();
  const error = await assertRejects(() => run.send("count", "many"), ValidationError);
  assertEquals(
    error.message,
    `Cannot send a message to run "${run.id}": the payload for task "count": expected digits`,
  );
  assertEquals(await run.send("count", "41"), { accepted: true });
  await opened.clock.settle();
  assertEquals(await run.result(), 42);
});

test("a message to no event, or to no run, is refused with the reason", async () => {
  await using opened = await open([order]);
  const run = await opened.runner.start(order);
  await opened.clock.settle();
  const send = (taskId: string) => opened.runner.send(run.id, taskId, { by: "ann" });
  const about = `Cannot send a message to run "${run.id}": workflow "order"`;
  const unknown = await assertRejects(() => send("aproval"), UnknownTaskError);
  assertEquals(unknown.message, `${about} has no task "aproval" (did you mean "approval"?)`);
  const other = await assertRejects(() => send("quote"), UnknownTaskError);
  assertEquals(other.message, `${about} has no event "quote": this task is a task`);
  await assertRejects(() => opened.runner.send("nothing", "approval", {}), RunNotFoundError);
});

test("a message to a paused run is received after the run is resumed", async () => {
  await using opened = await open([order]);
  const run = await opened.runner.start(order);
  await opened.clock.advance("10s");
  await run.pause();
  assertEquals(await run.send("approval", { by: "ann" }), { accepted: true });
  await opened.clock.advance("10s");
  assertEquals((await run.status()).state, "paused");
  await run.resume();
  await opened.clock.settle();
  assertEquals(await run.result(), "100 by ann");
});

test("a run that is retried keeps the messages that it has accepted", async () => {
  let isBroken = true;
  const fragile = workflow("fragile")
    .event("go", { schema: unchecked<number>() })
    .task("next", {
      after: ["go"],
      retry: 1,
      run: ({ go }) => {
        if (isBroken) throw new Error("broken");
        return go;
      },
    });
  await using opened = await open([fragile]);
  const run = await opened.runner.start(fragile);
  await run.send("go", 7);
  await opened.clock.settle();
  assertEquals((await run.outcome()).status, "failed");
  isBroken = false;
  await run.retry();
  await opened.clock.settle();
  assertEquals(await run.result(), { go: 7, next: 7 });
});

test("explain() says since when a run waits for a message, and until when", async () => {
  const timed = workflow("timed").event("approval", { schema: unchecked<Approval>(), timeout: "3d" });
  await using opened = await open([timed, order]);
  const run = await opened.runner.start(timed);
  const endless = await opened.runner.start(order);
  await opened.clock.advance("2m");
  const { reasons, summary } = await opened.runner.explain(run.id);
  const what = 'task "approval" has waited for a message for 2 min and stops waiting in 3 d';
  assertEquals(summary, `the run is due in 3 d; ${what}`);
  assertEquals(reasons.map(({ kind, taskId }) => [kind, taskId]), [["timer", undefined], ["event", "approval"]]);
  assertEquals(
    (await opened.runner.explain(endless.id)).summary,
    'task "approval" has waited for a message for 2 min; task "pay" waits for "approval"',
  );
});
