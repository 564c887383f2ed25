/**
 * The interval in which turns of the event loop are counted, in milliseconds: a loop that is not blocked turns in each.
 */
const INTERVAL_MS = 20;

/** A period of wall-clock time, which is the same for all processes of a machine. */
export interface Period {
  readonly from: number;
  readonly to: number;
}

/**
 * Watches the event loop of this process. The returned function stops that, and returns the wall-clock times at which
 * the loop turned, at most one per 20 ms.
 */
export function watchEventLoop(): () => readonly number[] {
  const turns: number[] = [];
  const timer = setInterval(() => void turns.push(Date.now()), INTERVAL_MS);
  return () => {
    clearInterval(timer);
    return turns;
  };
}

/**
 * Returns whether an event loop kept turning during a period: at least a quarter as often as the loop of a process
 * without work, because a busy machine delays every process.
 */
export function wentOnTurning(turns: readonly number[], idle: readonly number[], period: Period): boolean {
  const count = (all: readonly number[]) => all.filter((at) => at >= period.from && at <= period.to).length;
  return count(turns) >= Math.max(1, count(idle) / 4);
}
