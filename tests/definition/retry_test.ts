import { assertEquals } from "@std/assert";
import { DEFAULT_RETRY, retryDelayMs, type RetryRule } from "../../lib/definition/retry.ts";
import { workflow } from "../../lib/definition/workflow.ts";
import type { RetryPolicy } from "../../lib/definition/retry.ts";
import { test } from "../harness.ts";

function ruleOf(retry: number | RetryPolicy): RetryRule {
  return workflow("w").task("a", { retry, run: () => 1 }).tasks[0]!.retry!;
}

function delaysOf(retry: RetryPolicy, random = 0): number[] {
  return [1, 2, 3, 4, 5, 6, 7].map((attempt) => retryDelayMs(ruleOf(retry), attempt, random));
}

test("the default is 3 attempts, exponential from 1 s to 30 s with jitter", () => {
  const rule: RetryRule = {
    attempts: 3,
    backoff: "exponential",
    delayMs: 1_000,
    maxDelayMs: 30_000,
    jitter: true,
    retryIf: undefined,
  };
  assertEquals(DEFAULT_RETRY, rule);
  assertEquals(ruleOf({}), rule);
  assertEquals(ruleOf(1), { ...rule, attempts: 1 });
});

test("exponential delays double, up to the longest", () => {
  assertEquals(delaysOf({ jitter: false }), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

test("linear delays grow by the first, up to the longest", () => {
  const delays = delaysOf({ backoff: "linear", delay: "10s", maxDelay: "45s", jitter: false });
  assertEquals(delays, [10_000, 20_000, 30_000, 40_000, 45_000, 45_000, 45_000]);
});

test("fixed delays stay the same", () => {
  assertEquals(delaysOf({ backoff: "fixed", delay: 250, jitter: false }), Array(7).fill(250));
});

test("jitter draws between half of a delay and all of it, and never beyond the longest", () => {
  assertEquals(delaysOf({}, 0), [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  assertEquals(delaysOf({}, 0.999999), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  for (let random = 0; random < 1; random += 0.001) {
    const delay = retryDelayMs(ruleOf({ maxDelay: 3 }), 9, random);
    assertEquals(Number.isInteger(delay) && delay >= 2 && delay <= 3, true);
  }
});

test("no number of attempts makes a delay that is no number", () => {
  for (const attempt of [1, 1_000, 1_025, 100_000, Number.MAX_SAFE_INTEGER]) {
    assertEquals(retryDelayMs(ruleOf({ delay: 0 }), attempt, 0.5), 0);
    assertEquals(retryDelayMs(ruleOf({ jitter: false, maxDelay: "7d" }), attempt + 60, 0.5), 604_800_000);
  }
});

test("a delay longer than the default for the longest is kept, and a shorter longest shortens the default delay", () => {
  assertEquals(delaysOf({ delay: "5m", jitter: false }).slice(0, 2), [300_000, 300_000]);
  assertEquals(delaysOf({ maxDelay: "100ms", jitter: false }).slice(0, 2), [100, 100]);
});
