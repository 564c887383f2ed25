import type { Clock } from "../../clock.ts";
import type { Logger } from "../../logger.ts";

/** Slots are stalled when all are taken, attempts wait for one, and none has been released for this time. */
const STALLED_MS = 30_000;

/** Warns when all slots are taken and none is released. */
export interface StallWarning {
  /** Called when attempts wait although no slot is free. */
  saturated(): void;
  /** Called when a slot is released. */
  released(): void;
  /** Ends the timer. */
  stop(): void;
}

/** What the warning needs of the slots. */
export interface StallWarningOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether attempts wait although no slot is free. */
  readonly isSaturated: () => boolean;
  /** How many slots there are. */
  readonly concurrency: number;
}

/**
 * A warning that is logged once for each stall. The usual cause is a body that waits for another run: while it waits, it
 * keeps its slot, and the other run may never get one.
 */
export function createStallWarning({ clock, logger, isSaturated, concurrency }: StallWarningOptions): StallWarning {
  // One timer, and not one for each slot that is released: under load that is each body.
  let cancel: (() => void) | undefined;
  let hasReleased = false;
  return {
    saturated() {
      if (cancel === undefined) arm();
    },
    released: () => void (hasReleased = true),
    stop() {
      cancel?.();
      cancel = undefined;
    },
  };

  function arm(): void {
    hasReleased = false;
    cancel = clock.after(STALLED_MS, check, true);
  }

  function check(): void {
    cancel = undefined;
    if (!isSaturated()) return;
    if (hasReleased) return arm();
    logger.warn(
      `All ${concurrency} slots have been taken for ${
        STALLED_MS / 1_000
      } s while other tasks wait for one; a body that ` +
        "waits for another run keeps its slot meanwhile: raise `concurrency`, or start that run without waiting for it",
    );
  }
}
