/** For how long an event loop did not turn. */
export interface Stalls {
  /** The longest stall, in milliseconds. */
  readonly longestMs: number;
  /** The sum of all stalls, in milliseconds. */
  readonly totalMs: number;
}

/** A gap between two turns that is shorter is none. */
const SHORTEST_STALL_MS = 150;

/**
 * Watches the event loop of this process; the function returned ends that and returns the stalls. A machine that is busy
 * stalls every process: compare with the stalls of a process that has nothing to wait for.
 */
export function watchEventLoop(): () => Stalls {
  let last = performance.now();
  let [longestMs, totalMs] = [0, 0];
  const timer = setInterval(() => {
    const gap = performance.now() - last;
    last += gap;
    if (gap < SHORTEST_STALL_MS) return;
    longestMs = Math.max(longestMs, gap);
    totalMs += gap;
  }, 5);
  return () => {
    clearInterval(timer);
    return { longestMs: Math.round(longestMs), totalMs: Math.round(totalMs) };
  };
}
