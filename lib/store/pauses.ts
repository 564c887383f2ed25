import { systemClock } from "../clock.ts";

/** Waiting that can be ended. */
export interface Pauses {
  /** Resolves after that long, or when all pauses end. */
  pause(ms: number): Promise<void>;
  /** Ends those there are. */
  end(): void;
}

/** By the machine's clock, whatever clock the store has: what is waited for happens outside of it. */
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

/** Full jitter above half: many processes that wait for the same must not come back as one. */
export function jittered(ms: number): number {
  return ms * (0.5 + Math.random() / 2);
}
