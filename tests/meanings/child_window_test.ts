/** How many child runs of a map without `concurrency` are live at once, whatever happens to it. */
import { assert, assertEquals } from "@std/assert";
import { unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { open, type Opened, untilAborted } from "./open.ts";

const TOTAL = 2_100;
const AT_ONCE = 1_000;
/** All bodies run at once. */
const OPTIONS = { concurrency: 2 * AT_ONCE, maxRuns: 2 * AT_ONCE };
const FAILING = 700;

test("at most 1,000 child runs of a map are live at once, and others are inserted as these end", async () => {
  const { family, waiting, open: openGate } = gatedFamily();
  await using opened = await open([family], OPTIONS);
  const run = await opened.runner.start(family);
  const counts = [];
  for (const expected of [AT_ONCE, AT_ONCE, TOTAL - 2 * AT_ONCE]) {
    await opened.clock.until(waiting(expected));
    await opened.clock.settle();
    const { live, ended } = await childrenOf(opened.runner);
    counts.push([live, ended]);
    openGate();
  }
  assertEquals(counts, [[AT_ONCE, 0], [AT_ONCE, AT_ONCE], [TOTAL - 2 * AT_ONCE, 2 * AT_ONCE]]);
  assertEquals(await opened.clock.until(run.result()), TOTAL);
  assertEquals((await childrenOf(opened.runner)).ended, TOTAL);
});

test("a cancel ends the live child runs of a map, and no others are inserted", async () => {
  const { family, waiting, open: openGate } = gatedFamily();
  await using opened = await open([family], OPTIONS);
  const run = await opened.runner.start(family);
  await opened.clock.until(waiting(AT_ONCE));
  openGate();
  await opened.clock.until(waiting(AT_ONCE));
  await run.cancel();
  assertEquals((await opened.clock.until(run.outcome())).status, "cancelled");
  assertEquals(await childrenOf(opened.runner), { live: 0, ended: 2 * AT_ONCE, completed: AT_ONCE, failed: 0 });
});

test("a pause reaches the live child runs of a map, and no others are inserted before it is resumed", async () => {
  const { family, waiting, open: openGate } = gatedFamily();
  await using opened = await open([family], OPTIONS);
  const run = await opened.runner.start(family);
  await opened.clock.until(waiting(AT_ONCE));
  await run.pause();
  openGate();
  await opened.clock.advance("10s");
  assertEquals(await childrenOf(opened.runner), { live: 0, ended: AT_ONCE, completed: AT_ONCE, failed: 0 });
  await run.resume();
  await opened.clock.until(waiting(AT_ONCE));
  assertEquals((await childrenOf(opened.runner)).live, AT_ONCE);
  openGate();
  await opened.clock.until(waiting(TOTAL - 2 * AT_ONCE));
  openGate();
  assertEquals(await opened.clock.until(run.result()), TOTAL);
});

test("another runner continues a map whose runner has stopped, and starts each child run once", async () => {
  const { family, waiting, open: openGate } = gatedFamily();
  await using opened = await open([family], { ...OPTIONS, shared: true });
  const run = await opened.runner.start(family);
  await opened.clock.until(waiting(AT_ONCE));
  openGate();
  await opened.clock.until(waiting(AT_ONCE));
  await opened.clock.until(opened.runner.stop({ timeout: 0 }));
  // The bodies of the runner that has stopped do not count.
  openGate();
  const next = await opened.another([family], OPTIONS);
  await opened.clock.until(waiting(AT_ONCE));
  assertEquals(await childrenOf(next), { live: AT_ONCE, ended: AT_ONCE, completed: AT_ONCE, failed: 0 });
  openGate();
  await opened.clock.until(waiting(TOTAL - 2 * AT_ONCE));
  openGate();
  assertEquals(await opened.clock.until(next.get(run.id).result()), TOTAL);
  assertEquals((await childrenOf(next)).ended, TOTAL);
});

test("stop: a failure cancels the live child runs of a map, and no others are inserted", async () => {
  const family = failingFamily("stop");
  await using opened = await open([family], OPTIONS);
  const run = await opened.runner.start(family);
  assertEquals((await opened.clock.until(run.outcome())).status, "failed");
  assertEquals(await childrenOf(opened.runner), { live: 0, ended: AT_ONCE, completed: 0, failed: 1 });
});

for (const onItemFailure of ["finish", "collect"] as const) {
  test(`${onItemFailure}: the child runs beyond the first 1,000 of a map are inserted after a failure, too`, async () => {
    const family = failingFamily(onItemFailure);
    await using opened = await open([family], OPTIONS);
    const run = await opened.runner.start(family);
    const outcome = await opened.clock.until(run.outcome());
    assertEquals(outcome.status, onItemFailure === "finish" ? "failed" : "completed");
    if (outcome.status === "failed") assert(outcome.error.message.startsWith(`1 of ${TOTAL} items`));
    assertEquals(await childrenOf(opened.runner), { live: 0, ended: TOTAL, completed: TOTAL - 1, failed: 1 });
  });
}

/** A map of child runs whose bodies wait until the gate in front of them is opened. */
function gatedFamily() {
  let gate = Promise.withResolvers<void>();
  let arrived = 0;
  let full = { count: Infinity, resolve() {} };
  const gated = workflow("gated", { input: unchecked<number>() })
    .task("pass", {
      async run({ input, ctx }) {
        if (++arrived === full.count) full.resolve();
        await Promise.race([gate.promise, untilAborted(ctx.signal)]);
        return input;
      },
    })
    .returns("pass");
  const family = workflow("family")
    .map("all", { over: () => numbers(), workflow: gated, input: ({ item }) => item })
    .task("count", { after: ["all"], run: ({ all }) => all.length })
    .returns("count");
  return {
    family,
    /** Resolves when so many bodies wait. */
    waiting(count: number): Promise<void> {
      return new Promise((resolve) => arrived >= count ? resolve() : full = { count, resolve });
    },
    open() {
      arrived = 0;
      gate.resolve();
      gate = Promise.withResolvers();
    },
  };
}

/** A map of child runs of which one fails; if that stops the others, these wait for it. */
function failingFamily(onItemFailure: "stop" | "finish" | "collect") {
  const mixed = workflow("mixed", { input: unchecked<number>() })
    .task("work", {
      retry: 1,
      async run({ input, ctx }) {
        if (input === FAILING) throw new Error("no luck");
        if (onItemFailure === "stop") await untilAborted(ctx.signal);
        return input;
      },
    })
    .returns("work");
  return workflow("family")
    .map("all", { over: () => numbers(), onItemFailure, workflow: mixed, input: ({ item }) => item })
    .returns("all");
}

function numbers(): number[] {
  return Array.from({ length: TOTAL }, (_, n) => n);
}

/** Counts the child runs of the only parent. */
async function childrenOf(runner: Pick<Opened<ReturnType<typeof gatedFamily>["family"]>["runner"], "stats" | "list">) {
  const { pending, running, waiting, completed, failed, cancelled } = (await runner.stats()).runs;
  const { state, endedAt } = (await runner.list({ workflow: "family" })).runs[0]!;
  const isLive = endedAt === undefined && state !== "paused";
  return {
    live: pending + running + waiting - (isLive ? 1 : 0),
    ended: completed + failed + cancelled - (endedAt === undefined ? 0 : 1),
    completed: completed - (state === "completed" ? 1 : 0),
    failed: failed - (state === "failed" ? 1 : 0),
  };
}
