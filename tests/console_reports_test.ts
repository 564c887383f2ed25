/** The console output of a runner without a logger. */
import { assertEquals, assertMatch } from "@std/assert";
import { createRunner, workflow } from "../mod.ts";
import { openSqliteStore } from "../lib/store/sqlite/mod.ts";
import { createFakeClock } from "../lib/testing/mod.ts";
import { test } from "./harness.ts";

const failing = workflow("failing").task("work", { retry: 1, run: () => Promise.reject(new TypeError("no\nrows")) });
const fine = workflow("fine").task("work", { run: () => 1 });

/** Returns the lines that `work` prints through `console`. */
async function printed(work: () => Promise<unknown>): Promise<readonly string[]> {
  const lines: string[] = [];
  const { error, warn, log, info, debug } = console;
  const write = (...parts: readonly unknown[]): void => void lines.push(parts.join(" "));
  Object.assign(console, { error: write, warn: write, log: write, info: write, debug: write });
  try {
    await work();
  } finally {
    Object.assign(console, { error, warn, log, info, debug });
  }
  return lines;
}

test("without a logger a failed run prints one line, and a completed run none", async () => {
  const lines = await printed(async () => {
    await using runner = await createRunner("sqlite::memory:", { workflows: [failing, fine] });
    await runner.execute(fine);
    await runner.execute(failing);
  });
  assertEquals(lines.length, 1);
  assertMatch(lines[0]!, /^sluice: Run "[0-9a-f-]{36}" of workflow "failing" failed: TypeError: no rows$/);
});

test("without a logger control characters in the error of a body do not reach the terminal", async () => {
  const hostile = workflow("hostile").task("work", {
    retry: 1,
    run: () => Promise.reject(new Error("a\u001b[2Jb\u0007\u009b\u202ec\ud800")),
  });
  const lines = await printed(async () => {
    await using runner = await createRunner("sqlite::memory:", { workflows: [hostile] });
    await runner.execute(hostile);
  });
  assertMatch(lines.join("\n"), /failed: Error: a\ufffd\[2Jb\ufffd\ufffd\ufffdc\ufffd$/);
});

test("without a logger a failed undo prints one line", async () => {
  const stuck = workflow("stuck")
    .task("pay", { retry: 1, run: () => 1, undo: () => Promise.reject(new Error("no\nway")) })
    .task("ship", { after: ["pay"], retry: 1, run: () => Promise.reject(new TypeError("no rows")) });
  const lines = await printed(async () => {
    await using runner = await createRunner("sqlite::memory:", { workflows: [stuck] });
    await runner.execute(stuck);
  });
  assertEquals(lines.length, 2);
  assertMatch(lines[0]!, /^sluice: Cannot undo task "pay" of run "[0-9a-f-]{36}": no way; its effects remain, /);
});

test("without a logger a parked run prints one line", async () => {
  const clock = createFakeClock();
  const store = await openSqliteStore("sqlite::memory:", { clock });
  const before = workflow("trip").task("book", { run: () => 1 }).sleep("rest", { after: ["book"], for: "1h" });
  const after = workflow("trip").task("reserve", { run: () => 1 });
  const first = await createRunner(store, { workflows: [before], clock, logger: false });
  const run = await first.start(before);
  await clock.advance("1s");
  await clock.until(first.stop());
  const lines = await printed(async () => {
    const second = await createRunner(store, { workflows: [after], clock });
    await clock.advance("2h");
    await clock.until(second.stop());
  });
  await store.close();
  assertEquals(lines.length, 1, lines.join("\n"));
  assertMatch(lines[0]!, new RegExp(`^sluice: Run "${run.id}" of workflow "trip" is parked: .*"book"`));
});

test("without a logger a lost lease prints one line", async () => {
  const clock = createFakeClock();
  const inner = await openSqliteStore("sqlite::memory:", { clock });
  let isAway = false;
  const renew: typeof inner.renew = async (...args) => {
    if (isAway) throw new Error("the server is away");
    return await inner.renew(...args);
  };
  const lines = await printed(async () => {
    const runner = await createRunner({ ...inner, renew }, { workflows: [fine], clock });
    await runner.start(fine, undefined, { delay: "1h" });
    isAway = true;
    await clock.advance("2m");
    isAway = false;
    await clock.advance("2m");
    await clock.until(runner.stop());
  });
  await inner.close();
  assertEquals(lines, [
    "sluice: The lease of the runner expired: its runs are released, and other runners can claim them",
  ]);
});

test("with a logger, or with false, nothing is printed", async () => {
  const own: string[] = [];
  const write = (message: string): void => void own.push(message);
  for (const logger of [false, { debug: write, info: write, warn: write, error: write }] as const) {
    const lines = await printed(async () => {
      await using runner = await createRunner("sqlite::memory:", { workflows: [failing], logger });
      await runner.execute(failing);
    });
    assertEquals(lines, []);
  }
});
