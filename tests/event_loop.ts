/** The event loop's turns are counted in intervals of this many milliseconds: a loop that turns at all turns in each. */
const INTERVAL_MS = 20;

/** A period of time, by the wall clock, which all processes of a machine share. */
export interface Period {
  readonly from: number;
  readonly to: number;
}

/**
 * Watches the event loop of this process; the function returned ends that and returns when it turned, by the wall clock,
 * at most once in 20 ms.
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
 * Whether an event loop went on turning in a period: at least a quarter as often as that of a process which had nothing to
 * wait for, as a busy machine holds up every process.
 */
export function wentOnTurning(turns: readonly number[], idle: readonly number[], period: Period): boolean {
  const count = (all: readonly number[]) => all.filter((at) => at >= period.from && at <= period.to).length;
  return count(turns) >= Math.max(1, count(idle) / 4);
}
