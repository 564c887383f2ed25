/** How runs share a runner: its slots, its event loop and the async context of its caller. */
import { assert, assertEquals } from "@std/assert";
import { AsyncLocalStorage } from "node:async_hooks";
import { setImmediate } from "node:timers";
import { createRunner, dynamicWorkflow, unchecked, workflow } from "../../mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { open, untilAborted } from "./open.ts";

test("a run with many ready tasks delays another run by one body, not by all of its own", async () => {
  const order: string[] = [];
  const body = (name: string) => async (): Promise<void> => {
    order.push(name);
    await Promise.resolve();
  };
  const large = dynamicWorkflow({
    name: "large",
    tasks: Array.from({ length: 60 }, (_, number) => ({ id: `t${number}`, run: body("large") })),
  });
  const small = workflow("small").task("only", { run: body("small") });
  await using opened = await open([large, small], { concurrency: 1 });
  const [first, second] = [opened.runner.execute(large), opened.runner.execute(small)];
  await opened.clock.until(Promise.all([first, second]));
  assert(order.indexOf("small") <= 2, `the small run was number ${order.indexOf("small") + 1} of ${order.length}`);
});

test("short bodies let the event loop turn", async () => {
  let turns = 0;
  let isOver = false;
  const turnsOfBodies = new Set<number>();
  const busy = workflow("busy", { input: unchecked<number>() }).task("spin", {
    run() {
      turnsOfBodies.add(turns);
      for (const until = performance.now() + 2; performance.now() < until;);
    },
  });
  await using store = emptyStore("memory");
  // With the clock of the machine: a fake clock does not advance while bodies run.
  await using runner = await createRunner(store.url, { workflows: [busy], durability: "process", ...store.options });
  const count = (): void => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  count();
  const runs = await runner.startMany(busy, Array.from({ length: 300 }, (_, number) => number));
  await Promise.all(runs.map((run) => run.result()));
  isOver = true;
  // 300 bodies of 2 ms, in turns of about 10 ms.
  assert(turnsOfBodies.size >= 30, `the bodies ran in ${turnsOfBodies.size} turns`);
});

test("a body sees the async context of no caller, whichever started or woke its run", async () => {
  const user = new AsyncLocalStorage<string>();
  const seen: (string | undefined)[] = [];
  const look = (): void => void seen.push(user.getStore());
  const flow = workflow("flow", { input: unchecked<string>() })
    .task("first", {
      async run({ ctx }) {
        look();
        await ctx.step("one", () => 1);
        if (ctx.attempt === 1) throw new Error("once more");
      },
      retry: { attempts: 2, delay: 5 },
    })
    .task("second", { after: ["first"], when: () => (look(), true), run: look, onSuccess: look });
  await using opened = await open([flow], { onEvent: look });
  // Now the runner is idle, and only the callers make it do something.
  await opened.clock.until(opened.runner.execute(flow, "nobody"));
  const ends = ["alice", "bob", "carol"].map((name) => user.run(name, () => opened.runner.execute(flow, name)));
  await opened.clock.until(Promise.all(ends));
  assertEquals([...new Set(seen)], [undefined]);
});

test("a body's own async context stays its own", async () => {
  const user = new AsyncLocalStorage<string>();
  const seen = new Map<string, string | undefined>();
  const flow = workflow("flow", { input: unchecked<string>() })
    .task("first", { run: ({ input, ctx }) => user.run(input, () => ctx.step("one", () => user.getStore() ?? "none")) })
    .task("second", { after: ["first"], run: ({ input }) => void seen.set(input, user.getStore()) });
  await using opened = await open([flow]);
  await opened.clock.until(Promise.all(["a", "b"].map((name) => opened.runner.execute(flow, name))));
  assertEquals([...seen], [["a", undefined], ["b", undefined]]);
});

test("runners share a burst by their slots, and not by the runs that they could hold", async () => {
  const slow = workflow("slow", { input: unchecked<number>() }).task("wait", {
    run: () => new Promise<void>((resolve) => void opened.clock.after(1_000, resolve)),
  });
  await using opened = await open([slow], { shared: true, concurrency: 4 });
  const other = await opened.another([slow], { concurrency: 4 });
  const client = await opened.client([slow]);
  const runs = await client.startMany(slow, Array.from({ length: 40 }, (_, number) => number));
  await opened.clock.advance(500);
  const held = await Promise.all([opened.runner, other].map(async (runner) => (await runner.stats()).runner?.runs));
  assertEquals(held, [4, 4]);
  await opened.clock.until(Promise.all(runs.map((run) => run.result())));
});

test("a warning says when all slots are taken by bodies that wait for runs without a slot", async () => {
  const inner = workflow("inner").task("work", { run: () => 1 });
  const outer = workflow("outer", { input: unchecked<number>() }).task("wait", {
    run: async ({ ctx }) => {
      void opened.runner.execute(inner);
      await untilAborted(ctx.signal);
    },
  });
  await using opened = await open([inner, outer], { concurrency: 2 });
  const runs = await opened.runner.startMany(outer, [1, 2]);
  await opened.clock.advance("29s");
  const warnings = () =>
    opened.lines.filter(({ message }) => message.startsWith("All 2 slots have been taken for 30 s"));
  assertEquals(warnings().length, 0);
  await opened.clock.advance("2m");
  assertEquals(warnings().length, 1);
  await Promise.all(runs.map((run) => run.cancel()));
});
