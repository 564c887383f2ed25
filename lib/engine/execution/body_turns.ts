import { setImmediate } from "node:timers";

/** Bodies that return at once may run so long before the event loop turns. */
const LONGEST_TURN_MS = 10;

/** Lets the event loop turn between short bodies. */
export interface BodyTurns {
  /** Whether bodies have had this turn of the event loop for long enough. */
  readonly isOver: boolean;
  /**
   * Whether a body may start in this turn of the event loop: not if bodies have had it for long enough, for example because
   * the process was stopped in it. The lease is checked once per turn, because that reads two clocks.
   */
  mayStart(now: number): boolean;
}

/** Turns that call `next` when the one after a long one begins. */
export function createBodyTurns({ canStart, next }: {
  /** Whether a body may start: the runner's lease holds. */
  readonly canStart: () => boolean;
  readonly next: () => void;
}): BodyTurns {
  let endsAt: number | undefined;
  let isOver = false;
  return {
    get isOver() {
      return isOver;
    },
    mayStart(now) {
      if (endsAt === undefined) return canStart() && begin(now);
      isOver = now >= endsAt;
      return !isOver;
    },
  };

  function begin(now: number): true {
    endsAt = now + LONGEST_TURN_MS;
    setImmediate(() => {
      endsAt = undefined;
      if (!isOver) return;
      isOver = false;
      next();
    });
    return true;
  }
}
