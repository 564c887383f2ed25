/** A timer of a clock that is moved by hand. */
export interface Timer {
  /** When it fires. */
  dueAt: number;
  /** When it fires at the soonest: before `dueAt` for a check that waits for longer than usual. */
  readonly soonestAt: number;
  /** What it does. */
  readonly fire: () => void;
}

/** Timers by due time, then in the order in which they were added. */
export interface TimerQueue {
  /** The timer that is due next. */
  readonly first: Timer | undefined;
  /** How many there are. */
  readonly size: number;
  /** Returns a function that removes the timer. */
  add(timer: Timer): () => void;
  /** Removes the first timer. */
  take(): Timer;
  /** Lets no timer wait for longer than usual, but none fire before `nowMs`. */
  hasten(nowMs: number): void;
}

/** A queue without timers. */
export function timerQueue(): TimerQueue {
  const timers: Timer[] = [];
  return {
    get first() {
      return timers[0];
    },
    get size() {
      return timers.length;
    },
    add(timer) {
      insert(timer);
      return () => {
        const place = timers.indexOf(timer);
        if (place >= 0) timers.splice(place, 1);
      };
    },
    take: () => timers.shift()!,
    hasten(nowMs) {
      const late = timers.filter(({ dueAt, soonestAt }) => dueAt > soonestAt);
      for (const timer of late) {
        timers.splice(timers.indexOf(timer), 1);
        timer.dueAt = Math.max(nowMs, timer.soonestAt);
        insert(timer);
      }
    },
  };

  function insert(timer: Timer): void {
    const at = timers.findLastIndex(({ dueAt }) => dueAt <= timer.dueAt);
    timers.splice(at + 1, 0, timer);
  }
}
