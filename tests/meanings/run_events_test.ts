/** `events()`: the order of what it yields, how it ends, and what it costs. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createRunner, type RunEvent, RunNotFoundError, workflow } from "../../mod.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";
import { open } from "./open.ts";

const DONE = { done: true, value: undefined } as const;

const flaky = workflow("flaky")
  .task("call", {
    retry: { attempts: 4, delay: "1s", backoff: "fixed", jitter: false },
    run: ({ ctx }) => {
      if (ctx.attempt < 4) throw new Error("not yet");
      ctx.progress(1, 2);
    },
  })
  .task("bad", { after: ["call"], retry: 2, run: () => Promise.reject(new Error("no")) });

const FLAKY = [
  "run.started",
  ...[1, 2, 3].flatMap((attempt) => [`task.started call ${attempt}`, `task.retrying call ${attempt}`]),
  "task.started call 4",
  "task.progress call 4",
  "task.completed call 4",
  "task.started bad 1",
  "task.retrying bad 1",
  "task.started bad 2",
  "task.failed bad 2",
  "run.failed",
];

const asleep = workflow("asleep").sleep("rest", { for: "7d" });

test("events() yields each attempt in the order of the journal, during the run and afterwards", async () => {
  await using opened = await open([flaky]);
  const run = await opened.runner.start(flaky);
  const during = opened.clock.until(Array.fromAsync(run.events()));
  const events = await during;
  assertEquals(events.filter(({ type }) => type !== "run.waiting" && type !== "run.resumed").map(show), FLAKY);
  assertEquals((await Array.fromAsync(run.events())).map(show), FLAKY);
});

test("events() dates a retry by the end of its attempt, and says when the next attempt was due", async () => {
  await using opened = await open([flaky]);
  const start = opened.clock.now();
  const run = await opened.runner.start(flaky);
  await opened.clock.until(run.outcome());
  const retries = (await Array.fromAsync(run.events())).filter((event) => event.type === "task.retrying");
  assertEquals(
    retries.slice(0, 3).map(({ at, dueAt }) => [at - start, dueAt - start]),
    [[0, 1_000], [1_000, 2_000], [2_000, 3_000]],
  );
});

test("return() of events() settles while next() is pending, and so does next()", async () => {
  await using opened = await open([asleep]);
  const run = await opened.runner.start(asleep);
  await opened.clock.settle();
  const events = run.events();
  const seen: string[] = [];
  for (let at = 0; at < 3; at++) seen.push((await events.next()).value?.type ?? "");
  assertEquals(seen, ["run.started", "task.started", "run.waiting"]);
  const pending = [events.next(), events.next()];
  assertEquals(await events.return!(), DONE);
  assertEquals(await Promise.all(pending), [DONE, DONE]);
  assertEquals([await events.next(), await events.return!()], [DONE, DONE]);
});

test("events() ends with the reason of its signal, once", async () => {
  await using opened = await open([asleep]);
  const run = await opened.runner.start(asleep);
  const reason = new Error("the client left");
  const aborting = new AbortController();
  const events = run.events({ signal: aborting.signal });
  for (let at = 0; at < 3; at++) await opened.clock.until(events.next());
  const pending = events.next();
  aborting.abort(reason);
  assertEquals(await assertRejects(() => pending), reason);
  assertEquals(await events.next(), DONE);
  const late = run.events({ signal: aborting.signal });
  assertEquals(await assertRejects(() => late.next()), reason);
  assertEquals(await late.next(), DONE);
  assertThrows(
    () => run.events({ signal: "soon" as unknown as AbortSignal }),
    TypeError,
    "signal must be an AbortSignal",
  );
});

test("events() ends when its runner stops, and rejects for a run that does not exist", async () => {
  await using opened = await open([asleep], { shared: true });
  const client = await opened.client([asleep]);
  const run = await client.start(asleep);
  const unread = run.events();
  const followed = opened.clock.until(Array.fromAsync(run.events()));
  await opened.clock.advance("2s");
  await client.stop();
  assertEquals((await followed).map(show), ["run.started", "task.started rest 1", "run.waiting"]);
  assertEquals(await unread.next(), DONE);
  const unknown = opened.runner.get("00000000-0000-7000-8000-000000000000").events();
  await assertRejects(() => unknown.next(), RunNotFoundError);
  assertEquals(await unknown.next(), DONE);
});

test("iterators of events() that were forgotten cost no statement of their own", async () => {
  const place = emptyStore("shared");
  const clock = createFakeClock();
  const store = await openPlace(place, { clock });
  try {
    await using runner = await createRunner(store, { workflows: [asleep], clock });
    const runs = await Promise.all(Array.from({ length: 20 }, () => runner.start(asleep)));
    await clock.settle();
    const before = store.counters().statements;
    await clock.advance("10s");
    const withoutReaders = store.counters().statements - before;
    for (const run of runs) {
      for (let n = 0; n < 10; n++) {
        const events = run.events();
        // The fourth is pending for as long as the run sleeps.
        for (let at = 0; at < 4; at++) void events.next();
        // This one is never read to its end.
        await run.events().next();
      }
    }
    await clock.advance("5s");
    const read = store.counters().statements;
    await clock.advance("10s");
    const withReaders = store.counters().statements - read;
    // A poll each second is one statement for all of them.
    assert(withReaders <= withoutReaders + 12, `${withReaders} statements, ${withoutReaders} without readers`);
    await clock.until(runner.stop());
  } finally {
    await store.close();
    await place[Symbol.asyncDispose]();
  }
});

test("a reader in another process is woken by a task after thousands of items", async () => {
  const isRead = Promise.withResolvers<void>();
  const many = workflow("many")
    .map("each", {
      over: () => Array.from({ length: 6_000 }, (_, at) => at),
      concurrency: 64,
      run: ({ index }) => index,
    })
    .task("zeta", { after: ["each"], run: () => 1 })
    .task("zz", { after: ["zeta"], run: () => isRead.promise });
  await using opened = await open([many], { shared: true });
  const client = await opened.client([many]);
  const run = await client.start(many);
  const types: string[] = [];
  const read = (async () => {
    for await (const event of run.events()) {
      types.push(show(event));
      if (event.type === "task.completed" && event.taskId === "zeta") return;
    }
  })();
  await opened.clock.until(read, "1m");
  isRead.resolve();
  assertEquals(types.includes("task.completed each 1"), true);
});

function show(event: RunEvent): string {
  return "taskId" in event ? `${event.type} ${event.taskId} ${event.attempt}` : event.type;
}
