import { systemClock } from "../../clock.ts";

/** Delays that can be ended early. */
export interface Pauses {
  /** Resolves after `ms` milliseconds, or when `end()` is called. */
  pause(ms: number): Promise<void>;
  /** Ends all current pauses. */
  end(): void;
}

/** Creates pauses that use the machine's clock, independent of the store's clock: they wait for external conditions. */
export function createPauses(): Pauses {
  const pauses = new Set<() => void>();
  return {
    pause(ms) {
      return new Promise((resolve) => {
        const done = (): void => {
          pauses.delete(done);
          cancel();
          resolve();
        };
        const cancel = systemClock.after(ms, done);
        pauses.add(done);
      });
    },
    end() {
      for (const done of [...pauses]) done();
    },
  };
}

/** Returns a random delay between half of `ms` and `ms`, so that processes which wait for the same resource do not retry in step. */
export function jittered(ms: number): number {
  return ms * (0.5 + Math.random() / 2);
}
