/** What a runner prints that was given no logger. */
import { assertEquals, assertMatch } from "@std/assert";
import { createRunner, workflow } from "../mod.ts";
import { test } from "./harness.ts";

const failing = workflow("failing").task("work", { retry: 1, run: () => Promise.reject(new TypeError("no\nrows")) });
const fine = workflow("fine").task("work", { run: () => 1 });

/** The lines that `work` prints by way of `console`. */
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

test("without a logger a failed run is one line, and a run that completes is none", async () => {
  const lines = await printed(async () => {
    await using runner = await createRunner("sqlite::memory:", { workflows: [failing, fine] });
    await runner.execute(fine);
    await runner.execute(failing);
  });
  assertEquals(lines.length, 1);
  assertMatch(lines[0]!, /^sluice: Run "[0-9a-f-]{36}" of workflow "failing" failed: TypeError: no rows$/);
});

test("without a logger a failed undo is one line", async () => {
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
