import { type Clock, monotonicOf } from "../../clock.ts";
import type { HeldStart, LeftStart, LimitRule } from "../../store/limits.ts";

/** Timers may fire so much early, in milliseconds. */
const EARLY_MS = 1;

/** Ends starts of limits of rate when their periods are over. */
export interface StartTimers {
  /** A body begins now, or began at that time of the monotonic clock: its starts keep their places for a period. */
  begin(starts: readonly HeldStart[], beganAt?: number): void;
  /** Takes over starts that keep their places for so long. */
  takeOver(starts: readonly LeftStart[]): void;
  /** Ends all timers; returns the starts whose periods are not over. */
  stop(): readonly LeftStart[];
}

interface Timed {
  readonly start: HeldStart;
  /** By the monotonic clock. */
  readonly endsAt: number;
  readonly cancel: () => void;
}

/**
 * Timers for the starts of a runner, by the monotonic clock. After a burst the places of a limit are not free at once again,
 * but one after the other, so that what waits starts evenly.
 */
export function createStartTimers(
  rules: readonly LimitRule[],
  { clock, over }: { readonly clock: Clock; readonly over: (seq: number) => void },
): StartTimers {
  const monotonic = monotonicOf(clock);
  const ruleOf = new Map(rules.map((rule) => [rule.name, rule]));
  const timers = new Map<number, Timed>();
  /** When the last place of a limit is free again. */
  const lastAt = new Map<string, number>();
  return {
    begin(starts, beganAt = monotonic()) {
      for (const start of starts) {
        const { max = 1, perMs = 0 } = ruleOf.get(start.limit) ?? {};
        const endsAt = Math.max(beganAt + perMs, (lastAt.get(start.limit) ?? -Infinity) + perMs / max);
        lastAt.set(start.limit, endsAt);
        arm(start, endsAt);
      }
    },
    takeOver(starts) {
      for (const { leftMs, ...start } of starts) arm(start, monotonic() + leftMs);
    },
    stop() {
      const left = [...timers.values()].map(({ start, endsAt, cancel }) => {
        cancel();
        return { ...start, leftMs: Math.max(0, Math.ceil(endsAt - monotonic())) };
      });
      timers.clear();
      return left;
    },
  };

  function arm(start: HeldStart, endsAt: number): void {
    const cancel = clock.after(Math.max(0, Math.ceil(endsAt - monotonic()) + EARLY_MS), () => {
      timers.delete(start.seq);
      over(start.seq);
    });
    timers.set(start.seq, { start, endsAt, cancel });
  }
}
