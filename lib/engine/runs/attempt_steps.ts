import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock } from "../../clock.ts";

/** Output of a step as JSON text, when it is known. */
type Output = Promise<string | undefined>;

/** One execution of the body of a step. */
export interface StepExecution {
  /** Name of the step. */
  readonly step: string;
  /** The execution of another step in which the step was called. */
  readonly caller: StepExecution | undefined;
  /** Whether it has failed: names that were used in it may be used again. */
  hasFailed: boolean;
  /** The error of its timeout: whatever its body does afterwards is ignored. */
  expired: Error | undefined;
}

/** A step that runs. */
interface RunningStep {
  readonly output: Output;
  readonly caller: StepExecution | undefined;
}

/** The steps that the body of one attempt has called: each name once, and none that waits for itself. */
export class AttemptSteps {
  readonly #running = new Map<string, RunningStep>();
  /** Names of steps that run or have completed in this attempt, with the executions in which they were called. */
  readonly #used = new Map<string, StepExecution | undefined>();
  /** Outputs of steps that have completed in this attempt. */
  readonly #completed = new Map<string, Output>();
  /** For each running step, the steps that were called in it. */
  readonly #calls = new Map<string, Set<string>>();
  /** The execution in which a call happens. */
  readonly #enclosing = new AsyncLocalStorage<StepExecution>();
  /** Cancels timers of steps. */
  readonly #timers = new Set<() => void>();
  #isStopped = false;

  /**
   * Returns the output of a step that runs at the moment, or else that of `perform`, which receives the execution in which
   * the step is called. A step that fails may be called again.
   *
   * @throws {TypeError} If the step has completed in this attempt, or would wait for itself.
   * @throws {StepTimeoutError} If the step is called in an execution that has timed out.
   */
  call(name: string, perform: (caller: StepExecution | undefined) => Output): Output {
    const caller = this.#enclosing.getStore();
    checkExecution(caller);
    if (caller !== undefined && this.#running.has(caller.step)) {
      if (this.#isCalledBy(caller.step, name)) {
        throw new TypeError(
          caller.step === name
            ? `Cannot run step "${name}": it is called within itself and would wait for itself`
            : `Cannot run step "${name}" in step "${caller.step}": the two would wait for each other`,
        );
      }
      const calls = this.#calls.get(caller.step) ?? new Set();
      this.#calls.set(caller.step, calls.add(name));
    }
    // What runs in an execution that has timed out may hang.
    const running = this.#running.get(name);
    if (running !== undefined && expiryOf(running.caller) === undefined) return running.output;
    if (running === undefined && this.#used.has(name) && !hasFailed(this.#used.get(name))) {
      throw new TypeError(
        `Cannot run step "${name}" again: the attempt has used this name; in a loop make it distinct, such as ` +
          `step(\`${name} \${i}\`, …)`,
      );
    }
    this.#used.set(name, caller);
    // Known before its body is called, which may call steps at once.
    const { promise: output, resolve } = Promise.withResolvers<string | undefined>();
    const step: RunningStep = { output, caller };
    this.#running.set(name, step);
    resolve(perform(caller));
    const ended = (hasFailed: boolean): void => {
      if (this.#running.get(name) !== step) return;
      this.#running.delete(name);
      this.#calls.delete(name);
      if (hasFailed) this.#used.delete(name);
      else this.#completed.set(name, output);
    };
    output.then(() => ended(false), () => ended(true));
    return output;
  }

  /**
   * Returns the output of a step that was called before in this attempt, with success or still running; `undefined` if
   * there is none.
   *
   * @throws {StepTimeoutError} If the call happens in an execution that has timed out.
   */
  outputOf(name: string): Output | undefined {
    checkExecution(this.#enclosing.getStore());
    const running = this.#running.get(name);
    if (running !== undefined) return expiryOf(running.caller) === undefined ? running.output : undefined;
    return hasFailed(this.#used.get(name)) ? undefined : this.#completed.get(name);
  }

  /** Calls a function as a part of an execution. */
  within<T>(execution: StepExecution, body: () => T): T {
    return this.#enclosing.run(execution, body);
  }

  /** Sets a timer, which ends with the attempt; the result cancels it. */
  after(clock: Clock, ms: number, fire: () => void): () => void {
    if (this.#isStopped) return () => {};
    const cancelTimer = clock.after(ms, () => {
      this.#timers.delete(cancel);
      fire();
    });
    const cancel = (): void => {
      this.#timers.delete(cancel);
      cancelTimer();
    };
    this.#timers.add(cancel);
    return cancel;
  }

  /** Cancels all timers: the attempt is over. */
  stop(): void {
    this.#isStopped = true;
    for (const cancel of this.#timers) cancel();
  }

  /** Whether a step is `name`, or was called in it, at any depth. */
  #isCalledBy(step: string, name: string): boolean {
    const reached = new Set([name]);
    for (const one of reached) for (const called of this.#calls.get(one) ?? []) reached.add(called);
    return reached.has(step);
  }
}

/**
 * Checks whether an execution is still awaited.
 *
 * @throws {StepTimeoutError} If it has timed out, or one in which its step was called.
 */
export function checkExecution(execution: StepExecution | undefined): void {
  const error = expiryOf(execution);
  if (error !== undefined) throw error;
}

function expiryOf(execution: StepExecution | undefined): Error | undefined {
  for (let at = execution; at !== undefined; at = at.caller) if (at.expired !== undefined) return at.expired;
  return undefined;
}

function hasFailed(execution: StepExecution | undefined): boolean {
  for (let at = execution; at !== undefined; at = at.caller) if (at.hasFailed) return true;
  return false;
}
