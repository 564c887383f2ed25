/** The adapter for the public harness, on a separate Postgres server; see bench/harness/driver.ts. */
import { assert, assertEquals } from "@std/assert";
import { createRollingHistogram, WINDOW_S } from "../bench/harness/rolling.ts";
import { ended, spawn } from "./child.ts";
import { test } from "./harness.ts";

test("the adapter of the harness completes all enqueued runs even if a process and connections are killed", async () => {
  const phases = ["warm=warmup:2s", "kills=repeated-kill(instance=1,period=1s):2s", "cut=pg-backend-kill(rate=5):2s"];
  await using driver = spawn("../bench/harness/driver.ts", ["--rate=50", ...phases.map((phase) => `--phase=${phase}`)]);
  const { code, stdout, stderr } = await ended(driver);
  const lines = stdout.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.map(({ phase }) => phase), ["warm", "kills", "cut", "end"], stderr);
  const { left, completedInStore, endedLateOrWithError } = lines.at(-1);
  assertEquals({ code, left, endedLateOrWithError }, { code: 0, left: 0, endedLateOrWithError: 0 }, stderr);
  assert(completedInStore > 0 && lines[0].claimP99Ms > 0, stdout);
});

test("percentiles cover the last 30 seconds, with three digits", () => {
  let nowMs = 0;
  const histogram = createRollingHistogram(() => nowMs);
  assertEquals(histogram.quantile(0.5), 0);
  for (let ms = 1; ms <= 1_000; ms++) histogram.add(ms);
  for (const [q, ms] of [[0.5, 500], [0.95, 950], [0.99, 990]] as const) {
    assert(Math.abs(histogram.quantile(q) - ms) <= ms / 1_000 + 1, `${histogram.quantile(q)}`);
  }
  nowMs = (WINDOW_S - 1) * 1_000;
  histogram.add(0.02);
  assert(histogram.quantile(0.5) > 400);
  nowMs = (WINDOW_S + 1) * 1_000;
  assertEquals(histogram.quantile(0.5), 0.02);
});
