import { type Clock, systemClock } from "../../clock.ts";
import { both } from "../../store/shared/changes.ts";
import type { Change } from "../../store/port/store.ts";

/** Bounds the reads that hints cause. */
export interface HintLimit {
  /** Receives a hint of the store. */
  readonly hint: (change: Change) => void;
  /** Drops what has not been acted on. */
  stop(): void;
}

/** What a limit needs. */
export interface HintLimitOptions {
  /** Reads what the hints are about. */
  readonly act: (change: Change) => void;
  /** Returns how often such a read has found something; grows only. */
  readonly useful: () => number;
  /** A clock that is moved by hand waits for hints that are held back. */
  readonly clock: Clock;
}

/** How many hints in a row may be in vain before they are held back. */
const FREE = 20;
/** The time between two reads for hints that were in vain. */
const SPACING_MS = 100;
/** After a pause of this length hints are not held back. */
const FORGET_MS = 1_000;

/**
 * Creates a limit. On Postgres every role of the database may send notifications, so that hints may be forged: once many
 * in a row were in vain, those that follow are merged and cause ten reads in a second at most. A hint that leads to
 * something ends that.
 */
export function createHintLimit({ act, useful, clock }: HintLimitOptions): HintLimit {
  let held: Change | undefined;
  let actedAt = -Infinity;
  let seen = useful();
  let inVain = 0;
  let release = (): void => {};
  return {
    hint(change) {
      if (held !== undefined) return void (held = both(held, change));
      const sinceMs = performance.now() - actedAt;
      inVain = useful() === seen && sinceMs < FORGET_MS ? inVain + 1 : 0;
      if (inVain < FREE || sinceMs >= SPACING_MS) return actOn(change);
      held = change;
      const { promise, resolve } = Promise.withResolvers<void>();
      clock.outside?.(promise);
      // The clock of the machine, whatever clock the store has: this limits the load of the machine.
      const cancel = systemClock.after(SPACING_MS - sinceMs, () => {
        resolve();
        const change = held;
        held = undefined;
        if (change !== undefined) actOn(change);
      }, true);
      release = () => {
        cancel();
        resolve();
      };
    },
    stop() {
      release();
      held = undefined;
    },
  };

  function actOn(change: Change): void {
    seen = useful();
    actedAt = performance.now();
    act(change);
  }
}
