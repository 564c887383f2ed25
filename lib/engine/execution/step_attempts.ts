import { newChecks } from "../../definition/checks.ts";
import { ONE_ATTEMPT, readRetry, type RetryRule } from "../../definition/retry.ts";
import type { Logger } from "../../logger.ts";
import { decideRetry } from "../errors/retry_decision.ts";
import { StepTimeoutError } from "../errors/task_errors.ts";

/** The options of a step with all defaults. */
export interface StepRule {
  /** How often and when a failed attempt is repeated. */
  readonly retry: RetryRule;
  /** The maximum duration of an attempt, in milliseconds. */
  readonly timeoutMs: number | undefined;
}

/** What the attempts of a step need. */
export interface StepAttemptsPort {
  /** Sets a timer; the result cancels it. */
  readonly after: (ms: number, fire: () => void) => () => void;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
  readonly logger: Logger;
  /** Returns the signal that ends the delay between two attempts. */
  readonly signal: () => AbortSignal;
  /**
   * Called between two attempts.
   *
   * @throws Why no further attempt may begin.
   */
  readonly check: () => void;
}

const DEFAULTS: StepRule = Object.freeze({ retry: ONE_ATTEMPT, timeoutMs: undefined });

/**
 * Reads the options of a step.
 *
 * @throws {TypeError} If an option is invalid; the message names every problem.
 */
export function readStepOptions(name: string, value: unknown): StepRule {
  if (value === undefined) return DEFAULTS;
  const checks = newChecks();
  const { retry, timeout } = checks.options(value, "its options", ["retry", "timeout"]);
  const rule: StepRule = {
    retry: retry === undefined ? ONE_ATTEMPT : readRetry(retry, "retry", checks),
    timeoutMs: checks.timeout(timeout, "timeout"),
  };
  if (checks.problems.length > 0) throw new TypeError(`Cannot run step "${name}": ${checks.problems.join("; ")}`);
  return rule;
}

/** Calls `attempt` until it succeeds; fails with what it threw if no other attempt follows. */
export async function repeatStep<T>(retry: RetryRule, attempt: () => Promise<T>, port: StepAttemptsPort): Promise<T> {
  for (let number = 1;; number++) {
    try {
      return await attempt();
    } catch (thrown) {
      port.check();
      const next = decideRetry(retry, number, thrown, port.random, port.logger);
      if (next.kind !== "retry") throw thrown;
      await delay(next.delayMs, port);
      port.check();
    }
  }
}

/** Resolves after `ms` milliseconds; rejects with the reason of the signal as soon as that aborts. */
async function delay(ms: number, port: StepAttemptsPort): Promise<void> {
  const signal = port.signal();
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const cancel = port.after(ms, resolve);
  try {
    await promise;
  } finally {
    cancel();
    signal.removeEventListener("abort", abort);
  }
}

/** The time limit of one attempt at a step. */
export interface StepLimit {
  readonly name: string;
  readonly timeoutMs: number;
  readonly after: StepAttemptsPort["after"];
  /** Called with the error of the attempt before that fails. */
  readonly expired: (error: StepTimeoutError) => void;
}

/**
 * Settles as `body` does, or rejects once the time limit is over: then nothing that `body` does is seen any more.
 *
 * @throws {StepTimeoutError} If the time limit is over.
 */
export function withinLimit(body: () => unknown, { name, timeoutMs, after, expired }: StepLimit): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const cancel = after(timeoutMs, () => {
      const error = new StepTimeoutError(name, timeoutMs);
      expired(error);
      reject(error);
    });
    void settled(body).then(resolve, reject).then(cancel);
  });
}

async function settled(body: () => unknown): Promise<unknown> {
  return await body();
}
