/** Surprises of a user who knew only the documentation. */
import { setImmediate } from "node:timers/promises";
import process from "node:process";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createClient, createRunner, unchecked, workflow } from "../../mod.ts";
import { createCommitter, type PendingWrite } from "../../lib/engine/commit/committer.ts";
import { createIds } from "../../lib/ids.ts";
import type { NewRun } from "../../lib/store/port/batch.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { spawn } from "../child.ts";
import { emptyStore } from "../empty_store.ts";
import { collector } from "../garbage.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";
import { open, untilAborted } from "./open.ts";

const one = workflow("one").task("a", { run: () => 1 }).returns("a");

test("result() after stop() rejects, and leaves no unhandled rejection", async () => {
  const left: unknown[] = [];
  const note = (reason: unknown): void => void left.push(reason);
  const { runner } = await open([one]);
  const run = await runner.start(one);
  await runner.stop();
  process.on("unhandledRejection", note);
  await assertRejects(() => run.result());
  await assertRejects(() => run.outcome());
  for (let turns = 0; turns < 3; turns++) await setImmediate();
  process.off("unhandledRejection", note);
  assertEquals(left, []);
});

test("a rejection left behind by the last thing before stop() does not end the process", async () => {
  // In a process of its own, as the runners of tests take such a rejection for a failure of the test.
  await using on = emptyStore("memory");
  const child = spawn("./fixtures/late_rejection.ts", [JSON.stringify(on)]);
  await child.until("went on");
  assertEquals((await child.exited).code, 0);
});

test("a logger that throws changes nothing", async () => {
  const fail = (): never => {
    throw new Error("the logger is down");
  };
  const loud = workflow("loud").task("a", {
    run({ ctx }) {
      ctx.log("begins");
      return 1;
    },
    onSuccess: () => Promise.reject(new Error("a hook that throws is logged")),
  }).returns("a");
  const { runner } = await open([loud], { logger: { debug: fail, info: fail, warn: fail, error: fail } });
  assertEquals((await runner.execute(loud)).status, "completed");
  await runner.stop();
});

test("other runners open and work although the row of a runner cannot be read", async () => {
  await using on = emptyStore();
  await (await createRunner(on.url, { ...on.options, workflows: [one] })).stop();
  await on.query(
    "insert into runners (host, pid, served, pinned, concurrency, max_runs, started_at, lease_until) " +
      "values ('elsewhere', 1, 'no JSON', 0, 1, 1, 0, 9999999999999)",
  );
  await using runner = await createRunner(on.url, { ...on.options, workflows: [one] });
  assertEquals((await runner.execute(one)).status, "completed");
});

test("createRunner() that fails while it recovers runs of dead runners leaves no timer behind", async () => {
  await using on = emptyStore("memory");
  const store = await openPlace(on);
  const broken = { ...store, runners: () => Promise.reject(new Error("no such table: runners")) };
  await assertRejects(() => createRunner(broken, { workflows: [one] }), Error, "no such table");
  await store.close(); // and the leak sanitizers look
});

test("a payload edited into something else than JSON fails its task with a sentence that names it", async () => {
  await using on = emptyStore();
  const add = workflow("add", { input: unchecked<{ n: number }>() })
    .task("a", { run: ({ input }) => input.n }).returns("a");
  const client = await createClient(on.url, { ...on.options, workflows: [add] });
  const run = await client.start(add, { n: 1 });
  await client.stop();
  await on.query(`update runs set input = '{"n":'`);
  await using runner = await createRunner(on.url, { ...on.options, workflows: [add] });
  const outcome = await runner.get(run.id).outcome();
  assert(outcome.status === "failed");
  assertEquals(outcome.error.message, "Cannot read the input of the run: its JSON is not what Sluice wrote");
  assertEquals(outcome.failures.length, 1);
});

test("wrong options of startMany() and stop(), and invalid ids, are refused at the call", async () => {
  await using opened = await open([one]);
  // What only callers without a compiler can write.
  // deno-lint-ignore no-explicit-any -- wrong on purpose
  const runner = opened.runner as any;
  for (const options of [null, 5, { signal: AbortSignal.abort() }]) {
    await assertRejects(() => runner.startMany(one, [undefined], options), TypeError, 'Cannot start workflow "one"');
  }
  await assertRejects(() => runner.stop({ timout: 5 }), TypeError, 'did you mean "timeout"');
  await assertRejects(() => runner.stop({ timeout: "soon" }), TypeError, "not a duration");
  assertThrows(() => runner.get(Symbol("id")), TypeError, "its id must be a string");
  await assertRejects(() => runner.explain(undefined), TypeError, "its id must be a string");
  assertEquals((await opened.runner.list()).runs, []);
});

test("nothing of a run is started once more when its time is over", async () => {
  let calls = 0;
  const slow = workflow("slow", { timeout: "1m" }).task("a", {
    run({ ctx }) {
      calls++;
      return untilAborted(ctx.signal);
    },
  });
  await using opened = await open([slow], { shared: true });
  const { runner, clock } = opened;
  const run = await runner.start(slow);
  await clock.until(runner.stop({ timeout: 0 }));
  await clock.advance("2m");
  const next = await opened.another([slow]);
  const outcome = await clock.until(next.get(run.id).outcome());
  assert(outcome.status === "failed");
  assertEquals([outcome.error.name, calls], ["RunTimeoutError", 1]);
});

test("explain() says that the runner of a run is not alive", async () => {
  const clock = createFakeClock();
  await using on = emptyStore("memory");
  const store = await openPlace(on, { clock });
  const card = { host: "elsewhere", pid: 1, pidStartedAt: "1", served: [], pinned: false, concurrency: 1, maxRuns: 1 };
  const owner = await store.join(card, 10_000);
  const run: NewRun = {
    id: createIds()(clock.now()),
    workflow: "w",
    version: "1",
    key: undefined,
    priority: 0,
    dueAt: clock.now(),
    tags: [],
    input: undefined,
    timeoutMs: undefined,
    owner,
    fork: undefined,
  };
  await store.commit({ starts: [run], writes: [] });
  const client = await createClient(store, { clock });
  assertEquals((await client.explain(run.id)).reasons, []);
  await clock.advance("11s");
  assertEquals(
    (await client.explain(run.id)).summary,
    "the runner that owns the run is not alive, and no other runner is alive",
  );
  await client.stop();
  await store.close();
});

test("explain() says before it is due that no runner will take a run", async () => {
  const v1 = workflow("w", { version: "1" }).task("a", { run: () => 1 });
  const v2 = workflow("w", { version: "2" }).task("a", { run: () => 2 });
  await using opened = await open([v2], { onVersionChange: "pin", shared: true });
  const client = await opened.client([v1]);
  const run = await client.start(v1, undefined, { delay: "1h" });
  assertEquals((await opened.runner.explain(run.id)).reasons.map(({ kind }) => kind), ["timer", "version", "task"]);
});

test("under load that never ends, what was committed is let go of", async () => {
  // Each draft that is settled writes the next, as the tasks of many long runs do.
  let isOver = false;
  await using on = emptyStore("memory");
  const store = await openPlace(on);
  const committer = createCommitter({
    ...store,
    commit: ({ writes }) => Promise.resolve({ starts: [], writes: writes.map(() => "accepted") }),
  });
  const write = (): PendingWrite => {
    const settled = (): void => void (isOver || write());
    const draft: PendingWrite = {
      seq: 1,
      epoch: 1,
      records: [],
      move: undefined,
      isSent: false,
      onResult: settled,
      onDropped() {},
    };
    committer.write(draft);
    return draft;
  };
  const first = watched(write);
  for (let i = 0; i < 3_000; i++) write();
  const collect = collector();
  for (let i = 0; i < 100 && first.deref() !== undefined; i++) {
    await setImmediate();
    collect();
  }
  isOver = true;
  await committer.idle();
  await store.close();
  assertEquals(first.deref(), undefined);
});

// Of its own, so that no frame holds what it makes.
function watched<T extends object>(make: () => T): WeakRef<T> {
  return new WeakRef(make());
}
