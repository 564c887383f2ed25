import { setImmediate } from "node:timers";

/** Which connection of this process writes: a user's transaction holds the write lock for as long as it takes. */
export interface Gate {
  /** Resolves when the transaction that is under way has ended; `undefined` while there is none. */
  readonly held: Promise<void> | undefined;
  /** Begins a transaction as soon as those before it have ended; the answer says that it has ended. */
  enter(): Promise<() => void>;
}

/**
 * A gate with nobody in it. Trying to write all the same would be refused by SQLite, which blocks the process for a
 * while each time, and with it the very body that is waited for.
 */
export function createGate(): Gate {
  const line: (() => void)[] = [];
  let held: PromiseWithResolvers<void> | undefined;
  return {
    get held() {
      return held?.promise;
    },
    enter() {
      if (held === undefined && line.length === 0) return Promise.resolve(take());
      return new Promise((resolve) => line.push(() => resolve(take())));
    },
  };

  function take(): () => void {
    const own = held = Promise.withResolvers<void>();
    return () => {
      held = undefined;
      own.resolve();
      // Later: first come the results that have gathered meanwhile, and the runner's sign of life.
      setImmediate(() => held === undefined && line.shift()?.());
    };
  }
}
