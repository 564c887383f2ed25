import type { Duration } from "../duration.ts";
import type { JsonValue } from "../json_value.ts";
import { newChecks } from "./checks.ts";
import type { Guarantee } from "./definition.ts";
import type { GenericReturn } from "./json_types.ts";
import type { BodyOption } from "./option_names.ts";
import type { Known } from "./options_check.ts";
import type { Limit, LimitArgs } from "./limit.ts";
import { readLimits } from "./read_limits.ts";
import type { RetryPolicy } from "./retry.ts";
import type { FailureEvent, SuccessEvent } from "./specs.ts";
import type { OutputArg } from "./steps.ts";
import { BODY_OPTIONS, readBody, readGuarantee } from "./kinds/task.ts";

/** A body with its options, defined outside of a workflow: `.task("load", { after: ["transform"], ...load })`. */
export interface TaskBody<Args, Ret> {
  /** The body; unit tests can call it. */
  readonly run: (args: Args) => Ret;
  /**
   * What bounds the attempts at the task across all runners, such as `[{ max: 3 }]`: each limit must allow an attempt. At
   * most eight. @default {[]}
   */
  readonly limits?: readonly Limit<LimitArgs<NoInfer<Args>>>[];
  /** Applied when `run` throws: a total number of attempts, or a policy. @default `defaults` of the runner */
  readonly retry?: number | RetryPolicy;
  /** The maximum duration of an attempt. @default `defaults` of the runner */
  readonly timeout?: Duration;
  /**
   * How often the body runs if its runner dies, loses its lease or is stopped: again, or not again without a decision
   * (`resolve()`). With `"atMostOnce"` the default of `retry` is one attempt. @default {"atLeastOnce"}
   */
  readonly guarantee?: Guarantee;
  /**
   * Called after `run` returned and its output was stored, at most once: not at all if the process dies in between. An
   * error that it throws is logged and has no other effect.
   */
  readonly onSuccess?: (event: SuccessEvent<Awaited<Ret>, NoInfer<Args>>) => unknown;
  /** Called at most once, after the last attempt failed. */
  readonly onFailure?: (event: FailureEvent<NoInfer<Args>>) => unknown;
  /**
   * Reverts what `run` did, after the run has failed or was cancelled: retried and bounded like `run`, at least once, or
   * exactly once in a transaction. What it returns is ignored.
   */
  readonly undo?: (args: NoInfer<Args> & OutputArg<Awaited<Ret>>) => unknown;
  /** Replaces the code in the content version: change it when the task behaves differently. */
  readonly version?: string;
}

/**
 * Defines a body with its options outside of a workflow, for reuse and unit tests. The type of its parameter states the
 * inputs of the body; the compiler checks it where the body is added to a workflow.
 *
 * @throws {TypeError} If an option is invalid; the message names every problem.
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
export function task<Args, Ret, Safe extends JsonValue | undefined | void = never, Keys extends string = never>(
  body:
    & Omit<TaskBody<Args, Ret>, "run">
    & { readonly run: (args: Args) => GenericReturn<Ret, Safe> }
    & Known<Keys, Exclude<BodyOption, "transaction">>,
): TaskBody<Args, Ret> {
  const checks = newChecks();
  const options = checks.options(body, "it", BODY_OPTIONS);
  const source = { what: "it", options, checks };
  readBody(source);
  readGuarantee(source);
  readLimits(options["limits"], { what: "it: limits", of: "it", name: undefined, checks });
  checks.version(options["version"], "it: version");
  if (checks.problems.length > 0) {
    throw new TypeError(
      `Cannot define task: ${checks.problems.map((problem) => problem.replace(/^it: /, "")).join("; ")}`,
    );
  }
  // The compiler has checked that the body returns a `Ret`.
  return Object.freeze({ ...body }) as unknown as TaskBody<Args, Ret>;
}
