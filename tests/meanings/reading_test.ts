/** What can be read of runs: their state, their tasks, lists of them, and why one is not further. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { DeferError, RunNotFoundError, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { never, open, untilAborted } from "./open.ts";

const quick = workflow("quick", { tags: ["fast"] }).task("go", { run: () => "went" });
const slow = workflow("slow").task("hang", { run: ({ ctx }) => untilAborted(ctx.signal) }).task("last", {
  after: ["hang"],
  run: () => 1,
});
const failing = workflow("failing").task("call", {
  retry: { attempts: 2, delay: "1h", maxDelay: "1h", jitter: false },
  run: () => Promise.reject(new Error("the server is down")),
});

test("status() returns the state of a run with its data", async () => {
  await using opened = await open([quick]);
  const start = opened.clock.now();
  const run = await opened.runner.start(quick, undefined, { key: "k", priority: 3, timeout: "1h" });
  await run.outcome();
  assertEquals(await run.status(), {
    id: run.id,
    workflow: "quick",
    version: quick.version,
    state: "completed",
    key: "k",
    keyScope: "ever",
    debounce: undefined,
    priority: 3,
    tags: ["fast"],
    createdAt: start,
    startedAt: start,
    endedAt: start,
    dueAt: undefined,
    deadlineAt: start + 3_600_000,
    error: undefined,
    reason: undefined,
    crashes: 0,
    forkedFrom: undefined,
    schedule: undefined,
    tick: undefined,
    input: undefined,
  });
});

test("tasks() returns state, attempts, times, output and errors of each task in the order of definition", async () => {
  let finish = (): void => {};
  const timed = workflow("timed")
    .task("late", { after: [], run: () => new Promise<string>((resolve) => finish = () => resolve("done")) })
    .task("early", { run: () => 1 });
  await using opened = await open([timed]);
  const start = opened.clock.now();
  const run = await opened.runner.start(timed);
  await opened.clock.advance("3s");
  assertEquals((await run.tasks()).map(({ id, state }) => `${id} ${state}`), ["late running", "early completed"]);
  finish();
  await run.outcome();
  const [late] = await run.tasks();
  const { state, attempts, startedAt, endedAt, output, error, failures, after, kind } = late!;
  assertEquals({ state, attempts, startedAt, endedAt, output, error, failures, after, kind }, {
    state: "completed",
    attempts: 1,
    startedAt: start,
    endedAt: start + 3_000,
    output: "done",
    error: undefined,
    failures: [],
    after: [],
    kind: "task",
  });
});

test("list() gives the newest first, by pages that neither repeat nor miss a run", async () => {
  await using opened = await open([quick]);
  const started = await opened.runner.startMany(quick, Array.from({ length: 25 }, () => undefined));
  const seen: string[] = [];
  let pages = 0;
  for (let cursor: string | undefined = ""; cursor !== undefined; pages++) {
    const page = await opened.runner.list({ limit: 10, ...(cursor === "" ? {} : { cursor }) });
    seen.push(...page.runs.map(({ id }) => id));
    // What is started meanwhile belongs to no later page.
    await opened.runner.start(quick);
    cursor = page.cursor;
  }
  assertEquals([pages, seen], [3, started.map(({ id }) => id).toReversed()]);
});

test("list() chooses by workflow, state, tags and time", async () => {
  await using opened = await open([quick, slow]);
  const first = opened.clock.now();
  await opened.runner.execute(quick, undefined, { tags: ["eu", "vip"] });
  await opened.clock.advance("1m");
  await opened.runner.execute(quick, undefined, { tags: ["eu"] });
  await opened.runner.start(slow, undefined, { tags: ["eu"], delay: "1h" });
  const count = async (query: Parameters<typeof opened.runner.list>[0]): Promise<number> =>
    (await opened.runner.list(query)).runs.length;
  assertEquals(await count({ workflow: "quick" }), 2);
  assertEquals(await count({ state: "pending" }), 1);
  assertEquals(await count({ state: ["pending", "completed"] }), 3);
  assertEquals(await count({ tags: ["eu"] }), 3);
  assertEquals(await count({ tags: ["eu", "vip"] }), 1);
  assertEquals(await count({ tags: ["e"] }), 0);
  assertEquals(await count({ since: first + 1 }), 2);
  assertEquals(await count({ until: new Date(first + 1) }), 1);
  assertEquals(await count({ workflow: "quick", state: "failed" }), 0);
});

for (
  const [what, query] of [
    ["an unknown state", { state: "done" }],
    ["a cursor of its own making", { cursor: "1; drop table runs" }],
    ["a limit of 0", { limit: 0 }],
    ["a limit beyond a thousand", { limit: 1_001 }],
    ["an unknown option", { workflows: "quick" }],
  ] as const
) {
  test(`list() refuses ${what}`, async () => {
    await using opened = await open([quick]);
    await assertRejects(() => opened.runner.list(query as never), TypeError, "Cannot list runs");
  });
}

test("every method of a missing run rejects with RunNotFoundError", async () => {
  await using opened = await open([quick]);
  const error = await assertRejects(() => opened.runner.get("nowhere").status(), RunNotFoundError, '"nowhere"');
  assertEquals(error.runId, "nowhere");
  await assertRejects(() => opened.runner.explain("nowhere"), RunNotFoundError);
});

test("explain() names the task that runs, and who waits for it", async () => {
  await using opened = await open([slow]);
  const run = await opened.runner.start(slow);
  await opened.clock.advance("1s");
  const { state, summary } = await opened.runner.explain(run.id);
  assertEquals([state, summary], ["running", 'task "hang" is running (attempt 1); task "last" waits for "hang"']);
});

test("explain() names the error and the time of a retry", async () => {
  await using opened = await open([failing]);
  const run = await opened.runner.start(failing);
  await opened.clock.settle();
  const { reasons } = await opened.runner.explain(run.id);
  const timer = reasons.find(({ taskId }) => taskId === "call");
  assertEquals(timer?.message, 'task "call" failed (the server is down) and is retried in 60 min');
  assertEquals(timer?.dueAt, opened.clock.now() + 3_600_000);
});

test("explain() distinguishes a deferral from a retry", async () => {
  const patient = workflow("patient").task("look", {
    run: () => {
      throw new DeferError("10m");
    },
  });
  await using opened = await open([patient]);
  const run = await opened.runner.start(patient);
  await opened.clock.settle();
  const { summary } = await opened.runner.explain(run.id);
  assert(summary.includes('task "look" was deferred and runs again in 10 min'), summary);
});

test("explain() says that a run is not due, paused, being cancelled, or over", async () => {
  const stubborn = workflow("stubborn").task("hang", { run: never });
  await using opened = await open([quick, stubborn]);
  const run = await opened.runner.start(quick, undefined, { delay: "30s" });
  const summary = async (): Promise<string> => (await opened.runner.explain(run.id)).summary;
  assert((await summary()).includes("in 30 s"), await summary());
  await run.pause("lunch");
  assert((await summary()).includes("the run is paused (lunch)"), await summary());
  await run.cancel("no more");
  assertEquals(await summary(), "the run ended as cancelled (no more)");
  const hanging = await opened.runner.start(stubborn);
  await opened.clock.settle();
  await hanging.cancel();
  assertEquals((await opened.runner.explain(hanging.id)).reasons[0]?.kind, "cancelling");
});

test("explain() says when runners have no room", async () => {
  await using opened = await open([slow], { maxRuns: 1 });
  await opened.runner.start(slow);
  const second = await opened.runner.start(slow);
  await opened.clock.settle();
  assertEquals((await opened.runner.explain(second.id)).reasons[0]?.kind, "limit");
});

test("explain() says that no runner has the workflow, or that there is no runner", async () => {
  await using opened = await open([quick], { shared: true });
  const client = await opened.client([slow]);
  const run = await client.start(slow);
  assertEquals((await client.explain(run.id)).summary.split(";")[0], 'no live runner has workflow "slow"');
  await opened.runner.stop();
  assertEquals((await client.explain(run.id)).reasons[0], { kind: "runner", message: "no runner is alive" });
});

test("stranded() lists runs that no runner can take, and not those that merely wait", async () => {
  await using opened = await open([quick], { shared: true });
  const client = await opened.client([slow, quick]);
  await client.start(quick, undefined, { delay: "1h" });
  const lost = await client.start(slow);
  assertEquals(await opened.runner.stranded(), [{
    id: lost.id,
    workflow: "slow",
    version: slow.version,
    reason: 'no live runner has workflow "slow"',
  }]);
  await opened.another([slow]);
  assertEquals(await opened.runner.stranded(), []);
});

test("stats() counts runs by state, and what the runner holds and has done", async () => {
  await using opened = await open([quick, slow], { concurrency: 2 });
  await opened.runner.execute(quick);
  for (let n = 0; n < 3; n++) await opened.runner.start(slow);
  await opened.runner.start(quick, undefined, { delay: "1h" });
  await opened.clock.settle();
  const { runs, runner } = await opened.runner.stats();
  assertEquals(runs, {
    pending: 1,
    running: 3,
    waiting: 0,
    paused: 0,
    compensating: 0,
    completed: 1,
    failed: 0,
    cancelled: 0,
  });
  const done = {
    runs: { completed: 1, failed: 0, cancelled: 0 },
    tasks: { completed: 1, failed: 0, skipped: 0 },
    retries: 0,
    leaseLosses: 0,
    ticks: { started: 0, overlapped: 0, missed: 0, failed: 0 },
    checks: { completed: 0, failed: 0 },
  };
  assertEquals(runner, { runs: 3, active: 2, queued: 1, done });
});
