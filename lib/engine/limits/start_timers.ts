import { type Clock, monotonicOf } from "../../clock.ts";
import type { HeldStart, LeftStart, LimitRule } from "../../store/port/limits.ts";
import type { RunStarts } from "./unit_permit.ts";

/** Timers may fire so much early, in milliseconds. */
const EARLY_MS = 1;

/** Ends starts of limits of rate when their periods are over. */
export interface StartTimers {
  /** A body begins, with starts of its unit, and of its run if it is the first one: they keep their slots for a period. */
  began(ofUnit: readonly HeldStart[], ofRun: RunStarts | undefined): void;
  /** The starts of a run are known, whose first body may have begun. */
  beginRun(run: RunStarts): void;
  /** Takes over starts that keep their slots for so long. */
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
 * Timers for the starts of a runner, by the monotonic clock. After a burst the slots of a limit are not free at once again,
 * but one after the other, so that what waits starts evenly.
 */
export function createStartTimers(
  rules: readonly LimitRule[],
  { clock, over }: { readonly clock: Clock; readonly over: (seq: number) => void },
): StartTimers {
  const monotonic = monotonicOf(clock);
  const ruleOf = new Map(rules.map((rule) => [rule.name, rule]));
  const timers = new Map<number, Timed>();
  /** When the last slot of a limit is free again. */
  const lastAt = new Map<string, number>();
  return {
    began(ofUnit, ofRun) {
      const isFirst = ofRun !== undefined && ofRun.beganAt === undefined;
      if (isFirst) ofRun.beganAt = monotonic();
      if (!isFirst && ofUnit.length === 0) return;
      // The period is counted from the first pause of the body, so that whatever it does or notes at its beginning is in it.
      queueMicrotask(() => {
        begin(ofUnit, monotonic());
        if (!isFirst) return;
        ofRun.beganAt = monotonic();
        beginRun(ofRun);
      });
    },
    beginRun,
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

  function beginRun(run: RunStarts): void {
    if (run.beganAt === undefined || run.starts === undefined) return;
    begin(run.starts, run.beganAt);
    run.starts = [];
  }

  function begin(starts: readonly HeldStart[], beganAt: number): void {
    for (const start of starts) {
      const { max = 1, perMs = 0 } = ruleOf.get(start.limit) ?? {};
      const endsAt = Math.max(beganAt + perMs, (lastAt.get(start.limit) ?? -Infinity) + perMs / max);
      lastAt.set(start.limit, endsAt);
      arm(start, endsAt);
    }
  }

  function arm(start: HeldStart, endsAt: number): void {
    const cancel = clock.after(Math.max(0, Math.ceil(endsAt - monotonic()) + EARLY_MS), () => {
      timers.delete(start.seq);
      over(start.seq);
    });
    timers.set(start.seq, { start, endsAt, cancel });
  }
}
