import { setImmediate } from "node:timers";

/** Serializes the writing connections of this process: a user transaction holds the write lock until it ends. */
export interface Gate {
  /** Resolves when the current transaction has ended; `undefined` if there is none. */
  readonly held: Promise<void> | undefined;
  /** Resolves when all earlier transactions have ended. The caller must call the returned function when its own has ended. */
  enter(): Promise<() => void>;
}

/**
 * Creates an open gate. Without a gate, SQLite would refuse writes during a user transaction, and would each time block
 * the process, including the body that holds the lock, for the busy timeout.
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
      // Deferred, so that the results and heartbeats that have queued meanwhile are written first.
      setImmediate(() => held === undefined && line.shift()?.());
    };
  }
}
