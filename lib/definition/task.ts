import type { Duration } from "../duration.ts";
import { newChecks } from "./checks.ts";
import type { JsonReturn } from "./json_types.ts";
import type { RetryPolicy } from "./retry.ts";
import type { FailureEvent, SuccessEvent } from "./steps.ts";
import { BODY_OPTIONS, readBody } from "./validate.ts";

/** A body with its options, away from any workflow: `.task("load", { after: ["transform"], ...load })`. */
export interface TaskBody<Args, Ret> {
  /** The body, callable from a unit test. */
  readonly run: (args: Args) => Ret;
  /** What to do when `run` throws: a number of attempts in all, or a policy. @default {3} attempts, exponential */
  readonly retry?: number | RetryPolicy;
  /** Longest a single attempt may take. */
  readonly timeout?: Duration;
  /**
   * Called after `run` succeeded and its output was stored: at most once, as nobody calls it again if the process dies
   * before. What it throws is logged and changes nothing.
   */
  readonly onSuccess?: (event: SuccessEvent<Awaited<Ret>>) => unknown;
  /** Called after the last attempt failed, as `onSuccess` is after a success. */
  readonly onFailure?: (event: FailureEvent) => unknown;
  /** Stands for the code in the content version: change it when the task behaves differently. */
  readonly version?: string;
}

/**
 * Defines a body with its options, for other files, reuse and unit tests. What it reads is written in its parameter
 * and checked where it is wired.
 *
 * @throws {TypeError} If an option is wrong; every problem is named.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { workflow } from "@sluice/sluice";
 *
 * const total = task({ retry: 5, run: ({ prices }: { prices: number[] }) => prices.reduce((a, b) => a + b, 0) });
 * assertEquals(total.run({ prices: [1, 2] }), 3);
 *
 * workflow("sum").task("prices", { run: () => [1, 2] }).task("total", { after: ["prices"], ...total });
 * ```
 */
export function task<Args, Ret>(
  body: TaskBody<Args, Ret> & { readonly run: (args: Args) => JsonReturn<Ret> },
): TaskBody<Args, Ret> {
  const checks = newChecks();
  const options = checks.options(body, "it", BODY_OPTIONS);
  readBody("it", options, checks);
  checks.version(options.version, "it: version");
  if (checks.problems.length > 0) throw new TypeError(`Cannot define task: ${checks.problems.join("; ")}`);
  return Object.freeze({ ...body });
}
