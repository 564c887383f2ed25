/** A smaller step delays nothing for long, and no lease is as short. */
export const SMALL_STEP_MS = 1_000;

/**
 * Steps of a store's clock: it was set while the monotonic clock of this process says that no time passed, or the machine
 * was suspended.
 */
export interface ClockSteps {
  /** Compares the time of the store's clock, as it was read just now, with those before. */
  compare(now: number): void;
  /** Records by how much the clock was set ahead; negative if it was set back. */
  record(stepMs: number): void;
  /**
   * For how long the clock was watched and not set ahead, by the monotonic clock. During the first lease of that time an
   * expired lease means nothing: its owner may not have renewed it yet.
   */
  steadyMs(): number;
  /** How long ago the clock was last seen to be set ahead, by the monotonic clock; `Infinity` if it was not. */
  setAheadMs(): number;
  /** Whether the clock was seen to be set back since this was last asked. */
  takeSetBack(): boolean;
}

/** Starts to watch a clock. What it did before is unknown. */
export function createClockSteps(monotonic: () => number): ClockSteps {
  let offset: number | undefined;
  let steadySince = monotonic();
  let setAheadAt = -Infinity;
  let wasSetBack = false;
  return {
    compare(now) {
      const next = now - monotonic();
      if (offset !== undefined) record(next - offset);
      offset = next;
    },
    record,
    steadyMs: () => monotonic() - steadySince,
    setAheadMs: () => monotonic() - setAheadAt,
    takeSetBack() {
      const was = wasSetBack;
      wasSetBack = false;
      return was;
    },
  };

  function record(stepMs: number): void {
    if (stepMs > SMALL_STEP_MS) steadySince = setAheadAt = monotonic();
    if (stepMs < -SMALL_STEP_MS) wasSetBack = true;
  }
}
