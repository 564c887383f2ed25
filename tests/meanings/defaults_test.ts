/** The option `defaults` of a runner: policies of tasks that state none. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { createRunner, type DynamicTask, dynamicWorkflow, RetryAfterError, unchecked, workflow } from "../../mod.ts";
import { createInspector } from "../../lib/inspector/mod.ts";
import { test } from "../harness.ts";
import { never, open } from "./open.ts";

function fail(): never {
  throw new Error("down");
}

test("tasks that state no retry have that of the defaults, and the others their own", async () => {
  const times = new Map<string, number[]>();
  const failing = (name: string) => (): void => {
    times.set(name, [...times.get(name) ?? [], opened.clock.now()]);
    fail();
  };
  const sync = workflow("sync")
    .task("default", { run: failing("default") })
    .task("stated", { retry: { attempts: 2, delay: 0 }, run: failing("stated") })
    .task("once", { guarantee: "atMostOnce", run: failing("once") })
    .map("items", { over: () => [1], run: failing("items") })
    .map("over", { over: (): number[] => fail(), run: ({ item }) => item });
  await using opened = await open([sync], {
    defaults: { retry: { attempts: 4, backoff: "fixed", delay: "10s", jitter: false } },
  });
  const run = await opened.runner.start(sync);
  assertEquals((await opened.clock.until(run.outcome())).status, "failed");
  const delays = (name: string): number[] => times.get(name)!.map((time) => time - times.get(name)![0]!);
  assertEquals(delays("default"), [0, 10_000, 20_000, 30_000]);
  assertEquals(delays("items"), [0, 10_000, 20_000, 30_000]);
  assertEquals(delays("stated"), [0, 0]);
  assertEquals(delays("once"), [0]);
  assertEquals((await run.tasks()).find(({ id }) => id === "over")?.attempts, 4);
});

test("attempts of tasks and items that state no timeout have that of the defaults", async () => {
  const slow = workflow("slow")
    .task("default", { run: never })
    .task("stated", { timeout: "2s", run: never })
    .map("items", { over: () => [1], run: never })
    .event("approval", { schema: unchecked<string>() })
    .sleep("pause", { for: "3s" })
    .task("step", { timeout: "10s", run: ({ ctx }) => ctx.step("long", () => later("4s")) });
  const later = async (duration: "4s"): Promise<string> => {
    await new Promise<void>((resolve) => void opened.clock.after(4_000, resolve));
    return duration;
  };
  await using opened = await open([slow], { defaults: { retry: 1, timeout: "1s" } });
  const run = await opened.runner.start(slow);
  await opened.clock.advance("5s");
  await run.send("approval", "yes");
  assertEquals((await opened.clock.until(run.outcome())).status, "failed");
  const tasks = await run.tasks();
  const of = (id: string) => tasks.find((task) => task.id === id)!;
  assertEquals(of("default").error?.message, 'Task "default" took longer than its timeout of 1000 ms');
  assertEquals(of("stated").error?.message, 'Task "stated" took longer than its timeout of 2000 ms');
  assertEquals(of("items").error?.message.includes("timeout of 1000 ms"), true);
  assertEquals([of("approval").state, of("pause").state, of("step").output], ["completed", "completed", "4s"]);
});

test("retryIf and RetryAfterError mean the same in a default as in a task", async () => {
  const calls = { wanted: 0, unwanted: 0 };
  const both = workflow("both")
    .task("wanted", {
      run() {
        if (++calls.wanted === 1) throw new RetryAfterError(0, "soon");
      },
    })
    .task("unwanted", { run: () => (calls.unwanted++, fail()) });
  await using opened = await open([both], {
    defaults: { retry: { attempts: 3, delay: 0, retryIf: (error) => error instanceof RetryAfterError } },
  });
  await opened.clock.until(opened.runner.execute(both));
  assertEquals(calls, { wanted: 2, unwanted: 1 });
});

test("the workflows of child runs and generated workflows have the defaults as well", async () => {
  let calls = 0;
  const child = workflow("child").task("work", {
    run() {
      if (++calls < 5) fail();
      return calls;
    },
  });
  const tasks: readonly DynamicTask[] = [{ id: "child", kind: "subworkflow", workflow: child }];
  const parent = dynamicWorkflow({ name: "parent", tasks });
  await using opened = await open([parent], { defaults: { retry: { attempts: 5, delay: 0 } } });
  const outcome = await opened.clock.until(opened.runner.execute(parent));
  assertEquals(outcome.outputs, { child: { work: 5 } });
});

test("the defaults are not part of a version: a run continues with those of the runner that executes it", async () => {
  let calls = 0;
  const flaky = workflow("flaky").task("work", { run: () => (calls++, fail()) });
  await using opened = await open([flaky], {
    shared: true,
    defaults: { retry: { attempts: 9, delay: "1m", maxDelay: "1m", jitter: false } },
  });
  const run = await opened.runner.start(flaky);
  const { version } = await run.status();
  await opened.clock.settle();
  await opened.runner.stop();
  const next = await opened.another([flaky], { defaults: { retry: { attempts: 2, delay: 0 } } });
  assertEquals((await opened.clock.until(next.get(run.id).outcome())).status, "failed");
  assertEquals([calls, version], [2, flaky.version]);
});

test("the inspector of a runner shows the policies with which it executes tasks", async () => {
  const shown = workflow("shown")
    .task("default", { run: () => 1 })
    .task("stated", { retry: 2, timeout: "2s", run: () => 1 })
    .sleep("pause", { for: 0 });
  await using opened = await open([shown], { shared: true, defaults: { retry: 7, timeout: "7s" } });
  const client = await opened.client([shown]);
  const policies = async (of: Parameters<typeof createInspector>[0]): Promise<unknown> => {
    const { fetch } = createInspector(of, { authorize: () => true });
    const response = await fetch(new Request("http://localhost/api/workflows/shown"));
    assertEquals(response.status, 200);
    const { graph }: { graph: { tasks: { id: string; attempts?: number; timeoutMs?: number }[] } } = await response
      .json();
    return graph.tasks.map(({ id, attempts, timeoutMs }) => [id, attempts, timeoutMs]);
  };
  const stated = [["stated", 2, 2_000], ["pause", 1, undefined]];
  assertEquals(await policies(opened.runner), [["default", 7, 7_000], ...stated]);
  // A client does not know the defaults of the runners.
  assertEquals(await policies(client), [["default", undefined, undefined], ...stated]);
});

test("wrong defaults are refused when the runner is created, all at once and by name", async () => {
  const quick = workflow("quick").task("work", { run: () => 1 });
  const refused = async (defaults: unknown): Promise<string> => {
    const options: object = { workflows: [quick], defaults };
    const error = await createRunner("sqlite::memory:", options as never).then(() => undefined, (error) => error);
    assertInstanceOf(error, TypeError);
    return error.message;
  };
  assertEquals(
    await refused({ retry: 0, timeout: "soon", retries: 3 }),
    'Cannot create a runner: defaults: unknown option "retries" (did you mean "retry"?); ' +
      "defaults.retry: attempts must be a positive integer, not 0; " +
      'defaults.timeout is not a duration: "soon" (use milliseconds or "250ms", "30s", "5m", "2h", "7d")',
  );
  assert((await refused({ timeout: 0 })).endsWith("defaults.timeout must be longer than zero"));
  assert((await refused(5)).endsWith("defaults must be an object, not 5"));
  await assertRejects(
    () => createRunner("sqlite::memory:", { workflows: [quick], default: {} } as never),
    TypeError,
    'unknown option "default" (did you mean "defaults"?)',
  );
});
