import { AsyncLocalStorage } from "node:async_hooks";

/** Output of a step as JSON text, when it is known. */
type Output = Promise<string | undefined>;

/** The steps that the body of one attempt has called: each name once, and none that waits for itself. */
export class AttemptSteps {
  readonly #running = new Map<string, Output>();
  /** Names of steps that run or have completed in this attempt. */
  readonly #used = new Set<string>();
  /** For each running step, the steps that were called in it. */
  readonly #calls = new Map<string, Set<string>>();
  /** The step in which a call happens. */
  readonly #enclosing = new AsyncLocalStorage<string>();

  /**
   * Returns the output of a step that runs at the moment, or else that of `perform`. A step that fails may be called again.
   *
   * @throws {TypeError} If the step has completed in this attempt, or would wait for itself.
   */
  call(name: string, perform: () => Output): Output {
    const caller = this.#enclosing.getStore();
    if (caller !== undefined && this.#running.has(caller)) {
      if (this.#isCalledBy(caller, name)) {
        throw new TypeError(
          caller === name
            ? `Cannot run step "${name}": it is called in itself and would wait for itself`
            : `Cannot run step "${name}" in step "${caller}": the two would wait for each other`,
        );
      }
      const calls = this.#calls.get(caller) ?? new Set();
      this.#calls.set(caller, calls.add(name));
    }
    const running = this.#running.get(name);
    if (running !== undefined) return running;
    if (this.#used.has(name)) {
      throw new TypeError(
        `Cannot run step "${name}" again: the attempt has used this name; in a loop make it distinct, such as ` +
          `step(\`${name} \${i}\`, …)`,
      );
    }
    this.#used.add(name);
    // Known before its body is called, which may call steps at once.
    const { promise: output, resolve } = Promise.withResolvers<string | undefined>();
    this.#running.set(name, output);
    resolve(this.#enclosing.run(name, perform));
    const ended = (): void => {
      this.#running.delete(name);
      this.#calls.delete(name);
    };
    output.then(ended, () => {
      ended();
      this.#used.delete(name);
    });
    return output;
  }

  /** Whether a step is `name`, or was called in it, at any depth. */
  #isCalledBy(step: string, name: string): boolean {
    const reached = new Set([name]);
    for (const one of reached) for (const called of this.#calls.get(one) ?? []) reached.add(called);
    return reached.has(step);
  }
}
