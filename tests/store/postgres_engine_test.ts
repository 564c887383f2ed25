/** A selection of the engine's behaviour on Postgres. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createClient, createRunner, DeferError, RunFailedError, StoreError, unchecked, workflow } from "../../mod.ts";
import type { ClaimRequest } from "../../lib/store/port/batch.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { test } from "../harness.ts";
import { testSchema } from "./postgres_schema.ts";

const chain = workflow("chain", { input: unchecked<string>() })
  .task("a", { run: ({ input }) => input })
  .task("b", { after: ["a"], run: ({ a }) => a + a })
  .task("c", { after: ["b"], run: ({ b }) => b.length })
  .returns("c");

const flaky = workflow("flaky").task("call", {
  retry: { attempts: 3, delay: 5, jitter: false },
  run({ ctx }) {
    if (ctx.attempt < 3) throw new Error("not yet");
    return ctx.attempt;
  },
});

const broken = workflow("broken").task("call", {
  retry: 1,
  run(): string {
    throw new TypeError("for good");
  },
});

const endless = workflow("endless").task("wait", {
  run: ({ ctx }) =>
    new Promise<void>((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason))),
});

test("postgres: a runner is opened by a URL, and a client of another process reads its results", async () => {
  await using on = testSchema();
  const options = { schema: on.schema, workflows: [chain, flaky, broken] };
  await using runner = await createRunner(on.url, options);
  const run = await runner.start(chain, "ab");
  assertEquals(await run.result(), 4);
  assertEquals(await (await runner.start(flaky)).result(), { call: 3 });
  await using client = await createClient(on.url, options);
  const seen = await client.get(run.id);
  assertEquals((await seen.tasks()).map(({ id, state }) => `${id} ${state}`), [
    "a completed",
    "b completed",
    "c completed",
  ]);
  const started = await client.start(chain, "abc", { key: "k" });
  assertEquals(await started.result(), 6);
  assertEquals((await client.start(chain, "other", { key: "k" })).id, started.id);
  await assertRejects(async () => await (await client.start(broken)).result(), RunFailedError, "for good");
});

test("postgres: a client cancels, pauses and resumes runs of a runner in another process", async () => {
  await using on = testSchema();
  const options = { schema: on.schema, workflows: [endless, chain] };
  await using runner = await createRunner(on.url, options);
  await using client = await createClient(on.url, options);
  const run = await runner.start(endless);
  await (await client.get(run.id)).cancel("enough");
  const ended = await run.outcome();
  const { startedAt, endedAt } = ended;
  const { id: runId } = run;
  const rest = { reason: "enough", compensated: [], outputs: {} };
  assertEquals(ended, { status: "cancelled", runId, startedAt, endedAt, ...rest });
  const later = await client.start(chain, "x", { delay: "1h" });
  await later.pause("wait");
  assertEquals((await later.status()).state, "paused");
  await later.resume();
  assertEquals((await later.status()).state, "pending");
});

test("postgres: two runners share the runs that a client starts, and each run is executed once", async () => {
  await using on = testSchema();
  const by: string[][] = [[], []];
  const shared = by.map((ids) =>
    workflow("shared", { version: "1" }).task("one", { run: ({ ctx }) => void ids.push(ctx.runId) })
  );
  const runners = await Promise.all(
    shared.map((one) => createRunner(on.url, { schema: on.schema, workflows: [one], maxRuns: 10 })),
  );
  await using client = await createClient(on.url, { schema: on.schema, workflows: [shared[0]!] });
  const runs = await client.startMany("shared", Array.from({ length: 300 }, () => undefined));
  await Promise.all(runs.map((run) => run.result()));
  await Promise.all(runners.map((runner) => runner.stop()));
  assertEquals([...by[0]!, ...by[1]!].sort(), runs.map(({ id }) => id).sort());
  assert(by[0]!.length > 0 && by[1]!.length > 0, `${by.map(({ length }) => length)}`);
});

test("postgres: a runner keeps the runs that it starts, however often it recovers those of others", async () => {
  await using on = testSchema();
  const other = workflow("other").task("a", { run: () => 1 });
  await using runner = await createRunner(on.url, { schema: on.schema, workflows: [chain], maxRuns: 100 });
  await using client = await createClient(on.url, { schema: on.schema, workflows: [other] });
  const before = (await runner.stats()).store.rows;
  let left = 10_000;
  const started = Array.from({ length: 100 }, async () => {
    while (left-- > 0) await runner.execute(chain, "x");
  });
  let hints = 0;
  for (; left > 0; hints++) {
    await client.start(other);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all(started);
  const rows = (await runner.stats()).store.rows - before;
  assert(hints > 10, `${hints} hints`);
  // Three tasks, the run and its end; a run that has to be claimed costs one more row.
  assert(rows <= 10_000 * 5 + 10, `${rows} rows`);
});

test("postgres: a fake clock is also the store's clock, and does not advance while a statement is executed", async () => {
  await using on = testSchema();
  const clock = createFakeClock();
  const waiting = workflow("waiting").task("call", {
    retry: { attempts: 2, delay: "1h", maxDelay: "1h", jitter: false },
    run({ ctx }) {
      if (ctx.attempt === 1) throw new Error("not yet");
      return ctx.attempt;
    },
  });
  await using runner = await createRunner(on.url, { schema: on.schema, workflows: [waiting], clock });
  const run = await runner.start(waiting);
  const before = clock.now();
  assertEquals(await clock.until(run.result(), "1d"), { call: 2 });
  assertEquals(clock.now() - before, 3_600_000);
  const { createdAt, endedAt } = await run.status();
  assertEquals([createdAt, endedAt], [before, clock.now()]);
});

test("postgres: other runners open and work even if the row of a runner cannot be read", async () => {
  await using on = testSchema();
  await (await createRunner(on.url, { schema: on.schema, workflows: [chain] })).stop();
  await on.sql`
    insert into runners (host, pid, served, pinned, concurrency, max_runs, started_at, lease_until)
    values ('elsewhere', 1, 'no JSON', 0, 1, 1, 0, 9999999999999)`;
  await using runner = await createRunner(on.url, { schema: on.schema, workflows: [chain] });
  assertEquals((await runner.execute(chain, "x")).status, "completed");
});

const conditional = workflow("conditional")
  .task("asked", { when: () => true, run: () => 1 })
  .task("late", {
    after: ["asked"],
    run({ ctx }) {
      if (ctx.attempt === 1 && !deferred.has(ctx.runId)) {
        deferred.add(ctx.runId);
        throw new DeferError(0);
      }
    },
  });
const deferred = new Set<string>();

test("postgres: replacing a row causes no failed statement", async () => {
  await using on = testSchema();
  const clock = createFakeClock();
  const store = await on.open({ clock });
  await using runner = await createRunner(store, { workflows: [conditional], clock });
  // The first run makes the runner execute its one-time reads before the measurement.
  await clock.until(runner.execute(conditional));
  const before = store.counters();
  // One commit each: the start; the result of the condition; the result; the deferral; the result with the end. Writes
  // of rows take a lock first. A failed statement would add one.
  for (let n = 0; n < 50; n++) {
    const outcome = runner.execute(conditional);
    await clock.settle();
    await clock.advance(1);
    assertEquals((await outcome).status, "completed");
  }
  const after = store.counters();
  assertEquals(
    [after.commits - before.commits, after.statements - before.statements, after.retries],
    [50 * 5, 50 * (1 + 2 + 2 + 3 + 3), 0],
  );
});

test("postgres: a runner pauses between claims while another transaction holds the run that is due", async () => {
  await using on = testSchema();
  const clock = createFakeClock();
  const store = await on.open({ clock });
  await using client = await createClient(await on.open({ clock }), { workflows: [chain], clock });
  const held = await client.start(chain, "a");
  const locker = await on.sql.reserve();
  await locker`begin`;
  await locker`select seq from runs for update`;
  let claims = 0;
  const counted = {
    ...store,
    claim(request: ClaimRequest) {
      claims++;
      return store.claim(request);
    },
  };
  await using runner = await createRunner(counted, { workflows: [chain], clock });
  await clock.advance("4s");
  // Pauses that double from 10 ms to two seconds, and the poll, instead of one claim after the other.
  assert(claims >= 5 && claims <= 25, `${claims} claims`);
  // Runs that the runner starts itself do not wait for the locked run.
  const own = await runner.start(chain, "abc");
  assertEquals(await clock.until(own.result(), "1s"), 6);
  await locker`commit`;
  locker.release();
  assertEquals(await clock.until((await runner.get(held.id)).result(), "5s"), 2);
});

test("postgres: an unexpected error of the server contains neither the statement nor its values", async () => {
  await using on = testSchema();
  const store = await on.open();
  await using client = await createClient(store, { workflows: [chain] });
  await client.start(chain, "a", { tags: ["t"] });
  // Simulates a manual change of the schema.
  await on.sql`update runs set tags = '{'`;
  const error = await assertRejects(
    () => client.list({ tags: ["hunter2"] }),
    StoreError,
    "Cannot read Postgres database",
  );
  const members = Object.getOwnPropertyNames(error).map((name) => (error as unknown as Record<string, unknown>)[name]);
  assertEquals([error.code, members.some((member) => String(member).includes("hunter2"))], ["database_error", false]);
});
