/** Limits of tasks, items and workflows: how many are active at once, or begin in a period. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { silent } from "../../lib/logger.ts";
import { createClient, LimitReachedError, NonRetryableError, type Store, unchecked, workflow } from "../../mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";
import { open } from "./open.ts";

/** Counts how many bodies are active, and the most that were so at once, by key. */
function meter() {
  const active = new Map<string, number>();
  const most = new Map<string, number>();
  const starts: number[] = [];
  return {
    most: (key = "") => most.get(key) ?? 0,
    starts,
    async during(work: () => Promise<unknown>, key = "", at = 0): Promise<void> {
      const count = (active.get(key) ?? 0) + 1;
      active.set(key, count);
      most.set(key, Math.max(most.get(key) ?? 0, count));
      starts.push(at);
      try {
        await work();
      } finally {
        active.set(key, active.get(key)! - 1);
      }
    },
  };
}

test("at most as many bodies of a task run at once as its limit has places", async () => {
  const met = meter();
  let pause = (): Promise<unknown> => Promise.resolve();
  const w = workflow("w").task("a", { limits: [{ max: 2 }], run: () => met.during(pause) });
  await using opened = await open([w]);
  const { runner, clock } = opened;
  pause = () => new Promise((resolve) => clock.after(100, () => resolve(undefined)));
  const outcomes = Promise.all(Array.from({ length: 9 }, () => runner.execute(w)));
  const ended = await clock.until(outcomes, "20s");
  assertEquals(ended.map(({ status }) => status), Array.from({ length: 9 }, () => "completed"));
  assertEquals(met.most(), 2);
  assertEquals(await runner.limits(), []);
});

test("each key of a limit has its own places, and a failed attempt gives its place back", async () => {
  const met = meter();
  let pause = (): Promise<unknown> => Promise.resolve();
  const w = workflow("w", { input: unchecked<string>() }).task("a", {
    limits: [{ max: 1, key: ({ input }) => input }],
    retry: { attempts: 2, delay: "1s", jitter: false },
    run: async ({ input, ctx }) => {
      await met.during(pause, input);
      if (ctx.attempt === 1) throw new Error("again");
    },
  });
  await using opened = await open([w]);
  const { runner, clock } = opened;
  pause = () => new Promise((resolve) => clock.after(100, () => resolve(undefined)));
  const outcomes = Promise.all(["x", "x", "x", "y", "y", "z"].map((key) => runner.execute(w, key)));
  const ended = await clock.until(outcomes, "30s");
  assertEquals(ended.map(({ status }) => status), Array.from({ length: 6 }, () => "completed"));
  assertEquals(["x", "y", "z"].map((key) => met.most(key)), [1, 1, 1]);
});

test("the limits of a map bound its items, each with its own key", async () => {
  const met = meter();
  let pause = (): Promise<unknown> => Promise.resolve();
  const w = workflow("w").map("m", {
    over: () => Array.from({ length: 30 }, (_, at) => at),
    limits: [{ name: "all", max: 5 }, { name: "half", max: 2, key: ({ item }) => item % 2 === 0 ? "even" : "odd" }],
    run: ({ item }) => met.during(() => met.during(pause), item % 2 === 0 ? "even" : "odd").then(() => item),
  }).returns("m");
  await using opened = await open([w]);
  const { runner, clock } = opened;
  pause = () => new Promise((resolve) => clock.after(100, () => resolve(undefined)));
  const ended = await clock.until(runner.execute(w), "60s");
  assertEquals(ended.status === "completed" && ended.result, Array.from({ length: 30 }, (_, at) => at));
  assertEquals([met.most(), met.most("even"), met.most("odd")], [4, 2, 2]);
});

test("a limit of rate holds over any period of its length, and what waits starts evenly", async () => {
  const starts: number[] = [];
  let now = (): number => 0;
  const w = workflow("w").map("m", {
    over: () => Array.from({ length: 25 }, (_, at) => at),
    limits: [{ max: 5, per: "10s" }],
    run: () => void starts.push(now()),
  });
  await using opened = await open([w]);
  const { runner, clock } = opened;
  now = () => clock.now();
  assertEquals((await clock.until(runner.execute(w), "2m")).status, "completed");
  for (const from of starts) assert(starts.filter((at) => at >= from && at < from + 10_000).length <= 5, starts.join());
  assert(starts.at(-1)! - starts[0]! <= 48_100, `the last began after ${starts.at(-1)! - starts[0]!} ms`);
  const later = starts.slice(6).map((at, i) => at - starts[i + 5]!);
  assert(later.every((ms) => ms >= 1_500), later.join());
});

test("a subworkflow keeps its place until its child run has ended", async () => {
  let live = 0;
  let most = 0;
  const child = workflow("child")
    .task("begin", { run: () => void (most = Math.max(most, ++live)) })
    .sleep("wait", { after: ["begin"], for: "1h" })
    .task("end", { after: ["wait"], run: () => void live-- });
  const parent = workflow("parent").subworkflow("run", { workflow: child, limits: [{ max: 2 }] });
  await using opened = await open([child, parent]);
  const { runner, clock } = opened;
  const outcomes = Promise.all(Array.from({ length: 5 }, () => runner.execute(parent)));
  const ended = await clock.until(outcomes, "5h");
  assertEquals(ended.map(({ status }) => status), Array.from({ length: 5 }, () => "completed"));
  assertEquals(most, 2);
});

test("a run counts against the limits of its workflow until it has ended, also while it sleeps", async () => {
  let live = 0;
  let most = 0;
  const w = workflow("w", { limits: [{ max: 2 }] })
    .task("begin", { run: () => void (most = Math.max(most, ++live)) })
    .sleep("wait", { after: ["begin"], for: "1h" })
    .task("end", { after: ["wait"], run: () => void live-- });
  await using opened = await open([w]);
  const { runner, clock } = opened;
  const runs = await Promise.all(Array.from({ length: 5 }, () => runner.start(w)));
  await clock.advance("10s");
  const states = await Promise.all(runs.map(async (run) => (await run.status()).state));
  assertEquals(states.filter((state) => state === "waiting").length, 5);
  await clock.until(Promise.all(runs.map((run) => run.outcome())), "5h");
  assertEquals(most, 2);
  assertEquals(await runner.limits(), []);
});

test("the key of a workflow's limit is a function of its input, and a backlog of one key delays no other", async () => {
  const order: string[] = [];
  const w = workflow("w", { input: unchecked<string>(), limits: [{ max: 1, key: ({ input }) => input.slice(0, 1) }] })
    .sleep("wait", { for: "1m" })
    .task("note", { after: ["wait"], run: ({ input }) => void order.push(input) });
  await using opened = await open([w]);
  const { runner, clock } = opened;
  await runner.startMany(w, Array.from({ length: 50 }, (_, at) => `a${at}`));
  const [b, c] = [await runner.start(w, "b"), await runner.start(w, "c")];
  await clock.until(Promise.all([b.outcome(), c.outcome()]), "2m");
  assertEquals(order.toSorted(), ["a0", "b", "c"]);
});

test("a start rejects if its workflow does not wait for a place, and leaves nothing behind", async () => {
  const w = workflow("w", { limits: [{ name: "one", max: 1 }], whenFull: "reject" }).sleep("wait", { for: "1h" });
  const parent = workflow("parent").subworkflow("child", { workflow: w });
  await using opened = await open([w, parent]);
  const { runner, clock } = opened;
  const first = await runner.start(w, undefined, { key: "k" });
  const error = await assertRejects(
    () => runner.start(w, undefined, { key: "other" }),
    LimitReachedError,
    'Cannot start workflow "w": its limit "one" has no free slot',
  );
  assertEquals([error.limit, error.workflow, error.code], ["one", "w", "limit_reached"]);
  assertEquals((await runner.start(w, undefined, { key: "k" })).id, first.id);
  assertEquals((await runner.list()).runs.map(({ id }) => id), [first.id]);
  const outcome = await clock.until(runner.execute(parent), "10s");
  assert(outcome.status === "failed");
  assert(JSON.stringify(outcome.failures).includes("limit_reached"), JSON.stringify(outcome.failures));
  await clock.until(first.outcome(), "2h");
  assertEquals((await runner.start(w, undefined, { key: "other" })).isNew, true);
});

test("a new run replaces the oldest one if its workflow says so", async () => {
  const w = workflow("w", { input: unchecked<number>(), limits: [{ max: 1 }], whenFull: "replace" })
    .sleep("wait", { for: "1h" })
    .task("end", { after: ["wait"], run: ({ input }) => input })
    .returns("end");
  await using opened = await open([w]);
  const { runner, clock } = opened;
  const runs = [];
  for (const input of [1, 2, 3]) {
    runs.push(await runner.start(w, input));
    await clock.advance("1s");
  }
  const states = await Promise.all(runs.slice(0, 2).map(async (run) => (await run.status()).state));
  assertEquals(states, ["cancelled", "cancelled"]);
  assertEquals(await clock.until(runs[2]!.result(), "2h"), 3);
});

test("the function of a limit that throws, or returns no key, fails its own task or start", async () => {
  const bad = workflow("bad", { input: unchecked<unknown>() })
    .task("a", {
      limits: [{ max: 1, key: ({ input }) => input as string }],
      retry: { attempts: 3, delay: "1s" },
      run: () => 1,
    });
  const started = workflow("started", {
    input: unchecked<unknown>(),
    limits: [{
      max: 1,
      key: () => {
        throw new Error("no key");
      },
    }],
  }).task("a", { run: () => 1 });
  await using opened = await open([bad, started]);
  const { runner, clock } = opened;
  const outcome = await clock.until(runner.execute(bad, 7), "10s");
  assert(outcome.status === "failed");
  assertEquals(outcome.failures.map(({ attempt }) => attempt), [1]);
  assert(outcome.failures[0]!.error.message.includes('limit "bad/a"'), outcome.failures[0]!.error.message);
  await assertRejects(() => runner.start(started, 1), TypeError, "no key");
  assertEquals((await clock.until(runner.execute(bad, "fine"), "10s")).status, "completed");
});

test("limits with one name are shared by tasks and workflows, and need one number", async () => {
  const met = meter();
  let pause = (): Promise<unknown> => Promise.resolve();
  const shared = { name: "api", max: 1 } as const;
  const one = workflow("one").task("a", { limits: [shared], run: () => met.during(pause) });
  const two = workflow("two")
    .task("b", { limits: [shared], run: () => met.during(pause) })
    .task("c", { limits: [shared], run: () => met.during(pause) });
  await using opened = await open([one, two]);
  const { runner, clock } = opened;
  pause = () => new Promise((resolve) => clock.after(100, () => resolve(undefined)));
  await clock.until(Promise.all([runner.execute(one), runner.execute(two), runner.execute(one)]), "20s");
  assertEquals(met.most(), 1);
  const other = workflow("three").task("a", { limits: [{ name: "api", max: 2 }], run: () => 1 });
  await assertRejects(() => open([one, other]), TypeError, 'limit "api"');
});

test("a run that is cancelled or paused while it waits for a place gives its turn to others", async () => {
  let pause = (): Promise<unknown> => Promise.resolve();
  const order: number[] = [];
  const w = workflow("w", { input: unchecked<number>() }).task("a", {
    limits: [{ max: 1 }],
    run: async ({ input }) => {
      order.push(input);
      await pause();
    },
  });
  await using opened = await open([w]);
  const { runner, clock } = opened;
  pause = () => new Promise((resolve) => clock.after(10_000, () => resolve(undefined)));
  const runs = [];
  for (let at = 0; at < 4; at++) {
    runs.push(await runner.start(w, at));
    await clock.advance("100ms");
  }
  await runs[1]!.cancel();
  await runs[2]!.pause();
  await clock.until(Promise.all([runs[0]!.outcome(), runs[3]!.outcome()]), "40s");
  assertEquals(order, [0, 3]);
  await runs[2]!.resume();
  await clock.until(runs[2]!.outcome(), "40s");
  assertEquals(order, [0, 3, 2]);
  assertEquals(await runner.limits(), []);
});

test("a run that is delayed, started by a client or in a transaction, or retried waits for its slot, too", async () => {
  let live = 0;
  let most = 0;
  let isBroken = true;
  const w = workflow("w", { limits: [{ max: 1 }] })
    .task("begin", { run: () => void (most = Math.max(most, ++live)) })
    .sleep("wait", { after: ["begin"], for: "1m" })
    .task("end", {
      after: ["wait"],
      run: () => {
        live--;
        if (isBroken) throw new NonRetryableError("broken");
      },
    });
  await using opened = await open([w], { shared: true });
  const { runner, clock } = opened;
  const client = await opened.client([w]);
  const runs = [
    await client.start(w, undefined, { delay: "10s" }),
    await client.start(w),
    await runner.start(w, undefined, { delay: "20s" }),
    await client.start(w, undefined, { debounce: { key: "d", delay: "5s" } }),
  ];
  const outcomes = await clock.until(Promise.all(runs.map((run) => run.outcome())), "1h");
  assertEquals(outcomes.map(({ status }) => status), ["failed", "failed", "failed", "failed"]);
  isBroken = false;
  for (const run of runs.slice(0, 2)) await run.retry();
  const again = await clock.until(Promise.all(runs.slice(0, 2).map((run) => run.outcome())), "1h");
  assertEquals(again.map(({ status }) => status), ["completed", "completed"]);
  assertEquals(most, 1);
});

test("runs that wait for a limit that a new version has removed continue as slots become free", async () => {
  const order: string[] = [];
  const limited = (limits: readonly { readonly max: number }[]) =>
    [
      workflow("runs", { input: unchecked<number>(), limits })
        .sleep("wait", { for: "1m" })
        .task("end", { after: ["wait"], run: ({ input }) => void order.push(`run ${input}`) }),
      workflow("tasks", { input: unchecked<number>() })
        .task("end", { limits, run: ({ input, ctx }) => ctx.attempt > 0 && void order.push(`task ${input}`) }),
    ] as const;
  await using opened = await open([...limited([{ max: 1 }])], { shared: true });
  const { runner, clock } = opened;
  const busy = workflow("busy").task("hold", {
    limits: [{ name: "tasks/end", max: 1 }],
    run: () => new Promise<void>((resolve) => clock.after(30_000, resolve)),
  });
  const other = await opened.another([busy]);
  const holding = other.execute(busy);
  await clock.advance("1s");
  const runs = [];
  for (const input of [1, 2]) runs.push(await runner.start("runs", input), await runner.start("tasks", input));
  await clock.advance("1s");
  assertEquals(order, []);
  await clock.until(runner.stop());
  await opened.another([...limited([])]);
  await clock.until(Promise.all([holding, ...runs.map((run) => other.get(run.id).outcome())]), "10m");
  assertEquals(order.toSorted(), ["run 1", "run 2", "task 1", "task 2"]);
});

test("maps with limits of thousands of items keep the event loop free and end in order", async () => {
  let running = 0;
  let most = 0;
  const w = workflow("w").map("m", {
    over: () => Array.from({ length: 3_000 }, (_, at) => at),
    limits: [{ max: 100 }],
    run: async ({ item }) => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      return item;
    },
  }).returns("m");
  await using opened = await open([w]);
  const { runner, clock } = opened;
  const outcome = await clock.until(runner.execute(w), "10m");
  assertEquals(outcome.status === "completed" && outcome.result.length, 3_000);
  assert(most <= 100 && most > 1, `${most} at once`);
  assertEquals(await runner.limits(), []);
});

test("a start by a client whose slots cannot be requested at first succeeds once they can, and is logged once", async () => {
  await using on = emptyStore("memory");
  const store = await openPlace(on);
  let calls = 0;
  const failing = <T>(call: () => Promise<T>): Promise<T> =>
    ++calls % 3 === 0 ? call() : Promise.reject(new Error("permission denied"));
  const { limits } = store;
  const broken: Store = {
    ...store,
    limits: {
      ...limits,
      deploy: (rules, by) => failing(() => limits.deploy(rules, by)),
      exchange: (request) => failing(() => limits.exchange(request)),
    },
  };
  const narrow = workflow("narrow", { limits: [{ max: 1 }], whenFull: "reject" }).task("a", { run: () => 1 });
  const lines: string[] = [];
  const logger = { ...silent, error: (line: string) => void lines.push(line) };
  const client = await createClient(broken, { workflows: [narrow], logger });
  await client.start(narrow);
  await assertRejects(() => client.start(narrow), LimitReachedError);
  assertEquals(lines, Array(2).fill("Cannot request slots of limits for started runs; retrying"));
  await client.stop();
  await store.close();
});
