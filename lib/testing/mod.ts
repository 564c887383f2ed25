/**
 * What users test with: a clock that is moved by hand, so that retries, delays and time-outs of a whole run pass at once
 * on `sqlite::memory:`, and a `ctx` for unit tests of single bodies.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createRunner, workflow } from "@sluice/sluice";
 * import { createFakeClock } from "@sluice/sluice/testing";
 *
 * const slow = workflow("slow").task("hang", { retry: 1, timeout: "1m", run: () => new Promise<never>(() => {}) });
 *
 * const clock = createFakeClock();
 * await using runner = await createRunner("sqlite::memory:", { workflows: [slow], clock });
 * const outcome = await clock.until(runner.execute(slow));
 * assertEquals(outcome.status === "failed" && outcome.error.name, "TaskTimeoutError");
 * ```
 *
 * @module
 */
export type { Clock } from "../clock.ts";
export type { StepOptions, TaskContext, TaskLog } from "../definition/context.ts";
export type { RetryPolicy } from "../definition/retry.ts";
export type { Duration } from "../duration.ts";
export type { Progress } from "../engine/events.ts";
export type { Logger } from "../logger.ts";
export { createFakeClock, type FakeClock } from "./fake_clock.ts";
export {
  type LoggedLine,
  type TestContext,
  testContext,
  type TestContextOptions,
  type TestStart,
} from "./test_context.ts";
