/** What a runner counts: `metricsOf()`, which the inspector shows. */
import { assertEquals } from "@std/assert";
import type { Histogram } from "../../lib/engine/telemetry/histogram.ts";
import { metricsOf } from "../../lib/engine/client/client_context.ts";
import type { Metrics } from "../../lib/engine/telemetry/metrics.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { createRunner, DeferError, dynamicWorkflow, type RunEvent, workflow } from "../../mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";
import { never, open, untilAborted } from "./open.ts";

const mixed = workflow("mixed")
  .task("flaky", {
    retry: { attempts: 2, delay: 0 },
    run({ ctx }) {
      if (ctx.attempt === 1) throw new Error("not yet");
    },
  })
  .task("broken", { retry: 1, run: boom })
  .task("after", { after: ["broken"], run: () => 1 });

test("metricsOf() counts runs, and attempts and ends of tasks, by name", async () => {
  await using opened = await open([mixed]);
  for (let n = 0; n < 2; n++) await opened.clock.until(opened.runner.execute(mixed));
  const [counted] = read(opened.runner).workflows;
  const { seconds: _, ...runs } = counted!.runs;
  const none = { completed: 0, cancelled: 0, compensating: 0, waited: 0, handedBack: 0, leaseLost: 0, recovered: 0 };
  assertEquals([counted!.workflow, runs], ["mixed", { ...none, stranded: 0, started: 2, resumed: 0, failed: 2 }]);
  const [flaky, broken, after] = counted!.tasks.map(({ seconds, ...counts }) => ({ ...counts, timed: seconds.count }));
  const untried = { attempts: 0, completed: 0, failed: 0, skipped: 0, retries: 0, deferred: 0, blocked: 0, timed: 0 };
  const zero = { ...untried, compensated: 0, undoFailed: 0 };
  assertEquals(flaky, { ...zero, task: "flaky", attempts: 4, completed: 2, retries: 2, timed: 4 });
  assertEquals(broken, { ...zero, task: "broken", attempts: 2, failed: 2, timed: 2 });
  assertEquals(after, { ...zero, task: "after", skipped: 2 });
});

test("the counts of a runner match its events", async () => {
  await using opened = await open([mixed]);
  await opened.clock.until(opened.runner.execute(mixed));
  const told = (type: RunEvent["type"]): number => opened.events.filter((event) => event.type === type).length;
  const { runs, tasks } = read(opened.runner).workflows[0]!;
  const sum = (of: "attempts" | "completed" | "failed" | "skipped" | "retries"): number =>
    tasks.reduce((all, each) => all + each[of], 0);
  assertEquals([runs.started, runs.failed], [told("run.started"), told("run.failed")]);
  assertEquals(
    [sum("attempts"), sum("completed"), sum("failed"), sum("skipped"), sum("retries")],
    (["started", "completed", "failed", "skipped", "retrying"] as const).map((what) => told(`task.${what}`)),
  );
});

test("metricsOf() has the durations of runs and of attempts, also of failed ones", async () => {
  const slow = workflow("slow").task("work", {
    retry: { attempts: 2, delay: "1s", jitter: false },
    timeout: "20s",
    run: ({ ctx }) => ctx.attempt === 1 ? never() : new Promise<void>((done) => opened.clock.after(3_000, done)),
  });
  await using opened = await open([slow]);
  await opened.clock.until(opened.runner.execute(slow));
  const { runs, tasks } = read(opened.runner).workflows[0]!;
  assertEquals([tasks[0]!.seconds.count, tasks[0]!.seconds.sum], [2, 23]);
  assertEquals([2.5, 5, 10, 30, Infinity].map((le) => below(tasks[0]!.seconds, le)), [0, 1, 1, 2, 2]);
  assertEquals([runs.seconds.count, runs.seconds.sum, below(runs.seconds, 10)], [1, 24, 0]);
});

test("a run that waited elsewhere took as long as it was under way, and is counted where it ended", async () => {
  let isReady = false;
  const patient = workflow("patient").task("work", {
    run() {
      if (!isReady) throw new DeferError("1m");
    },
  });
  await using opened = await open([patient], { shared: true });
  const { id } = await opened.runner.start(patient);
  await opened.clock.settle();
  await opened.clock.until(opened.runner.stop());
  const first = read(opened.runner).workflows[0]!;
  isReady = true;
  const other = await opened.another([patient]);
  await opened.clock.until(other.get(id).result());
  const second = read(other).workflows[0]!;
  assertEquals([first.runs.started, first.runs.waited, first.tasks[0]!.deferred], [1, 1, 1]);
  assertEquals([second.runs.resumed, second.runs.completed, second.runs.seconds.sum], [1, 1, 60]);
});

test("a cancelled run, and one that is handed back, are counted so", async () => {
  const long = workflow("long").task("hang", { run: ({ ctx }) => untilAborted(ctx.signal) });
  await using opened = await open([long]);
  const run = await opened.runner.start(long);
  await opened.runner.start(long);
  await opened.clock.settle();
  await run.cancel();
  await opened.clock.until(opened.runner.stop({ timeout: 0 }));
  const { started, cancelled, handedBack, seconds } = read(opened.runner).workflows[0]!.runs;
  assertEquals([started, cancelled, handedBack, seconds.count], [2, 1, 1, 1]);
});

test("a runner whose lease expired counts that, and the runs that it lost", async () => {
  const long = workflow("long").task("hang", { run: ({ ctx }) => untilAborted(ctx.signal) });
  await using on = emptyStore("memory");
  const clock = createFakeClock();
  const store = await openPlace(on, { clock });
  const runner = await createRunner(store, { workflows: [long], clock });
  await runner.start(long);
  await clock.settle();
  for (const { id } of await store.runners()) await store.leave(id);
  await clock.advance("15s"); // in which it renews its lease
  const { leaseLosses, workflows } = read(runner);
  assertEquals([leaseLosses, workflows[0]!.runs.leaseLost], [1, 1]);
  assertEquals((await runner.stats()).runner?.done.leaseLosses, 1);
  await clock.until(runner.stop({ timeout: 0 }));
  await store.close();
});

test("metricsOf() counts the rows of commits: n + 2 for a run of n tasks", async () => {
  const chain = workflow("chain").task("a", { run: () => 1 }).task("b", { after: ["a"], run: () => 2 });
  await using opened = await open([chain]);
  await opened.runner.execute(chain);
  const { rows, seconds, failed } = read(opened.runner).commits;
  // The run; the first result; the second with the end.
  assertEquals([rows.count, rows.sum, below(rows, 1), below(rows, 2), failed], [3, 4, 2, 3, 0]);
  assertEquals(seconds.count, 3);
});

test("tasks and workflows beyond a limit are counted together", async () => {
  const wide = (name: string, width: number) =>
    dynamicWorkflow({ name, tasks: Array.from({ length: width }, (_, at) => ({ id: `t${at}`, run: () => at })) });
  const all = [wide("one", 499), wide("two", 3), wide("three", 2), wide("four", 1)];
  await using opened = await open(all);
  for (const each of all) await opened.runner.execute(each);
  const [one, two, rest, ...more] = read(opened.runner).workflows;
  assertEquals([one!.tasks.length, one!.tasks.at(-1)!.task], [499, "t498"]);
  assertEquals(two!.tasks.map(({ task, completed }) => [task, completed]), [["t0", 1], [undefined, 2]]);
  assertEquals([rest!.workflow, rest!.runs.completed, more], [undefined, 2, []]);
  assertEquals(rest!.tasks.map(({ task, completed }) => [task, completed]), [[undefined, 3]]);
});

test("a client counts nothing, and returned metrics do not change", async () => {
  await using opened = await open([mixed], { shared: true });
  const before = read(opened.runner);
  await opened.clock.until(opened.runner.execute(mixed));
  assertEquals([metricsOf(await opened.client([mixed])), before.workflows[0]!.runs.started], [undefined, 0]);
});

function read(runner: object): Metrics {
  const metrics = metricsOf(runner);
  if (metrics === undefined) throw new Error("nothing is known of this runner");
  return metrics;
}

function below({ buckets }: Histogram, bound: number): number | undefined {
  return buckets.find(({ le }) => le === bound)?.count;
}

function boom(): never {
  throw new Error("no");
}
