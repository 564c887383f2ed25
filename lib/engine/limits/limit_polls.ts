import { afterIdle, type Clock, monotonicOf } from "../../clock.ts";
import type { LimitStore } from "../../store/port/limits.ts";

/** How often a runner reads what notifications may have missed. */
const POLL_MS = 5_000;

/** The pause between two looks that notifications have caused. */
const LOOK_PAUSE_MS = 200;

/** What polls need of a runner. */
export interface LimitPollsOptions {
  readonly limits: Pick<LimitStore, "look">;
  readonly clock: Clock;
  /** The store's time. */
  readonly now: () => number;
  /** The id of the runner. */
  readonly runner: () => number;
  /** A unit of the runner was granted its slots by an exchange of another process. */
  readonly granted: () => void;
  /** Permits, or starts, were left behind. */
  readonly stale: () => void;
  /** Runs ask for their slots. */
  readonly gated: () => void;
  /** The store cannot be read. */
  readonly failed: (error: unknown) => void;
}

/** Looks for what others have changed. */
export interface LimitPolls {
  /** Polls from now on. */
  begin(): void;
  /** Looks soon. */
  look(): void;
  /** A run asks for its slots at that time. */
  lookAt(at: number | undefined): void;
  /** Ends all timers. */
  stop(): void;
}

/** Creates polls that have not begun. */
export function createLimitPolls(options: LimitPollsOptions): LimitPolls {
  const { limits, clock, now, stale, gated, failed } = options;
  const monotonic = monotonicOf(clock);
  let isOpen = false;
  let lookedAt = -Infinity;
  let gateAt: number | undefined;
  let cancelGate = () => {};
  let cancelPoll = () => {};
  let cancelLook: (() => void) | undefined;
  return {
    begin() {
      isOpen = true;
      schedulePoll();
    },
    look() {
      if (!isOpen || cancelLook !== undefined) return;
      cancelLook = clock.after(Math.max(0, lookedAt + LOOK_PAUSE_MS - monotonic()), () => {
        cancelLook = undefined;
        void lookNow();
      });
    },
    lookAt,
    stop() {
      isOpen = false;
      cancelGate();
      cancelPoll();
      cancelLook?.();
    },
  };

  function lookAt(at: number | undefined): void {
    if (!isOpen || at === undefined || (gateAt !== undefined && gateAt <= at)) return;
    cancelGate();
    gateAt = at;
    cancelGate = clock.after(Math.max(0, at - now()), () => {
      gateAt = undefined;
      gated();
    });
  }

  // This is the contract: notifications may be lost, polls cannot.
  function schedulePoll(): void {
    cancelPoll = afterIdle(clock, POLL_MS, () => {
      void lookNow();
      schedulePoll();
    });
  }

  async function lookNow(): Promise<void> {
    lookedAt = monotonic();
    try {
      const { isStale, isGranted, nextAt } = await limits.look(options.runner());
      if (!isOpen) return;
      if (isGranted) options.granted();
      if (isStale) stale();
      lookAt(nextAt);
    } catch (error) {
      if (isOpen) failed(error);
    }
  }
}
