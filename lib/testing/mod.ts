/**
 * Tools to test workflows: a runner in memory with a clock that the test advances, so that retries, delays and
 * schedules of weeks pass at once, with stubs in place of tasks; crashes at every write; checks of recorded runs
 * against new code; and a `ctx` for unit tests of single bodies.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { workflow } from "@sluice/sluice";
 * import { createTestRunner } from "@sluice/sluice/testing";
 *
 * const slow = workflow("slow")
 *   .task("hang", { retry: 2, timeout: "1h", run: () => new Promise<never>(() => {}) });
 *
 * await using runner = await createTestRunner({ workflows: [slow] });
 * const outcome = await runner.execute(slow);
 * assertEquals(outcome.status === "failed" && outcome.error.name, "TaskTimeoutError");
 * ```
 *
 * @module
 */
export type { Clock } from "../clock.ts";
export type { StepOptions, TaskContext, TaskLog } from "../definition/context.ts";
export type { RetryPolicy } from "../definition/retry.ts";
export type { Duration } from "../duration.ts";
export type { Progress } from "../engine/reading/events.ts";
export type { Logger } from "../logger.ts";
export { crashAtEveryWrite } from "./crash_plan.ts";
export { createFakeClock, type FakeClock } from "./fake_clock.ts";
export { type RecordedRun, recordRun, replay, type ReplayProblem } from "./replay.ts";
export type { Stub, StubArguments, Stubs, TaskStubs } from "./stubs.ts";
export { createTestRunner } from "./test_runner.ts";
export type { RestartOptions, TestRunner, TestRunnerOptions } from "./test_runner_interface.ts";
export {
  createTestContext,
  type LoggedLine,
  type TestContext,
  type TestContextOptions,
  type TestStart,
} from "./test_context.ts";
